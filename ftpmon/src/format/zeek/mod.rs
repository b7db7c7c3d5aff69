//! Zeek's `ftp.log`, one row a command with its replies and its data connection: as the tab-separated table of its
//! ASCII writer, or as JSON lines. `docs/formats.md` says what is different.

mod row;
mod value;

use std::io::Write as _;

use self::row::{COLUMNS, Remembered, values};
use self::value::{EMPTY, UNSET, Value};
use super::Formatter;
use super::transaction::Transactions;
use ftpmon_event::Event;
use ftpmon_event::time::Timestamp;

/// Writes `ftp.log`.
pub struct Zeek {
    json: bool,
    transactions: Transactions<Remembered>,
}

impl Zeek {
    /// A writer of the tab-separated table.
    pub fn tsv() -> Self {
        Self { json: false, transactions: Transactions::new(true) }
    }

    /// A writer of JSON lines.
    pub fn json() -> Self {
        Self { json: true, ..Self::tsv() }
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
        stamp("open", at, out);
        for (head, column) in [("#fields", 0), ("#types", 1)] {
            out.extend_from_slice(head.as_bytes());
            for (name, kind) in COLUMNS {
                let _ = write!(out, "\t{}", if column == 0 { name } else { kind });
            }
            out.push(b'\n');
        }
    }

    fn event(&mut self, _: u64, event: &Event, out: &mut Vec<u8>) {
        let json = self.json;
        self.transactions.event(event, |row| {
            let row = values(row);
            if json { write_json(&row, out) } else { write_tsv(&row, out) }
        });
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

fn write_json(row: &[Value<'_>], out: &mut Vec<u8>) {
    let mut separator = b'{';
    for ((name, _), value) in COLUMNS.iter().zip(row) {
        if !matches!(value, Value::Unset) {
            out.push(separator);
            let _ = write!(out, "\"{name}\":");
            value.json(out);
            separator = b',';
        }
    }
    out.extend_from_slice(b"}\n");
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
    use crate::format::sample::session;

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
        let text = written(Zeek::tsv());
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
        let text = written(Zeek::tsv());
        assert!(
            text.starts_with("#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n")
        );
        assert!(text.contains("\n#path\tftp\n#open\t2023-11-14-22-13-20\n#fields\tts\tuid\tid.orig_h\t"));
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
    fn json_leaves_out_what_is_unset() {
        let text = written(Zeek::json());
        let rows: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 8);
        assert_eq!(rows[5]["data_channel.passive"], true);
        assert_eq!(rows[5]["id.orig_p"], 57658);
        assert_eq!(rows[5]["data_channel.resp_bytes"], 77);
        assert!(rows[6].get("data_channel.passive").is_none());
    }
}
