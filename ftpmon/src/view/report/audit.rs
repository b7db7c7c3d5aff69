//! The audit trail: who did what, when, to which path, from where, with which result, in which session (PCI DSS 4.0 requirement
//! 10.2.2).

use ftpmon_core::ftp::Verb;
use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::{Rfc3339, Timestamp};
use ftpmon_event::{
    Event, EventKind, FileDirection, Login, LoginOutcome, Outcome, Reply, ReplyClass, Transfer,
};
use smol_str::SmolStr;

use super::csv::quoted;

/// The names of the columns.
pub(super) const HEAD: &str = "time,user,action,path,bytes,source,server,result,code,session\r\n";

/// Something that somebody did, or tried to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AuditEntry {
    pub(super) at: Timestamp,
    pub(super) user: Option<SmolStr>,
    pub(super) action: &'static str,
    /// The path; that of a reply as the command had it.
    pub(super) path: Option<SmolStr>,
    pub(super) bytes: Option<u64>,
    /// The client.
    pub(super) source: Endpoint,
    pub(super) server: Endpoint,
    pub(super) result: &'static str,
    pub(super) code: Option<u16>,
    pub(super) session: SmolStr,
}

impl AuditEntry {
    /// The record that an event makes, if any.
    pub(super) fn of(event: &Event) -> Option<Self> {
        let session = event.session.as_deref()?;
        let base = Self {
            at: event.ts,
            user: event.user.as_deref().map(|user| user.text.clone()),
            action: "",
            path: None,
            bytes: None,
            source: session.client,
            server: session.server,
            result: "",
            code: None,
            session: session.id().into(),
        };
        match &event.kind {
            EventKind::Login(told) => Some(login(base, told)),
            EventKind::Transfer(told) => Some(transfer(base, told)),
            EventKind::Reply(told) => reply(base, told),
            _ => None,
        }
    }

    /// Its fields as text, in the order of [`HEAD`].
    pub(super) fn fields(&self) -> [String; 10] {
        let text = |text: &Option<SmolStr>| text.as_deref().unwrap_or_default().to_owned();
        [
            Rfc3339::of(self.at).as_str().to_owned(),
            text(&self.user),
            self.action.to_owned(),
            text(&self.path),
            self.bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
            self.source.to_string(),
            self.server.to_string(),
            self.result.to_owned(),
            self.code.map(|code| code.to_string()).unwrap_or_default(),
            self.session.to_string(),
        ]
    }

    /// The bytes of what peers named.
    pub(super) fn text_bytes(&self) -> usize {
        [&self.user, &self.path].into_iter().flatten().map(SmolStr::len).sum()
    }

    /// It as a row of CSV.
    pub(super) fn row(&self) -> String {
        self.fields().map(|field| quoted(&field)).join(",") + "\r\n"
    }
}

fn login(base: AuditEntry, told: &Login) -> AuditEntry {
    let login = &told.login;
    let result = match login.outcome {
        LoginOutcome::Success => "success",
        LoginOutcome::Failure => "failure",
        LoginOutcome::Abandoned => "abandoned",
    };
    let user = login.user.clone().or(base.user);
    AuditEntry { user, action: "login", result, code: login.code, ..base }
}

fn transfer(base: AuditEntry, told: &Transfer) -> AuditEntry {
    let facts = &told.transfer;
    let action = match facts.direction {
        Some(FileDirection::Download) => "download",
        Some(FileDirection::Upload) => "upload",
        Some(FileDirection::Listing) => "list",
        None => "transfer",
    };
    let result = if facts.outcome == Outcome::Complete { "success" } else { facts.outcome.name() };
    let path = facts.path.clone().or_else(|| facts.arg.clone());
    AuditEntry { action, path, bytes: Some(facts.bytes), result, code: facts.code, ..base }
}

/// The reply to a command that changes files, its last one.
fn reply(base: AuditEntry, told: &Reply) -> Option<AuditEntry> {
    let command = told.command.as_ref()?;
    let action = match Verb::from_name(command.verb.as_bytes()) {
        Verb::Dele => "delete",
        Verb::Rnfr => "rename from",
        Verb::Rnto => "rename to",
        Verb::Mkd | Verb::Xmkd => "make directory",
        Verb::Rmd | Verb::Xrmd => "remove directory",
        Verb::Site => "site command",
        _ => return None,
    };
    let result = match told.reply.class? {
        ReplyClass::Preliminary | ReplyClass::Protected => return None,
        ReplyClass::Completion | ReplyClass::Intermediate => "success",
        ReplyClass::TransientError | ReplyClass::PermanentError => "failure",
    };
    Some(AuditEntry { action, path: command.arg.clone(), result, code: told.reply.code, ..base })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn record(kind: EventKind) -> Option<AuditEntry> {
        AuditEntry::of(&sample::event(&sample::identity("0000000000000001"), 0, kind))
    }

    #[test]
    fn a_record_has_who_when_what_where_from_and_with_which_result() {
        let row = record(sample::transfer(1)).map(|record| record.row());
        let expected = "2023-11-14T22:13:20.000000000Z,joe,download,/pub/a.txt,77,192.168.1.106:57658,192.168.1.109:21,\
                        success,226,0000000000000001\r\n";
        assert_eq!(row.as_deref(), Some(expected));
    }

    #[test]
    fn commands_that_change_files_are_recorded_by_their_replies() {
        let of = |code, verb| record(sample::reply(1, code, "x", Some((verb, Some("=a")))));
        let told = |code, verb| of(code, verb).map(|record| (record.action, record.result));
        assert_eq!(told(250, "DELE"), Some(("delete", "success")));
        assert_eq!(told(550, "RMD"), Some(("remove directory", "failure")));
        assert_eq!(told(350, "RNFR"), Some(("rename from", "success")));
        assert_eq!((told(250, "CWD"), told(120, "DELE")), (None, None));
        assert!(of(250, "DELE").is_some_and(|record| record.row().contains(",'=a,")));
    }
}
