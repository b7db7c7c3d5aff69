//! Every detector, by id.

use super::entry::Entry;
use super::{
    archive_bomb, auth_injection, beaconing, bot_server, bounce, bulk_download, clear_text_login,
    cross_protocol, data_failures, data_theft, defacement, default_account, disguised, evasion, exfiltration,
    exploit, exposure, guessed, guessing, hidden_transfer, mass_change, new_source, odd_port, pairing_doubt,
    parallel_use, passive_nat, privileged_login, reply_exploit, sensitive_file, server_refuses,
    server_stalls, server_times_out, shared_secret, short_transfers, slow_server, spraying, spread_upload,
    stealer, stuffing, tiny_segments, tls_dropped, tls_fallback, tls_stripped, tunnel, unused_passive,
    user_enumeration, warez, weak_tls, web_shell, write_probe,
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
    &unused_passive::ENTRY,
    &stuffing::ENTRY,
    &shared_secret::ENTRY,
    &user_enumeration::ENTRY,
    &default_account::ENTRY,
    &privileged_login::ENTRY,
    &parallel_use::ENTRY,
    &new_source::ENTRY,
    &tls_dropped::ENTRY,
    &tls_fallback::ENTRY,
    &weak_tls::ENTRY,
    &cross_protocol::ENTRY,
    &auth_injection::ENTRY,
    &exposure::ENTRY,
    &disguised::ENTRY,
    &spread_upload::ENTRY,
    &write_probe::ENTRY,
    &warez::ENTRY,
    &bulk_download::ENTRY,
    &beaconing::ENTRY,
    &exfiltration::ENTRY,
    &tunnel::ENTRY,
    &defacement::ENTRY,
    &sensitive_file::ENTRY,
    &odd_port::ENTRY,
    &pairing_doubt::ENTRY,
    &hidden_transfer::ENTRY,
    &server_stalls::ENTRY,
    &server_refuses::ENTRY,
    &server_times_out::ENTRY,
    &passive_nat::ENTRY,
    &data_failures::ENTRY,
    &short_transfers::ENTRY,
    &slow_server::ENTRY,
    &reply_exploit::ENTRY,
    &bot_server::ENTRY,
    &archive_bomb::ENTRY,
    &tiny_segments::ENTRY,
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
