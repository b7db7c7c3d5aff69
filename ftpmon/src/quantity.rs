//! Sizes and durations as an operator writes them: `16M`, `5m`.

/// Letters of a size and the bytes that each stands for; `K`, `KiB` and `k` mean the same.
const SIZES: [(char, u64); 4] = [('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)];
/// Letters of a duration and the seconds that each stands for.
const DURATIONS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

/// Bytes: a number, which a `K`, `M`, `G` or `T` (powers of 1,024) may follow, and after that `B` or `iB`.
///
/// # Errors
/// The text is no size, or one above 64 bits; the message says how to write one.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let short = match unit.to_ascii_lowercase().as_str() {
        "b" => String::new(),
        lower => lower.strip_suffix("ib").or_else(|| lower.strip_suffix('b')).unwrap_or(lower).to_owned(),
    };
    scaled(text, unit, &short, &SIZES)
        .ok_or_else(|| format!("`{text}` is not a size; write bytes, or 64K, 16M, 2G"))
}

/// Seconds: a number, which `s`, `m`, `h` or `d` may follow.
///
/// # Errors
/// The text is no duration, or one above 32 bits of seconds; the message says how to write one.
pub fn parse_seconds(text: &str) -> Result<u32, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    scaled(text, unit, unit, &DURATIONS)
        .and_then(|seconds| u32::try_from(seconds).ok())
        .ok_or_else(|| format!("`{text}` is not a duration; write seconds, or 30s, 5m, 1h"))
}

/// Bytes in the largest unit that divides them.
pub(crate) fn bytes_text(bytes: u64) -> String {
    in_units(bytes, &SIZES).map_or_else(|| bytes.to_string(), |text| text.to_uppercase())
}

/// Seconds in the largest unit that divides them.
pub(crate) fn seconds_text(seconds: u64) -> String {
    in_units(seconds, &DURATIONS).unwrap_or_else(|| format!("{seconds}s"))
}

fn in_units(number: u64, units: &[(char, u64)]) -> Option<String> {
    let (letter, factor) =
        units.iter().rev().find(|(_, factor)| number > 0 && number.is_multiple_of(*factor))?;
    Some(format!("{}{letter}", number / factor))
}

fn scaled(text: &str, unit: &str, short: &str, units: &[(char, u64)]) -> Option<u64> {
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let factor = match short {
        "" => 1,
        _ => units.iter().find(|(letter, _)| letter.to_string() == short)?.1,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("4K", 4096),
            ("4k", 4096),
            ("4KiB", 4096),
            ("16M", 16 << 20),
            ("1T", 1 << 40),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in ["", "M", "-1", "1.5M", "1X", "16 M", "99999999999T", "18446744073709551616"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_means_the_same() {
        for number in [0, 1, 60, 1_000, 4_096, 16 << 20, 90, 86_400, (1 << 20) + 1] {
            assert_eq!(parse_bytes(&bytes_text(number)), Ok(number));
            assert_eq!(parse_seconds(&seconds_text(number)).map(u64::from), Ok(number));
        }
        assert_eq!((bytes_text(16 << 20), seconds_text(300)), ("16M".to_owned(), "5m".to_owned()));
    }

    #[test]
    fn durations_are_seconds_unless_a_unit_follows() {
        for (text, seconds) in [("60", 60), ("30s", 30), ("5m", 300), ("1h", 3_600), ("1d", 86_400)] {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
        for text in ["", "m", "-5m", "5M", "1.5h", "5ms", "4294967296", "99999999d"] {
            assert!(parse_seconds(text).is_err(), "{text}");
        }
    }
}
