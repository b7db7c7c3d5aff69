//! Scripts that are uploaded where a web server runs them.

use std::net::IpAddr;

use super::alerts::{Alerts, Subject};
use super::entry::{Detector, Entry, Seen, Threshold};
use super::stealer::{file_name, upload};
use super::table::{Fill, Table};
use super::watch::Watch;
use crate::event::{Confidence, Event, EventType, Outcome, Transfer};

/// Clients. Stops whoever makes up addresses.
const CLIENTS_MAX: usize = 16_384;

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "script-in-web-root",
        number: 10,
        title: "A script was uploaded into a web root",
        severity: 2,
        confidence: Confidence::Low,
        technique: Some("T1505.003"),
    },
    on: false,
    about: "A file that a web server runs (PHP, ASP, JSP, CGI and their like) was stored in a directory that web servers publish. It may be a web \
            shell, or a web site's author at work: off unless asked for.",
    tuning: "Turn it on where nobody deploys by FTP, or allow those who do.",
    threshold: Threshold { count: 1, per_s: 86_400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| upload(event).is_some_and(is_script_in_web_root),
    start: |threshold| Box::new(WebShell { threshold, clients: Table::new(CLIENTS_MAX) }),
};

/// Extensions that web servers run, also where another one follows (`x.php.jpg`).
const SCRIPTS: [&str; 14] = [
    "php", "php3", "php4", "php5", "php7", "phtml", "phar", "asp", "aspx", "ashx", "asmx", "jsp", "jspx",
    "cgi",
];
const WEB_ROOTS: [&str; 8] =
    ["www", "htdocs", "html", "public_html", "wwwroot", "webroot", "httpdocs", "cgi-bin"];

fn is_script_in_web_root(transfer: &Transfer) -> bool {
    let moved = !matches!(transfer.transfer.outcome, Outcome::Refused | Outcome::NoData);
    let is_script = || {
        let mut parts = file_name(transfer).split('.');
        parts.next();
        parts.any(|part| SCRIPTS.iter().any(|script| part.eq_ignore_ascii_case(script)))
    };
    let in_web_root = || {
        let path = transfer.transfer.path.as_deref().unwrap_or_default();
        path.split(['/', '\\']).any(|part| WEB_ROOTS.iter().any(|root| part.eq_ignore_ascii_case(root)))
    };
    moved && is_script() && in_web_root()
}

struct WebShell {
    threshold: Threshold,
    clients: Table<IpAddr, Watch>,
}

impl Detector for WebShell {
    fn event(&mut self, event: &Event, alerts: &mut Alerts) {
        let (Some(transfer), Some(session)) = (upload(event), &event.session) else { return };
        let ip = session.client.ip;
        let watch = self.clients.entry(ip);
        let path = transfer.transfer.path.as_deref().unwrap_or_default();
        if let Some(incident) = watch.add(self.threshold, event, Some(transfer.tx), path) {
            let message = format!("{ip} stored the script {path:?} on {}", session.server.ip);
            alerts.raise(&ENTRY.subject, event, incident, &[], message);
        }
    }

    fn fill(&self) -> Fill {
        self.clients.fill()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Session, alerts_of};
    use super::*;

    fn alerts(path: &str) -> usize {
        alerts_of(&ENTRY, &[Session::new(9).upload(1, path)]).len()
    }

    #[test]
    fn scripts_in_web_roots_alert() {
        for path in
            ["/var/www/x.php", "/public_html/a/b.PHTML", "C:\\inetpub\\wwwroot\\s.aspx", "/www/x.php.jpg"]
        {
            assert_eq!(alerts(path), 1, "{path}");
        }
    }

    #[test]
    fn other_files_and_places_do_not() {
        for path in ["/var/www/x.jpg", "/home/bob/x.php", "/www/php", "/wwwx/a.php", "/www/a.phpx", ""] {
            assert_eq!(alerts(path), 0, "{path}");
        }
    }
}
