//! Caps that differ from the defaults.

use serde::{Deserialize, Serialize};

use ftpmon_core::engine::Limits;

macro_rules! limits {
    ($($name:ident: $type:ty,)+) => {
        /// Caps of the protocol engine; one that is not given keeps its default. [`Limits`] says what each of them stops.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct LimitsConfig {
            $(
                #[doc = concat!("[`Limits::", stringify!($name), "`].")]
                pub $name: Option<$type>,
            )+
        }

        impl LimitsConfig {
            /// Takes from `other` the caps that are not given here.
            pub fn fill(&mut self, other: &Self) {
                $(self.$name = self.$name.or(other.$name);)+
            }

            /// The caps of `base` with those that are given in their place.
            pub(super) fn over(&self, base: Limits) -> Limits {
                Limits { $($name: self.$name.unwrap_or(base.$name),)+ }
            }
        }
    };
}

limits! {
    flows: usize,
    ended_flows: usize,
    pending_commands: usize,
    open_transfers: usize,
    announced_endpoints: usize,
    announcement_s: u32,
    control_idle_s: u32,
    data_idle_s: u32,
    late_ms: u32,
    probe_bytes: usize,
    early_bytes: usize,
    reorder_bytes: usize,
    memory_bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_that_is_not_given_keeps_its_default() {
        let config = LimitsConfig { flows: Some(7), ..LimitsConfig::default() };
        assert_eq!(config.over(Limits::UNHURRIED), Limits { flows: 7, ..Limits::UNHURRIED });
    }
}
