//! The direction of a transfer without a known command, derived from the bytes of both ends less TLS's own.

use core::cmp::Ordering;

use crate::event::FileDirection;
use crate::tls::{Opening, ServerHello, TlsFacts};

/// A server that sends so much more than its client sends a file, whatever the client's handshake is made of. Certificates
/// and tickets are less.
const HANDSHAKE_MAX: u64 = 16 << 10;
/// An alert that closes TLS 1.3 (RFC 8446 sections 5.2 and 6.1), in one record.
const CLOSE_13: u64 = 24;
/// The Certificate of a client that has none, and was asked for one (RFC 8446 section 4.4.2), in one record.
const NO_CERTIFICATE_13: u64 = 30;
/// One that closes TLS 1.2, whatever the cipher suite, in one record.
const CLOSE_12: u64 = 64;

/// The direction of a transfer in which the client sent `up` bytes and the server `down`, under TLS as the hellos and the
/// client's opening decide.
pub(super) fn direction(
    up: u64,
    down: u64,
    tls: Option<(&TlsFacts, Option<Opening>)>,
) -> Option<FileDirection> {
    if up == 0 && down == 0 {
        return None;
    }
    let more = tls.and_then(|(facts, opening)| says_more(up, facts.server?, opening?));
    let client_sends = match more {
        Some(more) => more && down <= up.saturating_add(HANDSHAKE_MAX),
        None => up.cmp(&down) == Ordering::Greater,
    };
    Some(if client_sends { FileDirection::Upload } else { FileDirection::Download })
}

/// The client sends more than its handshake and close_notify.
fn says_more(up: u64, server: ServerHello, opening: Opening) -> Option<bool> {
    let rest = up.saturating_sub(u64::from(opening.bytes));
    if server.version != ServerHello::TLS13 {
        return Some(opening.ended || rest > CLOSE_12);
    }
    // Finished in a record: its head, the hash of the cipher suite, the kind, a tag of 16 bytes.
    let hash: u64 = if server.cipher == 0x1302 { 48 } else { 32 };
    let finished = 5 + 4 + hash + 1 + 16;
    let quiet = [0, CLOSE_13, NO_CERTIFICATE_13, CLOSE_13 + NO_CERTIFICATE_13];
    opening.ended.then_some(rest > finished && !quiet.contains(&(rest - finished)))
}

#[cfg(test)]
mod tests {
    use super::direction;
    use crate::event::FileDirection::{Download, Upload};
    use crate::tls::{Opening, ServerHello, TlsFacts};

    /// A client hello of 517 bytes, ChangeCipherSpec, and in TLS 1.2 what else is of the handshake.
    fn tls(version: u16, cipher: u16, ended: bool) -> (TlsFacts, Option<Opening>) {
        let server = Some(ServerHello { version, cipher });
        let bytes = if version == 0x0304 { 523 } else { 517 + 93 };
        (TlsFacts { server, ..TlsFacts::default() }, Some(Opening { bytes, ended }))
    }

    #[test]
    fn without_tls_the_end_that_says_more_sends() {
        assert_eq!(direction(0, 0, None), None);
        assert_eq!(direction(5, 0, None), Some(Upload));
        assert_eq!(direction(0, 5, None), Some(Download));
    }

    #[test]
    fn a_handshake_does_not_turn_an_upload_into_a_download() {
        for (cipher, finished) in [(0x1301, 58), (0x1302, 74), (0x1303, 58)] {
            let (facts, opening) = tls(0x0304, cipher, true);
            for (file, goodbye, down, expected) in [
                // Nothing shows the direction of an empty file.
                (0, 0, 3_000, Download),
                (0, 24, 3_000, Download),
                (0, 24, 200, Download),
                (0, 24 + 30, 200, Download),
                (0, 24, 5_000_000, Download),
                // A byte, in a record of its own.
                (23, 24, 3_000, Upload),
                (23, 0, 3_000, Upload),
                (1_000, 24, 5_000, Upload),
                (90_000, 24, 5_000, Upload),
                // A client's certificate.
                (1_500, 24, 5_000_000, Download),
            ] {
                let up = 523 + finished + file + goodbye;
                let found = direction(up, down, Some((&facts, opening)));
                assert_eq!(found, Some(expected), "{cipher:x} {file} {goodbye}");
            }
        }
    }

    #[test]
    fn tls_1_2_is_told_by_application_data() {
        for (more, ended, expected) in [(31, false, Download), (60, true, Upload), (500, false, Upload)] {
            let (facts, opening) = tls(0x0303, 0xc02f, ended);
            assert_eq!(direction(610 + more, 4_000, Some((&facts, opening))), Some(expected));
        }
    }

    #[test]
    fn a_handshake_that_was_not_seen_leaves_the_larger_side() {
        let (facts, opening) = tls(0x0304, 0x1301, false);
        assert_eq!(direction(900, 4_000, Some((&facts, opening))), Some(Download));
        assert_eq!(direction(9_000, 4_000, Some((&facts, None))), Some(Upload));
    }
}
