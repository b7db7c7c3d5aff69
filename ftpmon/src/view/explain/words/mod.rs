//! Every sentence of `explain`, in each language. A sentence is a [`Say`] with its numbers and names; the folder of a language turns
//! it into text, and has no other sentences than these: the compiler refuses a language that lacks one.
//!
//! A text of a peer is made safe to show before it comes here.

mod en;
mod number;
mod sentence;
mod term;
mod zh;

use crate::view::Language;
pub(super) use sentence::{Argument, Format, Party, Say};
pub(super) use term::Term;

/// A sentence in a language.
pub(super) fn say(language: Language, what: Say<'_>) -> String {
    match language {
        Language::En => en::say(what),
        Language::Zh => zh::say(what),
    }
}

/// The name of a layer or a field in a language.
pub(super) fn term(language: Language, name: Term) -> &'static str {
    match language {
        Language::En => en::term(name),
        Language::Zh => zh::term(name),
    }
}

/// Sentences in a language, one behind the other.
pub(super) fn joined(language: Language, sentences: &[String]) -> String {
    sentences.join(match language {
        Language::En => " ",
        Language::Zh => "",
    })
}

#[cfg(test)]
mod tests {
    use ftpmon_core::ftp::Verb;
    use ftpmon_event::{
        AnomalyId, Category, EndReason, GapCause, LoginOutcome, Mode, Nat, Outcome, ReplyClass, TlsVia,
    };

    use super::*;

    /// Every verb and every code of three digits has text in every language, and the texts of two languages differ.
    #[test]
    fn every_verb_and_code_has_its_sentence_in_each_language() {
        let of = |verb| Language::ALL.map(|language| say(language, Say::Purpose("X", verb)));
        let [en_other, zh_other] = of(Verb::Other);
        for &verb in Verb::KNOWN {
            let [en, zh] = of(verb);
            assert!(en != en_other && zh != zh_other, "{verb:?}");
            assert!(en.len() > "X: .".len() && zh.chars().count() > 3, "{verb:?}: {en} {zh}");
            assert!(en.is_ascii() && !zh.is_ascii(), "{verb:?}: {en} {zh}");
        }
        let mut known = 0;
        for code in 0..1_000 {
            let of = |language| say(language, Say::CodeMeans(code));
            let [en, zh] = Language::ALL.map(of);
            assert_eq!(en.is_empty(), zh.is_empty(), "{code}: {en} {zh}");
            assert!(en.is_empty() || !zh.is_ascii(), "{code}: {zh}");
            known += usize::from(!en.is_empty());
        }
        assert!(known >= 45, "{known}");
    }

    #[test]
    fn every_layer_and_field_has_its_name_in_each_language() {
        for &name in Term::ALL {
            let [en, zh] = Language::ALL.map(|language| term(language, name));
            assert!(!en.is_empty() && en.is_ascii() && !zh.is_ascii(), "{en} {zh}");
        }
    }

    #[test]
    fn every_sentence_is_in_the_characters_of_its_language() {
        for what in all() {
            let [en, zh] = Language::ALL.map(|language| say(language, what));
            let is_chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert!(!en.is_empty() && !is_chinese(&en), "{en}");
            assert!(is_chinese(&zh), "{zh}");
        }
    }

    const ANOMALIES: [AnomalyId; 16] = [
        AnomalyId::MalformedCommand,
        AnomalyId::MalformedReply,
        AnomalyId::CommandTooLong,
        AnomalyId::ReplyTooLong,
        AnomalyId::ReplyUnterminated,
        AnomalyId::TooManyPending,
        AnomalyId::UnaskedReply,
        AnomalyId::TransferWithoutEndpoint,
        AnomalyId::BadEndpoint,
        AnomalyId::UnexpectedPeer,
        AnomalyId::OverlapConflict,
        AnomalyId::DoubtfulSegment,
        AnomalyId::TelnetInCommand,
        AnomalyId::NotFtp,
        AnomalyId::CommandBehindAuth,
        AnomalyId::EventFlood,
    ];

    /// One of each sentence, with each of the values that choose its words.
    fn all() -> Vec<Say<'static>> {
        use Party::{Client, Server};
        let mut all = vec![
            Say::Session("s"),
            Say::Began("t"),
            Say::Client,
            Say::Server,
            Say::User("u"),
            Say::EventsOnly,
            Say::Midstream,
            Say::SynAgain,
            Say::HandshakeTook("1 ms"),
            Say::NumbersUnknown,
            Say::Bytes(1, 2, None),
            Say::Bytes(1, 2, Some(1)),
            Say::Copy(1),
            Say::Late(1),
            Say::Hole(1),
            Say::NoLine(1, 2, 3),
            Say::Encrypted(1, 2, 3),
            Say::NoCommand,
            Say::OddCharacters(true),
            Say::OddCharacters(false),
            Say::MaskedLine,
            Say::AbortDone,
            Say::Latency("1 ms", None),
            Say::SecretMasked,
            Say::SecretInClear,
            Say::Truncated,
            Say::Code(999, None, None),
            Say::NoReply,
            Say::Greeting,
            Say::Unasked,
            Say::Lines(2),
            Say::Latency("1 ms", Some("USER")),
            Say::SixNumbers("1.2.3.4", 26758),
            Say::PortAlone(1),
            Say::Extended(1, "1.2.3.4", 1),
            Say::Extended(2, "::1", 1),
            Say::Long("::1", 1),
            Say::Inferred,
            Say::Listens(None, "e"),
            Say::Listens(Some(Mode::Active), "e"),
            Say::Listens(Some(Mode::Passive), "e"),
            Say::ListensElsewhere("e"),
            Say::ListensFor("e", "h"),
            Say::LowPort(22),
            Say::ThirdHost("h"),
            Say::Loopback("a", "b"),
            Say::OtherPrivate("a", "b"),
            Say::Local("a", "b"),
            Say::ServersOwn("a"),
            Say::TlsFacts("f"),
            Say::TlsStops,
            Say::DataOpens(1, "a", "b"),
            Say::Transfer(Some("RETR"), "p"),
            Say::Transfer(None, ""),
            Say::DataBytes([Client, Server], 1, 2),
            Say::DataBytes([Party::Third, Server], 1, 2),
            Say::DataRate("1 s", None),
            Say::DataRate("1 s", Some("1 kB/s")),
            Say::Declared(1, true),
            Say::Declared(1, false),
            Say::DataLosses(1, 2),
            Say::DataTls,
            Say::NoData,
            Say::Alert("t", "x"),
            Say::Account(1, 2, 3, 4, 5),
            Say::LeftOut(1),
            Say::PlainAcks,
            Say::Sessions(1, 2),
        ];
        for party in [Client, Server, Party::Third] {
            all.extend([
                Say::Syn(party, 1),
                Say::SynAck(party, 1),
                Say::HandshakeAck(party),
                Say::SeqMustBe(party, 2, 1),
                Say::SeqMustBe(party, 3, 1),
                Say::AckMustBe(party, 2, 1),
                Say::AckMustBe(party, 3, 1),
                Say::Fin(party),
                Say::FinAck(party, 1),
                Say::Reset(party, true, false),
                Say::Reset(party, true, true),
                Say::Reset(party, false, false),
                Say::Reset(party, false, true),
                Say::OtherHost(party, "h"),
                Say::DataClosedBy(Some(party)),
                Say::DataBegins(party),
            ]);
            use GapCause::{Acknowledged, CutShort, Fragments, Missing, Restart, RingFull};
            let causes = [Acknowledged, Missing, CutShort, RingFull, Fragments, Restart];
            all.extend(causes.map(|cause| Say::Gap(party, 1, cause)));
        }
        all.extend(ANOMALIES.map(Say::Anomaly));
        all.extend([Verb::Adat, Verb::Mic, Verb::Conf, Verb::Enc].map(Say::Protected));
        for format in [Format::NonPrint, Format::Telnet, Format::Carriage] {
            all.extend([Argument::Ascii(format), Argument::Ebcdic(format)].map(Say::Argument));
        }
        {
            use Argument::{
                Block, Compressed, Deflate, EpsvAll, EpsvFamily, File, Image, Local, Page, Record, Stream,
                Undefined,
            };
            let types = [Image, Local(8), Stream, Block, Compressed, Deflate, File, Record, Page];
            all.extend(types.map(Say::Argument));
            all.extend([EpsvAll, EpsvFamily(1), EpsvFamily(2), Undefined].map(Say::Argument));
        }
        use ReplyClass::{Completion, Intermediate, PermanentError, Preliminary, Protected, TransientError};
        for class in [Preliminary, Completion, Intermediate, TransientError, PermanentError, Protected] {
            all.push(Say::Code(100, Some(class), None));
        }
        use Category::{Authentication, Connection, Filesystem, Information, Syntax, Unspecified};
        for category in [Syntax, Information, Connection, Authentication, Unspecified, Filesystem] {
            all.push(Say::Code(200, Some(Completion), Some(category)));
        }
        for outcome in [LoginOutcome::Success, LoginOutcome::Failure, LoginOutcome::Abandoned] {
            all.extend([Say::Login(Some("u"), outcome, false), Say::Login(None, outcome, true)]);
        }
        all.extend([TlsVia::Auth, TlsVia::Implicit, TlsVia::Detected, TlsVia::Ccc].map(Say::TlsStarts));
        for nat in [Nat::None, Nat::Private, Nat::Unspecified, Nat::Mismatch] {
            all.push(Say::Nat(nat, "10.0.0.1", "192.0.2.1"));
        }
        use Outcome::{Aborted, Complete, Failed, NoData, Refused, Short, Unknown};
        all.extend([Complete, Aborted, Refused, Failed, NoData, Short, Unknown].map(Say::Outcome));
        all.push(Say::DataClosedBy(None));
        use EndReason::{EndOfInput, Evicted, Fin, Idle, Replaced, Rst};
        all.extend([Fin, Rst, Idle, Evicted, Replaced, EndOfInput].map(Say::End));
        all
    }
}
