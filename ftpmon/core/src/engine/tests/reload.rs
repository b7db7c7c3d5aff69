//! Settings that change while sessions run.

use super::*;
use crate::config::Secrets;

#[test]
fn a_session_goes_on_when_its_port_is_no_control_port_any_more() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello", "USER mary", "331 password"]);
    let ports = EngineConfig { control_ports: vec![2121], ..EngineConfig::default() };
    bench.engine.reconfigure(&ports);
    assert!(bench.engine.serves(21) && !bench.engine.serves(2121));
    bench.say(&mut control, &["PASS hunter2", "230 in", "QUIT", "221 bye"]);
    bench.close(&mut control);
    assert!(!bench.engine.serves(21));
    assert_eq!(bench.events().last().unwrap().kind.name(), "session_end");

    let mut late = bench.connect(end(1, 40_001), end(2, 21));
    bench.say(&mut late, &["220 hello", "USER mary", "331 password"]);
    assert!(bench.events().is_empty(), "a new connection to it is none");
    let mut new = bench.connect(end(1, 40_002), end(2, 2121));
    bench.say(&mut new, &["220 hello"]);
    assert_eq!(names(&bench.events()), ["session_start", "reply"]);
}

#[test]
fn secrets_are_rendered_as_the_settings_say_when_they_come() {
    let mut bench = Bench::new(EngineConfig::default());
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    let arguments = |events: Vec<Event>| -> Vec<String> {
        let argument = |event: &Event| match &event.kind {
            EventKind::Command(command) if command.command.verb == "PASS" => {
                command.command.arg.as_ref().map(ToString::to_string)
            }
            _ => None,
        };
        events.iter().filter_map(argument).collect()
    };
    bench.say(&mut control, &["220 hello", "USER mary", "331 password", "PASS hunter2", "530 no"]);
    assert_eq!(arguments(bench.events()), ["***"]);
    bench.engine.reconfigure(&EngineConfig { secrets: Secrets::Show, ..EngineConfig::default() });
    bench.say(&mut control, &["PASS hunter3", "230 in"]);
    assert_eq!(arguments(bench.events()), ["hunter3"]);
}

#[test]
fn limits_take_effect_and_what_a_run_was_begun_with_stays() {
    let mut bench = Bench::new(EngineConfig { files: FilesMode::Hash, ..EngineConfig::default() });
    let mut control = bench.connect(end(1, 40_000), end(2, 21));
    bench.say(&mut control, &["220 hello"]);
    let limits = Limits { flows: 32, announced_endpoints: 64, control_idle_s: 1, ..Limits::default() };
    bench.engine.reconfigure(&EngineConfig { limits, partitions: 1, ..EngineConfig::default() });
    let tables = bench.engine.counters().tables;
    assert_eq!((tables["flows"].cap, tables["announced_endpoints"].cap), (32, 64));
    assert!(tables.contains_key("early_bytes"), "files are still wanted");
    bench.events();
    bench.now += 2_000_000_000;
    let now = bench.at();
    bench.engine.handle_timeout(now);
    assert_eq!(names(&bench.events()), ["session_end"], "it was idle for longer than it may be now");
}
