//! A TCP connection for the bench that keeps its own sequence numbers.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "the helpers of tests"
)]

use ftpmon_common::{FlowEvent, FlowKey, FlowState, ReportReason};

use super::bench::BenchRecord;
use super::frame::{ACK, FIN, SYN};
use super::{Bench, Frame, Hooked};

/// The client of the tests.
pub const CLIENT: &str = "192.168.1.106";
/// The server of the tests.
pub const SERVER: &str = "192.168.1.109";
/// A control connection.
pub const CONTROL: ((&str, u16), (&str, u16)) = ((CLIENT, 57_658), (SERVER, 21));
/// A data connection.
pub const DATA: ((&str, u16), (&str, u16)) = ((CLIENT, 58_985), (SERVER, 26_758));

/// A TCP connection that plays itself at one vantage point.
pub struct Talk<'a> {
    /// The programs.
    pub bench: &'a Bench,
    /// The one that it passes.
    pub hook: Hooked,
    /// Its ends, the initiator first.
    pub ends: [(&'a str, u16); 2],
    /// The next sequence number of each.
    pub next: [u32; 2],
}

impl<'a> Talk<'a> {
    /// Between these ends, the initiator first, with these initial sequence numbers.
    #[must_use]
    pub const fn new(
        bench: &'a Bench,
        hook: Hooked,
        ends: ((&'a str, u16), (&'a str, u16)),
        isn: [u32; 2],
    ) -> Self {
        Self { bench, hook, ends: [ends.0, ends.1], next: isn }
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> FlowKey {
        Frame::new(self.ends[0], self.ends[1], 0, 0, 0).key().0
    }

    /// A segment at a sequence number of the caller's choice; nothing is noted.
    #[must_use]
    pub fn at(&self, from: usize, flags: u8, seq: u32, payload: usize) -> Frame {
        let ack = if flags & ACK == 0 { 0 } else { self.next[1 - from] };
        Frame::new(self.ends[from], self.ends[1 - from], flags, seq, ack).filled(payload)
    }

    /// Runs a packet.
    pub fn run(&self, frame: &Frame) {
        self.bench.run(self.hook, &frame.bytes()).unwrap();
    }

    /// The next segment in order, with this payload.
    pub fn tell(&mut self, from: usize, payload: &[u8]) {
        let frame = self.at(from, ACK, self.next[from], 0).payload(payload);
        self.run(&frame);
        self.next[from] = self.next[from].wrapping_add(payload.len() as u32);
    }

    /// The next segment in order.
    pub fn say(&mut self, from: usize, flags: u8, payload: usize) {
        let frame = self.at(from, flags, self.next[from], payload);
        self.run(&frame);
        let taken = payload as u32 + u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        self.next[from] = self.next[from].wrapping_add(taken);
    }

    /// The handshake.
    pub fn open(&mut self) {
        self.say(0, SYN, 0);
        self.say(1, SYN | ACK, 0);
        self.say(0, ACK, 0);
    }

    /// An orderly end, begun by the listener.
    pub fn close(&mut self) {
        self.say(1, FIN | ACK, 0);
        self.say(0, ACK, 0);
        self.say(0, FIN | ACK, 0);
        self.say(1, ACK, 0);
    }

    /// The kernel's account of it.
    #[must_use]
    pub fn account(&self) -> FlowState {
        self.bench.flow(self.key()).unwrap().unwrap()
    }
}

/// A control connection whose server has spoken: its hosts are a pair.
pub fn greet(bench: &mut Bench) {
    let mut control = Talk::new(bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    control.say(1, ACK, 20);
    let pair = control.key().pair();
    assert!(bench.is_pair(pair).unwrap());
    bench.records().unwrap();
}

/// Takes the accounts out of the rings.
pub fn reports(bench: &mut Bench) -> Vec<(ReportReason, FlowEvent)> {
    let account = |record| match record {
        BenchRecord::Flow(event) => Some((ReportReason::from_raw(event.header.report).unwrap(), *event)),
        BenchRecord::Frame(..) => None,
    };
    bench.records().unwrap().into_iter().filter_map(account).collect()
}
