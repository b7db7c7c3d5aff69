//! Any bytes as a server's stream, with gaps and a client that speaks in between: every line belongs to at most one
//! reply, and what is held stays under its cap.
//!
//! Input: pieces, each behind one byte: below 64 a gap comes first, below 128 the client speaks first.
#![no_main]

use ftpmon_core::ftp::{LineSplitter, REPLY_TEXT_MAX, Reply, ReplyAssembler};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let mut splitter = LineSplitter::new();
    let mut replies = ReplyAssembler::new();
    let mut lines = 0u64;
    let mut told = 0u64;
    let mut tell = |reply: Reply<'_>| {
        assert!(reply.lines > 0);
        assert!(reply.text.len() <= REPLY_TEXT_MAX);
        assert!(reply.code.is_some() || reply.malformed);
        told += u64::from(reply.lines);
    };
    for piece in input.chunks(48) {
        let Some((choice, piece)) = piece.split_first() else { continue };
        match choice {
            0..64 => {
                if let Some(line) = splitter.gap() {
                    lines += 1;
                    replies.push(&line).for_each(&mut tell);
                }
                replies.gap();
            }
            64..128 => {
                for reply in replies.client_spoke() {
                    tell(reply);
                }
            }
            _ => {}
        }
        let mut given = splitter.feed(piece);
        while let Some(line) = given.next() {
            lines += 1;
            replies.push(&line).for_each(&mut tell);
        }
        assert!(replies.held() <= 3 * REPLY_TEXT_MAX);
    }
    if let Some(line) = splitter.finish() {
        lines += 1;
        replies.push(&line).for_each(&mut tell);
    }
    for reply in replies.finish() {
        tell(reply);
    }
    assert!(!replies.is_mid_reply());
    assert!(told <= lines);
});
