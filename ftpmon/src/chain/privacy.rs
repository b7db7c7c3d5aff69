//! Names are taken out of a route's events, and out of every text that may repeat them.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::config::{NamePolicy, PrivacyConfig, ProcessPolicy};
use ftpmon_core::engine::Secrets;
use ftpmon_event::text::Text;
use ftpmon_event::{Command, Event, EventKind, LocalProcess, Login, Reply, Transfer};

/// Verbs whose arguments are no names (RFC 959, 1639, 2228, 2389, 2428, 2640, 3659, 4217): they stay.
const NAMELESS: [&str; 22] = [
    "ALLO", "AUTH", "CCC", "EPRT", "EPSV", "FEAT", "HELP", "LANG", "LPRT", "LPSV", "MODE", "NOOP", "PASV",
    "PBSZ", "PORT", "PROT", "QUIT", "REIN", "REST", "STRU", "SYST", "TYPE",
];

/// Replies without names in them: SYST, and the announcements of data ports.
const NAMELESS_REPLIES: [u16; 4] = [215, 227, 228, 229];

/// Takes names out of events.
pub(super) struct Privacy {
    policy: PrivacyConfig,
    /// The key of the hashes.
    hash: Secrets,
}

impl Privacy {
    /// One for a policy; `hash` holds the key of its hashes. None if the policy keeps all names.
    pub(super) fn new(policy: PrivacyConfig, hash: &Secrets) -> Option<Self> {
        (!policy.is_empty()).then(|| Self { policy, hash: hash.clone() })
    }

    /// The event without the names.
    pub(super) fn apply(&self, event: &Event) -> Event {
        let mut event = event.clone();
        event.user = event.user.as_deref().and_then(|user| self.user(user)).map(Arc::new);
        match &mut event.kind {
            EventKind::Command(command) => self.command(command),
            EventKind::Reply(reply) => self.reply(reply),
            EventKind::Login(login) => self.login(login),
            EventKind::Transfer(transfer) => self.transfer(transfer),
            EventKind::Anomaly(anomaly) if self.hides_names() => anomaly.anomaly.detail = SmolStr::default(),
            EventKind::Alert(alert) if self.hides_names() => {
                alert.alert.message = alert.alert.title.clone();
                alert.alert.evidence.examples.clear();
            }
            EventKind::SessionStart(start) => {
                self.processes([&mut start.client_process, &mut start.server_process]);
            }
            _ => {}
        }
        event
    }

    /// Users or paths are not told: no text of a peer is kept that may hold one.
    fn hides_names(&self) -> bool {
        (self.policy.user, self.policy.path) != (NamePolicy::Keep, NamePolicy::Keep)
    }

    fn user(&self, user: &Text) -> Option<Text> {
        match self.policy.user {
            NamePolicy::Keep => Some(user.clone()),
            policy => self.name(policy, &user.text).map(|text| Text { text, hex: None }),
        }
    }

    /// The text in the place of a name; none for nothing.
    fn name(&self, policy: NamePolicy, name: &SmolStr) -> Option<SmolStr> {
        match policy {
            NamePolicy::Keep => Some(name.clone()),
            NamePolicy::Remove => None,
            NamePolicy::Hash => Some(self.hash.render(name.as_bytes(), SmolStr::new_static("***"))),
        }
    }

    /// The text in the place of a command's argument.
    fn argument(&self, verb: &str, arg: Option<&SmolStr>) -> Option<SmolStr> {
        let arg = arg?;
        match verb {
            "USER" => self.name(self.policy.user, arg),
            // Its secret is as `--secrets` has it.
            "PASS" | "ACCT" => Some(arg.clone()),
            verb if NAMELESS.contains(&verb) => Some(arg.clone()),
            _ if self.policy.path != NamePolicy::Keep => self.name(self.policy.path, arg),
            // It may name a user: SITE, HELP and unknown verbs take anything.
            "SITE" => None,
            _ => Some(arg.clone()),
        }
    }

    fn command(&self, command: &mut Command) {
        let line = &mut command.command;
        let arg = self.argument(&line.verb, line.arg.as_ref());
        if arg != line.arg {
            (line.arg, line.arg_hex) = (arg, None);
        }
    }

    fn reply(&self, reply: &mut Reply) {
        if let Some(command) = &mut reply.command {
            command.arg = self.argument(&command.verb, command.arg.as_ref());
        }
        let line = &mut reply.reply;
        let is_greeting = reply.tx == 0 && line.code == Some(220);
        let is_nameless = is_greeting || line.code.is_some_and(|code| NAMELESS_REPLIES.contains(&code));
        if self.hides_names() && !is_nameless {
            (line.text, line.text_hex) = (SmolStr::default(), None);
        }
    }

    fn login(&self, login: &mut Login) {
        let user = login.login.user.take();
        login.login.user = user.and_then(|user| self.name(self.policy.user, &user));
    }

    fn transfer(&self, transfer: &mut Transfer) {
        let facts = &mut transfer.transfer;
        if self.policy.path != NamePolicy::Keep {
            let hidden = |name: Option<SmolStr>| name.and_then(|name| self.name(self.policy.path, &name));
            (facts.arg, facts.path, facts.path_hex) =
                (hidden(facts.arg.take()), hidden(facts.path.take()), None);
        }
        self.processes([&mut transfer.client_process, &mut transfer.server_process]);
    }

    /// Processes are left out, or the names of the local users that they run as.
    fn processes(&self, ends: [&mut Option<Arc<LocalProcess>>; 2]) {
        for end in ends {
            if self.policy.processes == ProcessPolicy::Remove {
                *end = None;
            } else if self.policy.user != NamePolicy::Keep
                && let Some(process) = end
            {
                Arc::make_mut(process).user = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Encoder, Format, KindFilter, sample};

    fn written(policy: &str, format: Format) -> String {
        let privacy = Privacy::new(serde_json::from_str(policy).unwrap(), &Secrets::Hash([7; 32]));
        let mut encoder =
            Encoder::new(format.formatter(&sample::origin("s")), KindFilter::only::<&str>(&[]), 65_536);
        let mut out = Vec::new();
        for mut event in sample::session() {
            if let EventKind::Transfer(transfer) = &mut event.kind {
                transfer.server_process = Some(sample::process("vsftpd", None));
            }
            let event = privacy.as_ref().map_or_else(|| event.clone(), |privacy| privacy.apply(&event));
            encoder.event(&event, &mut out);
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn no_format_tells_a_name_that_is_removed_or_hashed() {
        for format in Format::ALL {
            let all = written("{}", *format);
            for policy in ["remove", "hash"] {
                let user = written(&format!(r#"{{"user": "{policy}"}}"#), *format);
                assert!(!user.contains("joe"), "{}: {user}", format.name());
                let path = written(&format!(r#"{{"path": "{policy}"}}"#), *format);
                assert!(!path.contains("a.txt"), "{}: {path}", format.name());
            }
            let processes = written(r#"{"processes": "remove"}"#, *format);
            assert!(!processes.contains("vsftpd"), "{}: {processes}", format.name());
            assert_eq!(
                all.contains("joe"),
                written(r#"{"path": "remove"}"#, *format).contains("joe"),
                "{}",
                format.name()
            );
        }
        let json = written("{}", Format::Json);
        assert!(["joe", "a.txt", "vsftpd"].iter().all(|name| json.contains(name)), "{json}");
    }

    #[test]
    fn equal_names_have_equal_hashes_under_one_key() {
        let user = |key: u8| {
            let policy = serde_json::from_str(r#"{"user": "hash"}"#).unwrap();
            let privacy = Privacy::new(policy, &Secrets::Hash([key; 32])).unwrap();
            privacy.apply(&sample::session()[2]).user.unwrap().text.clone()
        };
        assert!(user(1) == user(1) && user(1) != user(2));
        assert!(user(1).starts_with("hmac:"), "{}", user(1));
    }

    #[test]
    fn what_names_nobody_stays() {
        let json = written(r#"{"user": "remove", "path": "remove"}"#, Format::Json);
        for kept in ["RETR", "\"bytes\":77", "\"code\":226", "192.168.1.106"] {
            assert!(json.contains(kept), "{kept}: {json}");
        }
    }
}
