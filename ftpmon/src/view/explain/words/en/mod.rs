//! English.

mod layers;
mod terms;

use ftpmon_event::{AnomalyId, EndReason, GapCause, LoginOutcome, Mode, Nat, Outcome, TlsVia};

pub(super) use layers::term;
use terms::{argument, category, class, code, protected, purpose};

use super::number::{counted, port_sum, successor};
use super::sentence::{Party, Say};

/// A sentence.
pub(super) fn say(what: Say<'_>) -> String {
    match what {
        Say::Session(id) => format!("FTP session {id}"),
        Say::Began(at) => format!("began {at}"),
        Say::Client => "client".into(),
        Say::Server => "server".into(),
        Say::User(user) => format!("user {user}"),
        Say::EventsOnly => {
            "These are events: sequence numbers and single segments are in captures only.".into()
        }

        Say::Syn(by, isn) => format!(
            "Handshake, 1 of 3: the {} opens the connection. It chose {isn} as its initial sequence number, which counts as \
             relative 0. There is nothing to acknowledge yet.",
            party(by)
        ),
        Say::SynAck(by, isn) => format!(
            "Handshake, 2 of 3: the {} accepts, and chose {isn} as its own initial sequence number (relative 0). A SYN counts as \
             one byte, so it has to be acknowledged.",
            party(by)
        ),
        Say::HandshakeAck(by) => {
            format!("Handshake, 3 of 3: the {} acknowledges. The connection is established.", party(by))
        }
        Say::SeqMustBe(by, is, of) => {
            let (sum, right) = successor(is, of);
            format!(
                "The sequence number must be the {}'s initial one plus 1, {sum}: {}.",
                party(by),
                it(is, right)
            )
        }
        Say::AckMustBe(of_party, is, of) => {
            let (sum, right) = successor(is, of);
            let whose = party(of_party);
            format!(
                "The acknowledgment number must be the {whose}'s initial one plus 1, {sum}: {}.",
                it(is, right)
            )
        }
        Say::Midstream => {
            "The beginning was not seen: relative numbers count from the first segment that was.".into()
        }
        Say::SynAgain => "The same again: no answer had come.".into(),
        Say::HandshakeTook(time) => format!("From SYN to ACK: {time}."),
        Say::NumbersUnknown => "An event has the times of the handshake, not its numbers.".into(),
        Say::Fin(by) => {
            format!("The {} has no more to send. A FIN counts as one byte, like a SYN.", party(by))
        }
        Say::FinAck(of, number) => {
            format!(
                "The {}'s FIN is acknowledged: its sequence number plus 1 is {number} (relative).",
                party(of)
            )
        }
        Say::Reset(by, true, false) => {
            format!("The {} resets the connection: it is gone at once.", party(by))
        }
        Say::Reset(by, true, true) => {
            format!(
                "The {} resets the connection. Yet more of it follows: the reset did not end it.",
                party(by)
            )
        }
        Say::Reset(by, false, went_on) => format!(
            "The {} sends a reset whose sequence number is not the one that is expected next. A reset is believed only if it \
             is exact (RFC 5961 section 3.2).{}",
            party(by),
            if went_on { " The connection went on." } else { "" }
        ),

        Say::Bytes(from, end, ack) => {
            let next = ack.map(|ack| format!("; expects {ack} next")).unwrap_or_default();
            let bytes = counted(end.wrapping_sub(from).into(), "byte");
            format!("Sequence numbers {from} to {} ({bytes}){next}.", end.wrapping_sub(1))
        }
        Say::Copy(bytes) => format!("Retransmission: {} seen before.", counted(bytes.into(), "byte")),
        Say::Late(bytes) => {
            format!("Out of order: {} from before later ones.", counted(bytes.into(), "byte"))
        }
        Say::Hole(bytes) => {
            format!("Before these, the capture lacks {} so far.", counted(bytes.into(), "byte"))
        }
        Say::NoLine(segments, client, server) => format!(
            "{} without the end of a line: {} from the client, {} from the server.",
            counted(segments, "segment"),
            counted(client, "byte"),
            counted(server, "byte")
        ),
        Say::Encrypted(segments, client, server) => format!(
            "TLS: {}, {} from the client, {} from the server. Commands and replies in them cannot be read.",
            counted(segments, "segment"),
            counted(client, "byte"),
            counted(server, "byte")
        ),

        Say::Purpose(name, verb) => format!("{name}: {}.", purpose(verb)),
        Say::NoCommand => "The line is no FTP command.".into(),
        Say::OddCharacters(true) => "Its argument has control characters, which do not belong there.".into(),
        Say::OddCharacters(false) => {
            "The line has control characters or white space where none belongs.".into()
        }
        Say::MaskedLine => {
            "The line has no verb that is known. It may hold a secret, so it is masked.".into()
        }
        Say::Argument(what) => argument(what),
        Say::Protected(verb) => protected(verb).into(),
        Say::SecretMasked => "*** stands for a secret that crossed the network in clear text.".into(),
        Say::SecretInClear => {
            "The secret crossed the network in clear text: whoever sees the packets has it.".into()
        }
        Say::Truncated => "Only the beginning of the text is kept.".into(),
        Say::Code(code, first, second) => {
            let first = first.map_or("a digit that no RFC assigns", class);
            let second = second.map_or("a digit that no RFC assigns", category);
            format!("{}xx: {first}. x{}x: {second}.", code / 100, code / 10 % 10)
        }
        Say::CodeMeans(number) => {
            code(number).map(|means| format!("{number:03}: {means}.")).unwrap_or_default()
        }
        Say::NoReply => "The line is no FTP reply.".into(),
        Say::Greeting => "The greeting: in FTP the server speaks first.".into(),
        Say::Unasked => "No command that was seen asked for it.".into(),
        Say::Lines(lines) => format!("The reply has {lines} lines."),
        Say::AbortDone => "226: the abort was carried out, no data connection is open.".into(),
        Say::Latency(time, Some(verb)) => format!("{time} after {verb}."),
        Say::Latency(time, None) => format!("{time} after the line that it answers."),

        Say::SixNumbers(ip, port) => format!(
            "Six numbers: four of the address, {ip}, and two of the port, the high byte first: {}.",
            port_sum(port)
        ),
        Say::PortAlone(port) => format!("The port is written out, {port}; the address is the server's own."),
        Say::Extended(family, ip, port) => {
            let name = if family == 1 { "IPv4" } else { "IPv6" };
            format!(
                "Address family {family} is {name}; the address is {ip} and the port {port}, both written out."
            )
        }
        Say::Long(ip, port) => {
            format!(
                "Byte by byte: the address is {ip}, and the port, the high byte first, {}.",
                port_sum(port)
            )
        }
        Say::Inferred => {
            "No endpoint was announced readably: the connection was found by its hosts and its time.".into()
        }
        Say::Listens(Some(Mode::Passive), end) => {
            format!("Passive mode: the server listens at {end}, the client will connect to it.")
        }
        Say::Listens(Some(Mode::Active), end) => {
            format!("Active mode: the client listens at {end}, the server will connect to it.")
        }
        Say::Listens(None, end) => format!("The data connection goes to {end}."),
        Say::ListensElsewhere(end) => format!(
            "Active mode: the server will connect to {end}. That is another host than the client: with FXP another server, \
             which listens there."
        ),
        Say::ListensFor(end, host) => format!(
            "Passive mode: the server listens at {end}. Not the client connected to it but {host}: with FXP another server, to \
             which the client gave this endpoint, otherwise a stranger."
        ),
        Say::LowPort(port) => format!(
            "Port {port} is below 1024: services listen there, not clients. Servers should refuse it (RFC 2577 section 3)."
        ),
        Say::ThirdHost(host) => format!(
            "{host} is neither this session's client nor its server. So it is with FXP, where two servers exchange a file, \
             where a host has several addresses, and where a stranger takes a connection."
        ),
        Say::Loopback(said, meant) => format!(
            "{said} is a loopback address: it means the host that uses it, and none that can be reached from another. The \
             connection is expected at {meant}."
        ),
        Say::OtherPrivate(said, meant) => format!(
            "{said} is a private address, and not the sender's, which is private too: NAT is between, or it is another host. \
             The connection is expected at {meant}."
        ),
        Say::Local(said, meant) => format!(
            "{said} is a link-local or shared address and means nothing outside its own network: from here the endpoint is reached \
             at {meant}."
        ),
        Say::OtherHost(Party::Server, said) => format!(
            "{said} is not the address by which the server is known here: it has several, or another host listens in its place."
        ),
        Say::OtherHost(by, said) => format!(
            "{said} is not the {}'s address but that of a third host: FXP does so, and so do bounce attacks (RFC 2577).",
            party(by)
        ),
        Say::ServersOwn(said) => format!("{said} is the server's own address, not the client's."),
        Say::Nat(nat, said, meant) => match nat {
            Nat::None => format!("The address is the sender's own, {meant}."),
            Nat::Private => {
                format!(
                    "{said} is a private address behind NAT: from here the endpoint is reached at {meant}."
                )
            }
            Nat::Unspecified => format!("{said} names no host: the sender's own address is meant, {meant}."),
            Nat::Mismatch => {
                format!("{said} is not the sender's address; the connection is expected at {meant}.")
            }
        },

        Say::Login(user, outcome, encrypted) => {
            let user = user.map(|user| format!(" as {user}")).unwrap_or_default();
            let outcome = match outcome {
                LoginOutcome::Success => "accepted",
                LoginOutcome::Failure => "refused",
                LoginOutcome::Abandoned => "given up before it was decided",
            };
            let how = if encrypted { "under TLS" } else { "in clear text" };
            format!("Login{user}, {how}: {outcome}.")
        }
        Say::TlsStarts(via) => {
            let why = match via {
                TlsVia::Auth => "the server agreed to AUTH",
                TlsVia::Implicit => "this port speaks it from the first byte",
                TlsVia::Detected => "a ClientHello was seen",
                TlsVia::Ccc => "the command CCC",
            };
            format!("From here on the control connection carries TLS: {why}.")
        }
        Say::TlsFacts(facts) => format!("TLS parameters: {facts}."),
        Say::TlsStops => "TLS ends: from here on the dialogue is in clear text again.".into(),

        Say::DataOpens(number, from, to) => format!("Data connection D{number}: {from} connects to {to}."),
        Say::DataBegins(by) => format!("First bytes, from the {}.", party(by)),
        Say::Transfer(Some(verb), path) => format!("Transfer {verb} {path}:"),
        Say::Transfer(None, _) => "Data connection without a command that could be read:".into(),
        Say::Outcome(how) => outcome(how).into(),
        Say::DataBytes([left, right], client, server) => {
            format!(
                "{} from the {}, {} from the {}.",
                counted(client, "byte"),
                party(left),
                counted(server, "byte"),
                party(right)
            )
        }
        Say::DataRate(time, rate) => {
            let rate = rate.map(|rate| format!(", {rate}")).unwrap_or_default();
            format!("It lasted {time}{rate}.")
        }
        Say::Declared(bytes, true) => {
            format!("The dialogue declared {}, as many as were moved.", counted(bytes, "byte"))
        }
        Say::Declared(bytes, false) => {
            format!("The dialogue declared {}, not as many as were moved.", counted(bytes, "byte"))
        }
        Say::DataLosses(again, never) => {
            format!("Seen again: {}. Never seen: {}.", counted(again, "byte"), counted(never, "byte"))
        }
        Say::DataClosedBy(Some(by)) => format!("The {} closed it.", party(by)),
        Say::DataClosedBy(None) => "Nobody was seen to close it.".into(),
        Say::DataTls => "It carries TLS.".into(),
        Say::NoData => "No data connection was seen.".into(),

        Say::Gap(from, bytes, cause) => {
            let why = match cause {
                GapCause::Acknowledged => "their receiver acknowledged them",
                GapCause::Missing => "later bytes came, these did not",
                GapCause::CutShort => "the capture cut frames short",
                GapCause::RingFull => "the kernel's ring was full",
                GapCause::Fragments => "fragments of a packet did not all come",
                GapCause::Restart => "the agent was restarted",
            };
            format!("Gap: the capture lacks {} of the {} ({why}).", counted(bytes, "byte"), party(from))
        }
        Say::Anomaly(id) => format!("Unusual: {}.", anomaly(id)),
        Say::Alert(title, id) => format!("Alert: {title} (detector {id})."),

        Say::End(reason) => match reason {
            EndReason::Fin => "The session ended in order.",
            EndReason::Rst => "The session was reset.",
            EndReason::Idle => "The session was given up: nothing came any more.",
            EndReason::Evicted => "The session was given up: a table was full.",
            EndReason::Replaced => "The session was over: another connection used its ports.",
            EndReason::EndOfInput => "The session was open when the input ended.",
        }
        .into(),
        Say::Account(commands, replies, transfers, up, down) => format!(
            "Commands: {commands}. Replies: {replies}. Transfers: {transfers}. Uploaded: {}. Downloaded: {}.",
            counted(up, "byte"),
            counted(down, "byte")
        ),
        Say::LeftOut(events) => format!("Left out: {}.", counted(events, "further event")),
        Say::PlainAcks => "Segments that only acknowledge payload are not drawn.".into(),
        Say::Sessions(number, all) => format!("Session {number} of {all}. Others, for --follow:"),
    }
}

fn party(party: Party) -> &'static str {
    match party {
        Party::Client => "client",
        Party::Server => "server",
        Party::Third => "other host",
    }
}

fn it(is: u32, right: bool) -> String {
    if right { "it is".into() } else { format!("it is {is}, which is wrong") }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete.",
        Outcome::Aborted => "aborted.",
        Outcome::Refused => "refused by the server.",
        Outcome::Failed => "the server began and failed.",
        Outcome::NoData => "the server said done, but no data connection was seen.",
        Outcome::Short => "the server said done, but fewer bytes than declared were moved.",
        Outcome::Unknown => "its outcome is not known.",
    }
}

fn anomaly(id: AnomalyId) -> &'static str {
    match id {
        AnomalyId::MalformedCommand => "a line of the client has not the form of a command",
        AnomalyId::MalformedReply => "a line of the server is no reply",
        AnomalyId::CommandTooLong => "a command line is too long",
        AnomalyId::ReplyTooLong => "a reply is too long",
        AnomalyId::ReplyUnterminated => "a reply of several lines does not end as it began",
        AnomalyId::TooManyPending => "too many commands wait for replies",
        AnomalyId::UnaskedReply => "a reply answers nothing",
        AnomalyId::TransferWithoutEndpoint => "a transfer without PASV, PORT or the like before it",
        AnomalyId::BadEndpoint => "the text names no endpoint",
        AnomalyId::UnexpectedPeer => "another host than the expected one connected",
        AnomalyId::OverlapConflict => "retransmitted bytes differ from the first ones",
        AnomalyId::DoubtfulSegment => "a segment contradicts the connection, perhaps a forged one",
        AnomalyId::NotFtp => "the dialogue is not FTP",
        AnomalyId::CommandBehindAuth => "a command behind AUTH in clear text, where TLS was to begin",
        AnomalyId::TelnetInCommand => "Telnet within a command, perhaps to hide its verb",
        AnomalyId::EventFlood => "more events than the session is allowed; some are only counted",
        _ => "something outside the protocol",
    }
}
