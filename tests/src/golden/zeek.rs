//! Zeek's ftp.log, as a table and as JSON. Each value has to read as its column's type says.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};

use super::numbered::Numbered;

/// The columns of Zeek's own log, in its order, with their types; those that follow are ftpmon's.
const ZEEK: [(&str, &str); 19] = [
    ("ts", "time"),
    ("uid", "string"),
    ("id.orig_h", "addr"),
    ("id.orig_p", "port"),
    ("id.resp_h", "addr"),
    ("id.resp_p", "port"),
    ("user", "string"),
    ("password", "string"),
    ("command", "string"),
    ("arg", "string"),
    ("mime_type", "string"),
    ("file_size", "count"),
    ("reply_code", "count"),
    ("reply_msg", "string"),
    ("data_channel.passive", "bool"),
    ("data_channel.orig_h", "addr"),
    ("data_channel.resp_h", "addr"),
    ("data_channel.resp_p", "port"),
    ("fuid", "string"),
];

/// The columns of [`ZEEK`] that every log of connections begins with.
const CONNECTION: usize = 6;

/// The columns of Zeek's notice.log that ftpmon fills behind those, and `suppressed`, its own.
const NOTICE: [(&str, &str); 10] = [
    ("proto", "string"),
    ("src", "addr"),
    ("dst", "addr"),
    ("p", "port"),
    ("note", "string"),
    ("msg", "string"),
    ("sub", "string"),
    ("n", "count"),
    ("suppressed", "count"),
    ("actions", "set"),
];

/// Columns that ftpmon adds, which are not text.
const OWN: [(&str, &str); 5] = [
    ("data_channel.orig_p", "port"),
    ("data_channel.duration", "interval"),
    ("data_channel.orig_bytes", "count"),
    ("data_channel.resp_bytes", "count"),
    ("data_channel.missed_bytes", "count"),
];

/// The header of Zeek's ASCII writer before `#open`.
const HEADER: [&str; 5] =
    ["#separator \\x09", "#set_separator\t,", "#empty_field\t(empty)", "#unset_field\t-", "#path\tftp"];

/// The table with its header and footer.
pub(super) fn normalized(output: &str) -> Result<String> {
    let mut out = String::new();
    let mut sessions = Numbered::new("s");
    let mut lines = output.lines();
    let mut next = || lines.next().context("the header ends early");
    for expected in HEADER {
        ensure!(next()? == expected, "the header has no {expected:?}");
        out.push_str(&format!("{expected}\n"));
    }
    ensure!(next()?.starts_with("#run\t"), "no #run");
    check_clock(next()?.strip_prefix("#open\t").context("no #open")?)?;
    let (fields, types) = (next()?, next()?);
    out.push_str(&format!("{fields}\n{types}\n"));
    let columns = columns(fields, types)?;
    let mut is_closed = false;
    for line in lines {
        ensure!(!is_closed, "a line after #close: {line}");
        if let Some(clock) = line.strip_prefix("#close\t") {
            check_clock(clock)?;
            is_closed = true;
            continue;
        }
        let mut values: Vec<String> = line.split('\t').map(str::to_owned).collect();
        ensure!(
            values.len() == columns.len(),
            "{} values in {} columns: {line}",
            values.len(),
            columns.len()
        );
        for ((name, kind), value) in columns.iter().zip(&mut values) {
            if value != "-" {
                check(kind, value).with_context(|| format!("{name} in {line}"))?;
            }
            if *name == "uid" {
                *value = sessions.name(value);
            }
        }
        out.push_str(&format!("{}\n", values.join("\t")));
    }
    ensure!(is_closed, "no #close");
    Ok(out)
}

/// The columns' names and types, after a check that Zeek's own come first.
fn columns<'a>(fields: &'a str, types: &'a str) -> Result<Vec<(&'a str, &'a str)>> {
    let fields = fields.strip_prefix("#fields\t").context("no #fields")?.split('\t');
    let types = types.strip_prefix("#types\t").context("no #types")?.split('\t');
    let columns: Vec<_> = fields.clone().zip(types.clone()).collect();
    ensure!(fields.count() == types.count(), "not as many types as fields");
    ensure!(columns.starts_with(&ZEEK), "the columns are not Zeek's");
    Ok(columns)
}

/// The same as JSON: a field without a value is left out.
pub(super) fn normalized_json(output: &str) -> Result<String> {
    let mut out = String::new();
    let mut sessions = Numbered::new("s");
    for line in output.lines() {
        let mut row: Map<String, Value> = serde_json::from_str(line).with_context(|| line.to_owned())?;
        ensure!(["_path", "seq", "run"].iter().all(|key| row.contains_key(*key)), "{line}");
        let (path, _, _) = (row.remove("_path"), row.remove("seq"), row.remove("run"));
        if path == Some("stats".into()) {
            continue;
        }
        ensure!(["ts", "uid", "id.orig_h", "id.resp_h"].iter().all(|key| row.contains_key(*key)), "{line}");
        let is_notice = path == Some("notice".into());
        let (shared, more): (_, &[_]) = if is_notice { (CONNECTION, &NOTICE) } else { (ZEEK.len(), &OWN) };
        for (name, value) in &row {
            let known = ZEEK.iter().take(shared).chain(more).find(|(known, _)| known == name);
            let (_, kind) = known.with_context(|| format!("the column {name} in {line}"))?;
            check_json(kind, value).with_context(|| format!("{name} in {line}"))?;
        }
        if let Some(Value::String(uid)) = row.get_mut("uid") {
            *uid = sessions.name(uid);
        }
        if is_notice {
            row.insert("_path".to_owned(), "notice".into());
        }
        out.push_str(&format!("{}\n", Value::Object(row)));
    }
    Ok(out)
}

/// A value of the table. Control characters would break it.
fn check(kind: &str, value: &str) -> Result<()> {
    match kind {
        "time" | "interval" => drop(value.parse::<f64>()?),
        "addr" => drop(value.parse::<IpAddr>()?),
        "port" => drop(value.parse::<u16>()?),
        "count" => drop(value.parse::<u64>()?),
        "bool" => ensure!(matches!(value, "T" | "F"), "{value} is no truth value"),
        "string" => ensure!(!value.is_empty() && !value.contains(char::is_control), "{value:?} is no field"),
        other => anyhow::bail!("the type {other}"),
    }
    Ok(())
}

fn check_json(kind: &str, value: &Value) -> Result<()> {
    let fits = match kind {
        "time" | "interval" => value.is_number(),
        "count" => value.is_u64(),
        "port" => value.as_u64().is_some_and(|port| port <= 65_535),
        "addr" => value.as_str().is_some_and(|text| text.parse::<IpAddr>().is_ok()),
        "bool" => value.is_boolean(),
        "set" => value.as_array().is_some_and(|values| values.iter().all(Value::is_string)),
        _ => value.is_string(),
    };
    ensure!(fits, "{value} is no {kind}");
    Ok(())
}

/// `2026-01-01-00-00-00`.
fn check_clock(text: &str) -> Result<()> {
    let numbers: Vec<_> = text.split('-').map(str::parse::<u32>).collect();
    ensure!(numbers.len() == 6 && numbers.iter().all(Result::is_ok), "the time {text}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{check, check_clock, normalized_json};

    #[test]
    fn values_read_as_their_types() {
        for (kind, good, bad) in [
            ("time", "1767225600.004000", "noon"),
            ("addr", "2001:db8::1", "host"),
            ("port", "65535", "65536"),
            ("count", "0", "-1"),
            ("bool", "T", "true"),
            ("string", "a\\x09b", "a\u{b}b"),
        ] {
            assert!(check(kind, good).is_ok(), "{good}");
            assert!(check(kind, bad).is_err(), "{bad}");
        }
        assert!(check_clock("2026-01-01-00-00-00").is_ok());
        assert!(check_clock("2026-01-01").is_err());
    }

    #[test]
    fn a_row_with_an_unknown_column_is_refused() {
        let row =
            r#"{"_path":"ftp","seq":1,"run":"ab","ts":1.5,"uid":"a","id.orig_h":"::1","id.resp_h":"::1"}"#;
        assert!(normalized_json(row).unwrap().contains(r#""uid":"s1""#));
        assert!(normalized_json(&row.replace("ts\"", "ts\":1,\"colour\"")).is_err());
    }
}
