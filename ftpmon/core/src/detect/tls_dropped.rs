//! Sessions that leave TLS, in whole or for their files.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::facts::{hosts, session};
use super::table::{Fill, Table};
use super::watch::Watch;
use super::watching::KEYS_MAX;
use crate::event::{Confidence, Event, EventKind, EventType, TlsTurn};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "tls-dropped",
        number: 21,
        title: "A session over TLS sends commands or files in clear text",
        severity: 2,
        confidence: Confidence::Medium,
        technique: Some("T1040"),
    },
    on: false,
    about: "CCC ends TLS on the control connection (RFC 4217 section 12.3), or the data connections of a session over TLS \
            carry no TLS (PROT C): files and listings can be read and altered on the way. Off unless asked for, since \
            clients do so behind NAT on purpose.",
    tuning: "Require PROT P on the server.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Tls), Seen::All(EventType::Transfer), Seen::All(EventType::SessionEnd)],
    wants: |event| step(event).is_some(),
    start: |threshold| {
        Box::new(TlsDropped { threshold, protected: Table::new(KEYS_MAX), pairs: Table::new(KEYS_MAX) })
    },
};

enum Step {
    Begins,
    /// CCC.
    Ends,
    /// A data connection without TLS.
    Clear(u64),
    Over,
}

fn step(event: &Event) -> Option<Step> {
    match &event.kind {
        EventKind::Tls(tls) if tls.tls.state == TlsTurn::Start => Some(Step::Begins),
        EventKind::Tls(_) => Some(Step::Ends),
        EventKind::Transfer(transfer) => {
            let data = transfer.data.as_ref().filter(|data| !data.tls && data.gap_bytes == 0)?;
            (data.bytes_from_client + data.bytes_from_server > 0).then_some(Step::Clear(transfer.tx))
        }
        EventKind::SessionEnd(_) => Some(Step::Over),
        _ => None,
    }
}

struct TlsDropped {
    threshold: Threshold,
    /// Sessions over TLS. Stops whoever opens many.
    protected: Table<u128, ()>,
    /// By client and server.
    pairs: Table<(IpAddr, IpAddr), Watch>,
}

impl Detector for TlsDropped {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(step), Some(session)) = (step(event), session(event)) else { return };
        let id = session.number();
        let (tx, what) = match step {
            Step::Begins => {
                self.protected.entry(id);
                return;
            }
            Step::Over => {
                self.protected.remove(&id);
                return;
            }
            Step::Ends => (None, "commands (CCC)"),
            Step::Clear(_) if self.protected.find(&id).is_none() => return,
            Step::Clear(tx) => (Some(tx).filter(|tx| *tx > 0), "data connections (PROT C)"),
        };
        let (client, server) = hosts(event);
        let watch = self.pairs.entry((client, server));
        if let Some(incident) = watch.add(self.threshold, event, tx, what) {
            let message = format!("{client} with {server}: {what} in clear text in a session over TLS");
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        let mut fill = self.protected.fill();
        fill += self.pairs.fill();
        fill
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn data(tls: bool) -> Event {
        Session::new(9).data_connection("RETR", tls)
    }

    #[test]
    fn ccc_and_clear_data_alert() {
        let start = || Session::new(9).tls(|_| {});
        let ccc =
            Session::new(9).tls(|tls| (tls.state, tls.via) = (TlsTurn::Stop, crate::event::TlsVia::Ccc));
        assert_eq!(alerts_of(&ENTRY, &[start(), ccc]).len(), 1);
        assert_eq!(alerts_of(&ENTRY, &[start(), data(false)]).len(), 1);
    }

    #[test]
    fn protected_data_and_sessions_without_tls_do_not() {
        assert!(alerts_of(&ENTRY, &[Session::new(9).tls(|_| {}), data(true)]).is_empty());
        assert!(alerts_of(&ENTRY, &[data(false)]).is_empty());
    }

    #[test]
    fn made_up_keys_do_not_grow_it() {
        let events = (0..2 * KEYS_MAX as u32).map(|n| Session::of_source(n).tls(|_| {}));
        assert_eq!(fill_after(&ENTRY, events).used, KEYS_MAX as u64);
    }
}
