//! Alerts about dialogues that mean no harm.
//!
//! The dialogues do on purpose what some detectors look for. Such an alert is right in a session whose client did so, by its own record, and wrong in any
//! other; an alert of another detector is always wrong.

use std::net::{IpAddr, Ipv4Addr};

use super::record::{Leaving, Record, Said};
use crate::events::Events;

/// That which a client has to have done in the session of an alert.
type Reason = fn(&Record) -> bool;

/// The detectors that may alert, and when. Each says what is so in the real dialogue, so that there is nothing to mend:
///
/// * a stranger did connect to an announced port;
/// * PORT did name another host, or the port of a service;
/// * logins were refused, or succeeded behind refused ones of the seven sessions beside it, which the same host holds;
/// * a name was given and no password behind it;
/// * ports were asked for and not used, 50 in a minute of eight sessions at once;
/// * the server did say 425 or 426, since nobody listened or the client cut the connection;
/// * the server did turn the session away, since too many came;
/// * the client left commands behind without waiting for their replies;
/// * a small file was stored and deleted by an anonymous user, as who tests a server does.
const MEANT: [(&str, Reason); 11] = [
    ("data-port-theft", |record| !record.strangers.is_empty()),
    ("ftp-bounce", |record| record.commands.iter().any(|said| names_another(said, record.client.ip()))),
    ("login-guessing", refused),
    ("login-spraying", refused),
    ("login-guessed", |record| !record.logins.is_empty()),
    ("user-enumeration", |record| record.logins.iter().any(|login| login.outcome != "success")),
    ("pasv-exhaustion", |record| said(record, &["PASV", "EPSV"]) > 1),
    ("data-connection-failures", |record| record.replies.iter().any(|reply| matches!(reply.code, 425 | 426))),
    ("server-refuses", |record| {
        record.replies.iter().any(|reply| reply.code >= 400 && reply.answers.is_none())
    }),
    ("server-stalls", |record| record.stalled || record.leaving != Leaving::Closed),
    ("write-probe", |record| said(record, &["STOR", "STOU", "APPE"]) > 0 && said(record, &["DELE"]) > 0),
];

fn refused(record: &Record) -> bool {
    record.logins.iter().any(|login| login.outcome == "failure")
}

/// Commands of these verbs.
fn said(record: &Record, verbs: &[&str]) -> usize {
    record.commands.iter().filter(|said| verbs.contains(&said.verb().as_str())).count()
}

/// PORT or EPRT of another host than the client, or of a port below 1024 (RFC 2577 section 3).
fn names_another(said: &Said, client: IpAddr) -> bool {
    let arg = said.arg().unwrap_or_default();
    let (ip, port) = match said.verb().as_str() {
        "PORT" => {
            let numbers: Vec<u8> = arg.split(',').filter_map(|number| number.trim().parse().ok()).collect();
            let &[a, b, c, d, high, low] = numbers.as_slice() else { return false };
            (IpAddr::V4(Ipv4Addr::new(a, b, c, d)), u16::from_be_bytes([high, low]))
        }
        "EPRT" => {
            let parts: Vec<&str> = arg.split('|').collect();
            let [_, _, ip, port, ..] = parts.as_slice() else { return false };
            let (Ok(ip), Ok(port)) = (ip.parse(), port.parse()) else { return false };
            (ip, port)
        }
        _ => return false,
    };
    ip != client || port < 1_024
}

/// Alerts of a session that its client gave no reason for.
pub(super) fn unmeant(record: &Record, events: &Events) -> Vec<String> {
    let has_reason = |id: &str| MEANT.iter().any(|(meant, reason)| *meant == id && reason(record));
    let alerts = events.of("alert").into_iter();
    let odd = alerts.filter(|alert| !has_reason(alert.text("/alert/id")));
    odd.map(|alert| format!("an alert: {}", alert.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialogues::record::Login;

    fn record(lines: &[&str]) -> Record {
        let mut record = Record::new("10.77.0.2:40000".parse().unwrap());
        record.commands = lines.iter().map(|line| Said { line: (*line).to_owned() }).collect();
        record
    }

    #[test]
    fn an_alert_is_meant_only_where_the_client_did_so() {
        let alert = |id: &str| {
            let line = format!("{{\"event\":\"alert\",\"alert\":{{\"id\":\"{id}\"}}}}");
            Events(vec![crate::events::Event(serde_json::from_str(&line).unwrap())])
        };
        let odd = |record: &Record, id: &str| unmeant(record, &alert(id)).len();
        for (line, is_odd) in [
            ("PORT 10,77,0,2,200,1", 1),
            ("PORT 10,77,0,2,0,25", 0),
            ("PORT 10,77,0,9,200,1", 0),
            ("EPRT |1|10.77.0.2|51201|", 1),
            ("EPRT |1|10.77.0.9|51201|", 0),
            ("NOOP", 1),
        ] {
            assert_eq!(odd(&record(&[line]), "ftp-bounce"), is_odd, "{line}");
        }
        let mut guesser = record(&[]);
        assert_eq!(odd(&guesser, "login-guessing"), 1);
        guesser.logins = vec![Login { user: "bob".to_owned(), outcome: "failure" }];
        assert_eq!(odd(&guesser, "login-guessing"), 0);
        assert_eq!(odd(&guesser, "exploit-attempt"), 1);
        assert_eq!(odd(&guesser, "data-port-theft"), 1);
    }
}
