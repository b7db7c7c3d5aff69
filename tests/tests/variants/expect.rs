//! Expectations on a scene's events.
//!
//! | expectation | |
//! |---|---|
//! | `transfers TX…` | the `tx` of the transfers, in their order |
//! | `transfer TX K=V…` | fields of the transfer of that command |
//! | `EVENT [N] K=V…` | fields of the N-th event of that type, from 0 |
//! | `no EVENT [K=V…]` | there is no such event |
//! | `anomalies ID…` | the anomalies, in their order; without one: none |
//! | `logins USER:OUTCOME…` | the logins, in their order |
//! | `secret TEXT` | no event has it, as text or in hexadecimal |
//!
//! A field is looked for in the event, and in its `transfer`, `data`, `anomaly`, `login`, `reply`, `command`, `gap`, `end`. `-`: it is left out.
//! `a|b`: one of these. `_` in a value is a space.

use serde_json::Value;

const GROUPS: [&str; 9] =
    ["", "/transfer", "/data", "/anomaly", "/login", "/reply", "/command", "/gap", "/end"];

/// An event: its type and its own fields.
pub(crate) type Told = (&'static str, Value);

/// An error where an expectation does not hold: the difference.
pub(crate) fn check(expectation: &str, told: &[Told]) -> Result<(), String> {
    let words: Vec<&str> = expectation.split_whitespace().collect();
    let (what, rest) = words.split_first().ok_or("an empty expectation")?;
    let list = |found: Vec<String>| {
        if found.iter().map(String::as_str).eq(rest.iter().copied()) {
            Ok(())
        } else {
            Err(format!("{what}: {found:?}"))
        }
    };
    let of = |name: &str| told.iter().filter(|it| it.0 == name).map(|it| &it.1).collect::<Vec<_>>();
    match *what {
        "transfers" => list(of("transfer").iter().map(|it| field(it, "tx")).collect()),
        "anomalies" => list(of("anomaly").iter().map(|it| field(it, "id")).collect()),
        "logins" => list(
            of("login").iter().map(|it| format!("{}:{}", field(it, "user"), field(it, "outcome"))).collect(),
        ),
        "secret" => {
            let text = rest.join(" ");
            let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            let has = |it: &&Told| {
                let written = it.1.to_string();
                written.contains(&text) || written.contains(&hex)
            };
            told.iter().find(has).map_or(Ok(()), |it| Err(format!("{} has it: {}", it.0, it.1)))
        }
        "no" => {
            let (name, wanted) = rest.split_first().ok_or("no what?")?;
            match of(name).iter().find(|it| wanted.iter().all(|pair| holds(it, pair))) {
                Some(found) => Err(format!("there is {name} {found}")),
                None => Ok(()),
            }
        }
        "transfer" => {
            let (tx, wanted) = rest.split_first().ok_or("which transfer?")?;
            let own: Vec<&Value> = of("transfer").into_iter().filter(|it| field(it, "tx") == *tx).collect();
            match own.as_slice() {
                [one] => fields(one, wanted),
                several => Err(format!("{} transfers of {tx}", several.len())),
            }
        }
        name => {
            let nth = rest.first().and_then(|word| word.parse::<usize>().ok());
            let wanted = if nth.is_some() { rest.get(1..).unwrap_or_default() } else { rest };
            let found = of(name);
            fields(
                found.get(nth.unwrap_or(0)).ok_or_else(|| format!("{} {name} events", found.len()))?,
                wanted,
            )
        }
    }
}

fn fields(event: &Value, wanted: &[&str]) -> Result<(), String> {
    for pair in wanted {
        if !holds(event, pair) {
            let key = pair.split_once('=').map_or(*pair, |pair| pair.0);
            return Err(format!("{key} is {}", field(event, key)));
        }
    }
    Ok(())
}

fn holds(event: &Value, pair: &str) -> bool {
    let Some((key, wanted)) = pair.split_once('=') else { return false };
    let found = field(event, key);
    wanted.split('|').any(|wanted| wanted.replace('_', " ") == found.replace('_', " "))
}

fn field(event: &Value, key: &str) -> String {
    let key = key.replace('.', "/");
    let found = GROUPS.iter().find_map(|group| event.pointer(&format!("{group}/{key}")));
    match found {
        None | Some(Value::Null) => "-".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
