//! Dialogues in which more is said and tried than in the golden ones: what a transfer is told as does not change by it.

use std::net::IpAddr;

use ftpmon_tests::dialogues::dice::Dice;

/// Said between two commands: the line of the client and the replies. An empty line, or one that is not answered, has none.
const BETWEEN: [&str; 8] = [
    "C: NOOP\nS: 200 NOOP command successful\n",
    "C:\n",
    "C:\nS: 500 '': command not understood\n",
    "C: STAT\nS: 211-Status of the server\nS:  226 is no reply here\nS: 211 End of status\n",
    "C: XYZZY now\nS: 500 'XYZZY': command not understood\n",
    "C: HELP\nS: 214-The following are known\nS:  RETR STOR\nS: 214 Help OK\n",
    "C: SITE IDLE 900\nS: 200 Idle time is 900\n",
    "C: MDTM no-such-file\nS: 550 no-such-file: No such file\n",
];

/// Said behind a preliminary reply.
const WITHIN: [&str; 5] = [
    "C: NOOP\n",
    "C: NOOP\nS: 200 NOOP command successful\n",
    "C:\n",
    "C: STAT\nS: 213 42 bytes so far\n",
    "C: STAT\nS: 211-Status\nS:  150 is no reply here\nS: 211 End\n",
];

/// Chances of a hundred that something is said at a place.
const CHANCE: usize = 40;

/// A reply's code, where this is its last or only line.
fn final_line(line: &str) -> Option<u16> {
    let reply = line.strip_prefix("S: ")?;
    let (code, rest) = reply.split_at_checked(3)?;
    (!rest.starts_with('-')).then(|| code.parse().ok()).flatten()
}

/// The port that a 227 or 229 names.
fn announced(line: &str) -> Option<u16> {
    let inner = line.split_once('(')?.1.split_once(')')?.0;
    if line.starts_with("S: 229 ") {
        return inner.trim_matches('|').parse().ok();
    }
    let mut numbers = inner.rsplit(',').map(|number| number.trim().parse::<u16>().ok());
    let (low, high) = (numbers.next()??, numbers.next()??);
    line.starts_with("S: 227 ").then_some((high << 8) | (low & 255))
}

/// A script with more in it, as the dice fall; none where it has nothing that can be added to.
pub(crate) fn richer(script: &str, dice: &mut Dice) -> Option<String> {
    let hosts: Vec<(&str, IpAddr)> = script
        .lines()
        .filter_map(|line| line.strip_prefix("host ")?.split_once(' '))
        .filter_map(|(name, ip)| Some((name, ip.trim().parse().ok()?)))
        .collect();
    let server = script.lines().find_map(|line| line.strip_prefix("open c ")?.split(' ').nth(1))?;
    let (server, _) = server.split_once(':')?;
    let six = hosts.iter().find(|host| host.0 == server)?.1.is_ipv6();
    let scanner = if six { "2001:db8:99::9" } else { "203.0.113.250" };
    let mut out = format!("host scanner {scanner}\n");
    let (mut waiting, mut logged_in, mut added) = (0_i32, false, 0_u16);
    for line in script.lines() {
        out.push_str(line);
        out.push('\n');
        let is_open = |mark: &&str| line.starts_with(*mark);
        if line.contains('\\') || line.contains("hello ") || ["[", "C!", "S!"].iter().any(is_open) {
            // The number of those that wait is not known any longer.
            waiting = 1_000;
        } else if line.starts_with("C: ") {
            waiting += 1;
        }
        let Some(code) = final_line(line) else { continue };
        waiting = (waiting - i32::from(code >= 200)).max(0);
        logged_in = (logged_in || code == 230) && code != 221;
        let port = announced(line).filter(|_| waiting == 0 && dice.percent(CHANCE));
        if let Some(port) = port {
            added += 1;
            out.push_str(&format!(
                "place z{added} scanner:{} {server}:{port}\nsyn z{added}\nrst z{added} <\n",
                20_000 + added
            ));
        }
        if !logged_in || code == 230 || !dice.percent(CHANCE) {
            continue;
        }
        if matches!(code, 125 | 150) && waiting == 1 {
            added += 1;
            let more: &&str = dice.pick(&WITHIN);
            out.push_str(more);
        } else if code >= 200 && waiting == 0 && !matches!(code, 331 | 332 | 350) {
            added += 1;
            let more: &&str = dice.pick(&BETWEEN);
            out.push_str(more);
        }
    }
    (added > 0).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::{announced, final_line};

    #[test]
    fn replies_and_ports_are_read() {
        assert_eq!(final_line("S: 226 done"), Some(226));
        assert_eq!((final_line("S: 211-more"), final_line("C: NOOP")), (None, None));
        assert_eq!(announced("S: 227 Entering Passive Mode (192,0,2,21,195,80)"), Some(50_000));
        assert_eq!(announced("S: 229 Extended (|||50001|)"), Some(50_001));
        assert_eq!(announced("S: 257 \"/(1)\""), None);
    }
}
