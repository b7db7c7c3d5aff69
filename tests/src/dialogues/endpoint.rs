//! An endpoint as its client knows it.

use std::net::{SocketAddr, TcpListener};

use super::data::Pipe;
use super::record::Ends;

/// The place where the next data connection is expected.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) via: &'static str,
    pub(super) at: SocketAddr,
    /// The client's own, of PORT and EPRT.
    pub(super) own: Option<TcpListener>,
    /// Connections to it, in the order in which they were made.
    pub(super) pipes: Vec<Pipe>,
    /// Connections that the client closed again before any command.
    pub(super) gone: Vec<Ends>,
    /// A transfer had it: servers may go on listening, and nothing says so.
    pub(super) used: bool,
    /// A stranger connected to it after that.
    pub(super) unwatched: bool,
    /// A transfer did not have all connections to it: the server may take one of them for the next, though it is closed.
    pub(super) left_over: bool,
}

impl Endpoint {
    pub(super) fn new(via: &'static str, at: SocketAddr, own: Option<TcpListener>) -> Self {
        Self {
            via,
            at,
            own,
            pipes: Vec::new(),
            gone: Vec::new(),
            used: false,
            unwatched: false,
            left_over: false,
        }
    }
}
