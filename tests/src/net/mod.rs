//! Networks of the tests' own: namespaces, links between them, and small kernel programs.

mod link;
mod namespace;
mod program;
mod relay;
mod replay;
mod topology;

pub use link::{Veth, offload};
pub use namespace::Namespace;
pub use program::{Attached, Hook, Program};
pub use relay::{Done, Mischief, Piece, Relayed, Split};
pub use replay::{Replay, Sent};
pub use topology::{Bridged, Direct, Family, Hosts, Routed};
