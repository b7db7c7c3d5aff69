//! Results in documents: what stands between two markers, `<!-- NAME -->` and `<!-- /NAME -->`, is written anew, the rest is left
//! alone.

use std::fs;

use anyhow::{Context as _, Result};

use crate::workspace::root;

/// Writes sections into a document of the workspace, each a name and its text.
pub(crate) fn write(document: &str, sections: &[(String, String)]) -> Result<()> {
    let path = root()?.join(document);
    let mut text = fs::read_to_string(&path).with_context(|| format!("cannot read {document}"))?;
    for (name, section) in sections {
        text =
            replace(&text, name, section).with_context(|| format!("{document} has no place for {name}"))?;
    }
    fs::write(&path, text).with_context(|| format!("cannot write {document}"))?;
    println!("{document}: {} sections", sections.len());
    Ok(())
}

fn replace(document: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = document.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::replace;

    #[test]
    fn only_what_is_between_the_markers_is_written() {
        let document = "a\n<!-- bench:read -->\nold\n<!-- /bench:read -->\nb\n";
        let new = replace(document, "bench:read", "new").unwrap();
        assert_eq!(new, "a\n<!-- bench:read -->\n\nnew\n\n<!-- /bench:read -->\nb\n");
        assert_eq!(replace(&new, "bench:read", "new").unwrap(), new);
        assert!(replace(document, "bench:live", "new").is_none());
    }
}
