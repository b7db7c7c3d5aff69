//! The state of TLS on a control connection.

use crate::event::TlsVia;
use crate::tls::TlsFacts;

/// TLS on the control connection.
#[derive(Debug)]
pub(super) struct TlsWatch {
    pub(super) via: TlsVia,
    pub(super) facts: TlsFacts,
    /// The `tls` event was emitted.
    pub(super) reported: bool,
}

impl TlsWatch {
    pub(super) fn new(via: TlsVia) -> Self {
        Self { via, facts: TlsFacts::default(), reported: false }
    }
}
