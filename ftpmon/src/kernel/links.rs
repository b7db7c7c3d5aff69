//! The machine's network interfaces: what they are, which one the default route takes, and when something about them
//! changes. Asked of netlink and not of /sys, which may show another network namespace than the process is in.

use ethtool::{EthtoolAttr, EthtoolFeatureAttr, EthtoolHandle};
use futures_util::{StreamExt as _, TryStreamExt as _};
use rtnetlink::packet_core::NetlinkMessage;
use rtnetlink::packet_route::link::{
    InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage, LinkXdp,
};
use rtnetlink::packet_route::route::{RouteAttribute, RouteHeader, RouteMessage};
use rtnetlink::packet_route::{AddressFamily, RouteNetlinkMessage};
use rtnetlink::sys::SocketAddr;
use rtnetlink::{Handle, MulticastGroup};
use tokio::task::JoinHandle;

use super::error::KernelError;
use super::hook::{LinkFacts, LinkLayer};

type Notices = futures_channel::mpsc::UnboundedReceiver<(NetlinkMessage<RouteNetlinkMessage>, SocketAddr)>;

/// Offloads that are reported: the kernel's names for them, and short ones.
const OFFLOADS: [(&str, &str); 5] = [
    ("rx-lro", "LRO"),
    ("rx-gro", "GRO"),
    ("rx-gro-hw", "GRO_HW"),
    ("rx-vlan-hw-parse", VLAN_TAGS),
    ("tx-tcp-segmentation", "TSO"),
];
/// The card takes VLAN tags off received frames.
pub(super) const VLAN_TAGS: &str = "RXVLAN";
/// Offloads that a driver has to give up for native XDP.
pub(super) const COST_BY_XDP: [&str; 2] = ["LRO", "GRO_HW"];

/// A view of the interfaces of the process's network namespace.
pub(super) struct Links {
    route: Handle,
    ethtool: Option<EthtoolHandle>,
    /// Each is read only to learn that something changed, and all that wait are read at once: they cannot pile up.
    notices: Notices,
    tasks: Vec<JoinHandle<()>>,
}

impl Links {
    /// Opens the view. Needs a tokio runtime.
    ///
    /// # Errors
    /// The kernel gives no netlink socket.
    pub(super) fn open() -> Result<Self, KernelError> {
        let (connection, route, notices) = rtnetlink::new_multicast_connection(&[MulticastGroup::Link])
            .map_err(|e| KernelError::Links(e.to_string()))?;
        let mut tasks = vec![tokio::spawn(connection)];
        // Without ethtool nothing is known of offloads: a card then gets native XDP, and its driver refuses or not.
        let ethtool = ethtool::new_connection().ok().map(|(connection, handle, _)| {
            tasks.push(tokio::spawn(connection));
            handle
        });
        Ok(Self { route, ethtool, notices, tasks })
    }

    /// All interfaces, without what only ethtool knows.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub(super) async fn list(&self) -> Result<Vec<LinkFacts>, KernelError> {
        let links: Vec<LinkMessage> = self
            .route
            .link()
            .get()
            .execute()
            .try_collect()
            .await
            .map_err(|e| KernelError::Links(e.to_string()))?;
        Ok(links.iter().filter_map(facts).collect())
    }

    /// The offloads of interface `name` that are on, by the short names of [`OFFLOADS`].
    pub(super) async fn offloads(&mut self, name: &str) -> Vec<&'static str> {
        let features = self.features(name).await;
        let is_on = |name: &str| features.iter().any(|feature| feature == name);
        OFFLOADS.iter().filter(|(name, _)| is_on(name)).map(|(_, short)| *short).collect()
    }

    /// The features of interface `name` that are on, by the kernel's names for them; none where ethtool does not answer.
    async fn features(&mut self, name: &str) -> Vec<String> {
        let mut on = Vec::new();
        let Some(ethtool) = &mut self.ethtool else { return on };
        let Ok(mut replies) = ethtool.feature().get(Some(name)).execute().await else { return on };
        while let Some(Ok(reply)) = replies.next().await {
            let features = reply.payload.nlas.into_iter().filter_map(|attribute| match attribute {
                EthtoolAttr::Feature(EthtoolFeatureAttr::Active(features)) => Some(features),
                _ => None,
            });
            on.extend(features.flatten().filter(|feature| feature.value).map(|feature| feature.name));
        }
        on
    }

    /// The MTU of an interface, and whether it is up.
    pub(super) async fn state(&self, ifindex: u32) -> Option<(u32, bool)> {
        let link = self.route.link().get().match_index(ifindex).execute().try_next().await.ok()??;
        let mtu = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Mtu(mtu) => Some(*mtu),
            _ => None,
        });
        Some((mtu.unwrap_or_default(), link.header.flags.contains(LinkFlags::Up)))
    }

    /// The interface that the default route takes: IPv4's, or IPv6's where IPv4 has none.
    pub(super) async fn default_route(&self) -> Option<u32> {
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut query = RouteMessage::default();
            query.header.address_family = family;
            let mut routes = self.route.route().get(query).execute();
            let mut best: Option<(u32, u32)> = None;
            while let Some(Ok(route)) = routes.next().await {
                if let Some(found) =
                    default_by(&route).filter(|found| best.is_none_or(|best| found.0 < best.0))
                {
                    best = Some(found);
                }
            }
            if let Some((_, ifindex)) = best {
                return Some(ifindex);
            }
        }
        None
    }

    /// The netlink connection.
    pub(super) const fn route(&self) -> &Handle {
        &self.route
    }

    /// Comes back when an interface came, went or changed.
    pub(super) async fn changed(&mut self) {
        if self.notices.next().await.is_none() {
            // The connection's task ended: no more changes will be reported.
            std::future::pending::<()>().await;
        }
        while self.notices.try_recv().is_ok() {}
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn facts(link: &LinkMessage) -> Option<LinkFacts> {
    let mut facts = LinkFacts {
        name: String::new(),
        ifindex: link.header.index,
        kind: (link.header.link_layer_type == LinkLayerType::Loopback).then(|| "loopback".to_owned()),
        bus: None,
        layer: layer(link.header.link_layer_type),
        xdp_program: None,
        receive_offload: None,
        offloads: Vec::new(),
    };
    for attribute in &link.attributes {
        match attribute {
            LinkAttribute::IfName(name) => facts.name.clone_from(name),
            LinkAttribute::ParentDevBusName(bus) => facts.bus = Some(bus.clone()),
            LinkAttribute::LinkInfo(infos) => {
                for info in infos {
                    if let LinkInfo::Kind(kind) = info {
                        facts.kind = Some(InfoKind::to_string(kind));
                    }
                }
            }
            LinkAttribute::Xdp(xdp) => {
                facts.xdp_program = xdp.iter().find_map(|xdp| match xdp {
                    LinkXdp::ProgId(id) | LinkXdp::DrvProgId(id) | LinkXdp::SkbProgId(id) if *id != 0 => {
                        Some(*id)
                    }
                    _ => None,
                });
            }
            _ => {}
        }
    }
    (!facts.name.is_empty()).then_some(facts)
}

fn layer(kind: LinkLayerType) -> Option<LinkLayer> {
    match kind {
        LinkLayerType::Ether | LinkLayerType::Loopback => Some(LinkLayer::Ethernet),
        LinkLayerType::None
        | LinkLayerType::Rawip
        | LinkLayerType::Ppp
        | LinkLayerType::Tunnel
        | LinkLayerType::Tunnel6
        | LinkLayerType::Sit
        | LinkLayerType::Ipgre
        | LinkLayerType::Ip6gre => Some(LinkLayer::RawIp),
        _ => None,
    }
}

/// Metric and interface of a default route of the main table.
fn default_by(route: &RouteMessage) -> Option<(u32, u32)> {
    let main = u32::from(RouteHeader::RT_TABLE_MAIN);
    let mut table = u32::from(route.header.table);
    let (mut metric, mut ifindex) = (0, None);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Table(long) => table = *long,
            RouteAttribute::Priority(priority) => metric = *priority,
            RouteAttribute::Oif(oif) => ifindex = Some(*oif),
            RouteAttribute::MultiPath(hops) => ifindex = hops.first().map(|hop| hop.interface_index),
            _ => {}
        }
    }
    let default = route.header.destination_prefix_length == 0 && table == main;
    ifindex.filter(|_| default).map(|ifindex| (metric, ifindex))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_told_by_its_message() {
        let mut link = LinkMessage::default();
        link.header.index = 3;
        link.header.link_layer_type = LinkLayerType::Ether;
        link.attributes = vec![
            LinkAttribute::IfName("veth0".to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)]),
            LinkAttribute::Xdp(vec![LinkXdp::ProgId(9)]),
        ];
        let facts = facts(&link).unwrap();
        assert_eq!((facts.name.as_str(), facts.ifindex, facts.kind.as_deref()), ("veth0", 3, Some("veth")));
        assert_eq!((facts.xdp_program, facts.bus, facts.layer), (Some(9), None, Some(LinkLayer::Ethernet)));
    }

    #[test]
    fn devices_without_a_link_layer_are_told_from_unreadable_ones() {
        assert_eq!(layer(LinkLayerType::None), Some(LinkLayer::RawIp));
        assert_eq!(layer(LinkLayerType::Infiniband), None);
    }

    #[test]
    fn only_the_main_tables_default_counts() {
        let mut route = RouteMessage::default();
        route.header.table = RouteHeader::RT_TABLE_MAIN;
        route.attributes = vec![RouteAttribute::Oif(4), RouteAttribute::Priority(100)];
        assert_eq!(default_by(&route), Some((100, 4)));
        route.header.destination_prefix_length = 24;
        assert_eq!(default_by(&route), None);
        route.header.destination_prefix_length = 0;
        route.attributes.push(RouteAttribute::Table(100));
        assert_eq!(default_by(&route), None);
    }

    #[tokio::test]
    async fn the_loopback_is_there_in_every_namespace() {
        let links = Links::open().unwrap().list().await.unwrap();
        let lo = links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!(
            (lo.kind.as_deref(), lo.layer, lo.ifindex),
            (Some("loopback"), Some(LinkLayer::Ethernet), 1)
        );
    }
}
