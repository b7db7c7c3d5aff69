//! Lines as syslog messages: those of RFC 5424, and those that `/dev/log` takes.

use std::io::Write as _;

use ftpmon_event::time::{Rfc3339, Timestamp};
use ftpmon_event::{Event, EventKind, LoginOutcome, Origin, Outcome};

/// Facilities and severities of RFC 5424 section 6.2.1.
const AUTHPRIV: u8 = 10;
const LOCAL0: u8 = 16;
const CRITICAL: u8 = 2;
const ERROR: u8 = 3;
const WARNING: u8 = 4;
const NOTICE: u8 = 5;
const INFORMATIONAL: u8 = 6;

/// Longest HOSTNAME of RFC 5424 section 6, bytes.
const HOSTNAME_MAX: usize = 255;
/// The largest `sequenceId` (RFC 5424 section 7.3.1); the next one is 1.
const SEQUENCE_MAX: u64 = 2_147_483_647;
/// Characters of a time with microseconds and without its `Z`: more digits are not allowed (RFC 5424 section 6.2.3).
const MICROSECONDS: usize = 26;

/// The form of syslog messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogForm {
    /// RFC 5424.
    Rfc5424,
    /// Priority and tag: the daemon of this host adds time and host name.
    Local,
}

/// Puts headers before lines.
pub struct SyslogHeader {
    form: SyslogForm,
    host: String,
    process: u32,
    clock: Rfc3339,
}

impl SyslogHeader {
    /// Headers of this form for the events of `origin`.
    pub fn new(form: SyslogForm, origin: &Origin) -> Self {
        let visible = |c: char| if c.is_ascii_graphic() { c } else { '_' };
        let host: String = origin.sensor.chars().take(HOSTNAME_MAX).map(visible).collect();
        let host = if host.is_empty() { "-".to_owned() } else { host };
        Self { form, host, process: std::process::id(), clock: Rfc3339::default() }
    }

    /// Puts a header before each line that `out` has from `from` on. They are about `event`, with its number, or stand at the
    /// begin or end of an output.
    pub(super) fn insert(
        &mut self,
        at: Timestamp,
        event: Option<(u64, &Event)>,
        out: &mut Vec<u8>,
        from: usize,
    ) {
        let lines = out.split_off(from);
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            // Writing to memory cannot fail.
            let _ = self.header(at, event, out);
            out.extend_from_slice(line);
        }
    }

    fn header(
        &mut self,
        at: Timestamp,
        event: Option<(u64, &Event)>,
        out: &mut Vec<u8>,
    ) -> std::io::Result<()> {
        let (facility, severity) = event.map_or((LOCAL0, INFORMATIONAL), |(_, event)| priority(&event.kind));
        let priority = facility * 8 + severity;
        let process = self.process;
        match self.form {
            SyslogForm::Local => write!(out, "<{priority}>ftpmon[{process}]: "),
            SyslogForm::Rfc5424 => {
                self.clock.set(at);
                let time = self.clock.as_str().trim_end_matches('Z');
                let time = time.get(..MICROSECONDS).unwrap_or(time);
                let name = event.map_or("-", |(_, event)| event.kind.name());
                write!(out, "<{priority}>1 {time}Z {} ftpmon {process} {name} ", self.host)?;
                match event {
                    Some((seq, _)) => write!(out, "[meta sequenceId=\"{}\"] ", seq % SEQUENCE_MAX + 1),
                    None => out.write_all(b"- "),
                }
            }
        }
    }
}

/// Facility and severity of an event.
fn priority(kind: &EventKind) -> (u8, u8) {
    match kind {
        EventKind::Login(login) if login.login.outcome == LoginOutcome::Failure => (AUTHPRIV, WARNING),
        EventKind::Login(_) => (AUTHPRIV, INFORMATIONAL),
        EventKind::Alert(alert) => match alert.alert.severity {
            4.. => (AUTHPRIV, CRITICAL),
            3 => (AUTHPRIV, ERROR),
            2 => (AUTHPRIV, WARNING),
            _ => (AUTHPRIV, NOTICE),
        },
        EventKind::Drop(_) => (LOCAL0, ERROR),
        EventKind::Anomaly(_) | EventKind::Gap(_) => (LOCAL0, NOTICE),
        EventKind::Transfer(transfer)
            if !matches!(transfer.transfer.outcome, Outcome::Complete | Outcome::Unknown) =>
        {
            (LOCAL0, NOTICE)
        }
        _ => (LOCAL0, INFORMATIONAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample;

    fn message(form: SyslogForm, sensor: &str, event: &Event) -> String {
        let mut out = b"before\n".to_vec();
        let from = out.len();
        out.extend_from_slice(b"{}\n");
        SyslogHeader::new(form, &sample::origin(sensor)).insert(event.ts, Some((7, event)), &mut out, from);
        String::from_utf8(out).unwrap().strip_prefix("before\n").unwrap().to_owned()
    }

    #[test]
    fn a_message_has_the_header_of_rfc_5424() {
        let transfer = sample::event(&sample::identity("s"), 5, sample::transfer(1));
        let process = std::process::id();
        assert_eq!(
            message(SyslogForm::Rfc5424, "ftp 1", &transfer),
            format!(
                "<134>1 2023-11-14T22:13:20.005000Z ftp_1 ftpmon {process} transfer [meta sequenceId=\"8\"] {{}}\n"
            )
        );
        assert_eq!(message(SyslogForm::Local, "s", &transfer), format!("<134>ftpmon[{process}]: {{}}\n"));
    }

    #[test]
    fn logins_and_alerts_are_of_the_facility_for_authorization() {
        let session = sample::identity("s");
        let alert = EventKind::Alert(Box::new(ftpmon_event::Alert { alert: sample::alert() }));
        let line = message(SyslogForm::Local, "s", &sample::event(&session, 0, alert));
        assert!(line.starts_with("<83>"), "10 * 8 + 3: {line}");
    }

    #[test]
    fn every_line_has_a_header_and_no_line_none() {
        let mut header = SyslogHeader::new(SyslogForm::Local, &sample::origin("s"));
        let mut out = b"a\nb\n".to_vec();
        header.insert(Timestamp::default(), None, &mut out, 0);
        assert_eq!(String::from_utf8_lossy(&out).matches("<134>ftpmon[").count(), 2);
        let mut nothing = Vec::new();
        header.insert(Timestamp::default(), None, &mut nothing, 0);
        assert!(nothing.is_empty());
    }
}
