//! Columns within a width.

use crate::view::layout::{columns, cut, padded};

/// A column of a table.
pub(super) struct Column {
    /// Its head.
    pub(super) head: &'static str,
    /// Its width. The last column of a table takes what is left.
    pub(super) width: usize,
    /// Its cells stand on the right.
    pub(super) is_number: bool,
    /// The width of the table from which on it is shown.
    pub(super) from: usize,
}

/// A column of texts.
pub(super) const fn text(head: &'static str, width: usize, from: usize) -> Column {
    Column { head, width, is_number: false, from }
}

/// A column of numbers.
pub(super) const fn number(head: &'static str, width: usize, from: usize) -> Column {
    Column { head, width, is_number: true, from }
}

/// The heads of a table.
pub(super) fn heads(table: &[Column], width: usize) -> String {
    let heads: Vec<String> = table.iter().map(|column| column.head.to_owned()).collect();
    line(table, &heads, width)
}

/// A row of a table. Its cells have to be safe to show.
pub(super) fn line(table: &[Column], cells: &[String], width: usize) -> String {
    let mut out = String::new();
    let mut used = 0;
    let last = table.len().saturating_sub(1);
    for (number, (column, cell)) in
        table.iter().zip(cells).enumerate().filter(|(_, (column, _))| width >= column.from)
    {
        if width == 0 || (used > 0 && used + 1 >= width) {
            break;
        }
        if used > 0 {
            out.push(' ');
            used += 1;
        }
        let room = width.saturating_sub(used);
        let wanted = if number == last { room } else { column.width.min(room) };
        let cell = cut(cell, wanted);
        if column.is_number {
            out.push_str(&" ".repeat(wanted.saturating_sub(columns(&cell))));
            out.push_str(&cell);
        } else {
            out.push_str(&padded(&cell, wanted));
        }
        used += wanted;
    }
    out.truncate(out.trim_end().len());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_keep_their_places() {
        let table = [text("NAME", 6, 0), number("N", 3, 0), text("MORE", 4, 40), text("REST", 0, 0)];
        let cells = |cells: [&str; 4]| cells.map(str::to_owned);
        assert_eq!(heads(&table, 20), "NAME     N REST");
        assert_eq!(
            line(&table, &cells(["音乐音乐", "7", "x", "a path that is long"]), 20),
            "音乐…    7 a path t…"
        );
        assert_eq!(line(&table, &cells(["a", "1234", "x", "y"]), 40), "a      12… x    y");
        for width in 0..30 {
            let line = line(&table, &cells(["a", "1", "x", "a path that is long"]), width);
            assert!(columns(&line) <= width, "{width}: {line}");
        }
    }
}
