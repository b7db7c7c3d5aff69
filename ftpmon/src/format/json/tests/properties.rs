//! Any text is written as serde_json writes it.

use proptest::prelude::*;

use super::*;

fn optional<T: core::fmt::Debug>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(some)
}

proptest! {
    #[test]
    fn whatever_is_said_is_written_as_serde_json_does(
        (verb, arg, hex) in (any::<String>(), optional(any::<String>()), optional("[0-9a-f]{0,40}")),
        (tx, code, lines, latency_us) in (any::<u64>(), optional(any::<u16>()), any::<u32>(), optional(any::<u64>())),
        (is_final, truncated, malformed) in any::<(bool, bool, bool)>(),
        syn in any::<i64>(),
    ) {
        let arg: Option<smol_str::SmolStr> = arg.map(Into::into);
        let hex = hex.map(String::into_boxed_str);
        let reply = ReplyLine {
            code,
            text: verb.as_str().into(),
            text_hex: hex.clone(),
            lines,
            class: None,
            category: Some(Category::Syntax),
            is_final,
            truncated,
            malformed,
        };
        let asked = Some(CommandRef { verb: verb.as_str().into(), arg: arg.clone() });
        let command = CommandLine { verb: verb.into(), arg, arg_hex: hex, truncated, malformed };
        let syn = Timestamp::from_nanos(syn);
        written(&event(EventKind::Reply(Reply { tx, reply, command: asked, latency_us })));
        written(&event(EventKind::Command(Command { tx, command })));
        let handshake = Some(Handshake { syn, syn_ack_us: latency_us, ack_us: None });
        written(&event(EventKind::SessionStart(SessionStart {
            midstream: is_final,
            handshake,
            ..SessionStart::default()
        })));
    }
}
