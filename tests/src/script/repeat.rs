//! `repeat N` … `end`: statements that a script has many times, with a number that counts.

use anyhow::{Context as _, Result, bail, ensure};

/// Repetitions of a block. Stops a typing error from filling memory.
const TIMES_MAX: u64 = 100_000;

/// The statements of a script with their line numbers, its blocks repeated. In a block `{n}` is the number of the repetition, from 0,
/// and `{n+K}` a number that begins at K. Blocks do not nest.
pub(super) fn statements(script: &str) -> Result<Vec<(usize, String)>> {
    let mut out = Vec::new();
    let mut block: Option<(u64, Vec<(usize, &str)>)> = None;
    for (number, line) in (1..).zip(script.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = || format!("line {number}: {line}");
        if let Some(times) = line.strip_prefix("repeat ") {
            ensure!(block.is_none(), "{}: a block within a block", at());
            let times = times.trim().parse::<u64>().with_context(at)?;
            ensure!(times <= TIMES_MAX, "{}: more than {TIMES_MAX} times", at());
            block = Some((times, Vec::new()));
        } else if line == "end" {
            let Some((times, lines)) = block.take() else { bail!("{}: no block is open", at()) };
            for n in 0..times {
                for (number, line) in &lines {
                    out.push((*number, counted(line, n).with_context(|| format!("line {number}: {line}"))?));
                }
            }
        } else if let Some((_, lines)) = &mut block {
            lines.push((number, line));
        } else {
            out.push((number, line.to_owned()));
        }
    }
    ensure!(block.is_none(), "a block has no end");
    Ok(out)
}

/// A line with its counters replaced.
fn counted(line: &str, n: u64) -> Result<String> {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("{n") {
        let (more, after) = after.split_once('}').context("a counter has no end")?;
        let first =
            if more.is_empty() { 0 } else { more.strip_prefix('+').unwrap_or(more).parse::<u64>()? };
        out.push_str(before);
        out.push_str(&(n + first).to_string());
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(script: &str) -> Vec<String> {
        statements(script).unwrap().into_iter().map(|(number, line)| format!("{number} {line}")).collect()
    }

    #[test]
    fn a_block_comes_as_often_as_it_says_with_its_numbers() {
        let script = "a {n}\n# no statement\nrepeat 2\n  b{n} {n+40000} () {\nend\nc";
        assert_eq!(lines(script), ["1 a {n}", "4 b0 40000 () {", "4 b1 40001 () {", "6 c"]);
        assert!(lines("repeat 0\na\nend").is_empty());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for wrong in
            ["repeat 2\na", "end", "repeat x\nend", "repeat 2\nrepeat 2\nend", "repeat 1\n{n+x}\nend"]
        {
            assert!(statements(wrong).is_err(), "{wrong}");
        }
    }
}
