//! The interface and the VLAN tags of a frame.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// At most this many VLAN tags of a frame are kept, outermost first; deeper ones are decoded through but not reported.
pub const VLAN_TAGS_MAX: usize = 2;

/// A VLAN tag as a frame carries it (IEEE 802.1Q clause 9.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VlanTag {
    /// Its protocol: 0x8100, 0x88a8 and the like.
    pub protocol: u16,
    /// Priority, drop eligibility and identifier.
    pub control: u16,
}

/// The VLAN identifiers (12 bits each) that a frame carried, outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VlanTags {
    ids: [u16; VLAN_TAGS_MAX],
    len: u8,
}

impl VlanTags {
    /// The tag that was taken out of a frame, if there was one.
    #[inline]
    pub fn of(tag: Option<VlanTag>) -> Self {
        let mut tags = Self::default();
        if let Some(tag) = tag {
            tags.push(tag.control);
        }
        tags
    }

    /// Adds an inner tag by its control information; beyond [`VLAN_TAGS_MAX`] it is ignored. So is a priority tag, which names
    /// no VLAN.
    pub fn push(&mut self, control: u16) {
        let id = control & 0x0fff;
        if id != 0
            && let Some(slot) = self.ids.get_mut(usize::from(self.len))
        {
            *slot = id;
            self.len += 1;
        }
    }

    /// The tags, outermost first.
    pub fn as_slice(&self) -> &[u16] {
        self.ids.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// From the identifiers, outermost first.
impl<'de> Deserialize<'de> for VlanTags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Vec::<u16>::deserialize(deserializer)?;
        let mut tags = Self::default();
        given.iter().for_each(|&id| tags.push(id));
        if tags.as_slice() == given {
            Ok(tags)
        } else {
            Err(D::Error::custom(format_args!("{given:?} are no VLAN identifiers of a frame")))
        }
    }
}

/// The network interface that a frame was seen on: the kernel's interface index live, the pcapng interface id in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceId(pub u32);
