//! Arguments of verbs whose arguments are defined.

use ftpmon_core::ftp::Verb;

use super::words::{Argument, Format};

/// The meaning of a verb's argument: of TYPE, MODE and STRU (RFC 959 section 4.1.2) and of EPSV (RFC 2428 sections 3 and 4). None
/// where there is no argument, or the verb's arguments are names.
pub(super) fn of(verb: Verb, argument: Option<&str>) -> Option<Argument> {
    let text = argument?.trim_ascii().to_ascii_uppercase();
    let mut words = text.split_ascii_whitespace();
    let first = words.next()?;
    let further = words.next();
    let defined = match verb {
        Verb::Type => transfer_type(first, further),
        Verb::Mode => match first {
            "S" => Some(Argument::Stream),
            "B" => Some(Argument::Block),
            "C" => Some(Argument::Compressed),
            "Z" => Some(Argument::Deflate),
            _ => None,
        },
        Verb::Stru => match first {
            "F" => Some(Argument::File),
            "R" => Some(Argument::Record),
            "P" => Some(Argument::Page),
            _ => None,
        },
        Verb::Epsv => match first {
            "ALL" => Some(Argument::EpsvAll),
            "1" => Some(Argument::EpsvFamily(1)),
            "2" => Some(Argument::EpsvFamily(2)),
            _ => None,
        },
        _ => return None,
    };
    Some(defined.unwrap_or(Argument::Undefined))
}

fn transfer_type(first: &str, further: Option<&str>) -> Option<Argument> {
    match first {
        "A" => Some(Argument::Ascii(format(further)?)),
        "E" => Some(Argument::Ebcdic(format(further)?)),
        "I" => Some(Argument::Image),
        // Some clients write the size without the space.
        _ => {
            let size = first.strip_prefix('L')?;
            let size = if size.is_empty() { further? } else { size };
            Some(Argument::Local(size.parse().ok().filter(|bits| *bits > 0)?))
        }
    }
}

fn format(letter: Option<&str>) -> Option<Format> {
    match letter {
        None | Some("N") => Some(Format::NonPrint),
        Some("T") => Some(Format::Telnet),
        Some("C") => Some(Format::Carriage),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_have_the_meaning_that_their_rfcs_give_them() {
        let cases = [
            (Verb::Type, "A", Argument::Ascii(Format::NonPrint)),
            (Verb::Type, "a n", Argument::Ascii(Format::NonPrint)),
            (Verb::Type, "A T", Argument::Ascii(Format::Telnet)),
            (Verb::Type, "E C", Argument::Ebcdic(Format::Carriage)),
            (Verb::Type, "A X", Argument::Undefined),
            (Verb::Type, "i", Argument::Image),
            (Verb::Type, "L 8", Argument::Local(8)),
            (Verb::Type, "L8", Argument::Local(8)),
            (Verb::Type, "L", Argument::Undefined),
            (Verb::Type, "L 0", Argument::Undefined),
            (Verb::Mode, "S", Argument::Stream),
            (Verb::Mode, "B", Argument::Block),
            (Verb::Mode, "C", Argument::Compressed),
            (Verb::Mode, "Z", Argument::Deflate),
            (Verb::Stru, "F", Argument::File),
            (Verb::Stru, "R", Argument::Record),
            (Verb::Stru, "P", Argument::Page),
            (Verb::Stru, "I", Argument::Undefined),
            (Verb::Epsv, "ALL", Argument::EpsvAll),
            (Verb::Epsv, "all", Argument::EpsvAll),
            (Verb::Epsv, "1", Argument::EpsvFamily(1)),
            (Verb::Epsv, "2", Argument::EpsvFamily(2)),
            (Verb::Epsv, "3", Argument::Undefined),
        ];
        for (verb, text, meaning) in cases {
            assert_eq!(of(verb, Some(text)), Some(meaning), "{verb:?} {text}");
        }
        assert_eq!(of(Verb::Epsv, None), None);
        assert_eq!(of(Verb::Retr, Some("A")), None);
    }
}
