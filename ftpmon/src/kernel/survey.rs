//! The interfaces as watching them would find them (`ftpmon doctor`): programs are loaded, and nothing is attached.

use aya::programs::loaded_programs;

use super::attach::{hook_of, load_ingress, tc_hook};
use super::claim::agents_of;
use super::error::KernelError;
use super::hook::{HookChoice, HookOption, LinkFacts, hook_options};
use super::links::{COST_BY_XDP, Links, VLAN_TAGS};
use super::object::{Object, ObjectOptions};
use super::pattern::InterfacePattern;
use super::version::{KernelVersion, OLDEST, running_release};
use super::watch::wanted;
use ftpmon_event::Hook;

/// The options of a survey.
#[derive(Clone, Debug)]
pub struct SurveyOptions {
    /// Names and patterns; none means the default route's interface.
    pub patterns: Vec<InterfacePattern>,
    /// The hook.
    pub hook: HookChoice,
    /// The kernel, where programs may be loaded; else the choice of a hook is not tried.
    pub kernel: Option<KernelVersion>,
    /// The object to try.
    pub object: ObjectOptions,
}

/// An interface as watching it would find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SurveyedInterface {
    /// Its name.
    pub name: String,
    /// The hook on ingress with the reason for it, or what keeps it from being watched.
    pub hook: Result<(Hook, String), String>,
    /// The hook on egress.
    pub egress: Hook,
    /// Id and name of the XDP program that it has.
    pub xdp_program: Option<(u32, String)>,
    /// Process ids of agents that watch it.
    pub agents: Vec<u32>,
    /// It is up.
    pub is_up: bool,
    /// Its MTU, bytes.
    pub mtu: u32,
    /// The receive offload that native XDP would cost.
    pub receive_offload: Option<&'static str>,
    /// The card takes VLAN tags off received frames, which XDP then does not see.
    pub takes_vlan_tags: bool,
    /// The offloads that are on.
    pub offloads: Vec<&'static str>,
}

/// Surveys all interfaces that are asked for. Needs a tokio runtime.
///
/// # Errors
/// The kernel does not answer, refuses the maps, or an interface asked for by name is not there.
pub async fn survey(options: SurveyOptions) -> Result<Vec<SurveyedInterface>, KernelError> {
    let mut links = Links::open()?;
    let present = links.list().await?;
    let patterns = wanted(&links, &present, options.patterns).await?;
    let kernel = options.kernel.or_else(|| KernelVersion::parse(&running_release())).unwrap_or(OLDEST);
    // Programs can be loaded as long as their maps are there.
    let mut loaded = match options.kernel {
        Some(_) => Some(Object::load(options.object, None)?),
        None => None,
    };
    let mut surveyed = Vec::new();
    for link in present.iter().filter(|link| patterns.iter().any(|pattern| pattern.matches(&link.name))) {
        let mut link = link.clone();
        link.offloads = links.offloads(&link.name).await;
        let receive_offload = COST_BY_XDP.into_iter().find(|cost| link.offloads.contains(cost));
        link.receive_offload = receive_offload.filter(|_| link.bus.is_some());
        let (mtu, is_up) = links.state(link.ifindex).await.unwrap_or_default();
        surveyed.push(SurveyedInterface {
            hook: choose(loaded.as_mut().map(|(object, _)| object), &link, options.hook, kernel),
            egress: tc_hook(kernel),
            xdp_program: link.xdp_program.map(|id| (id, program_name(id))),
            agents: agents_of(link.ifindex),
            is_up,
            mtu,
            receive_offload,
            takes_vlan_tags: link.offloads.contains(&VLAN_TAGS),
            offloads: link.offloads,
            name: link.name,
        });
    }
    Ok(surveyed)
}

/// The first hook whose program loads.
fn choose(
    mut object: Option<&mut Object>,
    link: &LinkFacts,
    choice: HookChoice,
    kernel: KernelVersion,
) -> Result<(Hook, String), String> {
    let Some(layer) = link.layer else {
        return Err(
            "its frames begin with neither an Ethernet nor an IP header; watch another interface".to_owned()
        );
    };
    let options =
        hook_options(choice, link, kernel).map_err(|error| format!("{error}; use --hook tcx or auto"))?;
    let mut refusals = Vec::new();
    for HookOption { hook, reason } in options {
        let shown = hook_of(hook, kernel);
        match object.as_deref_mut().map_or(Ok(()), |object| load_ingress(object, layer, hook)) {
            Ok(()) if refusals.is_empty() => return Ok((shown, reason)),
            Ok(()) => return Ok((shown, format!("{reason} ({})", refusals.join("; ")))),
            Err(error) => refusals.push(format!("{shown} is refused: {error}")),
        }
    }
    Err(format!("{}; use --hook auto", refusals.join(", ")))
}

/// The name of a loaded program; one that cannot be read has none.
fn program_name(id: u32) -> String {
    let found = loaded_programs().flatten().find(|program| program.id() == id);
    found
        .and_then(|program| program.name_as_str().map(str::to_owned))
        .unwrap_or_else(|| "of another name".to_owned())
}
