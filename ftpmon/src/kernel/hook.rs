//! The choice of a hook for an interface, and its reason.
//!
//! A pure function of what is known of an interface. Its costs are measured: native XDP takes the offloads
//! away from veth and its like and leaves a third of their throughput, generic XDP copies every super-packet first, TC
//! costs next to nothing; on a real network card native XDP is the cheapest place there is.

use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use super::version::KernelVersion;

/// `--hook`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HookChoice {
    /// The cheapest place for each interface
    Auto,
    /// XDP in the network driver
    Native,
    /// XDP in the kernel's receive path, for any interface
    Generic,
    /// TCX (clsact before kernel 6.6)
    Tcx,
}

/// The hook on ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IngressHook {
    /// XDP in the driver.
    Native,
    /// XDP in the receive path.
    Generic,
    /// TCX, or clsact before it.
    Tc,
}

/// The header that frames of an interface begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkLayer {
    /// With an Ethernet header.
    Ethernet,
    /// With the IP header.
    RawIp,
}

/// The properties of an interface that decide its hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFacts {
    /// The interface's name.
    pub name: String,
    /// The kernel's number for it.
    pub ifindex: u32,
    /// Its kind (`veth`, `bridge`, `tun`, ...), where it is a virtual device that has one.
    pub kind: Option<String>,
    /// The bus on which its hardware sits (`pci`, `virtio`, ...); none for a device of software alone.
    pub bus: Option<String>,
    /// The header of its frames; none for a device whose frames ftpmon cannot read.
    pub layer: Option<LinkLayer>,
    /// The id of an XDP program that sits there.
    pub xdp_program: Option<u32>,
    /// Receive offload that the driver would have to give up for native XDP: `LRO`, `GRO_HW`.
    pub receive_offload: Option<&'static str>,
    /// Offloads that are on, by their short names.
    pub offloads: Vec<&'static str>,
}

/// A hook worth trying, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HookOption {
    /// The hook.
    pub hook: IngressHook,
    /// The reason for it.
    pub reason: String,
}

/// The hooks worth trying on an interface, best first.
pub(super) type HookOptions = SmallVec<[HookOption; 3]>;

/// A forced hook that the kernel cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("kernel {0} has no XDP that sees whole frames (5.18 has)")]
pub(super) struct NoXdp(KernelVersion);

/// The hooks worth trying on an interface, best first.
///
/// # Errors
/// A forced XDP hook on a kernel that cannot run the XDP programs.
pub(super) fn hook_options(
    choice: HookChoice,
    link: &LinkFacts,
    kernel: KernelVersion,
) -> Result<HookOptions, NoXdp> {
    let forced = |hook| HookOption { hook, reason: "asked for with --hook".to_owned() };
    match choice {
        HookChoice::Tcx => Ok(smallvec![forced(IngressHook::Tc)]),
        HookChoice::Native | HookChoice::Generic if !kernel.has_xdp_frags() => Err(NoXdp(kernel)),
        HookChoice::Native => Ok(smallvec![forced(IngressHook::Native)]),
        HookChoice::Generic => Ok(smallvec![forced(IngressHook::Generic)]),
        HookChoice::Auto => Ok(automatic(link, kernel)),
    }
}

fn automatic(link: &LinkFacts, kernel: KernelVersion) -> HookOptions {
    let tc = |reason: String| HookOption { hook: IngressHook::Tc, reason };
    if !kernel.has_xdp_frags() {
        return smallvec![tc(format!("kernel {kernel} has no XDP that sees whole frames (5.18 has)"))];
    }
    if let Some(program) = link.xdp_program {
        return smallvec![tc(format!("the XDP slot is taken by program {program}"))];
    }
    let generic =
        HookOption { hook: IngressHook::Generic, reason: "no cheaper hook is to be had".to_owned() };
    match (&link.bus, link.receive_offload) {
        (Some(bus), None) => smallvec![
            HookOption {
                hook: IngressHook::Native,
                reason: format!("{bus} network card: cheapest in its driver")
            },
            tc(format!("{bus} network card whose driver takes no native XDP")),
            generic,
        ],
        (Some(bus), Some(offload)) => {
            smallvec![tc(format!("{bus} network card: native XDP would cost its {offload}")), generic]
        }
        (None, _) => {
            let kind = link.kind.as_deref().unwrap_or("software");
            smallvec![tc(format!("{kind} device: XDP would cost its offloads or a copy")), generic]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: KernelVersion = KernelVersion { major: 6, minor: 18 };
    const OLD: KernelVersion = KernelVersion { major: 5, minor: 15 };

    fn link() -> LinkFacts {
        LinkFacts {
            name: "x0".to_owned(),
            ifindex: 7,
            kind: None,
            bus: None,
            layer: Some(LinkLayer::Ethernet),
            xdp_program: None,
            receive_offload: None,
            offloads: Vec::new(),
        }
    }

    fn hooks(choice: HookChoice, link: &LinkFacts, kernel: KernelVersion) -> Vec<IngressHook> {
        hook_options(choice, link, kernel).unwrap().iter().map(|option| option.hook).collect()
    }

    #[test]
    fn a_network_card_gets_native_xdp_and_the_others_as_a_way_out() {
        let card = LinkFacts { bus: Some("pci".to_owned()), ..link() };
        assert_eq!(
            hooks(HookChoice::Auto, &card, NEW),
            [IngressHook::Native, IngressHook::Tc, IngressHook::Generic]
        );
    }

    #[test]
    fn a_card_that_would_lose_an_offload_keeps_it() {
        let card = LinkFacts { bus: Some("virtio".to_owned()), receive_offload: Some("GRO_HW"), ..link() };
        let chosen = hook_options(HookChoice::Auto, &card, NEW).unwrap();
        assert_eq!(chosen[0].hook, IngressHook::Tc);
        assert!(chosen[0].reason.contains("virtio") && chosen[0].reason.contains("GRO_HW"));
    }

    #[test]
    fn devices_of_software_get_tc() {
        for kind in ["veth", "bridge", "tun", "wireguard"] {
            let device = LinkFacts { kind: Some(kind.to_owned()), ..link() };
            let chosen = hook_options(HookChoice::Auto, &device, NEW).unwrap();
            assert_eq!(chosen[0].hook, IngressHook::Tc);
            assert!(chosen[0].reason.contains(kind));
            assert_eq!(chosen[1].hook, IngressHook::Generic);
        }
    }

    #[test]
    fn a_taken_slot_leaves_tc_alone() {
        let card = LinkFacts { bus: Some("pci".to_owned()), xdp_program: Some(42), ..link() };
        let chosen = hook_options(HookChoice::Auto, &card, NEW).unwrap();
        assert_eq!(chosen.len(), 1);
        assert!(chosen[0].hook == IngressHook::Tc && chosen[0].reason.contains("42"));
    }

    #[test]
    fn a_kernel_without_frags_gets_tc_alone() {
        let card = LinkFacts { bus: Some("pci".to_owned()), ..link() };
        assert_eq!(hooks(HookChoice::Auto, &card, OLD), [IngressHook::Tc]);
        assert_eq!(hooks(HookChoice::Tcx, &card, OLD), [IngressHook::Tc]);
        assert_eq!(hook_options(HookChoice::Native, &card, OLD), Err(NoXdp(OLD)));
        assert_eq!(hook_options(HookChoice::Generic, &card, OLD), Err(NoXdp(OLD)));
    }

    #[test]
    fn a_forced_hook_has_no_way_out() {
        let veth = LinkFacts { kind: Some("veth".to_owned()), xdp_program: Some(1), ..link() };
        assert_eq!(hooks(HookChoice::Native, &veth, NEW), [IngressHook::Native]);
        assert_eq!(hooks(HookChoice::Generic, &veth, NEW), [IngressHook::Generic]);
        assert_eq!(hooks(HookChoice::Tcx, &veth, NEW), [IngressHook::Tc]);
    }
}
