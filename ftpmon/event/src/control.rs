//! Events of a control connection.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::connection::{ClosedBy, Handshake};
use super::place::Places;
use super::process::LocalProcess;
use super::time::Timestamp;

/// An FTP verb in upper case as the RFCs spell it; an unknown verb as the client spelt it, upper-cased.
pub type Verb = SmolStr;

/// `session_start`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionStart {
    /// The connection was older than the capture: its beginning was not seen.
    pub midstream: bool,
    /// Left out where no SYN was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// The process that holds the client's end, where that is on the sensor's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_process: Option<Arc<LocalProcess>>,
    /// The process that holds the server's end, where that is on the sensor's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_process: Option<Arc<LocalProcess>>,
    /// Country and autonomous system of the ends, with `--geo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo: Option<Box<Places>>,
}

/// `command`: a complete command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// Number of the command within its session, from 1.
    pub tx: u64,
    /// The command itself.
    pub command: CommandLine,
}

/// The content of a command line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandLine {
    /// The verb.
    pub verb: Verb,
    /// The argument without CRLF; null when there is none. That of PASS and ACCT as `--secrets` says.
    #[serde(deserialize_with = "Option::deserialize")]
    pub arg: Option<SmolStr>,
    /// The argument's bytes, where they are no valid UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arg_hex: Option<Box<str>>,
    /// The line was longer than the cap: its head is given.
    pub truncated: bool,
    /// The line is no FTP command by form.
    pub malformed: bool,
}

/// The command that a reply answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CommandRef {
    /// The verb.
    pub verb: Verb,
    /// The argument, masked as in the command event; null when there is none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub arg: Option<SmolStr>,
}

/// `reply`: a complete reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Reply {
    /// The command that it answers; 0 for the greeting and other unasked replies.
    pub tx: u64,
    /// The reply itself.
    pub reply: ReplyLine,
    /// The command that it answers; left out for an unasked reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandRef>,
    /// From the command's last byte to the reply's last, microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
}

/// The content of a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplyLine {
    /// Three digits as a number; null when the line has none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub code: Option<u16>,
    /// All lines joined by `\n`, without code and separator where a line carries them.
    pub text: SmolStr,
    /// The text's bytes, where they are no valid UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_hex: Option<Box<str>>,
    /// The number of lines.
    pub lines: u32,
    /// Meaning of the first digit (RFC 959 section 4.2, RFC 2228 section 5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<ReplyClass>,
    /// Meaning of the second digit (RFC 959 section 4.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<Category>,
    /// No further reply to this command is due.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// A line or the whole text was longer than the cap: its head is given.
    pub truncated: bool,
    /// The line is no FTP reply by form.
    pub malformed: bool,
}

/// First digit of a reply code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplyClass {
    /// 1yz: another reply follows.
    Preliminary,
    /// 2yz: done.
    Completion,
    /// 3yz: another command is wanted.
    Intermediate,
    /// 4yz: not done, may be tried again.
    TransientError,
    /// 5yz: not done.
    PermanentError,
    /// 6yz: a protected reply (RFC 2228).
    Protected,
}

/// Second digit of a reply code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// x0z.
    Syntax,
    /// x1z.
    Information,
    /// x2z: control and data connections.
    Connection,
    /// x3z: authentication and accounting.
    Authentication,
    /// x4z.
    Unspecified,
    /// x5z.
    Filesystem,
}

/// `login`: an attempt is decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Login {
    /// The command whose reply decided it.
    pub tx: u64,
    /// The attempt.
    pub login: LoginAttempt,
}

/// One attempt to log in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoginAttempt {
    /// The name given with USER; left out where USER was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<SmolStr>,
    /// The outcome.
    pub outcome: LoginOutcome,
    /// The user is `anonymous` or `ftp`.
    pub anonymous: bool,
    /// The secret, as `--secrets` says; left out where none was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<SmolStr>,
    /// The reply that decided it; left out where the session ended first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The attempt went over TLS.
    pub encrypted: bool,
}

/// The outcome of a login attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoginOutcome {
    /// 230 or 232: logged in.
    Success,
    /// 530 and its like: refused.
    Failure,
    /// The session ended before a decision.
    Abandoned,
}

/// `tls`: the control channel turns to TLS or back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tls {
    /// The turn.
    pub tls: TlsState,
}

/// A turn to TLS or back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TlsState {
    /// The cause.
    pub via: TlsVia,
    /// Whether TLS begins or ends.
    pub state: TlsTurn,
    /// The version that the server chose, `TLSv1.3`; left out where it was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<SmolStr>,
    /// The cipher suite that the server chose, as IANA names it; left out where it was not seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cipher: Option<SmolStr>,
    /// The server name that the client asked for (RFC 6066 section 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sni: Option<SmolStr>,
    /// The protocols that the client offered, the first eight (RFC 7301); left out where it offered none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alpn: Vec<SmolStr>,
    /// JA4 of the ClientHello; left out where it was not seen whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ja4: Option<SmolStr>,
}

/// Whether a control channel turned to TLS, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsTurn {
    /// TLS begins.
    Start,
    /// TLS ends: the dialogue continues in clear text.
    Stop,
}

/// The cause of a control channel's turn to TLS, or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsVia {
    /// AUTH TLS or one of its spellings (RFC 4217).
    Auth,
    /// The port speaks TLS from the first byte.
    Implicit,
    /// A ClientHello on a clear-text session, without an AUTH that was seen.
    Detected,
    /// CCC (RFC 4217 section 12.3).
    Ccc,
}

/// The direction of a control stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From client to server.
    Command,
    /// From server to client.
    Reply,
}

/// `gap`: bytes of the control stream were never seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The gap.
    pub gap: GapDetail,
}

/// Bytes that were never seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GapDetail {
    /// Which stream lost them.
    pub direction: Direction,
    /// The number.
    pub bytes: u64,
    /// The source of this knowledge.
    pub cause: GapCause,
}

/// The evidence of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GapCause {
    /// The receiver acknowledged bytes that the capture does not hold.
    Acknowledged,
    /// Later bytes came and these did not, until a cap or the end was reached.
    Missing,
    /// The capture cut a frame short (snap length).
    CutShort,
    /// The kernel ring was full.
    RingFull,
    /// Fragments of an IP packet between the two hosts did not all come, or were too many.
    Fragments,
    /// The agent before was killed: what it had read and not written is not known. `bytes` is 0.
    Restart,
}

/// `anomaly`: something outside the protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Anomaly {
    /// The command it belongs to, where it belongs to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx: Option<u64>,
    /// The anomaly.
    pub anomaly: AnomalyDetail,
}

/// The kind of anomaly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnomalyDetail {
    /// Its stable name.
    pub id: AnomalyId,
    /// More, for people.
    pub detail: SmolStr,
    /// The events that this one stands for, where it stands for several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeated: Option<Box<Repeated>>,
}

/// Events of a session that were counted and not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeated {
    /// Their number.
    pub count: u64,
    /// When the first of them was due.
    pub first: Timestamp,
    /// When the last of them was due.
    pub last: Timestamp,
}

/// The anomalies by their stable names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnomalyId {
    /// A line of the client is no FTP command.
    MalformedCommand,
    /// A line of the server is no FTP reply.
    MalformedReply,
    /// A command line was longer than the cap.
    CommandTooLong,
    /// A reply line, or a whole reply, was longer than the cap.
    ReplyTooLong,
    /// A multi-line reply ended with another code, or never.
    ReplyUnterminated,
    /// More commands wait for replies than the cap allows.
    TooManyPending,
    /// A reply came that answers nothing.
    UnaskedReply,
    /// A command came behind AUTH, before the reply that accepted it: in clear text, where TLS was to begin.
    CommandBehindAuth,
    /// A transfer command without PASV, PORT or their like before it.
    TransferWithoutEndpoint,
    /// The argument of PORT, EPRT, LPRT or the text of 227, 228, 229 names no endpoint.
    BadEndpoint,
    /// Another host than the expected one connected to an announced endpoint.
    UnexpectedPeer,
    /// Retransmitted bytes differ from the first ones.
    OverlapConflict,
    /// A segment that contradicts the connection: its receiver drops it, or another host forged it.
    DoubtfulSegment,
    /// A Telnet command stands within a command line.
    TelnetInCommand,
    /// The two control streams are not FTP.
    NotFtp,
    /// A session makes more events than its segments and its hosts are allowed.
    EventFlood,
}

/// `session_end`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionEnd {
    /// The account of the session.
    pub end: End,
}

/// The reason for the end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// An end closed the control connection with FIN.
    Fin,
    /// An end reset the control connection.
    Rst,
    /// No packet came for the idle time.
    Idle,
    /// A table was full.
    Evicted,
    /// The ports were used again by another connection.
    Replaced,
    /// The input ended.
    EndOfInput,
}

impl EndReason {
    /// The text that events have.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Idle => "idle",
            Self::Evicted => "evicted",
            Self::Replaced => "replaced",
            Self::EndOfInput => "end_of_input",
        }
    }
}

/// The account of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct End {
    /// The reason.
    pub reason: EndReason,
    /// The end that closed first, where that was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<ClosedBy>,
    /// From the first to the last packet.
    pub duration_ms: u64,
    /// Commands seen.
    pub commands: u64,
    /// Replies seen.
    pub replies: u64,
    /// Successful logins.
    pub logins: u64,
    /// Refused logins.
    pub failed_logins: u64,
    /// Transfers reported.
    pub transfers: u64,
    /// Payload bytes of the data connections from client to server.
    pub bytes_up: u64,
    /// Payload bytes of the data connections from server to client.
    pub bytes_down: u64,
    /// Gaps in the control streams.
    pub gaps: u64,
    /// Segments of one or two bytes that came one after another on the control connection, faster than anybody types or more than anybody
    /// does, where they are 64 and more. It depends on how the dialogue was cut into segments, as nothing else of an event does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiny_segments: Option<u64>,
}
