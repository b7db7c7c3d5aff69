//! Files that begin as the loot of password stealers does.

use memchr::memmem::find;

/// Labels of the table with which AgentTesla's reports begin.
const AGENT_TESLA: [&[u8]; 3] = [b"UserName&nbsp;", b"PC&nbsp;Name", b"OS&nbsp;Full&nbsp;Name"];

/// The stealer whose loot begins with `head`.
pub(super) fn loot(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"PW | ") {
        Some("Snake")
    } else if find(head, b"The LaZagne Project").is_some() {
        Some("LaZagne")
    } else if AGENT_TESLA.iter().filter(|label| find(head, label).is_some()).count() >= 2 {
        Some("AgentTesla")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::loot;

    #[test]
    fn loot_is_known_by_its_beginning() {
        let html = "<html>Time: 01/02/2026<br>UserName&nbsp;&nbsp;: bob<br>PC&nbsp;Name: DESKTOP<br>";
        let banner = "|===|\r\n|                 The LaZagne Project                  |\r\n";
        for (head, of) in [
            (html, Some("AgentTesla")),
            (banner, Some("LaZagne")),
            ("PW | bob | Snake\r\n", Some("Snake")),
            ("UserName&nbsp; of a form", None),
            ("see PW | ", None),
            ("", None),
        ] {
            assert_eq!(loot(head.as_bytes()), of, "{head}");
        }
    }
}
