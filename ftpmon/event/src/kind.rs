//! The event types by name.

/// The type of an event, without its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventType {
    /// `sensor_start`
    SensorStart,
    /// `stats`
    Stats,
    /// `sensor_stop`
    SensorStop,
    /// `drop`
    Drop,
    /// `config`
    Config,
    /// `session_start`
    SessionStart,
    /// `command`
    Command,
    /// `reply`
    Reply,
    /// `login`
    Login,
    /// `tls`
    Tls,
    /// `data_channel`
    DataChannel,
    /// `transfer`
    Transfer,
    /// `gap`
    Gap,
    /// `anomaly`
    Anomaly,
    /// `alert`
    Alert,
    /// `session_end`
    SessionEnd,
}

impl EventType {
    /// Every type, in the order of the schema document.
    pub const ALL: [Self; 16] = [
        Self::SensorStart,
        Self::Stats,
        Self::SensorStop,
        Self::Drop,
        Self::Config,
        Self::SessionStart,
        Self::Command,
        Self::Reply,
        Self::Login,
        Self::Tls,
        Self::DataChannel,
        Self::Transfer,
        Self::Gap,
        Self::Anomaly,
        Self::Alert,
        Self::SessionEnd,
    ];

    /// Every type's name, in the order of [`Self::ALL`].
    pub const NAMES: [&'static str; Self::ALL.len()] = {
        let mut names = [""; Self::ALL.len()];
        let (mut from, mut to) = (Self::ALL.as_slice(), names.as_mut_slice());
        while let (Some((of, from_rest)), Some((name, to_rest))) = (from.split_first(), to.split_first_mut())
        {
            *name = of.name();
            (from, to) = (from_rest, to_rest);
        }
        names
    };

    /// The name, as the `event` field spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SensorStart => "sensor_start",
            Self::Stats => "stats",
            Self::SensorStop => "sensor_stop",
            Self::Drop => "drop",
            Self::Config => "config",
            Self::SessionStart => "session_start",
            Self::Command => "command",
            Self::Reply => "reply",
            Self::Login => "login",
            Self::Tls => "tls",
            Self::DataChannel => "data_channel",
            Self::Transfer => "transfer",
            Self::Gap => "gap",
            Self::Anomaly => "anomaly",
            Self::Alert => "alert",
            Self::SessionEnd => "session_end",
        }
    }

    /// The type of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// Every event of the type belongs to a control connection. An alert may, the sensor's own events do not.
    pub const fn is_of_session(self) -> bool {
        !matches!(
            self,
            Self::SensorStart | Self::Stats | Self::SensorStop | Self::Drop | Self::Config | Self::Alert
        )
    }

    /// A bit of its own, for sets of types.
    #[inline]
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}

#[cfg(test)]
mod tests {
    use super::EventType;

    #[test]
    fn every_type_is_found_by_its_name_and_has_its_own_bit() {
        let mut bits = 0_u32;
        for (kind, name) in EventType::ALL.into_iter().zip(EventType::NAMES) {
            assert_eq!((kind.name(), EventType::from_name(name)), (name, Some(kind)));
            assert_eq!(bits & kind.bit(), 0);
            bits |= kind.bit();
        }
        assert_eq!(bits.count_ones() as usize, EventType::ALL.len());
        assert_eq!(EventType::from_name("stop"), None);
    }
}
