//! The watched interfaces: the hook that each would get and why, and what keeps traffic or tags from being seen there.

use super::report::Finding;
use crate::config::{Config, FilesPolicy};
use crate::kernel::{KernelVersion, ObjectOptions, SurveyOptions, SurveyedInterface, survey};
use ftpmon_core::engine::Limits;
use ftpmon_event::Hook;

/// Largest frames that drivers without multi-buffer XDP take, about a page.
const ONE_PAGE_MTU: u32 = 3_498;

/// Examines all interfaces that `config` asks for; without rights their hooks are told without having been tried.
pub(super) async fn examine(config: &Config, kernel: Option<KernelVersion>) -> Vec<Finding> {
    let ring = |bytes: u64| u32::try_from(bytes.next_power_of_two()).unwrap_or(u32::MAX);
    let options = SurveyOptions {
        patterns: config.live.interfaces.clone(),
        hook: config.live.hook,
        kernel,
        object: ObjectOptions {
            ring_bytes: ring(config.live.ring_bytes),
            payload_bytes: (config.files.policy != FilesPolicy::Off)
                .then(|| ring(config.live.files_ring_bytes)),
            log: None,
            announcements: config
                .live_engine()
                .map_or_else(|_| Limits::default(), |engine| engine.limits)
                .announced_endpoints,
            open_sockets: false,
        },
    };
    match survey(options).await {
        Ok(interfaces) if interfaces.is_empty() => vec![Finding::warning(
            "interfaces",
            "no interface matches --iface: ftpmon would wait for one",
            "name one that is there (ip link)",
        )],
        Ok(interfaces) => {
            interfaces.iter().flat_map(|interface| findings(interface, config.live.share)).collect()
        }
        Err(error) => vec![Finding::from_error("interfaces", &error.to_string())],
    }
}

fn findings(interface: &SurveyedInterface, share: bool) -> Vec<Finding> {
    let name = &interface.name;
    let subject = format!("interface {name}");
    let mut findings = Vec::new();
    let hook = match &interface.hook {
        Ok((hook, reason)) => {
            findings.push(Finding::ok(&*subject, format!("{hook} in, {} out: {reason}", interface.egress)));
            Some(*hook)
        }
        Err(error) => {
            findings.push(Finding::from_error(&*subject, error));
            None
        }
    };
    let xdp = matches!(hook, Some(Hook::Native | Hook::Generic));
    if let Some((id, program)) = &interface.xdp_program {
        findings
            .push(Finding::ok(&*subject, format!("XDP program {id} ({program}) has its slot, and keeps it")));
    }
    if let Some(agent) = interface.agents.first()
        && !share
    {
        let found = format!("ftpmon watches it already (process {agent})");
        findings.push(Finding::fault(
            &*subject,
            found,
            "end that one, or give --share, and both report everything",
        ));
    }
    if !interface.is_up {
        findings.push(Finding::warning(&*subject, "it is down", format!("ip link set {name} up")));
    }
    if hook == Some(Hook::Native) {
        if let Some(offload) = interface.receive_offload {
            findings.push(Finding::warning(
                &*subject,
                format!("native XDP costs its {offload}: downloads become slower"),
                "use --hook auto",
            ));
        }
        if interface.mtu > ONE_PAGE_MTU {
            findings.push(Finding::warning(
                &*subject,
                format!("MTU {}: a driver without XDP for several buffers refuses it", interface.mtu),
                "with --hook auto TC is used then",
            ));
        }
    }
    if xdp && interface.takes_vlan_tags {
        findings.push(Finding::warning(
            &*subject,
            "it takes VLAN tags off before XDP sees a frame: events of tagged traffic have no vlan",
            format!("ethtool -K {name} rxvlan off, or --hook tcx"),
        ));
    }
    findings.push(Finding::ok(
        &*subject,
        format!("MTU {}; offloads: {}", interface.mtu, joined(&interface.offloads)),
    ));
    findings
}

fn joined(offloads: &[&str]) -> String {
    if offloads.is_empty() { "none".to_owned() } else { offloads.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::super::report::Verdict;
    use super::*;

    fn interface() -> SurveyedInterface {
        SurveyedInterface {
            name: "eth0".to_owned(),
            hook: Ok((Hook::Native, "pci network card".to_owned())),
            egress: Hook::Tcx,
            xdp_program: None,
            agents: Vec::new(),
            is_up: true,
            mtu: 1500,
            receive_offload: None,
            takes_vlan_tags: false,
            offloads: vec!["GRO"],
        }
    }

    fn bad(interface: &SurveyedInterface, share: bool) -> Vec<(Verdict, String)> {
        let findings = findings(interface, share);
        let parts = findings.iter().map(Finding::parts).filter(|(verdict, ..)| *verdict != Verdict::Ok);
        parts.map(|(verdict, found, way_out)| (verdict, format!("{found} -> {way_out}"))).collect()
    }

    #[test]
    fn each_trap_is_told_with_its_remedy() {
        assert_eq!(bad(&interface(), false), []);
        type Trap = (fn(&mut SurveyedInterface), Verdict, &'static str, &'static str);
        let traps: [Trap; 6] = [
            (|i| i.is_up = false, Verdict::Warning, "down", "ip link set eth0 up"),
            (|i| i.mtu = 9000, Verdict::Warning, "MTU 9000", "--hook auto"),
            (|i| i.receive_offload = Some("LRO"), Verdict::Warning, "LRO", "--hook auto"),
            (|i| i.takes_vlan_tags = true, Verdict::Warning, "VLAN", "rxvlan off"),
            (|i| i.agents = vec![77], Verdict::Fault, "process 77", "--share"),
            (
                |i| i.hook = Err("cannot attach; use --hook tcx".to_owned()),
                Verdict::Fault,
                "cannot attach",
                "tcx",
            ),
        ];
        for (set, verdict, found, way_out) in traps {
            let mut trapped = interface();
            set(&mut trapped);
            let bad = bad(&trapped, false);
            let [(told, text)] = &bad[..] else { panic!("{bad:?}") };
            assert!(*told == verdict && text.contains(found) && text.contains(way_out), "{bad:?}");
        }
    }

    #[test]
    fn tc_sees_tags_and_sharing_is_no_fault() {
        let tags = SurveyedInterface {
            hook: Ok((Hook::Tcx, "software".to_owned())),
            takes_vlan_tags: true,
            agents: vec![77],
            ..interface()
        };
        assert_eq!(bad(&tags, true), []);
    }
}
