//! The drivers: each reads its input, and passes on what comes of it to the chain.
//!
//! | file | input |
//! |---|---|
//! | `live` | packets that the kernel programs select (`ftpmon run`) |
//! | `read` | capture files (`ftpmon read`) |
//! | `detect` | stored events (`ftpmon detect`) |

mod detect;
mod live;
mod read;

pub use detect::{detect, explain_detector, list_detectors};
pub use live::{Reread, run};
pub use read::read;
