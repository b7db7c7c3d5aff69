//! The configurations that docs/shippers has, as an operator would copy them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// The blocks of code of a page.
#[derive(Clone, Debug)]
pub struct Guide {
    name: String,
    /// The language of each, and its lines.
    blocks: Vec<(String, String)>,
}

impl Guide {
    /// The folder of the pages.
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/shippers")
    }

    /// The page of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn read(name: &str) -> Result<Self> {
        let path = Self::folder().join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        // What is between fences: every second part.
        let blocks = text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
        let blocks = blocks.map(|(language, lines)| (language.to_owned(), lines.to_owned())).collect();
        Ok(Self { name: name.to_owned(), blocks })
    }

    /// The first block in a language, with other names in the place of those that only an operator's hosts have.
    ///
    /// # Errors
    /// There is no such block, or it does not have one of the names.
    pub fn block(&self, language: &str, names: &[(&str, &str)]) -> Result<String> {
        let found = self.blocks.iter().find(|(of, _)| of == language);
        let (_, text) = found.with_context(|| format!("{} has no block of {language:?}", self.name))?;
        let mut text = text.clone();
        for (name, here) in names {
            ensure!(text.contains(name), "{} does not name {name}: {text}", self.name);
            text = text.replace(name, here);
        }
        Ok(text)
    }

    /// Its configuration of ftpmon with a second output, a file.
    ///
    /// # Errors
    /// As [`Self::block`].
    pub fn config(&self, names: &[(&str, &str)], file: &str) -> Result<String> {
        let text = self.block("toml", names)?;
        let with_file = |line: &str| match line.strip_prefix("output = ") {
            Some(output) => format!("output = [{output}, {file}]\n"),
            None => format!("{line}\n"),
        };
        Ok(text.lines().map(with_file).collect())
    }
}
