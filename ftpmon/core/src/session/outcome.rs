//! The outcome of a transfer, from the data connection and the replies together.

use smol_str::SmolStr;

use super::data::DataSummary;
use super::outbox::Outbox;
use super::overhead::direction;
use super::restart::Restart;
use super::transfer::{Request, Transfer};
use crate::account::Side;
use crate::event::{
    self, ClosedBy, DataAnnouncement, DataConnection, DataTls, FileDirection, FileFacts, FileRange,
    FileReason, Mode, Outcome, TransferFacts,
};

/// Connections to ports below are not followed, but to port 20: the absence of one proves nothing.
pub(super) const UNPRIVILEGED: u16 = 1024;

/// A transfer's event, and what it adds to the session's totals.
pub(super) struct ReportedTransfer {
    pub(super) event: Box<event::Transfer>,
    pub(super) up: u64,
    pub(super) down: u64,
}

/// The event of a transfer. `summary`: the account of its connection. `all_read`: nothing of the dialogue is missing since its endpoint
/// was announced, and that was known in time. `out` knows whether connections went by unseen.
pub(super) fn transfer_event(
    transfer: Transfer,
    summary: Option<Box<DataSummary>>,
    all_read: bool,
    out: &Outbox,
) -> ReportedTransfer {
    let Transfer {
        request,
        announced,
        preliminary,
        aborted,
        endpoint_lost,
        shares_connection,
        code,
        doubtful,
        ..
    } = transfer;
    let announced = announced.map(|announced| announced.data);
    let summary = summary.as_deref();
    let server = server_side(announced.and_then(|data| data.mode), summary);
    let from = |side: Side| summary.map_or(0, |summary| summary.from_side(side).bytes);
    let (up, down) = (from(server.other()), from(server));
    let tls = summary.map(|summary| (&summary.tls_facts, summary.tls_opening));
    let direction = request.direction.or_else(|| direction(up, down, tls));
    let sender = if direction == Some(FileDirection::Upload) { server.other() } else { server };
    let bytes = from(sender);
    let Restart { mut offset, other, unknown, .. } = request.restart;
    let other = other.unwrap_or(offset);
    if request.due.proves_other(offset, other, bytes) {
        offset = other;
    }
    let offset_lost = request.offset_lost || unknown;
    let is_short = |offset| !offset_lost && request.due.proves_short(offset, request.part_len, bytes);
    let unseen = out.unseen_since(request.at).filter(|_| summary.is_none() && request.tx != 0);
    let evidence = Evidence {
        preliminary,
        aborted,
        code,
        summary,
        sender,
        client: server.other(),
        is_short: is_short(offset) && is_short(other),
        connection_due: request.tx != 0
            && all_read
            && !endpoint_lost
            && !shares_connection
            && unseen.is_none()
            && announced.is_none_or(|data| data.port >= UNPRIVILEGED),
        has_command: request.tx != 0,
        doubtful,
        all_read,
    };
    let outcome = evidence.outcome();
    let reason = unseen.filter(|_| outcome == Outcome::Unknown).map(SmolStr::new_static);
    let file = summary.and_then(|summary| match sender {
        Side::Initiator => summary.file_from_initiator.clone(),
        Side::Listener => summary.file_from_listener.clone(),
    });
    let file = file.map(|facts| placed(facts, &request, offset, outcome));
    let (path, path_hex) = request.path.map_or((None, None), |path| (Some(path.text), path.hex));
    let event = Box::new(event::Transfer {
        tx: request.tx,
        transfer: TransferFacts {
            verb: request.verb,
            direction,
            arg: request.arg,
            path,
            path_hex,
            offset,
            representation: request.representation,
            declared_bytes: request.due.declared(),
            bytes,
            rate_bps: summary.and_then(|summary| rate(bytes, summary)),
            outcome,
            reason,
            code,
        },
        data: announced.map(|announced| connection(announced, server, summary)),
        file,
        client_process: None,
        server_process: None,
    });
    ReportedTransfer { event, up, down }
}

/// A file's facts, completed from the dialogue: where in the peer's file the bytes lie, and whether they end too early.
fn placed(mut facts: FileFacts, request: &Request, offset: u64, outcome: Outcome) -> FileFacts {
    let appends = request.verb.as_deref() == Some("APPE");
    let broken_off = matches!(outcome, Outcome::Aborted | Outcome::Failed | Outcome::Short);
    facts.reason = facts.reason.or_else(|| match request.part_len {
        _ if broken_off => Some(FileReason::Aborted),
        _ if offset > 0 => Some(FileReason::Offset),
        part_len => part_len.map(|_| FileReason::Part),
    });
    facts.range = facts.range.filter(|_| facts.reason.is_some() && !appends).map(|range| FileRange {
        from: range.from.saturating_add(offset),
        to: range.to.saturating_add(offset),
    });
    facts
}

/// The session's server on the data connection: the listener in passive mode, the initiator in active mode, whatever
/// the addresses are (NAT, transfers between two servers).
fn server_side(mode: Option<Mode>, summary: Option<&DataSummary>) -> Side {
    match mode {
        Some(Mode::Active) => Side::Initiator,
        Some(Mode::Passive) => Side::Listener,
        // It was not announced: RFC 959 section 3.2 has the server connect from its data port, 20.
        None if summary.is_some_and(|summary| summary.initiator.port == 20) => Side::Initiator,
        None => Side::Listener,
    }
}

/// The evidence on the outcome of a transfer.
struct Evidence<'a> {
    preliminary: bool,
    aborted: bool,
    code: Option<u16>,
    summary: Option<&'a DataSummary>,
    sender: Side,
    client: Side,
    is_short: bool,
    /// It would have been seen, had there been one.
    connection_due: bool,
    has_command: bool,
    /// The final reply may be another command's.
    doubtful: bool,
    /// Nothing of the dialogue is missing around it.
    all_read: bool,
}

impl Evidence<'_> {
    fn outcome(&self) -> Outcome {
        match self.code {
            Some(200..=299) if self.doubtful => Outcome::Unknown,
            Some(_) if self.doubtful && !self.aborted => Outcome::Unknown,
            Some(200..=299) => self.outcome_of_success(),
            Some(425) => Outcome::Failed,
            Some(426) => Outcome::Aborted,
            Some(_) if self.aborted => Outcome::Aborted,
            // It began unseen, or another one did that has its connection.
            Some(400..=599) if !self.preliminary && !self.all_read && self.has_moved() => Outcome::Unknown,
            Some(400..=599) if !self.preliminary => Outcome::Refused,
            Some(400..=599) if self.client_gave_up() => Outcome::Aborted,
            Some(_) => Outcome::Failed,
            None if self.was_reset() || self.aborted => Outcome::Aborted,
            None => Outcome::Unknown,
        }
    }

    fn outcome_of_success(&self) -> Outcome {
        if self.summary.is_none() && self.has_command {
            return if self.connection_due { Outcome::NoData } else { Outcome::Unknown };
        }
        if self.was_reset() {
            return Outcome::Aborted;
        }
        // Another connection may have carried it unseen.
        if self.has_command && !self.all_read && !self.has_moved() {
            return Outcome::Unknown;
        }
        if self.is_short {
            return if self.aborted { Outcome::Aborted } else { Outcome::Short };
        }
        Outcome::Complete
    }

    /// Its connection carried something.
    fn has_moved(&self) -> bool {
        self.summary.is_some_and(DataSummary::has_moved)
    }

    /// The client reset the connection: the outcome is an error. A server that fails at an upload may reset it as well,
    /// as it leaves bytes unread.
    fn client_gave_up(&self) -> bool {
        self.summary.is_some_and(|summary| {
            summary.from_side(self.client).rst && summary.closed_by == Some(self.client)
        })
    }

    /// RST came before the sender's FIN: bytes may be missing. After it, it is only an impolite goodbye.
    fn was_reset(&self) -> bool {
        self.summary.is_some_and(|summary| {
            let reset = summary.from_initiator.rst || summary.from_listener.rst;
            reset && !summary.from_side(self.sender).fin
        })
    }
}

fn rate(bytes: u64, summary: &DataSummary) -> Option<u64> {
    let micros = summary.last.micros_since(summary.first);
    let rate = u128::from(bytes).checked_mul(8_000_000)?.checked_div(u128::from(micros))?;
    u64::try_from(rate).ok()
}

fn connection(announced: DataAnnouncement, server: Side, summary: Option<&DataSummary>) -> DataConnection {
    let Some(summary) = summary else {
        return DataConnection {
            announced,
            initiator: None,
            listener: None,
            bytes_from_client: 0,
            bytes_from_server: 0,
            gap_bytes: 0,
            retransmitted_bytes: 0,
            handshake: None,
            handshake_us: None,
            duration_us: None,
            closed_by: None,
            tls: false,
            tls_facts: DataTls::default(),
        };
    };
    let (ours, theirs) = (summary.from_side(server), summary.from_side(server.other()));
    DataConnection {
        announced,
        initiator: Some(summary.initiator),
        listener: Some(summary.listener),
        bytes_from_client: theirs.bytes,
        bytes_from_server: ours.bytes,
        gap_bytes: ours.gap_bytes + theirs.gap_bytes,
        retransmitted_bytes: ours.retransmitted_bytes + theirs.retransmitted_bytes,
        handshake: summary.handshake,
        handshake_us: summary.handshake.and_then(|handshake| Some(handshake.syn_ack_us? + handshake.ack_us?)),
        duration_us: Some(summary.last.micros_since(summary.first)),
        closed_by: Some(match summary.closed_by {
            Some(side) if side == server => ClosedBy::Server,
            Some(_) => ClosedBy::Client,
            None => ClosedBy::Nobody,
        }),
        tls: summary.tls,
        tls_facts: DataTls {
            version: summary.tls_facts.version(),
            cipher: summary.tls_facts.cipher(),
            sni: summary.tls_facts.sni(),
            alpn: summary.tls_facts.alpn(),
            ja4: summary.tls_facts.ja4(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Evidence, Outcome};
    use crate::account::{DirectionAccount, Side};
    use crate::addr::Endpoint;
    use crate::session::DataSummary;
    use crate::time::Timestamp;
    use crate::tls::TlsFacts;

    /// A download of `bytes` over a passive connection: the server listens and sends. `ends` names who sent FIN (`f`) or RST
    /// (`r`) in their order, in capitals the server.
    fn connection(bytes: u64, ends: &str) -> DataSummary {
        let end = Endpoint::new([192, 0, 2, 1].into(), 50_000);
        let account = |fin, rst, bytes| DirectionAccount {
            bytes,
            fin: ends.contains(fin),
            rst: ends.contains(rst),
            ..DirectionAccount::default()
        };
        DataSummary {
            initiator: end,
            listener: end,
            from_initiator: account('f', 'r', 0),
            from_listener: account('F', 'R', bytes),
            handshake: None,
            first: Timestamp::default(),
            last: Timestamp::default(),
            shared: false,
            closed_by: ends
                .chars()
                .next()
                .map(|first| if first.is_ascii_uppercase() { Side::Listener } else { Side::Initiator }),
            tls: false,
            tls_facts: TlsFacts::default(),
            tls_opening: None,
            file_from_initiator: None,
            file_from_listener: None,
        }
    }

    struct Case<'a> {
        code: Option<u16>,
        preliminary: bool,
        aborted: bool,
        connection: Option<(u64, &'a str)>,
        short: bool,
        due: bool,
        doubtful: bool,
        all_read: bool,
    }

    const DONE: Case<'static> = Case {
        code: Some(226),
        preliminary: true,
        aborted: false,
        connection: Some((100, "Ff")),
        short: false,
        due: true,
        doubtful: false,
        all_read: true,
    };

    fn outcome(case: &Case<'_>) -> Outcome {
        let summary = case.connection.map(|(bytes, ends)| connection(bytes, ends));
        Evidence {
            preliminary: case.preliminary,
            aborted: case.aborted,
            code: case.code,
            summary: summary.as_ref(),
            sender: Side::Listener,
            client: Side::Initiator,
            is_short: case.short,
            connection_due: case.due,
            has_command: true,
            doubtful: case.doubtful,
            all_read: case.all_read,
        }
        .outcome()
    }

    #[test]
    fn the_final_reply_and_the_connection_decide_together() {
        for (case, wanted) in [
            (DONE, Outcome::Complete),
            (Case { code: Some(250), ..DONE }, Outcome::Complete),
            (Case { preliminary: false, ..DONE }, Outcome::Complete),
            (Case { connection: None, ..DONE }, Outcome::NoData),
            (Case { connection: None, due: false, ..DONE }, Outcome::Unknown),
            (Case { short: true, ..DONE }, Outcome::Short),
            (Case { short: true, aborted: true, ..DONE }, Outcome::Aborted),
            // RFC 959 section 5.4: 425, 426, 45z and 55z behind 150; before it the command is refused.
            (Case { code: Some(425), connection: None, ..DONE }, Outcome::Failed),
            (Case { code: Some(426), ..DONE }, Outcome::Aborted),
            (Case { code: Some(451), ..DONE }, Outcome::Failed),
            (Case { code: Some(552), ..DONE }, Outcome::Failed),
            (Case { code: Some(550), preliminary: false, connection: None, ..DONE }, Outcome::Refused),
            (Case { code: Some(451), aborted: true, ..DONE }, Outcome::Aborted),
            // A reset before the sender's FIN, and one behind it.
            (Case { connection: Some((100, "R")), ..DONE }, Outcome::Aborted),
            (Case { connection: Some((100, "Fr")), ..DONE }, Outcome::Complete),
            (Case { code: Some(451), connection: Some((100, "rR")), ..DONE }, Outcome::Aborted),
            (Case { code: None, connection: Some((100, "r")), ..DONE }, Outcome::Aborted),
            (Case { code: None, ..DONE }, Outcome::Unknown),
            (Case { code: None, aborted: true, ..DONE }, Outcome::Aborted),
            // What is missing may have had the reply, or the connection that is not this one.
            (Case { doubtful: true, ..DONE }, Outcome::Unknown),
            (Case { doubtful: true, code: Some(550), ..DONE }, Outcome::Unknown),
            (Case { doubtful: true, aborted: true, code: Some(426), ..DONE }, Outcome::Aborted),
            (Case { doubtful: true, aborted: true, ..DONE }, Outcome::Unknown),
            (Case { all_read: false, ..DONE }, Outcome::Complete),
            (Case { all_read: false, preliminary: false, code: Some(550), ..DONE }, Outcome::Unknown),
            (Case { all_read: false, connection: Some((0, "Ff")), ..DONE }, Outcome::Unknown),
            (Case { connection: Some((0, "Ff")), ..DONE }, Outcome::Complete),
        ] {
            let Case { code, preliminary, aborted, connection, short, due, .. } = case;
            assert_eq!(
                outcome(&case),
                wanted,
                "{code:?} {preliminary} {aborted} {connection:?} {short} {due}"
            );
        }
    }
}
