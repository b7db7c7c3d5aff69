//! Sentences, with their numbers and names.

use ftpmon_core::ftp::Verb;
use ftpmon_event::{
    AnomalyId, Category, ClosedBy, EndReason, GapCause, LoginOutcome, Mode, Nat, Outcome, ReplyClass, TlsVia,
};

/// One of the two ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// The client.
    Client,
    /// The server.
    Server,
}

impl Party {
    /// The client where `is_client`.
    pub(crate) const fn client(is_client: bool) -> Self {
        if is_client { Self::Client } else { Self::Server }
    }

    /// The other end.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// A sentence.
#[derive(Clone, Copy)]
pub(crate) enum Say<'a> {
    /// The heading: the session's id.
    Session(&'a str),
    /// When the session began.
    Began(&'a str),
    /// The client, over its lifeline.
    Client,
    /// The server, over its lifeline.
    Server,
    /// The client's user.
    User(&'a str),
    /// The file has no packets.
    EventsOnly,

    /// The first segment of a handshake: who opens, and the initial sequence number.
    Syn(Party, u32),
    /// The second one: who answers, and the initial sequence number.
    SynAck(Party, u32),
    /// The third one: who completes the handshake.
    HandshakeAck(Party),
    /// A sequence number: whose, its value, and what it is counted from.
    SeqMustBe(Party, u32, u32),
    /// An acknowledgment number: whose bytes, its value, and what it is counted from.
    AckMustBe(Party, u32, u32),
    /// The beginning of the connection was not seen.
    Midstream,
    /// A SYN again.
    SynAgain,
    /// The time from SYN to ACK.
    HandshakeTook(&'a str),
    /// The handshake as events tell it: nothing of its numbers.
    NumbersUnknown,
    /// FIN: who has nothing more to say.
    Fin(Party),
    /// The acknowledgment of a FIN: whose, and the number that it must have.
    FinAck(Party, u32),
    /// RST.
    Reset(Party),

    /// A segment with payload: relative numbers of its first byte and of the one behind its last, and of the next byte that its
    /// sender expects.
    Bytes(u32, u32, Option<u32>),
    /// Bytes that were sent before.
    Copy(u32),
    /// Bytes that come after later ones.
    Late(u32),
    /// Bytes that the capture does not have.
    Hole(u32),
    /// Segments that complete no line: how many, bytes from the client, bytes from the server.
    NoLine(u64, u64, u64),
    /// Segments under TLS: likewise.
    Encrypted(u64, u64, u64),

    /// A verb, and what it is for.
    Purpose(&'a str, Verb),
    /// The line is no command.
    NoCommand,
    /// The secret is masked.
    SecretMasked,
    /// A secret in clear text.
    SecretInClear,
    /// A line that was longer than the cap.
    Truncated,
    /// A reply code and its three digits.
    Code(u16, Option<ReplyClass>, Option<Category>),
    /// The code itself.
    CodeMeans(u16),
    /// The line is no reply.
    NoReply,
    /// The server speaks first.
    Greeting,
    /// No command that was seen asked for the reply.
    Unasked,
    /// The reply has several lines.
    Lines(u32),
    /// The time since the command.
    Latency(&'a str, &'a str),

    /// Six numbers: the four of the address, and the two of the port.
    SixNumbers(&'a str, u16),
    /// A port as it is (229).
    PortAlone(u16),
    /// Address family, address and port (EPRT).
    Extended(u8, &'a str, u16),
    /// A long endpoint (LPRT, 228).
    Long(&'a str, u16),
    /// The endpoint was not announced readably.
    Inferred,
    /// The listener, and its endpoint.
    Listens(Option<Mode>, &'a str),
    /// The address is not the sender's: its relation, the address that was said, the one that is meant.
    Nat(Nat, &'a str, &'a str),

    /// An attempt to log in: who, outcome, over TLS.
    Login(Option<&'a str>, LoginOutcome, bool),
    /// TLS begins: why.
    TlsStarts(TlsVia),
    /// The facts of its hellos.
    TlsFacts(&'a str),
    /// TLS ends.
    TlsStops,

    /// A data connection opens: its number and its two ends.
    DataOpens(usize, &'a str, &'a str),
    /// Its first payload.
    DataBegins(Party),
    /// A transfer: verb, where one was seen, and path.
    Transfer(Option<&'a str>, &'a str),
    /// Its outcome.
    Outcome(Outcome),
    /// The bytes of its data connection: from the client, from the server.
    DataBytes(u64, u64),
    /// Its duration and its rate.
    DataRate(&'a str, Option<&'a str>),
    /// The size that the dialogue declared, and whether as many were moved.
    Declared(u64, bool),
    /// Bytes seen again and bytes never seen.
    DataLosses(u64, u64),
    /// The end that closed the data connection.
    DataClosedBy(ClosedBy),
    /// The data connection carries TLS.
    DataTls,
    /// No data connection was seen.
    NoData,

    /// Bytes of the dialogue that were never seen: whose, how many, why it is known.
    Gap(Party, u64, GapCause),
    /// Something outside the protocol.
    Anomaly(AnomalyId),
    /// A detector's finding.
    Alert(&'a str),

    /// The end: why.
    End(EndReason),
    /// The account of the session: commands, replies, transfers, bytes up, bytes down.
    Account(u64, u64, u64, u64, u64),
    /// Events that were left out.
    LeftOut(u64),
    /// Segments that only acknowledge are not drawn.
    PlainAcks,
    /// Sessions of the file.
    Sessions(u64, u64),
}
