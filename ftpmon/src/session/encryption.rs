//! How a session turns to TLS and back to text.

use smol_str::SmolStr;

use super::outbox::{Effect, Outbox};
use super::tls::{self, Hello, RecordReader};
use super::{Channel, Session};
use crate::event::{Direction, EventKind, Tls, TlsState, TlsVia};
use crate::time::Timestamp;

/// TLS on the control connection.
#[derive(Debug)]
pub(super) struct TlsWatch {
    via: TlsVia,
    hello: Hello,
    reported: bool,
}

impl TlsWatch {
    pub(super) fn new(via: TlsVia) -> Self {
        Self { via, hello: Hello::default(), reported: false }
    }
}

impl Session {
    pub(super) fn records<'b>(
        &mut self,
        at: Timestamp,
        direction: Direction,
        mut records: Box<RecordReader>,
        bytes: &'b [u8],
        out: &mut Outbox,
    ) -> &'b [u8] {
        let read = records.feed(bytes);
        if let (Some(hello), Some(watch)) = (read.hello, &mut self.tls) {
            watch.hello.sni = watch.hello.sni.take().or(hello.sni);
            watch.hello.version = watch.hello.version.take().or(hello.version);
            if direction == Direction::Reply {
                self.report_tls(at, out);
            }
        }
        match read.text {
            Some(text) => {
                *self.channel(direction) = Channel::default();
                self.stop_tls(at, out);
                text
            }
            None => {
                *self.channel(direction) = Channel::Tls(records);
                &[]
            }
        }
    }

    pub(super) fn turns_to_tls(&mut self, direction: Direction, bytes: &[u8]) -> bool {
        let agreed = self.tls_agreed || self.tls.is_some();
        let Channel::Text(lines) = self.channel(direction) else { return false };
        !lines.is_mid_line() && (tls::begins_handshake(bytes) || (agreed && tls::begins_record(bytes)))
    }

    pub(super) fn start_tls(&mut self, direction: Direction) {
        *self.channel(direction) = Channel::Tls(Box::default());
        let via = if self.tls_agreed { TlsVia::Auth } else { TlsVia::Detected };
        self.tls.get_or_insert_with(|| Box::new(TlsWatch::new(via)));
    }

    pub(super) fn report_tls(&mut self, at: Timestamp, out: &mut Outbox) {
        let Some(watch) = self.tls.as_mut().filter(|watch| !watch.reported) else { return };
        watch.reported = true;
        let state = TlsState {
            via: watch.via,
            state: SmolStr::new_static("start"),
            version: watch.hello.version.clone(),
            sni: watch.hello.sni.clone(),
        };
        self.tell(at, EventKind::Tls(Tls { tls: state }), out);
        out.effects.push(Effect::Unreadable(true));
    }

    /// One direction is text again; the other one will be.
    pub(super) fn stop_tls(&mut self, at: Timestamp, out: &mut Outbox) {
        self.report_tls(at, out);
        if self.tls.take().is_some() {
            self.tls_agreed = false;
            // What was said under TLS is not known: what it answered, where it went.
            self.pending.doubt_all();
            self.all_read = false;
            self.cwd = None;
            self.representation = None;
            let state =
                TlsState { via: TlsVia::Ccc, state: SmolStr::new_static("stop"), version: None, sni: None };
            self.tell(at, EventKind::Tls(Tls { tls: state }), out);
            out.effects.push(Effect::Unreadable(false));
        }
    }
}
