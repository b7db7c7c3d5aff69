//! TLS as a passive observer sees it: where records begin and end (RFC 8446 section 5.1), and the clear-text facts of the
//! two hellos (section 4.1). For control connections and data connections alike.

mod extension;
mod hello;
mod ja4;
mod record;

use smol_str::SmolStr;

#[cfg(test)]
pub(crate) use hello::tests::client_hello_record;
pub use hello::{ClientHello, Hello, ServerHello};
pub use record::{Opening, RecordReader, RecordsRead, begins_handshake, begins_record};

/// The facts of both hellos of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// The ClientHello.
    pub client: Option<Box<ClientHello>>,
    /// The ServerHello.
    pub server: Option<ServerHello>,
}

impl TlsFacts {
    /// Adds the facts of a hello; the first of each end counts.
    pub fn learn(&mut self, hello: Hello) {
        match hello {
            Hello::Client(client) => {
                self.client.get_or_insert(client);
            }
            Hello::Server(server) => {
                self.server.get_or_insert(server);
            }
            Hello::Other => {}
        }
    }

    /// The version that the server chose.
    pub fn version(&self) -> Option<SmolStr> {
        self.server.map(ServerHello::version_name)
    }

    /// The cipher suite that the server chose, as IANA names it.
    pub fn cipher(&self) -> Option<SmolStr> {
        self.server.map(ServerHello::cipher_name)
    }

    /// The server name that the client asked for.
    pub fn sni(&self) -> Option<SmolStr> {
        self.client.as_ref()?.sni.clone()
    }

    /// The protocols that the client offered.
    pub fn alpn(&self) -> Vec<SmolStr> {
        self.client.as_ref().map(|client| client.alpn.to_vec()).unwrap_or_default()
    }

    /// The client's JA4 fingerprint.
    pub fn ja4(&self) -> Option<SmolStr> {
        Some(self.client.as_ref()?.ja4.clone())
    }
}
