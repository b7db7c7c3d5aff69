//! Facts that several detectors read from events.

use std::net::IpAddr;

use smol_str::SmolStr;

use crate::event::{Event, EventKind, Login, LoginOutcome, Outcome, Reply, SessionIdentity, Transfer};
use crate::ftp::Code;
use crate::text::has_pair;

/// The session of an event.
pub(super) fn session(event: &Event) -> Option<&SessionIdentity> {
    event.session.as_deref()
}

/// The client and the server of an event's session; unspecified addresses where it has none.
pub(super) fn hosts(event: &Event) -> (IpAddr, IpAddr) {
    const NONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    session(event).map_or((NONE, NONE), |session| (session.client.ip, session.server.ip))
}

/// The code of a reply. Asked before what costs more: most replies have another one.
#[inline]
pub(super) fn code(event: &Event) -> Option<u16> {
    match &event.kind {
        EventKind::Reply(reply) => reply.reply.code,
        _ => None,
    }
}

/// A code that a command may be done with which moves no file: not those of goodbyes, data connections, passive ports, logins and paths.
pub(super) const fn is_done(code: u16) -> bool {
    Code::completes(code) && !matches!(code, 221 | 225..=235 | 257)
}

/// A reply that answers a command, with its verb and code.
pub(super) fn answer(event: &Event) -> Option<(&Reply, &str, u16)> {
    let EventKind::Reply(reply) = &event.kind else { return None };
    Some((reply, reply.command.as_ref()?.verb.as_str(), reply.reply.code?))
}

/// A reply that nobody asked for (the greeting, 421), with its code.
pub(super) fn unasked(event: &Event) -> Option<(&Reply, u16)> {
    let EventKind::Reply(reply) = &event.kind else { return None };
    Some((reply, reply.reply.code.filter(|_| reply.tx == 0 && reply.command.is_none())?))
}

/// A transfer.
pub(super) fn transfer(event: &Event) -> Option<&Transfer> {
    match &event.kind {
        EventKind::Transfer(transfer) => Some(transfer),
        _ => None,
    }
}

/// A transfer moved bytes, and nothing says that it failed.
pub(super) fn has_moved(transfer: &Transfer) -> bool {
    matches!(transfer.transfer.outcome, Outcome::Complete | Outcome::Unknown | Outcome::Short)
        && transfer.transfer.bytes > 0
}

/// The path of a transfer, or its name where the directory is not known.
pub(super) fn path(transfer: &Transfer) -> &str {
    transfer.transfer.path.as_deref().or(transfer.transfer.arg.as_deref()).unwrap_or_default()
}

/// The last part of a path of any system.
pub(super) fn last_part(path: &str) -> &str {
    let border = memchr::memrchr2(b'/', b'\\', path.as_bytes());
    border.and_then(|border| path.get(border + 1..)).unwrap_or(path)
}

/// A text has a word of two letters and more in it, whatever the case of ASCII letters. Asked of many texts, most of which are short and
/// have not even its first two letters.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let (text, word) = (text.as_bytes(), word.as_bytes());
    let &[first, second, ..] = word else { return word.is_empty() };
    let is = |byte: u8, letter: u8| (byte | 0x20) == (letter | 0x20);
    has_pair(text, |a, b| is(a, first) & is(b, second))
        && text.windows(word.len()).any(|found| {
            is(found.first().copied().unwrap_or_default(), first) && found.eq_ignore_ascii_case(word)
        })
}

/// A character stands twice in a row in a text.
pub(super) fn has_twice(text: &str, character: u8) -> bool {
    has_pair(text.as_bytes(), |a, b| (a == character) & (b == character))
}

/// An address that is not routed on the Internet (RFC 1918, 4193, 3927, 6598 and loopback).
pub(super) fn is_inside(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The user of an event's session, as far as it is known.
pub(super) fn user(event: &Event) -> &str {
    event.user.as_deref().map(|user| user.text.as_str()).unwrap_or_default()
}

/// `anonymous` and `ftp` (RFC 1635).
pub(super) fn is_anonymous(user: &str) -> bool {
    user.eq_ignore_ascii_case("anonymous") || user.eq_ignore_ascii_case("ftp")
}

/// The user and the secret of a refused login, where events tell secrets apart (`--secrets hash` or `show`).
pub(super) fn refused_secret(event: &Event) -> Option<(&SmolStr, &SmolStr)> {
    const MASKED: &str = "***";
    let EventKind::Login(Login { login, .. }) = &event.kind else { return None };
    let is_refused = login.outcome == LoginOutcome::Failure && !login.anonymous;
    let secret = login.secret.as_ref().filter(|secret| *secret != MASKED)?;
    Some((login.user.as_ref().filter(|_| is_refused)?, secret))
}

/// A hash of a text that is only counted: a collision makes a count smaller by one.
pub(super) fn short_hash(text: &str) -> u32 {
    // FNV-1a.
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// A text as the key of a table, or as a part of what is remembered: a long one is its head and a hash. Stops long names from filling
/// memory.
pub(super) fn key(text: &str) -> SmolStr {
    const HEAD: usize = 48;
    if text.len() <= HEAD + 16 {
        return text.into();
    }
    let head: String = text.chars().take(HEAD / 4).collect();
    smol_str::format_smolstr!("{head}…{:08x}", short_hash(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_long_texts_are_short_and_differ() {
        let long = |last: char| format!("{}{last}", "é".repeat(4_000));
        assert_eq!(key("bob"), "bob");
        assert_ne!(key(&long('a')), key(&long('b')));
        assert!(key(&long('a')).len() < 64);
    }

    #[test]
    fn parts_and_words_of_texts_are_found() {
        let paths = ["a", "/x/a", "C:\\b\\a", "x/", ""];
        assert_eq!(paths.map(last_part), ["a", "a", "a", "", ""]);
        assert!(
            has_word("A Bot Server", "bot s") && has_word("x", "") && !has_word("bot serve", "bot server")
        );
        assert!(has_word("bobot", "BOT") && has_word("é\u{fffd}etc", "etc"));
        assert!(has_twice("a--b", b'-') && !has_twice("-a-", b'-'));
    }

    #[test]
    fn networks_inside_are_told() {
        for (ip, inside) in [
            ("10.1.2.3", true),
            ("100.64.0.1", true),
            ("100.128.0.1", false),
            ("203.0.113.5", false),
            ("fd00::1", true),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_inside(ip.parse().unwrap()), inside, "{ip}");
        }
    }
}
