//! Attaching the programs to one interface, at the first hook that takes them.

use aya::programs::links::{FdLink, LinkOrder};
use aya::programs::tc::{SchedClassifierLink, TcAttachOptions};
use aya::programs::xdp::XdpLink;
use aya::programs::{ProgramError, TcAttachType, XdpMode};
use ftpmon_common::names;

use super::cause::{errno, root_cause};
use super::clsact::ClsactOwner;
use super::error::KernelError;
use super::hook::{HookChoice, HookOption, IngressHook, LinkFacts, LinkLayer, hook_options};
use super::object::Object;
use super::pins::Pins;
use super::version::KernelVersion;
use ftpmon_event::{Hook, InterfaceFacts};

/// The programs on one interface; dropping it detaches them, where they are not pinned.
pub struct Attached {
    /// The interface as `sensor_start` reports it.
    pub facts: InterfaceFacts,
    _ingress: IngressLink,
    _egress: SchedClassifierLink,
}

#[expect(dead_code, reason = "held for what dropping them does")]
enum IngressLink {
    Xdp(XdpLink),
    Tc(SchedClassifierLink),
}

/// The kernel refused a program at a hook.
enum Refusal {
    /// It did not load.
    Load(KernelError),
    /// It loaded and could not be attached.
    Attach(ProgramError),
}

impl From<ProgramError> for Refusal {
    fn from(error: ProgramError) -> Self {
        Self::Attach(error)
    }
}

impl From<KernelError> for Refusal {
    fn from(error: KernelError) -> Self {
        Self::Load(error)
    }
}

impl Refusal {
    /// The cause, for a reader who knows which hook was tried.
    fn cause(&self, link: &LinkFacts) -> String {
        match self {
            Self::Load(error) => error.to_string(),
            Self::Attach(error) => match (is_taken(error), link.xdp_program) {
                (true, Some(program)) => format!("the XDP slot is taken by program {program}"),
                (true, None) => "the XDP slot is taken by another program".to_owned(),
                (false, _) => root_cause(error),
            },
        }
    }

    fn way_out(&self) -> &'static str {
        match self {
            Self::Attach(error) if is_taken(error) => {
                "end the other program (`bpftool net` shows it), or use --hook auto or tcx"
            }
            Self::Attach(_) | Self::Load(_) => "use --hook auto",
        }
    }
}

/// Attaches the programs to both directions of `link`.
///
/// # Errors
/// When none of the hooks that `choice` allows takes the programs. Nothing stays attached then.
pub(super) fn attach(
    object: &mut Object,
    link: &LinkFacts,
    choice: HookChoice,
    kernel: KernelVersion,
    clsact: &ClsactOwner,
    pins: Option<&Pins>,
) -> Result<Attached, KernelError> {
    let error = |cause: String, way_out: &str| KernelError::Attach {
        interface: link.name.clone(),
        cause,
        way_out: way_out.to_owned(),
    };
    let Some(layer) = link.layer else {
        return Err(error(
            "its frames begin with neither an Ethernet nor an IP header".to_owned(),
            "watch another interface",
        ));
    };
    let options =
        hook_options(choice, link, kernel).map_err(|e| error(e.to_string(), "use --hook tcx or auto"))?;
    preload(object, layer, options.first().map(|option| option.hook));
    let egress = match attach_tc(object, link, layer, TcAttachType::Egress, kernel, clsact, pins) {
        Ok(egress) => egress,
        Err(Refusal::Load(refused)) => return Err(refused),
        Err(refusal @ Refusal::Attach(_)) => {
            let cause = format!("{} on egress: {}", tc_hook(kernel), refusal.cause(link));
            return Err(error(cause, refusal.way_out()));
        }
    };

    let mut refusals: Vec<String> = Vec::new();
    let mut way_out = "watch another interface";
    for HookOption { hook, reason } in options {
        match attach_ingress(object, link, layer, hook, kernel, clsact, pins) {
            Ok(ingress) => {
                let reason =
                    if refusals.is_empty() { reason } else { format!("{reason} ({})", refusals.join("; ")) };
                let facts = InterfaceFacts {
                    name: link.name.clone(),
                    ifindex: link.ifindex,
                    ingress: hook_of(hook, kernel),
                    egress: tc_hook(kernel),
                    reason,
                    offloads: link.offloads.iter().map(|name| (*name).to_owned()).collect(),
                };
                return Ok(Attached { facts, _ingress: ingress, _egress: egress });
            }
            Err(refusal) => {
                refusals.push(format!("{} was refused: {}", hook_of(hook, kernel), refusal.cause(link)));
                way_out = refusal.way_out();
            }
        }
    }
    Err(error(refusals.join("; "), way_out))
}

/// Loads the programs of both directions before either is attached: the verifier takes its time, and until both are attached a
/// connection is seen in one direction only. What the kernel refuses is met again when it is attached.
fn preload(object: &mut Object, layer: LinkLayer, ingress: Option<IngressHook>) {
    let _ = object.classifier(tc_program(TcAttachType::Egress, layer));
    if let Some(ingress) = ingress {
        let _ = load_ingress(object, layer, ingress);
    }
}

/// Loads the program of a hook on ingress.
///
/// # Errors
/// The kernel refuses it.
pub(super) fn load_ingress(
    object: &mut Object,
    layer: LinkLayer,
    hook: IngressHook,
) -> Result<(), KernelError> {
    match hook {
        IngressHook::Tc => object.classifier(tc_program(TcAttachType::Ingress, layer)).map(drop),
        IngressHook::Native | IngressHook::Generic => object.xdp(xdp_program(layer)).map(drop),
    }
}

fn xdp_program(layer: LinkLayer) -> &'static str {
    match layer {
        LinkLayer::Ethernet => names::XDP,
        LinkLayer::RawIp => names::XDP_RAW,
    }
}

fn tc_program(direction: TcAttachType, layer: LinkLayer) -> &'static str {
    match (direction, layer) {
        (TcAttachType::Egress, LinkLayer::Ethernet) => names::TC_EGRESS,
        (TcAttachType::Egress, LinkLayer::RawIp) => names::TC_EGRESS_RAW,
        (_, LinkLayer::Ethernet) => names::TC_INGRESS,
        (_, LinkLayer::RawIp) => names::TC_INGRESS_RAW,
    }
}

fn attach_ingress(
    object: &mut Object,
    link: &LinkFacts,
    layer: LinkLayer,
    hook: IngressHook,
    kernel: KernelVersion,
    clsact: &ClsactOwner,
    pins: Option<&Pins>,
) -> Result<IngressLink, Refusal> {
    let name = pin_name(link, hook);
    if let Some(pins) = pins {
        // An agent that was given another hook, or found another one.
        [IngressHook::Native, IngressHook::Generic, IngressHook::Tc]
            .into_iter()
            .filter(|other| *other != hook)
            .for_each(|other| pins.unpin(&pin_name(link, other)));
    }
    let mode = match hook {
        IngressHook::Native => XdpMode::Driver,
        IngressHook::Generic => XdpMode::Skb,
        IngressHook::Tc => {
            return attach_tc(object, link, layer, TcAttachType::Ingress, kernel, clsact, pins)
                .map(IngressLink::Tc);
        }
    };
    let program = object.xdp(xdp_program(layer))?;
    if let Some(pins) = pins
        && let Some(taken_over) = pins.link(&name).and_then(|link| XdpLink::try_from(link).ok())
    {
        match program.attach_to_link(taken_over) {
            Ok(id) => return Ok(IngressLink::Xdp(program.take_link(id)?)),
            Err(_) => pins.unpin(&name),
        }
    }
    let id = program.attach_to_if_index(link.ifindex, mode)?;
    let xdp = program.take_link(id)?;
    Ok(IngressLink::Xdp(pinned(pins, xdp, &name)?))
}

/// The name under which an interface's link on ingress is pinned.
fn pin_name(link: &LinkFacts, hook: IngressHook) -> String {
    let hook = match hook {
        IngressHook::Native => "native",
        IngressHook::Generic => "generic",
        IngressHook::Tc => "tcx",
    };
    format!("{}-ingress-{hook}", link.ifindex)
}

/// The link, pinned where that is asked for.
fn pinned<L: TryFrom<FdLink> + TryInto<FdLink>>(
    pins: Option<&Pins>,
    link: L,
    name: &str,
) -> Result<L, KernelError> {
    let Some(pins) = pins else { return Ok(link) };
    let error = || KernelError::Pin {
        path: name.to_owned(),
        cause: "the kernel has no link for this hook; leave out --pin".to_owned(),
    };
    let link = link.try_into().map_err(|_not_a_link| error())?;
    pins.pin(link, name)?.try_into().map_err(|_not_this_kind| error())
}

fn attach_tc(
    object: &mut Object,
    link: &LinkFacts,
    layer: LinkLayer,
    direction: TcAttachType,
    kernel: KernelVersion,
    clsact: &ClsactOwner,
    pins: Option<&Pins>,
) -> Result<SchedClassifierLink, Refusal> {
    let program = object.classifier(tc_program(direction, layer))?;
    let name = match direction {
        TcAttachType::Egress => format!("{}-egress", link.ifindex),
        _ => pin_name(link, IngressHook::Tc),
    };
    if let Some(pins) = pins
        && let Some(taken_over) = pins.link(&name).and_then(|link| SchedClassifierLink::try_from(link).ok())
    {
        match program.attach_to_link(taken_over) {
            Ok(id) => return Ok(program.take_link(id)?),
            Err(_) => pins.unpin(&name),
        }
    }
    let id = if kernel.has_tcx() {
        // First, so that no other program's verdict hides a packet.
        let options = TcAttachOptions::TcxOrder(LinkOrder::first());
        program.attach_with_options(&link.name, direction, options)?
    } else {
        let [first, anywhere] = clsact.options(link.ifindex);
        match program.attach_with_options(&link.name, direction, TcAttachOptions::Netlink(first)) {
            Ok(id) => id,
            Err(_) => {
                program.attach_with_options(&link.name, direction, TcAttachOptions::Netlink(anywhere))?
            }
        }
    };
    let link = program.take_link(id)?;
    Ok(pinned(pins, link, &name)?)
}

/// A hook on ingress as events name it.
pub(super) fn hook_of(hook: IngressHook, kernel: KernelVersion) -> Hook {
    match hook {
        IngressHook::Native => Hook::Native,
        IngressHook::Generic => Hook::Generic,
        IngressHook::Tc => tc_hook(kernel),
    }
}

/// The hook of TC programs.
pub(super) fn tc_hook(kernel: KernelVersion) -> Hook {
    if kernel.has_tcx() { Hook::Tcx } else { Hook::Clsact }
}

/// The slot is taken: by a program in the same mode, or in the other one.
fn is_taken(error: &ProgramError) -> bool {
    matches!(errno(error), Some(libc::EBUSY | libc::EEXIST))
}
