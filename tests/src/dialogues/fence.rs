//! Lines whose replies nobody can foresee: what a command with a reply of its own, sent behind them, shows.

use anyhow::Result;

use super::record::Said;
use super::step::Fence;
use super::talker::Talker;

impl Talker<'_> {
    pub(super) fn blank(&mut self, line: &str, fence: Fence) -> Result<()> {
        // Before a login everything is answered alike: nobody could tell what answers what.
        if !self.logged_in {
            return Ok(());
        }
        while let Some(reply) = self.control.reply()? {
            self.hear(&reply, None);
        }
        let (text, code) = self.usable(fence, &[]).command();
        self.control.send(format!("{line}\r\n").as_bytes());
        self.control.send(format!("{text}\r\n").as_bytes());
        let command = self.note(text);
        // The line is no command: a reply to it answers none.
        while let Some(reply) = self.next()? {
            let own = reply.code == code;
            self.hear(&reply, own.then_some(command));
            if own {
                break;
            }
        }
        self.record.unsure |= self.record.stalled;
        Ok(())
    }

    /// Asks the fence's command, and gives what comes before its reply to the commands that wait.
    pub(super) fn fence(&mut self, fence: Fence, waiting: &mut Vec<usize>) -> Result<()> {
        let (line, code) = self.usable(fence, waiting).command();
        self.control.send(format!("{line}\r\n").as_bytes());
        let command = self.note(line);
        while let Some(reply) = self.next()? {
            let refused = reply.code >= 500 && waiting.is_empty();
            if reply.code == code || refused {
                self.hear(&reply, Some(command));
                return Ok(());
            }
            let answers = (!waiting.is_empty()).then(|| waiting.remove(0));
            self.hear(&reply, answers);
        }
        self.record.unsure |= self.record.stalled;
        Ok(())
    }

    /// A fence whose replies none of the waiting commands can have.
    fn usable(&self, fence: Fence, waiting: &[usize]) -> Fence {
        let verb = |fence: Fence| fence.command().0.split(' ').next().unwrap_or("").to_owned();
        let taken = |fence: &Fence| {
            let mut verbs = waiting.iter().filter_map(|at| self.record.commands.get(*at)).map(Said::verb);
            // PASV has no place for an IPv6 address: Pure-FTPd refuses it.
            let no_pasv = self.extended_only || self.cast.server.is_ipv6();
            verbs.any(|waiting| waiting == verb(*fence)) || (no_pasv && *fence == Fence::Pasv)
        };
        // CWD is answered as a transfer may be.
        let others = [fence, Fence::Epsv, Fence::Syst].into_iter();
        others
            .filter(|fence| *fence != Fence::Cwd || waiting.is_empty())
            .find(|fence| !taken(fence))
            .unwrap_or(Fence::Epsv)
    }

    pub(super) fn pipeline(&mut self, lines: &[String]) -> Result<()> {
        // ProFTPD refuses RNTO twice before a login: nobody could tell what answers what.
        let known = |line: &&String| self.logged_in || !line.starts_with("RNTO");
        let mut lines: Vec<&String> = lines.iter().filter(known).collect();
        // pyftpdlib waits with its answer to a wrong password, and answers what is behind it meanwhile (docs/adr/0159).
        if self.record.replies.first().is_some_and(|greeting| greeting.text.contains("pyftpdlib"))
            && let Some(password) = lines.iter().position(|line| line.starts_with("PASS"))
        {
            lines.truncate(password + 1);
        }
        let bytes: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        while let Some(reply) = self.control.reply()? {
            self.hear(&reply, None);
        }
        self.control.send(bytes.as_bytes());
        let commands: Vec<usize> = lines.iter().map(|line| self.note(line)).collect();
        for command in commands {
            if self.answer(command)?.is_none() {
                break;
            }
        }
        self.record.unsure |= self.record.stalled;
        Ok(())
    }
}
