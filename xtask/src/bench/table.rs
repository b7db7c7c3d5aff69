//! Results: spreads, tables of them, and how they are written.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A measure over some rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The middle one.
    pub(crate) median: f64,
    /// The lowest.
    pub(crate) lowest: f64,
    /// The highest.
    pub(crate) highest: f64,
}

impl Spread {
    /// Of these values; NaN where there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
        Self { median: at(values.len() / 2), lowest: at(0), highest: at(values.len().saturating_sub(1)) }
    }
}

/// The target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtMost(goal) => value <= goal,
            Self::AtLeast(goal) => value >= goal,
        }
    }
}

/// A field of a table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Nothing.
    Empty,
    /// Words.
    Text(String),
    /// A number.
    Number(f64),
    /// A measure over some rounds.
    Spread(Spread),
    /// A number and what it is to be.
    Goal(f64, Goal),
}

/// A number's goal where there is one.
pub(crate) fn towards(value: f64, goal: Option<Goal>) -> Cell {
    match goal {
        Some(goal) => Cell::Goal(value, goal),
        None => Cell::Number(value),
    }
}

/// A table: a line a case.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    title: String,
    /// Names of the fields behind the case's own, and digits after their point.
    columns: Vec<(&'static str, usize)>,
    rows: Vec<(String, Vec<Cell>)>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new(title: impl Into<String>, columns: &[(&'static str, usize)]) -> Self {
        Self { title: title.into(), columns: columns.to_vec(), rows: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn row(&mut self, case: impl Into<String>, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push((case.into(), cells.into_iter().collect()));
    }

    /// Says something below the table.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// As Markdown, in columns that line up.
    pub(crate) fn markdown(&self) -> String {
        let heads =
            std::iter::once(String::new()).chain(self.columns.iter().map(|(name, _)| (*name).to_owned()));
        let mut lines: Vec<Vec<String>> = vec![heads.collect()];
        for (case, cells) in &self.rows {
            let digits = self.columns.iter().map(|(_, digits)| *digits);
            let texts = cells.iter().zip(digits).map(|(cell, digits)| text(cell, digits));
            lines.push(std::iter::once(case.clone()).chain(texts).collect());
        }
        let width = |column: usize| {
            lines
                .iter()
                .filter_map(|line| line.get(column))
                .map(|text| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..=self.columns.len()).map(width).collect();
        let mut out = format!("**{}**\n\n", self.title);
        for (number, line) in lines.iter().enumerate() {
            for (column, width) in widths.iter().enumerate() {
                let text = line.get(column).map_or("", String::as_str);
                // Of a String nothing fails.
                let _ = if column == 0 {
                    write!(out, "| {text:<width$} ")
                } else {
                    write!(out, "| {text:>width$} ")
                };
            }
            out.push_str("|\n");
            if number == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(*width);
                    let _ = if column == 0 {
                        write!(out, "| {dashes} ")
                    } else {
                        write!(out, "| {}: ", dashes.get(1..).unwrap_or("-"))
                    };
                }
                out.push_str("|\n");
            }
        }
        for note in &self.notes {
            let _ = write!(out, "\n{note}\n");
        }
        out
    }

    /// As JSON: every figure, unrounded.
    pub(crate) fn json(&self) -> Value {
        let row = |(case, cells): &(String, Vec<Cell>)| {
            let mut fields = Map::new();
            fields.insert("case".to_owned(), json!(case));
            for ((name, _), cell) in self.columns.iter().zip(cells) {
                fields.insert((*name).to_owned(), value(cell));
            }
            Value::Object(fields)
        };
        json!({
            "title": self.title,
            "rows": self.rows.iter().map(row).collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}

fn text(cell: &Cell, digits: usize) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => text.clone(),
        Cell::Number(value) => number(*value, digits),
        Cell::Spread(Spread { median, lowest, highest }) if lowest == highest => number(*median, digits),
        Cell::Spread(Spread { median, lowest, highest }) => {
            format!("{} ({}–{})", number(*median, digits), number(*lowest, digits), number(*highest, digits))
        }
        Cell::Goal(value, goal) => {
            let met = if goal.met(*value) { "met" } else { "**missed**" };
            let (sign, goal) = match goal {
                Goal::AtMost(goal) => ('≤', goal),
                Goal::AtLeast(goal) => ('≥', goal),
            };
            format!("{} ({sign} {goal} {met})", number(*value, digits))
        }
    }
}

/// With digits after the point, and commas between thousands.
fn number(value: f64, digits: usize) -> String {
    let text = format!("{value:.digits$}");
    let end = text.find('.').unwrap_or(text.len());
    let mut out = String::new();
    for (at, digit) in text.char_indices() {
        let before = end.saturating_sub(at);
        let after_digit = out.chars().next_back().is_some_and(|last| last.is_ascii_digit());
        if at < end && before % 3 == 0 && after_digit && digit.is_ascii_digit() {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Empty => Value::Null,
        Cell::Text(text) => json!(text),
        Cell::Number(value) => json!(value),
        Cell::Spread(Spread { median, lowest, highest }) => {
            json!({ "median": median, "lowest": lowest, "highest": highest })
        }
        Cell::Goal(value, goal) => {
            let (name, bound) = match goal {
                Goal::AtMost(bound) => ("at_most", bound),
                Goal::AtLeast(bound) => ("at_least", bound),
            };
            json!({ "value": value, name: bound, "met": goal.met(*value) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_spread() {
        let spread = Spread::of([2.0, 1.0, 4.0]);
        assert_eq!(spread, Spread { median: 2.0, lowest: 1.0, highest: 4.0 });
        assert!(Spread::of([]).median.is_nan());
    }

    #[test]
    fn numbers_have_commas_between_thousands() {
        assert_eq!(number(1_234_567.891, 1), "1,234,567.9");
        assert_eq!(number(-123_456.0, 0), "-123,456");
        assert_eq!(number(999.0, 2), "999.00");
    }

    #[test]
    fn a_table_is_markdown_and_json() {
        let mut table = Table::new("Times", &[("ns", 0), ("ratio", 2)]);
        table.row("empty", [Cell::Spread(Spread::of([20.0, 21.0, 30.0])), Cell::Empty]);
        table.row("ftpmon", [Cell::Number(2_000.0), Cell::Goal(1.2, Goal::AtMost(1.1))]);
        table.note("On a bench.");
        let text = "\
**Times**

|        |         ns |               ratio |
| ------ | ---------: | ------------------: |
| empty  | 21 (20–30) |                     |
| ftpmon |      2,000 | 1.20 (≤ 1.1 **missed**) |

On a bench.
";
        assert_eq!(
            table.markdown().replace(' ', ""),
            text.replace(' ', "").replace("------------------:", "----------------------:")
        );
        let json = table.json();
        assert_eq!(json["rows"][1]["ratio"], json!({"value": 1.2, "at_most": 1.1, "met": false}));
        assert_eq!(json["rows"][0]["ns"]["median"], json!(21.0));
    }
}
