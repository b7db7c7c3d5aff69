//! What a peer said, made safe for an event: UTF-8 text, and the original bytes beside it where they were something else.

use smol_str::SmolStr;

/// A peer's bytes as UTF-8. Bytes that are no valid UTF-8 become U+FFFD in `text`; then `hex` holds all the original
/// bytes in lower-case hexadecimal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// The text, always valid UTF-8.
    pub text: SmolStr,
    /// The original bytes in hexadecimal, only where `text` lost something.
    pub hex: Option<Box<str>>,
}

impl Text {
    /// Decodes `bytes` as UTF-8 (RFC 2640 section 2.2), keeping the original where that loses something.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        match core::str::from_utf8(bytes) {
            Ok(text) => Self { text: SmolStr::new(text), hex: None },
            Err(_) => Self {
                text: SmolStr::from(String::from_utf8_lossy(bytes).as_ref()),
                hex: Some(hex(bytes).into_boxed_str()),
            },
        }
    }
}

/// Lower-case hexadecimal of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(if value < 10 { b'0' + value } else { b'a' + value - 10 });
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 0xf));
        out
    })
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn text_that_is_no_utf8_keeps_its_bytes() {
        let text = Text::from_bytes(b"caf\xe9");
        assert_eq!(text.text, "caf\u{fffd}");
        assert_eq!(text.hex.as_deref(), Some("636166e9"));
        assert_eq!(Text::from_bytes("café".as_bytes()).hex, None);
    }
}
