//! The columns of a row of `ftp.log`, and what a session has to remember for them.

use std::net::IpAddr;

use smol_str::SmolStr;

use super::value::Value;
use crate::format::transaction::{Memory, Row, Transaction};
use ftpmon_core::ftp::path::{Answer, WorkingDirectory};
use ftpmon_core::ftp::{Verb, size};
use ftpmon_event::{Mode, ReplyLine, SessionIdentity};

/// The columns with their types: those of Zeek in its order, then those of the data connection in `conn.log`'s terms.
pub(super) const COLUMNS: [(&str, &str); 24] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("user", "string"),
    ("password", "string"),
    ("command", "string"),
    ("arg", "string"),
    ("mime_type", "string"),
    ("file_size", "count"),
    ("reply_code", "count"),
    ("reply_msg", "string"),
    ("data_channel.passive", "bool"),
    ("data_channel.orig_h", "addr"),
    ("data_channel.resp_h", "addr"),
    ("data_channel.resp_p", "port"),
    ("fuid", "string"),
    ("data_channel.orig_p", "port"),
    ("data_channel.duration", "interval"),
    ("data_channel.orig_bytes", "count"),
    ("data_channel.resp_bytes", "count"),
    ("data_channel.missed_bytes", "count"),
];

/// The values that the rows of a session have in common.
#[derive(Debug)]
pub(super) struct Remembered {
    directory: WorkingDirectory,
    password: Option<SmolStr>,
    /// A command was seen: what comes without one is not the greeting.
    begun: bool,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { directory: WorkingDirectory::new(false), password: None, begun: false }
    }
}

impl Memory for Remembered {
    const LASTS: bool = true;

    fn size(&self) -> usize {
        self.directory.held() + self.password.as_ref().map_or(0, SmolStr::len)
    }
}

impl Remembered {
    fn learn(&mut self, transaction: &Transaction) {
        self.begun |= transaction.verb.is_some();
        let arg = transaction.arg.as_deref().filter(|_| !transaction.cut);
        let verb = transaction.known_verb().canonical();
        if verb == Verb::Pass {
            self.password = transaction.arg.clone();
        }
        let Some((reply, code)) = transaction.outcome().and_then(|reply| Some((reply, reply.code?))) else {
            return;
        };
        let answer = Answer { code, text: reply.text.as_bytes(), truncated: reply.truncated };
        match verb {
            Verb::User if code < 400 => self.directory.logged_in(answer, true),
            _ if code / 100 != 2 => {}
            Verb::Rein => self.directory = WorkingDirectory::new(false),
            verb if verb.is_login() => self.directory.logged_in(answer, false),
            verb => self.directory.completed(verb, arg.unwrap_or_default().as_bytes(), answer),
        }
    }
}

/// The values of a row, in the order of [`COLUMNS`].
pub(super) fn values<'a>(row: Row<'a, Remembered>) -> [Value<'a>; COLUMNS.len()] {
    let Row { identity, memory, transaction } = row;
    let arg = argument(identity, &memory.directory, transaction);
    memory.learn(transaction);
    let transfer = transaction.transfer.as_deref();
    let outcome = transaction.outcome().or(transaction.replies.last());
    let data = DataColumns::of(identity, transaction);
    let last_line = |reply: &'a ReplyLine| reply.text.rsplit('\n').next().unwrap_or_default();
    [
        Value::Time(transaction.ts),
        text(Some(identity.id())),
        Value::Addr(identity.client.ip),
        Value::Count(identity.client.port.into()),
        Value::Addr(identity.server.ip),
        Value::Count(identity.server.port.into()),
        text(Some(transaction.user.as_deref().map_or("<unknown>", |user| &user.text))),
        memory.password.clone().map_or(Value::Unset, |password| Value::Text(String::from(password).into())),
        text(Some(transaction.verb.as_deref().unwrap_or(if memory.begun { "<unknown>" } else { "<init>" }))),
        arg,
        text(transfer.and_then(|told| told.file.as_ref()?.mime.as_deref())),
        count(file_size(transaction)),
        count(outcome.and_then(|reply| reply.code).map(u64::from)),
        text(outcome.map(last_line)),
        data.passive.map_or(Value::Unset, Value::Bool),
        data.orig_h.map_or(Value::Unset, Value::Addr),
        data.resp_h.map_or(Value::Unset, Value::Addr),
        count(data.resp_p.map(u64::from)),
        Value::Unset,
        count(data.orig_p.map(u64::from)),
        data.duration.map_or(Value::Unset, Value::Interval),
        count(data.orig_bytes),
        count(data.resp_bytes),
        count(data.missed_bytes),
    ]
}

fn text(text: Option<&str>) -> Value<'_> {
    text.map_or(Value::Unset, |text| Value::Text(text.into()))
}

fn count<'a>(count: Option<u64>) -> Value<'a> {
    count.map_or(Value::Unset, Value::Count)
}

fn file_size(transaction: &Transaction) -> Option<u64> {
    let declared = transaction.transfer.as_ref().and_then(|told| told.transfer.declared_bytes);
    let asked = || {
        let reply = transaction.outcome().filter(|reply| reply.code == Some(213))?;
        (transaction.known_verb() == Verb::Size).then(|| size::in_213(reply.text.as_bytes())).flatten()
    };
    declared.or_else(asked)
}

/// The argument; that of a command on a file as the URL of the file.
fn argument<'a>(
    identity: &SessionIdentity,
    directory: &WorkingDirectory,
    transaction: &'a Transaction,
) -> Value<'a> {
    let on_file = matches!(
        transaction.known_verb(),
        Verb::Appe
            | Verb::Cwd
            | Verb::Dele
            | Verb::Mkd
            | Verb::Retr
            | Verb::Rmd
            | Verb::Rnfr
            | Verb::Rnto
            | Verb::Stor
            | Verb::Stou
            | Verb::Rest
            | Verb::Size
            | Verb::Mdtm
    );
    let arg = transaction.arg.as_deref();
    if !on_file {
        return text(arg);
    }
    let told = transaction.transfer.as_ref().and_then(|told| told.transfer.path.clone());
    let resolved = || directory.path(arg.unwrap_or_default().as_bytes(), true);
    let path = match (told, arg) {
        (Some(told), _) => String::from(told),
        (None, arg) => resolved().map_or_else(
            || arg.unwrap_or_default().to_owned(),
            |path| String::from_utf8_lossy(&path).into_owned(),
        ),
    };
    let host = match identity.server.ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let from = match path.as_str() {
        path if path.starts_with('/') => "",
        "." => "/",
        _ => "/./",
    };
    Value::Text(format!("ftp://{host}{from}{path}").into())
}

/// The endpoint that a command announced, or the data connection of its transfer.
#[derive(Default)]
struct DataColumns {
    passive: Option<bool>,
    orig_h: Option<IpAddr>,
    orig_p: Option<u16>,
    resp_h: Option<IpAddr>,
    resp_p: Option<u16>,
    duration: Option<u64>,
    orig_bytes: Option<u64>,
    resp_bytes: Option<u64>,
    missed_bytes: Option<u64>,
}

impl DataColumns {
    fn of(identity: &SessionIdentity, transaction: &Transaction) -> Self {
        let (client, server) = (identity.client.ip, identity.server.ip);
        let ends = |passive: bool| if passive { (client, server) } else { (server, client) };
        if let Some(data) = transaction.transfer.as_ref().and_then(|told| told.data.as_ref()) {
            let passive = match data.announced.mode {
                Some(mode) => mode == Mode::Passive,
                None => data.announced.ip == server,
            };
            let (orig, _) = ends(passive);
            let seen = data.initiator.is_some();
            let (from_orig, from_resp) = if passive {
                (data.bytes_from_client, data.bytes_from_server)
            } else {
                (data.bytes_from_server, data.bytes_from_client)
            };
            return Self {
                passive: Some(passive),
                orig_h: Some(data.initiator.map_or(orig, |end| end.ip)),
                orig_p: data.initiator.map(|end| end.port),
                resp_h: Some(data.listener.map_or(data.announced.ip, |end| end.ip)),
                resp_p: Some(data.listener.map_or(data.announced.port, |end| end.port)),
                duration: data.duration_us,
                orig_bytes: seen.then_some(from_orig),
                resp_bytes: seen.then_some(from_resp),
                missed_bytes: seen.then_some(data.gap_bytes),
            };
        }
        let Some(channel) = &transaction.channel else { return Self::default() };
        let passive = channel.via.mode() == Some(Mode::Passive);
        let (orig, _) = ends(passive);
        Self {
            passive: Some(passive),
            orig_h: Some(orig),
            resp_h: Some(channel.advertised_ip.unwrap_or(channel.ip)),
            resp_p: Some(channel.port),
            ..Self::default()
        }
    }
}
