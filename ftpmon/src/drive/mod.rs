//! The two drivers: each reads its input, feeds the engine, and passes on what comes out to the chain.
//!
//! | file | input |
//! |---|---|
//! | `live` | packets that the kernel programs select (`ftpmon run`) |
//! | `read` | capture files (`ftpmon read`) |

mod live;
mod read;

pub use live::{Reread, run};
pub use read::read;
