//! Programs under the names of other files.

use std::net::IpAddr;

use super::alerts::Subject;
use super::entry::{Entry, Seen, Threshold};
use super::facts::{hosts, path, transfer};
use super::incident::Incident;
use super::stealer::file_name;
use super::watching::{Sighting, Watching};
use crate::event::{Confidence, Event, EventType};
use smol_str::{SmolStr, format_smolstr};

pub(super) const ENTRY: Entry = Entry {
    subject: Subject {
        id: "disguised-program",
        number: 27,
        title: "A program was transferred under the name of another kind of file",
        severity: 3,
        confidence: Confidence::High,
        technique: Some("T1036.008"),
    },
    on: true,
    about: "The content of a transferred file is a program (ELF, PE, Mach-O, a Java class or a shell script by its first \
            bytes), and its name says picture, document, text or media. It needs --files hash (or extract), which tells the \
            content.",
    tuning: "Test files of virus scanners look like this.",
    threshold: Threshold { count: 1, per_s: 86400 },
    sees: &[Seen::All(EventType::Transfer)],
    wants: |event| see(event).is_some(),
    start: |threshold| Watching::start(&ENTRY, threshold, see, message),
};

/// Types of programs in `file.mime`.
const PROGRAMS: [&str; 7] = [
    "application/x-executable",
    "application/vnd.microsoft.portable-executable",
    "application/x-mach-binary",
    "application/java",
    "application/x-dex",
    "text/x-shellscript",
    "application/wasm",
];
/// Extensions of files that nobody runs.
const HARMLESS: [&str; 30] = [
    "jpg", "jpeg", "png", "gif", "bmp", "webp", "ico", "tif", "tiff", "txt", "log", "csv", "pdf", "doc",
    "docx", "xls", "xlsx", "ppt", "pptx", "rtf", "odt", "mp3", "mp4", "avi", "mkv", "mov", "wav", "xml",
    "json", "htm",
];

fn see(event: &Event) -> Option<Sighting<(IpAddr, IpAddr)>> {
    let transfer = transfer(event)?;
    let mime = transfer.file.as_ref()?.mime.as_deref()?;
    let extension = file_name(transfer).rsplit_once('.')?.1;
    let is_harmless = HARMLESS.iter().any(|known| extension.eq_ignore_ascii_case(known));
    (is_harmless && PROGRAMS.contains(&mime)).then(|| Sighting {
        key: hosts(event),
        tx: Some(transfer.tx),
        example: format_smolstr!("{} is {mime}", path(transfer)),
    })
}

fn message(event: &Event, incident: &Incident) -> String {
    let (client, server) = hosts(event);
    let example = incident.examples.last().map(SmolStr::as_str).unwrap_or_default();
    format!("{client} with {server}: {example}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn transferred(path: &str, mime: &str) -> Event {
        Session::new(9).transfer("STOR", path, |transfer| {
            transfer.file = Some(crate::event::FileFacts { mime: Some(mime.into()), ..Default::default() });
        })
    }

    fn alerts(path: &str, mime: &str) -> usize {
        alerts_of(&ENTRY, &[transferred(path, mime)]).len()
    }

    #[test]
    fn programs_under_harmless_names_alert() {
        for (path, mime) in [
            ("/a/photo.JPG", "application/vnd.microsoft.portable-executable"),
            ("/notes.txt", "application/x-executable"),
            ("/report.exe.doc", "text/x-shellscript"),
        ] {
            assert_eq!(alerts(path, mime), 1, "{path}");
        }
    }

    #[test]
    fn what_is_named_as_it_is_does_not() {
        for (path, mime) in [
            ("/setup.exe", "application/vnd.microsoft.portable-executable"),
            ("/bin/ls", "application/x-executable"),
            ("/photo.jpg", "image/jpeg"),
            ("/notes.txt", "application/octet-stream"),
        ] {
            assert_eq!(alerts(path, mime), 0, "{path}");
        }
        assert!(alerts_of(&ENTRY, &[Session::new(9).upload(1, "/photo.jpg")]).is_empty(), "without --files");
    }

    #[test]
    fn the_first_bytes_of_programs_have_these_types() {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        let heads: [(&[u8], &str); 3] = [
            (b"MZ\x90\0", "application/vnd.microsoft.portable-executable"),
            (&elf, "application/x-executable"),
            (b"#!/bin/sh\n", "text/x-shellscript"),
        ];
        for (head, mime) in heads {
            assert_eq!(infer::get(head).map(|kind| kind.mime_type()), Some(mime));
            assert!(PROGRAMS.contains(&mime));
        }
    }
}
