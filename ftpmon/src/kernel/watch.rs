//! The watched interfaces: chosen at the start, and followed as they go, come back or newly match.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{debug, info, warn};

use super::attach::{Attached, attach};
use super::claim::{Claimant, InterfaceClaim};
use super::clsact::ClsactOwner;
use super::error::KernelError;
use super::hook::{HookChoice, LinkFacts};
use super::links::{COST_BY_XDP, Links};
use super::object::Object;
use super::pattern::InterfacePattern;
use super::pins::Pins;
use super::promiscuous::Promiscuous;
use super::version::KernelVersion;
use ftpmon_event::InterfaceFacts;

/// Interfaces watched at once. Stops a pattern on a host of a thousand containers from costing a program each;
/// interfaces beyond it are reported.
pub const INTERFACES_MAX: usize = 1024;

/// The operator's choice of interfaces.
#[derive(Clone, Debug)]
pub struct WatchOptions {
    /// Names and patterns; none means the default route's interface.
    pub patterns: Vec<InterfacePattern>,
    /// The hook.
    pub hook: HookChoice,
    /// Set them promiscuous.
    pub promiscuous: bool,
    /// The agent that watches.
    pub claimant: Claimant,
    /// Keep the programs attached when the agent ends.
    pub pins: Option<Pins>,
}

/// The changes that a rescan made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Interfaces that are watched now and were not.
    pub attached: u64,
    /// Interfaces that were watched and are not.
    pub detached: u64,
}

/// The watched interfaces.
pub struct Watch {
    links: Links,
    options: WatchOptions,
    kernel: KernelVersion,
    promiscuous: Option<Promiscuous>,
    clsact: ClsactOwner,
    attached: BTreeMap<u32, (Attached, InterfaceClaim)>,
    /// Interfaces that could not be attached to; not tried again until they have gone.
    refused: BTreeSet<u32>,
}

impl Watch {
    /// Attaches to every interface asked for. Needs a tokio runtime.
    ///
    /// # Errors
    /// An interface asked for by name is not there or takes no hook, there is no default, or a forced hook fails.
    pub async fn start(
        mut options: WatchOptions,
        kernel: KernelVersion,
        object: &mut Object,
    ) -> Result<Self, KernelError> {
        let links = Links::open()?;
        let present = links.list().await?;
        options.patterns = wanted(&links, &present, options.patterns).await?;
        let promiscuous = options
            .promiscuous
            .then(Promiscuous::new)
            .transpose()
            .map_err(|error| KernelError::Promiscuous { interface: "any interface".to_owned(), error })?;
        let (attached, refused) = (BTreeMap::new(), BTreeSet::new());
        let clsact = ClsactOwner::new();
        let mut watch = Self { links, options, kernel, promiscuous, clsact, attached, refused };
        for link in &present {
            // A pattern may match what cannot be watched; a name, or a forced hook, is meant as said.
            let named = watch.options.patterns.iter().any(|p| p.is_name() && p.matches(&link.name));
            let strict = named || watch.options.hook != HookChoice::Auto;
            match watch.attach_if_wanted(object, link).await {
                Ok(()) => {}
                Err(e) if strict || matches!(e, KernelError::Watched { .. }) => return Err(e),
                Err(e) => warn!("{e}"),
            }
        }
        for facts in watch.facts() {
            debug!("interface {} is watched: {}: {}", facts.name, facts.ingress, facts.reason);
        }
        watch.unpin_others();
        if watch.attached.is_empty() {
            let patterns: Vec<&str> = watch.options.patterns.iter().map(InterfacePattern::as_str).collect();
            info!("no interface matches {} yet; waiting for one", patterns.join(", "));
        }
        Ok(watch)
    }

    /// The watched interfaces as `sensor_start` reports them.
    pub fn facts(&self) -> Vec<InterfaceFacts> {
        self.attached.values().map(|(attached, _)| attached.facts.clone()).collect()
    }

    /// Removes pinned links of interfaces that are not watched.
    fn unpin_others(&self) {
        if let Some(pins) = &self.options.pins {
            pins.retain_links(|ifindex| self.attached.contains_key(&ifindex));
        }
    }

    /// Takes the programs off all interfaces, and with them what ftpmon made for them.
    pub async fn stop(mut self) {
        self.attached.clear();
        self.clsact.remove_qdiscs(self.links.route()).await;
    }

    /// Comes back when an interface came, went or changed.
    pub async fn changed(&mut self) {
        self.links.changed().await;
    }

    /// Reads the interfaces again: drops those that are gone or renamed, and attaches to those that match.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn rescan(&mut self, object: &mut Object) -> Result<Changes, KernelError> {
        let present = self.links.list().await?;
        let mut changes = Changes::default();
        let still_there = |ifindex: u32, attached: &Attached| {
            present.iter().any(|link| link.ifindex == ifindex && link.name == attached.facts.name)
        };
        self.attached.retain(|&ifindex, (attached, _)| {
            let keep = still_there(ifindex, attached);
            if !keep {
                info!("interface {} was removed", attached.facts.name);
                changes.detached += 1;
            }
            keep
        });
        self.unpin_others();
        self.refused.retain(|&ifindex| present.iter().any(|link| link.ifindex == ifindex));
        for link in &present {
            let before = self.attached.len();
            if let Err(e) = self.attach_if_wanted(object, link).await {
                warn!("{e}");
            }
            if let Some((attached, _)) =
                self.attached.get(&link.ifindex).filter(|_| self.attached.len() > before)
            {
                info!("interface {} is watched: {}", link.name, attached.facts.ingress);
                changes.attached += 1;
            }
        }
        Ok(changes)
    }

    /// Attaches to `link` where it is asked for and not watched yet.
    async fn attach_if_wanted(&mut self, object: &mut Object, link: &LinkFacts) -> Result<(), KernelError> {
        let wanted = self.options.patterns.iter().any(|pattern| pattern.matches(&link.name));
        if !wanted || self.attached.contains_key(&link.ifindex) || self.refused.contains(&link.ifindex) {
            return Ok(());
        }
        let result = self.attach(object, link).await;
        if result.is_err() {
            self.refused.insert(link.ifindex);
        }
        result
    }

    async fn attach(&mut self, object: &mut Object, link: &LinkFacts) -> Result<(), KernelError> {
        if self.attached.len() >= INTERFACES_MAX {
            return Err(KernelError::Attach {
                interface: link.name.clone(),
                cause: format!("{INTERFACES_MAX} interfaces are watched already"),
                way_out: "ask for fewer with --iface".to_owned(),
            });
        }
        let claim = self.options.claimant.claim(&link.name, link.ifindex).await?;
        let mut link = link.clone();
        link.offloads = self.links.offloads(&link.name).await;
        if link.bus.is_some() {
            link.receive_offload = COST_BY_XDP.into_iter().find(|cost| link.offloads.contains(cost));
        }
        if !self.kernel.has_tcx() {
            self.clsact.prepare(self.links.route(), &link.name, link.ifindex).await;
        }
        let attached =
            attach(object, &link, self.options.hook, self.kernel, &self.clsact, self.options.pins.as_ref())?;
        if let Some(promiscuous) = &self.promiscuous {
            promiscuous
                .add(link.ifindex)
                .map_err(|error| KernelError::Promiscuous { interface: link.name.clone(), error })?;
        }
        self.attached.insert(link.ifindex, (attached, claim));
        Ok(())
    }
}

/// The names and patterns asked for; without any, the name of the default route's interface.
///
/// # Errors
/// An interface asked for by name is not there, or there is no default.
pub(super) async fn wanted(
    links: &Links,
    present: &[LinkFacts],
    patterns: Vec<InterfacePattern>,
) -> Result<Vec<InterfacePattern>, KernelError> {
    if patterns.is_empty() {
        return Ok(vec![default_interface(links, present).await?]);
    }
    for name in patterns.iter().filter(|pattern| pattern.is_name()) {
        if !present.iter().any(|link| name.matches(&link.name)) {
            return Err(KernelError::UnknownInterface { name: name.to_string(), present: names(present) });
        }
    }
    Ok(patterns)
}

async fn default_interface(links: &Links, present: &[LinkFacts]) -> Result<InterfacePattern, KernelError> {
    let ifindex = links.default_route().await;
    present
        .iter()
        .find(|link| Some(link.ifindex) == ifindex)
        .and_then(|link| InterfacePattern::exactly(&link.name))
        .ok_or_else(|| KernelError::NoDefaultRoute(names(present)))
}

fn names(present: &[LinkFacts]) -> String {
    present.iter().map(|link| link.name.as_str()).collect::<Vec<_>>().join(", ")
}
