//! Ways to say a secret.

/// Statements of a script; `{}` is the secret, `NAME` the connection.
pub(crate) struct Way(pub(crate) Vec<String>);

/// Text before a verb, or around it.
const PREFIXES: [&str; 44] = [
    "",
    "\\x20",
    "\\t",
    "\\x0b",
    "\\x0c",
    "\\r",
    "\\r\\r",
    "\\r\\x0b\\x20",
    ":",
    "=",
    ": ",
    "= ",
    "\\xef\\xbb\\xbf",
    "\\xef\\xbb\\xbf ",
    "\\xc2\\xa0",
    "\\0",
    "\\x01",
    "\\x7f",
    "\\xff",
    "\\xff\\x01",
    "\\xff\\xff",
    "\\xff\\xf4\\xff\\xf2",
    "\\xff\\xfa\\x18\\x00x\\xff\\xf0",
    "\\xff\\xf7",
    "\\xff\\xf8",
    "NO\\xff\\xf7\\xff\\xf7",
    "NOOP\\xff\\xf8",
    "NOOP \\xff\\xf8",
    "STAT x\\xff\\xf8",
    "\\xff\\xf0",
    "\\xff\\xfa",
    "\\xff\\xfb",
    "QUOTE ",
    "LITERAL ",
    "\"",
    "'",
    "-",
    "\\xe2\\x80\\xae",
    "NOOP \\r",
    "NOOP\\r",
    "NOOP \\x0b",
    "NOOP\\x0b",
    "STAT a\\r\\r",
    "RETR x\\x0c",
];
const VERBS: [&str; 8] = ["PASS", "pass", "PaSs", "ACCT", "ADAT", "ENC", "MIC", "CONF"];
const SEPARATORS: [&str; 16] = [
    " ",
    "  ",
    "\\t",
    "\\x0b",
    "\\x0c",
    ":",
    "=",
    ",",
    "/",
    " :",
    "\\xc2\\xa0",
    "\\r",
    "\\xff\\xf1 ",
    "\\xff\\xfb\\x01 ",
    " \\xff\\xf7",
    " -",
];
const SITE_WORDS: [&str; 14] = [
    "PSWD", "PASSWD", "CHPASS", "CHPWD", "ADDUSER", "GADDUSER", "NEWUSER", "NEWPASS", "SETPASS", "CHPW",
    "CPWD", "PASSWORD", "SETPW", "useradd",
];
const USERS: [&str; 9] = [
    "bob:{}@host",
    "  bob:{}@host:21",
    "ftp://bob:{}@host/",
    "bob {}",
    "bob\\t{}",
    "bob@host {}",
    "\"bob\" {}",
    "bob\\rPASS {}",
    "bob\\x0bPASS {}",
];
/// Lines that are no command, where a secret is due.
const BARE: [&str; 14] = [
    "{}",
    "{} x",
    "x {}",
    ":{}",
    "\\x0b{}",
    "PSS {}",
    "PAS {}",
    "AASS {}",
    "PQSS:{}",
    "\\xff\\xf9{}",
    "LIST\\x01{}",
    "\\x20LIST {}",
    "\\x80{}",
    "STAT\\xff\\xf8 {}",
];
/// Lines that a server may read as one.
const SPLIT: [&str; 7] = [
    "P\\xff\\xfb\\nASS {}",
    "PASS\\xff\\xfb\\n {}",
    "PASS \\xff\\xfb\\n{}",
    "PASS x\\xff\\xfc\\nNOOP {}",
    "PA\\xff\\xfa\\n\\xff\\xf0SS {}",
    "PAS\\xff\\xfd\\rS {}",
    "P\\xff\\xfa\\x01\\nASS {}",
];
/// Lines cut by bytes that were not captured: before, bytes, behind.
const CUT: [(&str, usize, &str); 8] = [
    ("PASS ", 3, "{}\\r\\n"),
    ("PASS ab", 3, " STOR {}\\r\\n"),
    ("PASS ab", 3, "STOR {}\\r\\n"),
    ("PA", 2, " {}\\r\\n"),
    ("PA", 1, "S {}\\r\\n"),
    ("P", 4, "LIST {}\\r\\n"),
    ("ACCT x", 9, "RETR {}\\r\\n"),
    ("SITE PSWD a", 2, "RETR {}\\r\\n"),
];

fn asked(code: u16, lines: &[String]) -> Way {
    let mut way = vec!["C: USER bob".to_owned(), format!("S: {code} more")];
    way.extend_from_slice(lines);
    Way(way)
}

fn line(text: &str) -> String {
    format!("C! {text}\\r\\n")
}

/// All of them.
pub(crate) fn ways() -> Vec<Way> {
    let mut lines = Vec::new();
    for prefix in PREFIXES {
        lines.extend(VERBS.map(|verb| format!("{prefix}{verb} {{}}")));
        lines.push(format!("{prefix}SITE PSWD old {{}}"));
    }
    for separator in SEPARATORS {
        lines.extend(VERBS.map(|verb| format!("{verb}{separator}{{}}")));
        lines.extend(SITE_WORDS.map(|word| format!("SITE {word}{separator}{{}}")));
        lines.extend(SITE_WORDS.map(|word| format!("{word}{separator}{{}}")));
    }
    lines.extend(
        [
            "PASS{}",
            "ACCT{}",
            "PASSWORD={}",
            "PASS \"{}\"",
            "PASS -{}",
            "PASS {}\\rQUIT",
            "PASS {}\\x0bx",
            "SITE\\tPSWD a {}",
        ]
        .map(str::to_owned),
    );
    lines.extend(SITE_WORDS.map(|word| format!("SITE  \\x0b{word} bob {{}}")));
    lines.extend(USERS.map(|user| format!("USER {user}")));
    lines.extend(SPLIT.map(str::to_owned));
    let mut ways: Vec<Way> = lines.iter().map(|text| Way(vec![line(text)])).collect();
    ways.extend(lines.iter().map(|text| asked(331, &[line(text)])));
    for text in BARE {
        ways.extend([331, 332].map(|code| asked(code, &[line(text)])));
        ways.push(Way(vec![format!("C! USER bob\\r\\n{text}\\r\\n")]));
    }
    for (head, missing, rest) in CUT {
        let statements = [format!("C! {head}"), format!("skip NAME > {missing}"), format!("C! {rest}")];
        ways.push(Way(statements.to_vec()));
        ways.push(asked(331, &statements));
    }
    ways.push(asked(331, &["skip NAME > 5".to_owned(), line("{}")]));
    ways.push(asked(331, &["skip NAME > 5".to_owned(), line("STOR {}")]));
    ways
}
