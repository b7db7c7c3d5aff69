//! The dialogue on a control connection, as one of its ends knows it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A reply, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code.
    pub code: u16,
    /// Its lines as they came, without line ends.
    pub lines: Vec<String>,
}

impl Reply {
    /// From the lines as they came; none if they are no reply.
    pub fn from_lines(lines: Vec<String>) -> Option<Self> {
        let code = lines.first()?.get(..3)?.parse().ok()?;
        Some(Self { code, lines })
    }

    /// The text by the schema's rule: lines joined by `\n`, without code and separator where a line carries them.
    pub fn text(&self) -> String {
        let code = format!("{:03}", self.code);
        let bare = |line: &String| -> String {
            let rest = line.strip_prefix(&code);
            rest.and_then(|rest| rest.strip_prefix([' ', '-']).or(rest.is_empty().then_some("")))
                .unwrap_or(line)
                .to_owned()
        };
        self.lines.iter().map(bare).collect::<Vec<_>>().join("\n")
    }

    /// Completion: 2yz.
    pub const fn is_success(&self) -> bool {
        self.code / 100 == 2
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join(" / "))
    }
}

/// One thing said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// A command line without its line end.
    Command(String),
    /// A reply.
    Reply(Reply),
}

/// Everything said on one control connection, in order. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Vec<Said>>>);

impl Transcript {
    /// From what was said.
    pub fn from_said(said: Vec<Said>) -> Self {
        Self(Arc::new(Mutex::new(said)))
    }

    /// From lines marked with who said them: true for the client's. Reply lines are put together to replies by the rule
    /// of RFC 959 section 4.2: `NNN-` opens, the same `NNN ` closes.
    pub fn from_lines<'a>(lines: impl IntoIterator<Item = (bool, &'a str)>) -> Self {
        let mut said = Vec::new();
        let mut open: Vec<String> = Vec::new();
        for (is_command, line) in lines {
            if is_command {
                said.push(Said::Command(line.to_owned()));
                continue;
            }
            open.push(line.to_owned());
            let opener = open.first().map_or("", String::as_str);
            let multi = opener.get(3..4) == Some("-");
            let closes = line.get(3..4) != Some("-") && line.get(..3) == opener.get(..3);
            if !multi || closes {
                said.extend(Reply::from_lines(std::mem::take(&mut open)).map(Said::Reply));
            }
        }
        Self::from_said(said)
    }

    /// Everything said so far.
    pub fn all(&self) -> Vec<Said> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The command lines so far.
    pub fn commands(&self) -> Vec<String> {
        self.all()
            .into_iter()
            .filter_map(|said| if let Said::Command(c) = said { Some(c) } else { None })
            .collect()
    }

    /// The replies so far.
    pub fn replies(&self) -> Vec<Reply> {
        self.all()
            .into_iter()
            .filter_map(|said| if let Said::Reply(r) = said { Some(r) } else { None })
            .collect()
    }

    /// Notes what was said.
    pub fn push(&self, said: Said) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(said);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multi_line_replies_are_put_together() {
        let transcript = Transcript::from_lines([
            (false, "220-Hello"),
            (false, "221 not the end"),
            (false, "220 Bye"),
            (true, "FEAT"),
            (false, "211-Features:"),
            (false, " SIZE"),
            (false, "211 End"),
            (false, "150 now"),
            (false, "226 done"),
        ]);
        let texts: Vec<String> = transcript.replies().iter().map(Reply::text).collect();
        assert_eq!(texts, ["Hello\n221 not the end\nBye", "Features:\n SIZE\nEnd", "now", "done"]);
        assert_eq!(transcript.commands(), ["FEAT"]);
    }

    #[test]
    fn a_bare_code_has_no_text() {
        assert_eq!(Reply::from_lines(vec!["226".into()]).unwrap().text(), "");
    }
}
