//! The kernel's side of live capture, and the only place that knows aya.
//!
//! | file | content |
//! |---|---|
//! | `preflight` | checks of kernel and rights |
//! | `object`, `verifier`, `log` | the kernel object: its maps, why the verifier refused it, its own log |
//! | `open_sockets`, `type_info` | the sockets that processes have open, and where the kernel keeps what is told of them |
//! | `links`, `pattern`, `watch` | the interfaces to watch, and following them |
//! | `hook`, `attach`, `clsact` | the choice of a hook, and attaching to it |
//! | `claim` | one agent an interface |
//! | `detach` | removing what agents left |
//! | `survey` | the interfaces as watching them would find them |
//! | `pins` | maps and links that outlive an agent |
//! | `ring`, `record`, `joiner`, `account` | the records of the programs, in the core's terms |
//! | `steer`, `ports`, `networks`, `flows` | the maps that steer the programs |
//! | `counters`, `cpu_stats` | what the programs counted |
//! | `clock` | the kernel's time as wall-clock time |

mod account;
mod attach;
mod cause;
mod claim;
mod clock;
mod clsact;
mod counters;
mod cpu_stats;
mod detach;
mod error;
mod flows;
mod hook;
mod joiner;
mod links;
mod log;
mod networks;
mod object;
mod open_sockets;
mod pattern;
mod pins;
mod ports;
mod preflight;
mod promiscuous;
mod record;
mod ring;
mod steer;
mod survey;
mod type_info;
mod verifier;
mod version;
mod watch;

pub use attach::Attached;
pub use claim::Claimant;
pub use clock::Clock;
pub use counters::Counters;
pub use detach::{detach, detach_pins};
pub use error::KernelError;
pub use flows::Flows;
pub use hook::{HookChoice, IngressHook, LinkFacts, LinkLayer};
pub use log::Log;
pub use networks::{NetworkRules, WrittenNetworks};
pub use object::{Maps, Object, ObjectOptions, expected_entries};
pub use open_sockets::OpenSockets;
pub use pattern::{InterfacePattern, InterfacePatternError};
pub use pins::{Pins, is_bpf_file_system, kernel_has_pins};
pub use preflight::{Missing, preflight};
pub use record::{RecordCounters, RecordReader, RingRecord, SeenFrame};
pub use ring::{Drained, Ring};
pub use steer::Steering;
pub use survey::{SurveyOptions, SurveyedInterface, survey};
pub use version::{KernelVersion, running_release};
pub use watch::{Changes, INTERFACES_MAX, Watch, WatchOptions};

/// The maps of a loaded object.
pub struct Parts {
    /// The reading end of their rings.
    pub ring: Ring,
    /// Their counters.
    pub counters: Counters,
    /// The maps that steer them.
    pub steering: Steering,
    /// The data connections that they track.
    pub flows: Flows,
}

/// Opens the maps of an object that was loaded with these options. Needs a tokio runtime.
///
/// # Errors
/// A ring cannot be waited for.
pub fn open(maps: Maps, options: ObjectOptions) -> Result<Parts, KernelError> {
    Ok(Parts {
        ring: Ring::new(maps.events, maps.payload, options.ring_bytes as usize)?,
        counters: Counters::new(maps.stats),
        steering: Steering::new(
            (maps.ports, maps.networks),
            maps.expected,
            maps.verdicts,
            options.payload_bytes.is_some(),
        ),
        flows: Flows::new(maps.flows),
    })
}
