//! `cargo xtask docs`: the documents as a site (mdBook), with pictures that the tests of views made.
//!
//! The documents stay as they are read in a repository. What only a site can show is made on the way there: a comment
//! `<!-- picture FILE: TEXT -->` becomes a picture of `target/views`, `<!-- terminal FILE: TEXT -->` a text of it, links out of
//! docs/ lead to the repository, and folders of documents are chapters.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::tools::Tool;
use crate::workspace::{cargo, root};

const MDBOOK: Tool = Tool {
    package: "mdbook",
    version: "0.4.52",
    // It neither watches nor serves.
    options: &["--no-default-features", "--features", "search"],
};
/// The place of files that are no documents.
const REPOSITORY: &str = "https://github.com/ftpmon/ftpmon/blob/main/";

/// Options of `cargo xtask docs`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write docs/reference.md from the types instead.
    #[arg(long)]
    reference: bool,
    /// Take the pictures that are in target/views already.
    #[arg(long)]
    no_pictures: bool,
}

/// Builds the site.
pub(crate) fn run(args: &Args) -> Result<()> {
    if args.reference {
        let mut bless = cargo()?;
        bless.env("FTPMON_BLESS", "1").args(["test", "--package", "ftpmon", "--test", "schema"]);
        ensure!(bless.args(["--", "reference"]).status()?.success(), "docs/reference.md cannot be written");
        return Ok(());
    }
    MDBOOK.provide()?;
    if !args.no_pictures {
        crate::test::make_pictures()?;
    }
    let target = ftpmon_tests::machine::target()?;
    let (views, source, book) = (target.join("views"), target.join("book-source"), target.join("book"));
    let _ = fs::remove_dir_all(&source);
    copy(&root()?.join("docs"), &source, &views, 0)?;
    let pictures = source.join("images");
    fs::create_dir_all(&pictures)?;
    for entry in fs::read_dir(&views).context("pictures of the views")? {
        let entry = entry?;
        fs::copy(entry.path(), pictures.join(entry.file_name()))?;
    }
    let summary = source.join("SUMMARY.md");
    fs::write(&summary, chapters(&fs::read_to_string(&summary)?, &source))?;
    let status = Command::new("mdbook").arg("build").arg("--dest-dir").arg(&book).arg(&source).status();
    ensure!(status.context("cannot run mdbook")?.success(), "mdbook failed");
    println!("{}", book.join("index.html").display());
    Ok(())
}

/// Copies a folder, documents as the site has them. `depth` is the number of folders below docs/.
fn copy(from: &Path, to: &Path, views: &Path, depth: usize) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))? {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let place = to.join(&name);
        if path.is_dir() {
            copy(&path, &place, views, depth + 1)?;
        } else if path.extension().is_some_and(|ending| ending == "md") {
            let text = fs::read_to_string(&path)?;
            let text =
                with_pictures(&text, &"../".repeat(depth), |name| fs::read_to_string(views.join(name)))
                    .with_context(|| format!("{}", path.display()))?;
            fs::write(place, outwards(&text, depth))?;
        } else {
            fs::copy(path, place)?;
        }
    }
    Ok(())
}

/// A document with its pictures. `up` leads to the folder of the site, `read` gives a text of `target/views`.
fn with_pictures(text: &str, up: &str, read: impl Fn(&str) -> std::io::Result<String>) -> Result<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        let comment = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->"));
        let words = comment.and_then(|comment| {
            let (kind, rest) = comment.split_once(' ')?;
            rest.split_once(": ").map(|(name, text)| (kind, name, text))
        });
        lines.push(match words {
            Some(("picture", name, text)) => format!("![{text}]({up}images/{name})"),
            Some(("terminal", name, text)) => {
                let picture = read(name).with_context(|| format!("there is no picture {name}"))?;
                format!("*{text}*\n\n```text\n{}\n```", picture.trim_end())
            }
            _ => line.to_owned(),
        });
    }
    Ok(lines.join("\n") + "\n")
}

/// Links out of docs/ lead to the repository.
fn outwards(text: &str, depth: usize) -> String {
    text.replace(&format!("]({}", "../".repeat(depth + 1)), &format!("]({REPOSITORY}"))
}

/// The summary, in which the list of a folder's README is a list of chapters below it.
fn chapters(summary: &str, source: &Path) -> String {
    let mut lines = Vec::new();
    for line in summary.lines() {
        lines.push(line.to_owned());
        let target = line.split_once("](").and_then(|(_, rest)| rest.strip_suffix(')'));
        let Some(folder) = target.and_then(|target| target.strip_suffix("/README.md")) else { continue };
        let mut names: Vec<PathBuf> = fs::read_dir(source.join(folder))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        names.sort();
        for path in names {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let text = fs::read_to_string(&path).unwrap_or_default();
            let title = text.lines().next().and_then(|line| line.strip_prefix("# "));
            if let (Some(title), false) = (title, name == "README.md") {
                lines.push(format!("  - [{title}]({folder}/{name})"));
            }
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_become_pictures_and_other_text_stays() {
        let text = "a\n<!-- picture x.png: the view -->\n<!-- bench:read -->\n<!-- terminal top.txt: top -->";
        let made = with_pictures(text, "../", |name| Ok(format!("[{name}]\n"))).unwrap();
        assert_eq!(
            made,
            "a\n![the view](../images/x.png)\n<!-- bench:read -->\n*top*\n\n```text\n[top.txt]\n```\n"
        );
        let missing = |_: &str| Err(std::io::Error::from(std::io::ErrorKind::NotFound));
        assert!(with_pictures(text, "", missing).is_err());
    }

    #[test]
    fn links_out_of_the_documents_lead_to_the_repository() {
        assert_eq!(outwards("[a](../deploy/x) [b](y.md)", 0), format!("[a]({REPOSITORY}deploy/x) [b](y.md)"));
        assert_eq!(
            outwards("[a](../events.md) [b](../../x)", 1),
            format!("[a](../events.md) [b]({REPOSITORY}x)")
        );
    }
}
