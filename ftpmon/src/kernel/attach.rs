//! Attaching the programs to one interface, by the first hook that takes them.

use aya::programs::links::LinkOrder;
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, qdisc_add_clsact, qdisc_detach_program,
};
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, TcAttachType, XdpMode};
use ftpmon_common::names;

use super::error::{KernelError, errno, root_cause};
use super::hook::{Candidate, HookChoice, IngressHook, LinkFacts, LinkLayer, candidates};
use super::object::Object;
use super::version::KernelVersion;
use ftpmon_event::{Hook, InterfaceFacts};

/// The programs on one interface; dropping it takes them off.
pub struct Attached {
    /// What `sensor_start` says of it.
    pub facts: InterfaceFacts,
    _ingress: IngressLink,
    _egress: SchedClassifierLink,
}

#[expect(dead_code, reason = "held for what dropping them does")]
enum IngressLink {
    Xdp(XdpLink),
    Tc(SchedClassifierLink),
}

/// Attaches the programs to both directions of `link`.
///
/// # Errors
/// Where no hook that `choice` allows is to be had. Nothing stays attached then.
pub(super) fn attach(
    object: &mut Object,
    link: &LinkFacts,
    choice: HookChoice,
    kernel: KernelVersion,
) -> Result<Attached, KernelError> {
    let refusal = |cause: String, way_out: &str| KernelError::Attach {
        interface: link.name.clone(),
        cause,
        way_out: way_out.to_owned(),
    };
    let Some(layer) = link.layer else {
        return Err(refusal(
            "its frames begin with neither an Ethernet nor an IP header".to_owned(),
            "watch another interface",
        ));
    };
    let candidates =
        candidates(choice, link, kernel).map_err(|e| refusal(e.to_string(), "use --hook tcx or auto"))?;
    let egress = attach_tc(object, link, layer, TcAttachType::Egress, kernel)?
        .map_err(|e| refusal(format!("{} on egress: {}", tc_hook(kernel), root_cause(&e)), way_out_of(&e)))?;

    let mut refusals: Vec<String> = Vec::new();
    let mut way_out = "watch another interface";
    for Candidate { hook, reason } in candidates {
        match attach_ingress(object, link, layer, hook, kernel)? {
            Ok(ingress) => {
                let reason =
                    if refusals.is_empty() { reason } else { format!("{reason} ({})", refusals.join("; ")) };
                let facts = InterfaceFacts {
                    name: link.name.clone(),
                    ifindex: link.ifindex,
                    ingress: hook_of(hook, kernel),
                    egress: tc_hook(kernel),
                    reason,
                };
                return Ok(Attached { facts, _ingress: ingress, _egress: egress });
            }
            Err(e) => {
                refusals.push(format!("{} was refused: {}", hook_of(hook, kernel), said(&e, link)));
                way_out = way_out_of(&e);
            }
        }
    }
    Err(refusal(refusals.join("; "), way_out))
}

fn attach_ingress(
    object: &mut Object,
    link: &LinkFacts,
    layer: LinkLayer,
    hook: IngressHook,
    kernel: KernelVersion,
) -> Result<Result<IngressLink, ProgramError>, KernelError> {
    let mode = match hook {
        IngressHook::Native => XdpMode::Driver,
        IngressHook::Generic => XdpMode::Skb,
        IngressHook::Tc => {
            let attached = attach_tc(object, link, layer, TcAttachType::Ingress, kernel)?;
            return Ok(attached.map(IngressLink::Tc));
        }
    };
    let program = object.xdp(match layer {
        LinkLayer::Ethernet => names::XDP,
        LinkLayer::RawIp => names::XDP_RAW,
    })?;
    let attached = program.attach_to_if_index(link.ifindex, mode).and_then(|id| program.take_link(id));
    Ok(attached.map(IngressLink::Xdp))
}

fn attach_tc(
    object: &mut Object,
    link: &LinkFacts,
    layer: LinkLayer,
    direction: TcAttachType,
    kernel: KernelVersion,
) -> Result<Result<SchedClassifierLink, ProgramError>, KernelError> {
    let name = match (direction, layer) {
        (TcAttachType::Egress, LinkLayer::Ethernet) => names::TC_EGRESS,
        (TcAttachType::Egress, LinkLayer::RawIp) => names::TC_EGRESS_RAW,
        (_, LinkLayer::Ethernet) => names::TC_INGRESS,
        (_, LinkLayer::RawIp) => names::TC_INGRESS_RAW,
    };
    let program = object.classifier(name)?;
    let options = if kernel.has_tcx() {
        // First, so that no other program's verdict hides a packet.
        TcAttachOptions::TcxOrder(LinkOrder::first())
    } else {
        // Fails where the qdisc is there already, which is as good.
        let _ = qdisc_add_clsact(&link.name);
        // A filter does not end with the agent that crashed: one left behind would feed a ring that nobody reads.
        let _ = qdisc_detach_program(&link.name, direction, name);
        TcAttachOptions::Netlink(NlOptions::default())
    };
    let attached = program.attach_with_options(&link.name, direction, options);
    Ok(attached.and_then(|id| program.take_link(id)))
}

fn hook_of(hook: IngressHook, kernel: KernelVersion) -> Hook {
    match hook {
        IngressHook::Native => Hook::Native,
        IngressHook::Generic => Hook::Generic,
        IngressHook::Tc => tc_hook(kernel),
    }
}

fn tc_hook(kernel: KernelVersion) -> Hook {
    if kernel.has_tcx() { Hook::Tcx } else { Hook::Clsact }
}

/// The slot is taken: by a program in the same mode, or in the other one.
fn is_taken(error: &ProgramError) -> bool {
    matches!(errno(error), Some(libc::EBUSY | libc::EEXIST))
}

fn said(error: &ProgramError, link: &LinkFacts) -> String {
    match (is_taken(error), link.xdp_program) {
        (true, Some(program)) => format!("the XDP slot is taken by program {program}"),
        (true, None) => "the XDP slot is taken by another program".to_owned(),
        (false, _) => root_cause(error),
    }
}

fn way_out_of(error: &ProgramError) -> &'static str {
    if is_taken(error) {
        "end the other program (`bpftool net` shows it), or use --hook auto or tcx"
    } else {
        "use --hook auto"
    }
}
