//! The file name that the server chose for STOU (RFC 1123 section 4.1.2.9).

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
    use super::{Code, name};

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
