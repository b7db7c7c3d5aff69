//! One connection whose packets two CPUs handle at the same time.
#![allow(clippy::panic, clippy::unwrap_used, reason = "the helpers of tests")]

use std::sync::Barrier;
use std::thread;

use ftpmon_common::{Expected, FlowHalf, FlowState};
use ftpmon_tests::kernel::bench::boot_seconds;
use ftpmon_tests::kernel::frame::{ACK, RST, SYN};
use ftpmon_tests::kernel::talk::{CLIENT, DATA, SERVER, greet, reports};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;

/// Packets of each CPU.
const PACKETS: u32 = 200_000;
const LEN: usize = 700;
const HOOKS: [Hooked; 2] = [Hooked::Xdp, Hooked::TcIngress];

/// Keeps this thread on one of two CPUs, where there are two.
fn stay_on(cpu: usize) {
    let mut set = CpuSet::new();
    set.set(cpu % thread::available_parallelism().unwrap().get()).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
}

/// Runs a frame through a program again and again, on both CPUs at once.
fn on_two_cpus(bench: &Bench, hook: Hooked, frame: &Frame) {
    let bytes = frame.bytes();
    thread::scope(|scope| {
        for cpu in [0, 1] {
            let bytes = &bytes;
            scope.spawn(move || {
                stay_on(cpu);
                bench.time(hook, bytes, PACKETS).unwrap();
            });
        }
    });
}

/// The listener's half.
fn listener(state: &FlowState) -> FlowHalf {
    let [low, high] = state.halves;
    if state.flags & FlowState::INITIATOR_HIGH != 0 { low } else { high }
}

#[test]
fn bytes_are_counted_exactly_by_two_cpus() {
    let settings = Settings { programs: &HOOKS, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("two CPUs", settings) else { return };
    for hook in HOOKS {
        bench.forget().unwrap();
        greet(&mut bench);
        let mut data = Talk::new(&bench, hook, DATA, [7_000, 9_000]);
        data.open();
        on_two_cpus(&bench, hook, &data.at(1, ACK, 9_001, LEN));
        let half = listener(&data.account());
        assert_eq!(half.highest, LEN as u64);
        assert_eq!(half.payload_bytes, 2 * u64::from(PACKETS) * LEN as u64);
    }
}

/// While one CPU counts, the other ends the connection and opens it again: the entry is removed and reused under the first one's hands.
#[test]
fn an_account_that_another_cpu_ends_stays_sound() {
    const ROUNDS: u32 = 2_000;
    let settings = Settings { programs: &HOOKS, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("an end on another CPU", settings) else { return };
    for hook in HOOKS {
        bench.forget().unwrap();
        greet(&mut bench);
        let frame = Talk::new(&bench, hook, DATA, [7_001, 9_001]).at(1, ACK, 9_001, LEN);
        thread::scope(|scope| {
            let (bench, bytes) = (&bench, frame.bytes());
            scope.spawn(move || {
                stay_on(0);
                bench.time(hook, &bytes, PACKETS).unwrap();
            });
            scope.spawn(move || {
                stay_on(1);
                for round in 0..ROUNDS {
                    let mut data = Talk::new(bench, hook, DATA, [7_000, 9_000]);
                    data.open();
                    match round % 3 {
                        0 => data.say(1, RST, 0),
                        _ => data.close(),
                    }
                }
            });
        });
        for (_, event) in reports(&mut bench) {
            let half = listener(&event.state);
            assert!(half.highest <= LEN as u64, "{half:?}");
            assert!(half.payload_bytes <= u64::from(PACKETS) * LEN as u64, "{half:?}");
        }
        // The table is whole: another connection between the same ends is counted exactly.
        let mut data = Talk::new(&bench, hook, DATA, [1_000_000_000, 2_000_000_000]);
        data.say(0, RST, 0);
        data.open();
        data.say(1, ACK, LEN);
        let half = listener(&data.account());
        assert_eq!((half.highest, half.isn), (LEN as u64, 2_000_000_000));
    }
}

/// Two connections to an announced endpoint, whose SYNs two CPUs have at a time: one gets the place that the announcement gives.
#[test]
fn an_announcement_is_taken_by_one_of_two_cpus() {
    const ROUNDS: u16 = 2_000;
    let settings = Settings { programs: &HOOKS, ..Settings::default() };
    let Some(mut bench) = Bench::for_test("an announcement on two CPUs", settings) else { return };
    let expires_s = boot_seconds().unwrap() + 3_600;
    for round in 0..ROUNDS {
        bench.forget().unwrap();
        let listener = (SERVER, 20_000 + round);
        let syns = [40_000, 50_000].map(|port| Frame::new((CLIENT, port), listener, SYN, 1, 0));
        let announced = Expected::new(syns[0].source().address, false, expires_s, false);
        bench.expect(syns[0].destination(), announced).unwrap();
        let together = Barrier::new(2);
        thread::scope(|scope| {
            let (bench, together) = (&bench, &together);
            for (cpu, syn) in syns.iter().enumerate() {
                scope.spawn(move || {
                    stay_on(cpu);
                    together.wait();
                    bench.run(Hooked::Xdp, &syn.bytes()).unwrap();
                });
            }
        });
        let shares = syns.each_ref().map(|syn| {
            let flow = bench.flow(syn.key().0).unwrap().unwrap();
            flow.flags & FlowState::SHARED != 0
        });
        assert_eq!(shares.iter().filter(|shared| !**shared).count(), 1, "round {round}");
    }
}
