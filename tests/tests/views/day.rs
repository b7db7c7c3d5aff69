//! A day of three users, as a script: downloads, uploads, a deletion, refused logins, and names that no page and no terminal should
//! take for more than names.

use std::fmt::Write as _;

/// The users, with what they do.
const USERS: [(&str, &str); 3] = [
    ("alice", "RETR /pub/reports/2026/January.pdf"),
    ("bob", "STOR /incoming/<script>alert(1)</script>,\"x\".iso"),
    (
        "<img src=x onerror=alert(2)>\\x1b[2J\\xe2\\x80\\xae",
        "RETR /pub/\\x1b]0;title\\x07 </script>&amp;.bin",
    ),
];

/// The script.
pub(crate) fn script() -> String {
    let mut text = String::from("host server 192.0.2.21\n");
    for number in 0..12 {
        let (user, transfer) = USERS[number % USERS.len()];
        let (port, data) = (40_000 + number * 2, 1_025 + number);
        let direction = if transfer.starts_with("STOR") { '>' } else { '<' };
        let _ = write!(
            text,
            "host c{number} 192.0.2.{}\nopen s{number} c{number}:{port} server:21\nuse s{number}\nS: 220 ready\n\
             C: USER {user}\nS: 331 word\n",
            30 + number
        );
        if number % 4 == 3 {
            let _ =
                write!(text, "C: PASS wrong\nS: 530 no\nC: QUIT\nS: 221 bye\nclose s{number} <\nwait 900s\n");
            continue;
        }
        let _ = write!(
            text,
            "C: PASS secret\nS: 230 in\nC: TYPE I\nS: 200 fine\nC: PASV\n\
             S: 227 Entering Passive Mode (192,0,2,21,{},{})\nopen d{number} c{number}:{} server:{data}\nC: {transfer}\n\
             S: 150 go\nsend d{number} {direction} bytes {}\nclose d{number} {direction}\nS: 226 done\n\
             C: DELE /tmp/old-{number}\nS: 250 gone\nC: QUIT\nS: 221 bye\nclose s{number} <\nwait 1800s\n",
            data / 256,
            data % 256,
            port + 1,
            2_000 * (number + 1),
        );
    }
    text
}
