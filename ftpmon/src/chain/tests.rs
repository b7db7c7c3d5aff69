use std::convert::Infallible;

use super::*;
use crate::config::RouteConfig;
use crate::format::{Format, sample};
use crate::sink::{Lines, Loss};
use ftpmon_event::{DropReason, SensorStop, StopReason};

/// Outputs that keep what is written, lines of all of them in one string.
#[derive(Default)]
struct Kept {
    text: String,
    events: u64,
    losses: Vec<(String, Loss)>,
}

impl Sampled for Kept {
    fn sample(&self, _into: &mut Snapshot) {}
}

impl Outputs for Kept {
    const BLOCK_BYTES: usize = 1 << 20;
    const BY_EVENT: bool = true;
    type Error = Infallible;

    fn start(&mut self, opening: &[u8], _seq: u64) -> io::Result<()> {
        self.set_opening(opening);
        Ok(())
    }

    fn set_opening(&mut self, opening: &[u8]) {
        self.text = String::from_utf8(opening.to_vec()).unwrap();
    }

    fn write(&mut self, lines: &mut Lines) {
        self.text.push_str(std::str::from_utf8(&lines.bytes).unwrap());
        self.events += lines.ends.len() as u64;
        lines.bytes.clear();
        lines.ends.clear();
    }

    fn take_losses(&mut self, _end: bool) -> Vec<(String, Loss)> {
        core::mem::take(&mut self.losses)
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

fn chain(routes: Vec<RouteConfig>) -> Chain<Kept> {
    let config = Config { routes, sensor: Some("s".to_owned()), ..Config::default() };
    Chain::new(&config, &sample::origin("s"), Secrets::Mask, |_| Ok::<_, Infallible>(Kept::default()))
        .unwrap()
}

fn stop() -> Event {
    let kind = EventKind::SensorStop(SensorStop { reason: StopReason::Signal });
    Event { ts: Timestamp::default(), session: None, user: None, kind }
}

#[test]
fn each_route_has_a_filter_a_format_and_numbers_of_its_own() {
    let some = RouteConfig { events: vec!["transfer".into(), "stats".into()], ..RouteConfig::default() };
    let all = RouteConfig::default();
    let zeek = RouteConfig { format: Format::Zeek, ..RouteConfig::default() };
    let mut chain = chain(vec![all, some, zeek]);
    let events = sample::session();
    events.iter().for_each(|event| chain.emit(event.clone()));
    chain.emit_stats(Timestamp::default(), 1, Snapshot::default());
    chain.emit(stop());
    chain.flush();
    let text = |at: usize| &chain.routes[at].outputs().text;
    let lines = |at: usize| -> Vec<serde_json::Value> {
        text(at).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (all, some) = (lines(0), lines(1));
    assert_eq!(all.len(), events.len() + 2);
    let transfers = events.iter().filter(|event| matches!(event.kind, EventKind::Transfer(_))).count();
    assert!(transfers > 0 && some.len() == transfers + 1);
    for lines in [&all, &some] {
        for (at, line) in lines.iter().enumerate() {
            assert_eq!(line["seq"], at as u64, "{line}");
        }
    }
    // What a route's stats call emitted are the lines of that route before it.
    assert_eq!(all[all.len() - 2]["emitted"], all.len() as u64 - 2);
    assert_eq!(some[some.len() - 1]["emitted"], transfers as u64);
    assert!(text(2).contains("RETR"), "{}", text(2));
    assert_eq!(chain.routes[0].outputs().events, all.len() as u64);
}

#[test]
fn a_borrowed_event_is_written_like_an_owned_one() {
    let (mut owned, mut borrowed) = (chain(Vec::new()), chain(Vec::new()));
    for mut event in sample::session() {
        owned.emit(event.clone());
        borrowed.emit_borrowed(&mut event);
    }
    owned.flush();
    borrowed.flush();
    assert_eq!(owned.routes[0].outputs().text, borrowed.routes[0].outputs().text);
}

#[test]
fn a_reload_keeps_routes_that_stay_and_numbers_of_outputs_go_on() {
    let route = |text: &str, events: &[&str]| RouteConfig {
        outputs: vec![text.parse().unwrap()],
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        ..RouteConfig::default()
    };
    let old = Config { routes: vec![route("a", &[]), route("b", &[]), route("c", &[])], ..Config::default() };
    let new = Config {
        routes: vec![route("d", &[]), route("c", &["reply"]), route("a", &[])],
        ..Config::default()
    };
    let mut chain = chain(old.routes.clone());
    sample::session().iter().for_each(|event| chain.emit(event.clone()));
    let open = |_: &RouteConfig| Ok::<_, Infallible>(Kept::default());
    let Ok(prepared) = chain.prepare_routes(&old, &new, open);
    let mut closed = Vec::new();
    let mut start = sample::session().remove(0);
    let begin = |mut route: Route<Kept>| route.start(&mut start).map(|()| route);
    let close = |routes: Vec<Route<Kept>>, wait: bool| {
        assert!(wait, "c has another route");
        closed = routes;
    };
    chain.replace_routes(prepared, begin, close).unwrap();
    let written = sample::session().len() as u64;
    let next: Vec<u64> = chain.routes.iter().map(Route::next_seq).collect();
    assert_eq!((closed.len(), next), (2, vec![1, written + 1, written]));
}

#[test]
fn a_reload_whose_outputs_cannot_be_opened_changes_nothing() {
    let old = Config::default();
    let new = Config {
        routes: vec![RouteConfig { outputs: vec!["/x".parse().unwrap()], ..RouteConfig::default() }],
        ..Config::default()
    };
    let chain = chain(old.routes());
    let refused = chain.prepare_routes(&old, &new, |_: &RouteConfig| Err::<Kept, _>("no"));
    assert_eq!(refused.err(), Some("no"));
    assert_eq!(chain.routes.len(), 1);
}

#[test]
fn a_loss_of_one_output_is_an_event_in_all_of_them() {
    let mut chain = chain(vec![RouteConfig::default(), RouteConfig::default()]);
    sample::session().iter().for_each(|event| chain.emit(event.clone()));
    let loss = Loss { from_seq: 2, to_seq: 4, count: 3, reason: DropReason::QueueFull, run: None };
    chain.routes[1].outputs_mut().losses.push(("unix:/x".to_owned(), loss));
    chain.report_losses(Timestamp::default(), false);
    chain.report_losses(Timestamp::default(), false);
    for route in &chain.routes {
        let line: serde_json::Value =
            serde_json::from_str(route.outputs().text.lines().last().unwrap()).unwrap();
        assert_eq!(line["seq"], sample::session().len() as u64);
        let drop = serde_json::json!({
            "output": "unix:/x", "from_seq": 2, "to_seq": 4, "count": 3, "reason": "queue_full"
        });
        assert_eq!((&line["event"], &line["drop"]), (&"drop".into(), &drop));
    }
}
