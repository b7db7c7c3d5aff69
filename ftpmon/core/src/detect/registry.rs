//! Every detector, by id.

use super::entry::Entry;
use super::{
    bounce, clear_text_login, data_theft, evasion, exploit, guessed, guessing, mass_change, spraying,
    stealer, tls_stripped, web_shell,
};

/// Every detector, in the order of their alerts about one event.
pub const ALL: &[&Entry] = &[
    &guessing::ENTRY,
    &spraying::ENTRY,
    &guessed::ENTRY,
    &clear_text_login::ENTRY,
    &tls_stripped::ENTRY,
    &bounce::ENTRY,
    &data_theft::ENTRY,
    &exploit::ENTRY,
    &stealer::ENTRY,
    &web_shell::ENTRY,
    &mass_change::ENTRY,
    &evasion::ENTRY,
];

/// The detector of an id.
pub fn find(id: &str) -> Option<&'static Entry> {
    ALL.iter().copied().find(|entry| entry.id() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_entries_are_complete() {
        for (number, entry) in ALL.iter().enumerate() {
            let id = entry.id();
            let same = |other: &&&Entry| other.id() == id || other.subject.number == entry.subject.number;
            assert_eq!(ALL.iter().skip(number + 1).find(same).map(|other| other.id()), None, "{id}");
            assert!(id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{id}");
            assert!((1..=4).contains(&entry.subject.severity), "{id}");
            assert!(entry.threshold.count > 0 && entry.threshold.per_s > 0, "{id}");
            let texts = [entry.subject.title, entry.about, entry.tuning];
            assert!(texts.iter().all(|text| !text.is_empty()), "{id}");
            let known = |technique: &str| technique.starts_with('T') && technique.len() >= 5;
            assert!(entry.subject.technique.is_none_or(known), "{id}");
            assert_eq!(find(id).map(|found| found.subject.title), Some(entry.subject.title));
        }
        assert!(find("no-such-detector").is_none());
    }
}
