//! The kernel's account of a data connection in the core's terms.

use ftpmon_common::{Direction, FlowEvent, FlowHalf, FlowKey, FlowState, ReportReason};

use super::clock::Clock;
use ftpmon_core::account::{DirectionAccount, FlowRecord, FlowReport, Side};
use ftpmon_event::addr::Endpoint;
use ftpmon_event::link::{InterfaceId, VlanTags};
use ftpmon_event::time::Timestamp;

/// The account that a ring record holds.
pub(super) fn flow_record(event: &FlowEvent, reason: ReportReason, clock: &Clock) -> FlowRecord {
    let report = match reason {
        ReportReason::Open => FlowReport::Open,
        ReportReason::Progress => FlowReport::Progress,
        ReportReason::Close | ReportReason::Reused => FlowReport::Close,
    };
    account(&event.key, &event.state, report, clock.utc(event.header.at_ns), clock)
}

/// An account given at `at`.
pub(super) fn account(
    key: &FlowKey,
    state: &FlowState,
    report: FlowReport,
    at: Timestamp,
    clock: &Clock,
) -> FlowRecord {
    let has = |flag| state.flags & flag != 0;
    let from_initiator =
        if has(FlowState::INITIATOR_HIGH) { Direction::HighToLow } else { Direction::LowToHigh };
    let half = |direction: Direction| state.halves.get(direction.index()).copied().unwrap_or_default();
    let moment = |boot_ns| (boot_ns != 0).then(|| clock.utc(boot_ns));
    let (initiator, listener) = (half(from_initiator), half(from_initiator.reverse()));
    let closed_by = has(FlowState::CLOSING).then(|| {
        if has(FlowState::CLOSED_BY_HIGH) == has(FlowState::INITIATOR_HIGH) {
            Side::Initiator
        } else {
            Side::Listener
        }
    });
    let mut vlan = VlanTags::default();
    if has(FlowState::VLAN) {
        vlan.push(state.vlan_outer);
    }
    if has(FlowState::VLAN_INNER) {
        vlan.push(state.vlan_inner);
    }
    let first_owner = if initiator.owner_hook != 0 { initiator } else { listener };
    FlowRecord {
        at,
        report,
        initiator: endpoint(key.sender(from_initiator)),
        listener: endpoint(key.sender(from_initiator.reverse())),
        incarnation: state.first_ns,
        first: clock.utc(state.first_ns),
        last: clock.utc(state.last_ns),
        syn: moment(state.syn_ns),
        syn_ack: moment(state.syn_ack_ns),
        ack: moment(state.ack_ns),
        from_initiator: direction(&initiator),
        from_listener: direction(&listener),
        closed_by,
        interface: InterfaceId(first_owner.owner_ifindex),
        vlan,
    }
}

fn endpoint(end: ftpmon_common::Endpoint) -> Endpoint {
    Endpoint::new(end.address.into(), end.port as u16)
}

fn direction(half: &FlowHalf) -> DirectionAccount {
    let has = |flag| half.flags & flag != 0;
    let bytes = if has(FlowHalf::FIN) { half.fin.max(half.highest) } else { half.highest };
    DirectionAccount {
        bytes,
        // What FIN says was sent and nothing ever carried is lost as well.
        gap_bytes: bytes.saturating_sub(half.payload_bytes),
        retransmitted_bytes: half.payload_bytes.saturating_sub(bytes),
        packets: half.packets,
        fin: has(FlowHalf::FIN),
        rst: has(FlowHalf::RST),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use ftpmon_common::Address;

    use super::*;

    fn event(initiator_last_octet: u8) -> FlowEvent {
        let client: IpAddr = Ipv4Addr::new(10, 0, 0, initiator_last_octet).into();
        let server: IpAddr = Ipv4Addr::new(10, 0, 0, 5).into();
        let (key, from_client) = FlowKey::new(Address::from(client), 40_000, Address::from(server), 50_000);
        let high = from_client == Direction::HighToLow;
        let mut state =
            FlowState { first_ns: 10, last_ns: 90, syn_ns: 10, syn_ack_ns: 20, ..FlowState::default() };
        state.flags = FlowState::CLOSING | FlowState::VLAN;
        state.flags |= if high { FlowState::INITIATOR_HIGH } else { FlowState::CLOSED_BY_HIGH };
        state.vlan_outer = 0x2064;
        state.halves[from_client.index()] = FlowHalf {
            highest: 100,
            fin: 120,
            payload_bytes: 100,
            flags: FlowHalf::FIN,
            owner_ifindex: 4,
            owner_hook: 1,
            ..FlowHalf::default()
        };
        state.halves[from_client.reverse().index()] =
            FlowHalf { highest: 7_000, payload_bytes: 6_800, ..FlowHalf::default() };
        FlowEvent { key, state, ..FlowEvent::default() }
    }

    #[test]
    fn ends_are_told_by_who_opened_whatever_the_keys_order() {
        for octet in [1, 9] {
            let record = flow_record(&event(octet), ReportReason::Close, &Clock::start());
            assert_eq!(record.initiator.to_string(), format!("10.0.0.{octet}:40000"));
            assert_eq!(record.listener.to_string(), "10.0.0.5:50000");
            assert_eq!(record.closed_by, Some(Side::Listener));
            assert_eq!(record.from_initiator.bytes, 120);
            assert_eq!(record.from_listener.bytes, 7_000);
            assert_eq!((record.interface, record.vlan.as_slice()), (InterfaceId(4), &[0x64][..]));
        }
    }

    #[test]
    fn times_that_were_not_seen_are_left_out() {
        let record = flow_record(&event(1), ReportReason::Open, &Clock::start());
        assert!(record.syn.is_some() && record.syn_ack.is_some() && record.ack.is_none());
        assert_eq!(record.report, FlowReport::Open);
        assert_eq!(record.last.nanos_since(record.first), 80);
    }

    #[test]
    fn bytes_that_nothing_carried_are_gaps() {
        let record = flow_record(&event(1), ReportReason::Reused, &Clock::start());
        assert_eq!((record.from_initiator.gap_bytes, record.from_listener.gap_bytes), (20, 200));
        assert_eq!(record.from_listener.retransmitted_bytes, 0);
        assert_eq!(record.report, FlowReport::Close);
    }
}
