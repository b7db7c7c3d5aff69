//! Events as comments on the packets that completed them.

use core::fmt::Write as _;

use ftpmon_event::text::is_disruptive;
use ftpmon_event::{Event, EventKind};

/// Longest comment of a packet, bytes; further events are left out.
const COMMENT_MAX: usize = 4_096;
/// Bytes of what a peer said that stand in a comment.
const TEXT_MAX: usize = 200;

/// Appends a line: session, number of the command, type of the event and what it is about. Secrets are masked in the event
/// already; bytes that a terminal would obey are escaped.
pub(super) fn add(comment: &mut String, event: &Event) {
    let Some(identity) = &event.session else { return };
    let mut line = format!("ftpmon session={}", identity.id());
    // Writing to a String cannot fail.
    let _ = match &event.kind {
        EventKind::Command(command) => {
            let arg =
                command.command.arg.as_deref().map(|arg| format!(" {}", escaped(arg))).unwrap_or_default();
            write!(line, " tx={} command {}{arg}", command.tx, escaped(&command.command.verb))
        }
        EventKind::Reply(reply) => {
            let code = reply.reply.code.map(|code| format!(" {code:03}")).unwrap_or_default();
            write!(line, " tx={} reply{code} {}", reply.tx, escaped(&reply.reply.text))
        }
        EventKind::DataChannel(channel) => {
            write!(line, " tx={} data_channel {}:{}", channel.tx, channel.data.ip, channel.data.port)
        }
        EventKind::Transfer(transfer) => {
            let path = transfer.transfer.path.as_deref().unwrap_or_default();
            write!(line, " tx={} transfer {}", transfer.tx, escaped(path))
        }
        kind => write!(line, " {}", kind.name()),
    };
    if comment.len() + line.len() < COMMENT_MAX {
        if !comment.is_empty() {
            comment.push('\n');
        }
        comment.push_str(&line);
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if out.len() >= TEXT_MAX {
            out.push('…');
            break;
        }
        if is_disruptive(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
