//! The kernel's side of live capture, and the only place that knows aya.
//!
//! | file | what |
//! |---|---|
//! | `preflight` | what has to be there: kernel, rights |
//! | `object` | the kernel object and its maps |
//! | `links`, `pattern`, `watch` | which interfaces, and following them |
//! | `hook`, `attach` | where the programs sit, and why |
//! | `ring`, `record`, `joiner`, `account` | what the programs deliver, in the core's terms |
//! | `steer`, `flows` | what the programs are told |
//! | `clock` | the kernel's time as wall-clock time |

mod account;
mod attach;
mod clock;
mod counters;
mod error;
mod flows;
mod hook;
mod joiner;
mod links;
mod log;
mod object;
mod pattern;
mod ports;
mod preflight;
mod promiscuous;
mod record;
mod ring;
mod steer;
mod version;
mod watch;

pub use attach::Attached;
pub use clock::Clock;
pub use counters::Counters;
pub use error::KernelError;
pub use flows::Flows;
pub use hook::{HookChoice, IngressHook, LinkFacts, LinkLayer};
pub use log::{KernelLogLevel, follow as follow_log};
pub use object::{Object, ObjectOptions};
pub use pattern::{InterfacePattern, InterfacePatternError};
pub use preflight::{Missing, preflight};
pub use record::{Record, RecordCounters, RecordReader, SeenFrame};
pub use ring::{Drained, Ring};
pub use steer::Steering;
pub use version::{KernelVersion, running_release};
pub use watch::{Changes, INTERFACES_MAX, Watch, WatchOptions};

/// What the loaded object gives to work with.
pub struct Parts {
    /// The programs.
    pub object: Object,
    /// What they deliver.
    pub ring: Ring,
    /// What they count.
    pub counters: Counters,
    /// What they are told.
    pub steering: Steering,
    /// The data connections that they track.
    pub flows: Flows,
}

/// Loads the kernel object. Needs a tokio runtime.
///
/// # Errors
/// What the kernel said against it.
pub fn load(options: ObjectOptions) -> Result<Parts, KernelError> {
    let (object, maps) = Object::load(options)?;
    Ok(Parts {
        object,
        ring: Ring::new(maps.events, maps.payload, options.ring_bytes as usize)?,
        counters: Counters::new(maps.stats),
        steering: Steering::new(maps.ports, maps.expected, maps.verdicts, options.payload_bytes.is_some()),
        flows: Flows::new(maps.flows),
    })
}
