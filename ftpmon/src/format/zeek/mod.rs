//! Zeek's `ftp.log`, one row a command with its replies and its data connection: as the tab-separated table of its
//! ASCII writer, or as JSON lines. `docs/formats.md` says what is different.

mod notice;
mod row;
mod value;

use std::io::Write as _;

use self::row::{COLUMNS, Remembered, values};
use self::value::{EMPTY, UNSET, Value};
use super::formatter::Formatter;
use super::json;
use super::transaction::Transactions;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Event, EventKind, Origin, RunId};

/// Writes `ftp.log`.
pub struct Zeek {
    json: bool,
    run: RunId,
    transactions: Transactions<Remembered>,
}

impl Zeek {
    /// A writer of the tab-separated table.
    pub fn tsv(origin: &Origin) -> Self {
        Self { json: false, run: origin.run, transactions: Transactions::new(true) }
    }

    /// A writer of JSON lines.
    pub fn json(origin: &Origin) -> Self {
        Self { json: true, ..Self::tsv(origin) }
    }
}

impl Formatter for Zeek {
    fn header(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        if self.json {
            return;
        }
        // Writing to a vector cannot fail.
        let _ = write!(
            out,
            "#separator \\x09\n#set_separator\t,\n#empty_field\t{EMPTY}\n#unset_field\t{UNSET}\n#path\tftp\n"
        );
        let _ = writeln!(out, "#run\t{}", self.run);
        stamp("open", at, out);
        for (head, column) in [("#fields", 0), ("#types", 1)] {
            out.extend_from_slice(head.as_bytes());
            for (name, kind) in COLUMNS {
                let _ = write!(out, "\t{}", if column == 0 { name } else { kind });
            }
            out.push(b'\n');
        }
    }

    fn event(&mut self, seq: u64, event: &Event, out: &mut Vec<u8>) {
        let (json, run) = (self.json, self.run);
        self.transactions.event(event, |row| {
            let row = values(row);
            if json { write_json(&row, seq, run, out) } else { write_tsv(&row, out) }
        });
        match &event.kind {
            EventKind::Alert(alert) if json => notice::write(seq, run, event, &alert.alert, out),
            EventKind::Stats(_) | EventKind::Drop(_) | EventKind::Config(_) if json => {
                write_own(seq, run, event, out);
            }
            _ => {}
        }
    }

    fn footer(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        if !self.json {
            stamp("close", at, out);
        }
    }
}

fn write_tsv(row: &[Value<'_>], out: &mut Vec<u8>) {
    for (column, value) in row.iter().enumerate() {
        if column > 0 {
            out.push(b'\t');
        }
        value.tsv(out);
    }
    out.push(b'\n');
}

/// A row of `ftp.log`, with the log's name and the event that completed the row before its columns.
fn write_json(row: &[Value<'_>], seq: u64, run: RunId, out: &mut Vec<u8>) {
    let _ = write!(out, "{{\"_path\":\"ftp\",\"seq\":{seq},\"run\":\"{run}\"");
    let separator = b',';
    for ((name, _), value) in COLUMNS.iter().zip(row) {
        if !matches!(value, Value::Unset) {
            out.push(separator);
            let _ = write!(out, "\"{name}\":");
            value.json(out);
        }
    }
    out.extend_from_slice(b"}\n");
}

/// A row of a log of its own, named like the event: the event's own fields as ftpmon's schema has them.
fn write_own(seq: u64, run: RunId, event: &Event, out: &mut Vec<u8>) {
    let _ = write!(out, "{{\"_path\":\"{}\",\"seq\":{seq},\"run\":\"{run}\",\"ts\":", event.kind.name());
    Value::Time(event.ts).json(out);
    if let Some(identity) = &event.session {
        let _ = write!(out, ",\"uid\":\"{}\"", identity.id());
    }
    json::own_fields(&event.kind, out);
    out.push(b'\n');
}

/// `#open` and `#close`: `2012-02-21-16-52-42`.
fn stamp(what: &str, at: Timestamp, out: &mut Vec<u8>) {
    let at = at.to_string().replace([':', 'T'], "-");
    let seconds = at.split('.').next().unwrap_or_default();
    let _ = writeln!(out, "#{what}\t{seconds}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::sample::{self, session};

    fn written(mut zeek: Zeek) -> String {
        let mut out = Vec::new();
        let at = Timestamp::from_parts(1_700_000_000, 0);
        zeek.header(at, &mut out);
        session().iter().for_each(|event| zeek.event(0, event, &mut out));
        zeek.footer(at, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// The rows of the table, by column name.
    fn rows() -> Vec<std::collections::HashMap<String, String>> {
        let text = written(Zeek::tsv(&sample::origin("s")));
        let (head, rows): (Vec<_>, Vec<_>) = text.lines().partition(|line| line.starts_with('#'));
        let fields = head.iter().find_map(|line| line.strip_prefix("#fields\t")).unwrap();
        let types = head.iter().find_map(|line| line.strip_prefix("#types\t")).unwrap();
        assert_eq!(fields.split('\t').count(), types.split('\t').count());
        let row = |row: &str| {
            assert_eq!(row.split('\t').count(), COLUMNS.len());
            fields.split('\t').map(str::to_owned).zip(row.split('\t').map(str::to_owned)).collect()
        };
        rows.into_iter().map(row).collect()
    }

    #[test]
    fn the_table_has_a_head_and_a_foot() {
        let text = written(Zeek::tsv(&sample::origin("s")));
        assert!(
            text.starts_with("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n")
        );
        assert!(text.contains(
            "\n#path\tftp\n#run\t000000000000feed\n#open\t2023-11-14-22-13-20\n#fields\tts\tuid\tid.orig_h\t"
        ));
        assert!(text.ends_with("\n#close\t2023-11-14-22-13-20\n"));
    }

    #[test]
    fn a_command_is_one_row() {
        let rows = rows();
        let commands: Vec<_> = rows.iter().map(|row| row["command"].as_str()).collect();
        assert_eq!(commands, ["<init>", "USER", "PASS", "CWD", "PASV", "RETR", "DELE", "QUIT"]);
        let pick = |row: usize, names: &[&str]| {
            names.iter().map(|name| rows[row][*name].clone()).collect::<Vec<_>>()
        };
        assert_eq!(pick(0, &["ts", "reply_code", "reply_msg"]), ["1700000000.000000", "220", "FTP"]);
        assert_eq!(pick(1, &["user", "password", "arg"]), ["joe", "-", "joe"]);
        assert_eq!(pick(7, &["password", "reply_code"]), ["***", "-"]);
        assert_eq!(rows[6]["arg"], "ftp://192.168.1.109/pub/b");
    }

    #[test]
    fn announcements_and_data_connections_have_their_columns() {
        let rows = rows();
        let data = |row: usize| {
            [
                "passive",
                "orig_h",
                "orig_p",
                "resp_h",
                "resp_p",
                "duration",
                "orig_bytes",
                "resp_bytes",
                "missed_bytes",
            ]
            .map(|name| rows[row][&format!("data_channel.{name}")].clone())
        };
        assert_eq!(data(4), ["T", "192.168.1.106", "-", "10.0.0.9", "26758", "-", "-", "-", "-"]);
        assert_eq!(
            data(5),
            ["T", "192.168.1.106", "58985", "192.168.1.109", "26758", "1.000001", "0", "77", "0"]
        );
        assert_eq!(data(6), ["-"; 9]);
        assert_eq!((rows[5]["file_size"].as_str(), rows[5]["mime_type"].as_str()), ("77", "text/plain"));
        assert_eq!(rows[5]["arg"], "ftp://192.168.1.109/pub/a.txt");
    }

    #[test]
    fn counters_and_drops_are_rows_of_logs_of_their_own() {
        let (mut zeek, mut out) = (Zeek::json(&sample::origin("s")), Vec::new());
        for kind in [EventKind::Stats(Box::default()), EventKind::Drop(sample::dropped())] {
            let event =
                Event { ts: Timestamp::from_parts(1_700_000_000, 0), session: None, user: None, kind };
            zeek.event(7, &event, &mut out);
        }
        let rows: Vec<serde_json::Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((&rows[0]["_path"], &rows[1]["_path"]), (&"stats".into(), &"drop".into()));
        assert_eq!((&rows[0]["seq"], &rows[0]["seen"]), (&7.into(), &0.into()));
        assert_eq!((&rows[1]["ts"], &rows[1]["drop"]["to_seq"]), (&1_700_000_000.0.into(), &9.into()));
    }

    #[test]
    fn json_leaves_out_what_is_unset() {
        let text = written(Zeek::json(&sample::origin("s")));
        let rows: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 8);
        assert!(rows.iter().all(|row| row["_path"] == "ftp" && row["run"] == "000000000000feed"));
        assert_eq!(rows[5]["data_channel.passive"], true);
        assert_eq!(rows[5]["id.orig_p"], 57658);
        assert_eq!(rows[5]["data_channel.resp_bytes"], 77);
        assert!(rows[6].get("data_channel.passive").is_none());
    }
}
