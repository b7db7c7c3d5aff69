//! The file name that the server chose for STOU (RFC 1123 section 4.1.2.9).

use std::borrow::Cow;

use super::code::Code;

/// The name in a reply to STOU: `FILE: name` in a 1yz (RFC 1123 section 4.1.2.9), or one of the two forms of BSD's
/// ftpd: `… data connection for name.` in a 1yz, `… (unique file name:name).` in a 2yz. None if the reply has none.
pub fn name(code: Code, text: &[u8]) -> Option<&[u8]> {
    let name = if code.is_preliminary() {
        strip_prefix(text, b"FILE:").or_else(|| opened_for(text))
    } else if code.is_completion() {
        strip_prefix(text, b"FILE:").or_else(|| unique(text))
    } else {
        None
    }?;
    let name = name.split(|&byte| byte == b'\n').next()?.trim_ascii();
    (!name.is_empty()).then_some(name)
}

/// The name as the client would say it. Servers put the file beside the name that was asked for, and some say its last part only.
pub fn beside<'a>(asked: &[u8], name: &'a [u8]) -> Cow<'a, [u8]> {
    let slash = memchr::memrchr(b'/', asked).map_or(0, |slash| slash + 1);
    let (folder, stem) = asked.split_at_checked(slash).unwrap_or_default();
    if stem.is_empty() || name.contains(&b'/') || !name.starts_with(stem) {
        return Cow::Borrowed(name);
    }
    Cow::Owned([folder, name].concat())
}

fn strip_prefix<'a>(text: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

fn opened_for(text: &[u8]) -> Option<&[u8]> {
    let name = after(text, b"connection for ")?;
    let name = match memchr::memmem::rfind(name, b" (") {
        Some(size) => name.get(..size)?,
        None => name.strip_suffix(b".").unwrap_or(name),
    };
    Some(name.strip_prefix(b"'").and_then(|name| name.strip_suffix(b"'")).unwrap_or(name))
}

fn unique(text: &[u8]) -> Option<&[u8]> {
    let name = after(text, b"unique file name:")?;
    name.get(..memchr::memrchr(b')', name).unwrap_or(name.len()))
}

fn after<'a>(text: &'a [u8], phrase: &[u8]) -> Option<&'a [u8]> {
    text.get(memchr::memmem::find(text, phrase)? + phrase.len()..)
}

#[cfg(test)]
mod tests {
    use super::{Code, beside, name};

    #[test]
    fn the_last_part_alone_is_beside_the_name_that_was_asked_for() {
        let whole = |asked: &str, name: &str| {
            String::from_utf8(beside(asked.as_bytes(), name.as_bytes()).into_owned()).unwrap()
        };
        assert_eq!(whole("/up/a.bin", "a.bin.7"), "/up/a.bin.7");
        assert_eq!(whole("/up/a.bin", "/up/a.bin.7"), "/up/a.bin.7");
        assert_eq!(whole("a.bin", "a.bin.7"), "a.bin.7");
        // A name of the server's own is in the working directory.
        assert_eq!(whole("/up/a.bin", "ftpK2hQ"), "ftpK2hQ");
        assert_eq!(whole("", "a"), "a");
        assert_eq!(whole("/up/", "a"), "a");
    }

    fn named(code: u16, text: &str) -> Option<&str> {
        name(Code::new(code).unwrap(), text.as_bytes()).map(|name| core::str::from_utf8(name).unwrap())
    }

    #[test]
    fn names_as_servers_tell_them() {
        assert_eq!(named(150, "FILE: a.txt.1"), Some("a.txt.1"));
        assert_eq!(named(125, "FILE: ftpd.lkq6y1"), Some("ftpd.lkq6y1"));
        assert_eq!(named(150, "Opening BINARY mode data connection for a.1."), Some("a.1"));
        assert_eq!(named(150, "Opening ASCII mode data connection for 'a.1' (10 bytes)."), Some("a.1"));
        assert_eq!(named(226, "Transfer complete (unique file name:a.1)."), Some("a.1"));
        assert_eq!(named(250, "FILE: x\nmore"), Some("x"));
    }

    #[test]
    fn replies_without_a_name() {
        assert_eq!(named(150, "Ok to send data."), None);
        assert_eq!(named(226, "Transfer complete."), None);
        assert_eq!(named(550, "FILE: no"), None);
        assert_eq!(named(150, "FILE: "), None);
    }
}
