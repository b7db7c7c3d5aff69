//! Networks that are allowed and denied: the kernel programs, `read` and an independent reckoning give one answer.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of tests")]

use std::net::IpAddr;

use aya::maps::{Array, LpmTrie};
use ftpmon::kernel::NetworkRules;
use ftpmon_common::{Counter, NetworkFilter, names};
use ftpmon_core::engine::{Network, Networks};
use ftpmon_tests::kernel::frame::{ACK, SYN};
use ftpmon_tests::kernel::talk::{CLIENT, CONTROL, SERVER};
use ftpmon_tests::kernel::{Bench, Frame, Hooked, Settings, Talk};
use proptest::test_runner::{Config, TestRunner};

/// Networks, and whether sessions between two hosts are followed.
struct Case {
    allow: &'static [&'static str],
    deny: &'static [&'static str],
    hosts: &'static [(&'static str, &'static str, bool)],
}

const TABLE: &[Case] = &[
    Case {
        allow: &[],
        deny: &[],
        hosts: &[("10.0.0.1", "192.0.2.1", true), ("fd00::1", "2001:db8::1", true)],
    },
    Case {
        allow: &[],
        deny: &["10.0.0.0/8", "2001:db8::/32"],
        hosts: &[
            ("10.255.255.255", "192.0.2.1", false),
            ("11.0.0.0", "192.0.2.1", true),
            ("9.255.255.255", "192.0.2.1", true),
            ("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "fd00::1", false),
            ("2001:db9::", "fd00::1", true),
        ],
    },
    Case {
        allow: &["192.0.2.0/24", "fd00::/8"],
        deny: &[],
        hosts: &[
            ("192.0.2.9", "198.51.100.1", true),
            ("203.0.113.9", "198.51.100.1", false),
            ("fdff::1", "2001:db8::1", true),
            ("fe00::1", "2001:db8::1", false),
        ],
    },
    // The most specific network of an end counts, and a denied end before an allowed one.
    Case {
        allow: &["10.0.0.0/8", "10.1.2.0/24", "0.0.0.0/0"],
        deny: &["10.1.0.0/16", "10.1.2.3/32"],
        hosts: &[
            ("10.9.9.9", "203.0.113.1", true),
            ("10.1.9.9", "203.0.113.1", false),
            ("10.1.2.9", "203.0.113.1", true),
            ("10.1.2.3", "203.0.113.1", false),
            ("10.1.2.3", "10.1.2.9", false),
            ("198.51.100.1", "203.0.113.1", true),
            ("2001:db8::1", "2001:db8::2", false),
        ],
    },
    // A prefix of IPv6 that holds the mapped addresses is not meant for IPv4.
    Case {
        allow: &[],
        deny: &["::/0"],
        hosts: &[("10.0.0.1", "192.0.2.1", true), ("fd00::1", "2001:db8::1", false)],
    },
    Case {
        allow: &[],
        deny: &["0.0.0.0/0"],
        hosts: &[("10.0.0.1", "192.0.2.1", false), ("fd00::1", "2001:db8::1", true)],
    },
    Case {
        allow: &["2001:db8::5"],
        deny: &["::ffff:192.0.2.0/120"],
        hosts: &[
            ("192.0.2.7", "10.0.0.1", false),
            ("2001:db8::5", "fd00::1", true),
            ("10.0.0.2", "10.0.0.1", false),
        ],
    },
];

fn parsed(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// The programs with the networks that steer them, written as the agent does.
struct Bed {
    bench: Bench,
    rules: NetworkRules,
    port: u16,
}

impl Bed {
    fn new(test: &str) -> Option<Self> {
        let mut bench = Bench::for_test(test, Settings::default())?;
        let trie = LpmTrie::try_from(bench.take_map(names::NETWORKS).unwrap()).unwrap();
        let filter: Array<_, NetworkFilter> =
            Array::try_from(bench.take_map(names::NETWORK_FILTER).unwrap()).unwrap();
        Some(Self { bench, rules: NetworkRules::new(trie, filter), port: 1_024 })
    }

    fn set(&mut self, networks: &Networks) {
        let written = self.rules.write(networks).unwrap();
        self.rules.put_into_force(&written).unwrap();
    }

    /// The programs follow a new connection between two hosts.
    fn follows(&mut self, client: &str, server: &str) -> bool {
        self.port = self.port.checked_add(1).unwrap_or(1_024);
        let before = self.bench.stats().unwrap();
        let hook = if self.port.is_multiple_of(2) { Hooked::Xdp } else { Hooked::TcEgress };
        let syn = Frame::new((client, self.port), (server, 21), SYN, 7, 0);
        self.bench.run(hook, &syn.bytes()).unwrap();
        let after = self.bench.stats().unwrap();
        let grown = |counter| after.value(counter) - before.value(counter);
        let denied = grown(Counter::DeniedConnections);
        assert_eq!(grown(Counter::DeniedPackets), denied);
        assert_eq!(grown(Counter::ControlFrames) + denied, 1);
        assert_eq!(self.bench.records().unwrap().len() as u64 + denied, 1);
        denied == 0
    }
}

#[test]
fn the_kernel_and_user_space_give_the_answers_of_the_table() {
    let Some(mut bed) = Bed::new("networks") else { return };
    for case in TABLE {
        let networks = Networks::new(&parsed(case.allow), &parsed(case.deny));
        bed.set(&networks);
        for (one, other, expected) in case.hosts {
            let what = format!("allow {:?}, deny {:?}: {one} and {other}", case.allow, case.deny);
            for (client, server) in [(one, other), (other, one)] {
                assert_eq!(bed.follows(client, server), *expected, "kernel, {what}");
                let hosts = [client, server].map(|host| host.parse().unwrap());
                assert_eq!(networks.admit(hosts[0], hosts[1]), *expected, "user space, {what}");
            }
        }
    }
}

/// Bits of an address, as text.
fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("4{:032b}", address.to_bits()),
        IpAddr::V6(address) => format!("6{:0128b}", address.to_bits()),
    }
}

/// The answer from the definition: the longest text of bits that a host's begins with.
fn reckoned(networks: &[(IpAddr, u8, bool)], hosts: [IpAddr; 2]) -> bool {
    let rules = hosts.map(|host| {
        let host = bits(host);
        let of_host = networks.iter().filter_map(|(address, length, allowed)| {
            let network = bits(*address).get(..=usize::from(*length))?.to_owned();
            host.starts_with(&network).then_some((network.len(), *allowed))
        });
        of_host.max().map(|(_, allowed)| allowed)
    });
    let only = networks.iter().any(|(.., allowed)| *allowed);
    !rules.contains(&Some(false)) && (!only || rules.contains(&Some(true)))
}

#[test]
fn random_networks_give_what_the_definition_says() {
    let Some(mut bed) = Bed::new("random networks") else { return };
    // Few different bits, so that networks lie within one another and hosts within them.
    let address = || {
        use proptest::prelude::*;
        prop_oneof![
            (0_u32..4, 0_u32..4).prop_map(|(a, b)| IpAddr::from((10 << 24 | a << 22 | b).to_be_bytes())),
            (0_u128..4, 0_u128..4)
                .prop_map(|(a, b)| IpAddr::from((0x2001 << 112 | a << 94 | b).to_be_bytes())),
        ]
    };
    let network = || {
        use proptest::prelude::*;
        (address(), 0_u8..=128, any::<bool>()).prop_map(|(address, length, allowed)| {
            (address, if address.is_ipv4() { length / 4 } else { length }, allowed)
        })
    };
    let networks = proptest::collection::vec(network(), 0..12);
    let hosts = proptest::collection::vec((address(), address()), 8);
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    let bed = std::cell::RefCell::new(&mut bed);
    runner
        .run(&(networks, hosts), |(mut given, hosts)| {
            // One network has one rule.
            let mut seen = std::collections::HashSet::new();
            given.retain(|(address, length, _)| {
                seen.insert(bits(*address).get(..=usize::from(*length)).map(str::to_owned))
            });
            let of = |rule: bool| {
                let those = given.iter().filter(|(.., allowed)| *allowed == rule);
                those
                    .map(|(address, length, _)| format!("{address}/{length}").parse().unwrap())
                    .collect::<Vec<_>>()
            };
            let networks = Networks::new(&of(true), &of(false));
            let mut bed = bed.borrow_mut();
            bed.set(&networks);
            for (one, other) in hosts.into_iter().filter(|(one, other)| one.is_ipv4() == other.is_ipv4()) {
                let expected = reckoned(&given, [one, other]);
                assert_eq!(networks.admit(one, other), expected, "user space: {given:?}: {one} {other}");
                let kernel = bed.follows(&one.to_string(), &other.to_string());
                assert_eq!(kernel, expected, "kernel: {given:?}: {one} {other}");
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_connection_is_asked_about_once() {
    let Some(mut bed) = Bed::new("asked once") else { return };
    let denied = Networks::new(&[], &parsed(&[CLIENT]));
    let value = |bed: &Bed, counter| bed.bench.value(counter).unwrap();

    // What is open goes on, and another connection between the same ends is asked about.
    let mut control = Talk::new(&bed.bench, Hooked::Xdp, CONTROL, [100, 200]);
    control.open();
    let (next, pair) = (control.next, control.key().pair());
    bed.set(&denied);
    let mut control = Talk { next, ..Talk::new(&bed.bench, Hooked::Xdp, CONTROL, [0, 0]) };
    control.tell(0, b"NOOP\r\n");
    control.tell(1, b"200 ok\r\n");
    assert_eq!((value(&bed, Counter::ControlFrames), value(&bed, Counter::DeniedPackets)), (5, 0));
    assert!(bed.bench.is_pair(pair).unwrap(), "its data connections are followed");
    let mut second = Talk::new(&bed.bench, Hooked::Xdp, CONTROL, [90_000, 70_000]);
    second.open();
    second.tell(1, b"220 hello\r\n");
    assert_eq!((value(&bed, Counter::DeniedConnections), value(&bed, Counter::DeniedPackets)), (1, 4));
    assert_eq!(value(&bed, Counter::ControlFrames), 5);

    // Its SYN again, at another vantage point too, is of the same connection; the answer stays when the networks change.
    let syn = Frame::new(CONTROL.0, CONTROL.1, SYN, 90_000, 0).bytes();
    bed.bench.run(Hooked::Xdp, &syn).unwrap();
    bed.set(&Networks::default());
    bed.bench.run(Hooked::TcEgress, &syn).unwrap();
    let line = Frame::new(CONTROL.0, CONTROL.1, ACK, 90_001, 70_012).payload(b"NOOP\r\n").bytes();
    bed.bench.run(Hooked::Xdp, &line).unwrap();
    assert_eq!((value(&bed, Counter::DeniedConnections), value(&bed, Counter::DeniedPackets)), (1, 7));
    let mut third = Talk::new(&bed.bench, Hooked::Xdp, CONTROL, [500_000, 600_000]);
    third.open();
    assert_eq!((value(&bed, Counter::ControlFrames), value(&bed, Counter::DeniedConnections)), (8, 1));
}

#[test]
fn nothing_of_a_connection_that_is_left_out_is_known() {
    let Some(mut bed) = Bed::new("left out") else { return };
    bed.set(&Networks::new(&parsed(&["203.0.113.0/24"]), &[]));
    let mut control = Talk::new(&bed.bench, Hooked::TcEgress, CONTROL, [100, 200]);
    control.open();
    control.tell(1, b"220 hello\r\n");
    control.tell(0, b"USER mary\r\n");
    control.tell(1, b"331 password\r\n");
    let pair = control.key().pair();
    assert!(!bed.bench.is_pair(pair).unwrap());
    // A connection between the same hosts that might be a data connection, and a fragment of the server's.
    bed.bench
        .run(Hooked::TcEgress, &Frame::new((CLIENT, 50_000), (SERVER, 50_001), SYN, 1, 0).bytes())
        .unwrap();
    let fragment =
        Frame { fragment: 0x2000, ..Frame::new((SERVER, 21), (CLIENT, 57_658), ACK, 9, 9).filled(64) };
    bed.bench.run(Hooked::TcEgress, &fragment.bytes()).unwrap();
    assert_eq!(bed.bench.records().unwrap(), []);
    let counted = bed.bench.counted().unwrap();
    let expected =
        [(Counter::FragmentFirst, 1), (Counter::DeniedConnections, 1), (Counter::DeniedPackets, 6)];
    assert_eq!(counted, expected);
}

#[test]
fn a_fragment_of_a_host_that_is_left_out_stays_in_the_kernel() {
    let Some(mut bed) = Bed::new("fragments left out") else { return };
    // Another host made the server known.
    let mut control = Talk::new(&bed.bench, Hooked::Xdp, (("198.51.100.9", 4_000), (SERVER, 21)), [1, 1]);
    control.open();
    bed.bench.records().unwrap();
    let fragment =
        Frame { fragment: 0x2000, ..Frame::new((CLIENT, 57_658), (SERVER, 21), ACK, 9, 9).filled(64) };
    bed.bench.run(Hooked::Xdp, &fragment.bytes()).unwrap();
    assert_eq!(bed.bench.records().unwrap().len(), 1);
    bed.set(&Networks::new(&[], &parsed(&[CLIENT])));
    bed.bench.run(Hooked::Xdp, &fragment.bytes()).unwrap();
    assert_eq!(bed.bench.records().unwrap(), []);
    assert_eq!(bed.bench.value(Counter::DeniedPackets).unwrap(), 1);
}

#[test]
fn networks_are_replaced_as_wholes_or_not_at_all() {
    let Some(mut bed) = Bed::new("networks as wholes") else { return };
    let many = |first: u32, count: usize| {
        let network = |number: u32| format!("{}/32", IpAddr::from((first + number).to_be_bytes()));
        Networks::new(
            &[],
            &(0..count as u32).map(|number| network(number).parse().unwrap()).collect::<Vec<_>>(),
        )
    };
    // As many as there may be, again and again: there is room for two sets, and for no third one.
    for turn in 0..3 {
        bed.set(&many((10 << 24) + turn, Networks::MAX));
        assert!(!bed.follows("10.0.0.100", SERVER) && bed.follows("10.1.0.0", SERVER));
    }
    let refused = bed.rules.write(&many(11 << 24, 2 * Networks::MAX)).unwrap_err();
    assert!(refused.contains("--deny-net"), "{refused}");
    assert!(!bed.follows("10.0.0.100", SERVER) && bed.follows("11.0.0.1", SERVER));
    bed.set(&many(11 << 24, Networks::MAX));
    assert!(bed.follows("10.0.0.100", SERVER) && !bed.follows("11.0.0.1", SERVER));
}
