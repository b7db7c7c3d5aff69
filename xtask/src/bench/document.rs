//! Results in `docs/performance.md`: what stands between a benchmark's two markers is written anew, the rest is left alone.

use std::fs;

use anyhow::{Context as _, Result, bail};

use crate::workspace::root;

const DOCUMENT: &str = "docs/performance.md";

/// Writes sections, each a name and its text.
pub(crate) fn write(sections: &[(String, String)]) -> Result<()> {
    let path = root()?.join(DOCUMENT);
    let mut document = fs::read_to_string(&path).with_context(|| format!("cannot read {DOCUMENT}"))?;
    for (name, text) in sections {
        document = replace(&document, name, text)?;
    }
    fs::write(&path, document).with_context(|| format!("cannot write {DOCUMENT}"))?;
    println!("{DOCUMENT}: {} sections", sections.len());
    Ok(())
}

fn replace(document: &str, name: &str, text: &str) -> Result<String> {
    let (begin, end) = (format!("<!-- bench:{name} -->\n"), format!("<!-- /bench:{name} -->"));
    let parts =
        document.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let Some((before, after)) = parts else {
        bail!("{DOCUMENT} has no place for {name}");
    };
    Ok(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn only_what_is_between_the_markers_is_written() {
        let document = "a\n<!-- bench:read -->\nold\n<!-- /bench:read -->\nb\n";
        let new = replace(document, "read", "new").unwrap();
        assert_eq!(new, "a\n<!-- bench:read -->\n\nnew\n\n<!-- /bench:read -->\nb\n");
        assert_eq!(replace(&new, "read", "new").unwrap(), new);
        assert!(replace(document, "live", "new").is_err());
    }
}
