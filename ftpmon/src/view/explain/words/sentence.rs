//! Sentences, with their numbers and names.

use std::net::IpAddr;

use ftpmon_core::ftp::Verb;
use ftpmon_event::{
    AnomalyId, Category, EndReason, GapCause, LoginOutcome, Mode, Nat, Outcome, ReplyClass, SessionIdentity,
    TlsVia,
};

/// One of the two ends of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Another host than these.
    Third,
}

impl Party {
    /// Its address, of the two ends of a session.
    pub(crate) fn of(self, session: &SessionIdentity) -> IpAddr {
        match self {
            Self::Client => session.client.ip,
            Self::Server | Self::Third => session.server.ip,
        }
    }

    /// The client where `is_client`.
    pub(crate) const fn client(is_client: bool) -> Self {
        if is_client { Self::Client } else { Self::Server }
    }

    /// The other end of the session.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server | Self::Third => Self::Client,
        }
    }
}

/// The argument of TYPE, MODE, STRU or EPSV.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    /// `TYPE A`, with its format.
    Ascii(Format),
    /// `TYPE E`, with its format.
    Ebcdic(Format),
    /// `TYPE I`.
    Image,
    /// `TYPE L`: bits of a byte.
    Local(u8),
    /// `MODE S`.
    Stream,
    /// `MODE B`.
    Block,
    /// `MODE C`.
    Compressed,
    /// `MODE Z`.
    Deflate,
    /// `STRU F`.
    File,
    /// `STRU R`.
    Record,
    /// `STRU P`.
    Page,
    /// `EPSV ALL`.
    EpsvAll,
    /// `EPSV` with the number of IPv4 or IPv6.
    EpsvFamily(u8),
    /// None of the defined ones.
    Undefined,
}

/// The vertical format of text (RFC 959 section 3.1.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `N`, and where none is given.
    NonPrint,
    /// `T`.
    Telnet,
    /// `C`.
    Carriage,
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
    /// RST: whose, whether it is exact, and whether more came afterwards.
    Reset(Party, bool, bool),

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
    /// The line is a command with characters that do not belong there: control characters in its argument, or others.
    OddCharacters(bool),
    /// A line that is masked as a whole.
    MaskedLine,
    /// The argument of a verb whose arguments are defined.
    Argument(Argument),
    /// The argument is what a security mechanism made of a command, or data of its exchange: the verb that carries it.
    Protected(Verb),
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
    /// 226 to ABOR.
    AbortDone,
    /// The time since the command, where that can be named.
    Latency(&'a str, Option<&'a str>),

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
    /// The client names the endpoint of another host.
    ListensElsewhere(&'a str),
    /// The server listens, and another host than the client connected.
    ListensFor(&'a str, &'a str),
    /// A port below 1024, named by the client.
    LowPort(u16),
    /// A host is neither client nor server.
    ThirdHost(&'a str),
    /// The address is a loopback address that the sender's is not: what was said, what is meant.
    Loopback(&'a str, &'a str),
    /// The address is private, as the sender's is, which is another one: likewise.
    OtherPrivate(&'a str, &'a str),
    /// The address means something on its own network only, and is no private one: likewise.
    Local(&'a str, &'a str),
    /// The address is another host's than its sender's: the sender, the address.
    OtherHost(Party, &'a str),
    /// The client names the server's own address.
    ServersOwn(&'a str),
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
    /// The bytes of its data connection: the hosts on the client's and on the server's side, and from each.
    DataBytes([Party; 2], u64, u64),
    /// Its duration and its rate.
    DataRate(&'a str, Option<&'a str>),
    /// The size that the dialogue declared, and whether as many were moved.
    Declared(u64, bool),
    /// Bytes seen again and bytes never seen.
    DataLosses(u64, u64),
    /// The end that closed the data connection, where one did.
    DataClosedBy(Option<Party>),
    /// The data connection carries TLS.
    DataTls,
    /// No data connection was seen.
    NoData,

    /// Bytes of the dialogue that were never seen: whose, how many, why it is known.
    Gap(Party, u64, GapCause),
    /// Something outside the protocol.
    Anomaly(AnomalyId),
    /// A detector's finding: the detector's title and its name.
    Alert(&'a str, &'a str),

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
