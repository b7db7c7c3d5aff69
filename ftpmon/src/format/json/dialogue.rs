//! Commands and replies, which nearly all events are: written by hand, with room looked for a few times in an event and not
//! for each of its fields. The text is the one that serde gives; the tests compare the two.

use ftpmon_event::{Category, Command, CommandLine, CommandRef, Reply, ReplyClass, ReplyLine};

use super::string::{append, append_all};

/// Appends the fields of a `command` behind those of the session, and ends the object.
pub(super) fn command(command: &Command, out: &mut Vec<u8>) {
    let Command { tx, command: CommandLine { verb, arg, arg_hex, truncated, malformed } } = command;
    let mut digits = itoa::Buffer::new();
    append_all([b",\"tx\":", digits.format(*tx).as_bytes(), b",\"command\":{\"verb\":"], out);
    append(verb, out);
    argument(arg.as_deref(), out);
    if let Some(hex) = arg_hex {
        append_all([b",\"arg_hex\":\"", hex.as_bytes(), b"\""], out);
    }
    out.extend_from_slice(match (truncated, malformed) {
        (false, false) => b",\"truncated\":false,\"malformed\":false}}",
        (false, true) => b",\"truncated\":false,\"malformed\":true}}",
        (true, false) => b",\"truncated\":true,\"malformed\":false}}",
        (true, true) => b",\"truncated\":true,\"malformed\":true}}",
    });
}

/// Appends the fields of a `reply` behind those of the session, and ends the object.
pub(super) fn reply(reply: &Reply, out: &mut Vec<u8>) {
    let Reply { tx, reply, command, latency_us } = reply;
    let (mut digits, mut code_digits) = (itoa::Buffer::new(), itoa::Buffer::new());
    let code = reply.code.map_or("null", |code| code_digits.format(code));
    let tx = digits.format(*tx).as_bytes();
    append_all([b",\"tx\":", tx, b",\"reply\":{\"code\":", code.as_bytes(), b",\"text\":"], out);
    append(&reply.text, out);
    if let Some(hex) = &reply.text_hex {
        append_all([b",\"text_hex\":\"", hex.as_bytes(), b"\""], out);
    }
    let (class, category) = (reply.class.map_or("", class), reply.category.map_or("", category));
    let lines = digits.format(reply.lines).as_bytes();
    append_all([b",\"lines\":", lines, class.as_bytes(), category.as_bytes(), marks(reply).as_bytes()], out);
    if let Some(CommandRef { verb, arg }) = command {
        out.extend_from_slice(b",\"command\":{\"verb\":");
        append(verb, out);
        argument(arg.as_deref(), out);
        out.push(b'}');
    }
    match latency_us {
        Some(latency) => {
            append_all([b",\"latency_us\":", digits.format(*latency).as_bytes(), b"}"], out);
        }
        None => out.push(b'}'),
    }
}

#[inline]
fn argument(arg: Option<&str>, out: &mut Vec<u8>) {
    match arg {
        Some(arg) => {
            out.extend_from_slice(b",\"arg\":");
            append(arg, out);
        }
        None => out.extend_from_slice(b",\"arg\":null"),
    }
}

const fn class(class: ReplyClass) -> &'static str {
    match class {
        ReplyClass::Preliminary => ",\"class\":\"preliminary\"",
        ReplyClass::Completion => ",\"class\":\"completion\"",
        ReplyClass::Intermediate => ",\"class\":\"intermediate\"",
        ReplyClass::TransientError => ",\"class\":\"transient_error\"",
        ReplyClass::PermanentError => ",\"class\":\"permanent_error\"",
        ReplyClass::Protected => ",\"class\":\"protected\"",
    }
}

const fn category(category: Category) -> &'static str {
    match category {
        Category::Syntax => ",\"category\":\"syntax\"",
        Category::Information => ",\"category\":\"information\"",
        Category::Connection => ",\"category\":\"connection\"",
        Category::Authentication => ",\"category\":\"authentication\"",
        Category::Unspecified => ",\"category\":\"unspecified\"",
        Category::Filesystem => ",\"category\":\"filesystem\"",
    }
}

/// The last fields of the reply line.
const fn marks(reply: &ReplyLine) -> &'static str {
    match (reply.is_final, reply.truncated, reply.malformed) {
        (true, false, false) => ",\"final\":true,\"truncated\":false,\"malformed\":false}",
        (false, false, false) => ",\"final\":false,\"truncated\":false,\"malformed\":false}",
        (true, true, false) => ",\"final\":true,\"truncated\":true,\"malformed\":false}",
        (false, true, false) => ",\"final\":false,\"truncated\":true,\"malformed\":false}",
        (true, false, true) => ",\"final\":true,\"truncated\":false,\"malformed\":true}",
        (false, false, true) => ",\"final\":false,\"truncated\":false,\"malformed\":true}",
        (true, true, true) => ",\"final\":true,\"truncated\":true,\"malformed\":true}",
        (false, true, true) => ",\"final\":false,\"truncated\":true,\"malformed\":true}",
    }
}
