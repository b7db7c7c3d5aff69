//! Segments full of lines: what is behind the session's allowance is counted, nothing of it is shown, and the dialogue goes on.

use super::*;

/// More than a session and a pair of hosts may tell.
const FLOOD: usize = 40;

/// Segments of 690 lines, until no more of them are told.
fn flood(bench: &mut Bench, control: &mut Talk, line: &str) {
    let lines = line.repeat(1_380 / line.len());
    for _ in 0..FLOOD {
        bench.send(control, true, ACK, lines.as_bytes());
    }
}

fn session(bench: &mut Bench) -> Talk {
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "USER mary", "331 password", "PASS hunter2", "230 in"]);
    control
}

/// The texts of all events.
fn text(events: &[Event]) -> String {
    format!("{events:?}")
}

fn held_back(events: &[Event]) -> u64 {
    let repeated = |event: &Event| match &event.kind {
        EventKind::Anomaly(anomaly) => anomaly.anomaly.repeated.as_ref().map_or(0, |it| it.count),
        _ => 0,
    };
    events.iter().map(repeated).sum()
}

#[test]
fn lines_that_are_not_read_are_counted() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench);
    flood(&mut bench, &mut control, "A\n");
    bench.close(&mut control);
    let events = bench.finish();
    let told = names(&events).iter().filter(|name| **name == "command").count();
    let sent = 690 * FLOOD;
    assert!(told < 14_000, "{told}");
    assert_eq!(told as u64 + held_back(&events), sent as u64 + 2);
    let Some(EventKind::SessionEnd(end)) = events.last().map(|event| &event.kind) else { panic!("no end") };
    assert_eq!(end.end.commands, sent as u64 + 2);
}

/// Each line has its reply, however few of them were read.
#[test]
fn the_dialogue_behind_a_flood_is_paired() {
    for answered in [690, 680, 0] {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench);
        flood(&mut bench, &mut control, "A\n");
        bench.events();
        for _ in 0..FLOOD {
            let replies = "500 what\r\n".repeat(answered);
            for segment in replies.as_bytes().chunks(1_400) {
                bench.send(&mut control, false, ACK, segment);
            }
        }
        bench.events();
        bench.say(&mut control, &["PWD", "257 \"/\" is here", "NOOP", "200 ok", "PASV"]);
        bench.say(&mut control, &["227 Entering Passive Mode (192,0,2,2,104,134)."]);
        let mut data = bench.connect(end(1, 40_001), end(2, 26_758));
        bench.say(&mut control, &["RETR a.txt", "150 Opening"]);
        bench.send(&mut data, false, ACK, b"hello");
        bench.close(&mut data);
        bench.say(&mut control, &["226 done", "QUIT", "221 bye"]);
        bench.close(&mut control);
        let events = bench.finish();
        let pair = |event: &Event| match &event.kind {
            EventKind::Reply(reply) => {
                let verb = reply.command.as_ref().map(|command| command.verb.to_string());
                Some((reply.reply.code.unwrap(), verb))
            }
            _ => None,
        };
        let pairs: Vec<_> = events.iter().filter_map(pair).collect();
        for pair in [(257, "PWD"), (200, "NOOP"), (227, "PASV"), (150, "RETR"), (226, "RETR"), (221, "QUIT")]
        {
            assert!(pairs.contains(&(pair.0, Some(pair.1.to_owned()))), "{answered}: {pair:?} in {pairs:?}");
        }
        assert_eq!(transfers(&events).iter().map(|it| it.transfer.bytes).collect::<Vec<_>>(), [5]);
    }
}

/// A password among lines that are not read, and one of too many.
#[test]
fn a_secret_in_a_flood_is_not_shown() {
    let among = |count: usize| {
        let lines: Vec<_> = (0..count).map(|number| format!("PASS sesame{number:03}\n")).collect();
        format!("{}{}{}", "A\n".repeat(100), lines.concat(), "A\n".repeat(20))
    };
    for (flooded, count) in [("A\n", 1), ("A\n", 60), ("USER x\n", 3), ("A\0\n", 3), ("\u{7f}\n", 3)] {
        let mut bench = Bench::new(EngineConfig::default());
        let mut control = session(&mut bench);
        flood(&mut bench, &mut control, flooded);
        bench.send(&mut control, true, ACK, among(count).as_bytes());
        for number in 0..count {
            let reply = format!("500 PASS sesame{number:03}? and sesame{number:03}\r\n");
            bench.send(&mut control, false, ACK, reply.as_bytes());
        }
        bench.close(&mut control);
        let events = bench.finish();
        assert!(held_back(&events) > 0);
        assert!(!text(&events).contains("sesame"), "{flooded:?} {count}");
    }
}

/// The first hundreds of commands in a segment are told, whatever their number.
#[test]
fn a_client_that_pipelines_is_told_exactly() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = session(&mut bench);
    let mut sent = 2;
    for segment in 0..20 {
        let lines: String = (0..200).map(|number| format!("DELE {segment}-{number}\r\n")).collect();
        bench.send(&mut control, true, ACK, lines.as_bytes());
        sent += 200;
        bench.send(&mut control, false, ACK, "250 gone\r\n".repeat(200).as_bytes());
    }
    bench.close(&mut control);
    let events = bench.finish();
    assert_eq!(names(&events).iter().filter(|name| **name == "command").count(), sent);
    let paired = |event: &&Event| matches!(&event.kind, EventKind::Reply(reply) if reply.command.is_some());
    assert_eq!(events.iter().filter(paired).count(), sent);
    assert_eq!(held_back(&events), 0);
}
