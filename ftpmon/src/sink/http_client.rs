//! A connection to an HTTP reader (RFC 9112), by hyper.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::access_options::AccessOptions;
use super::http_url::HttpUrl;
use super::socket::Tcp;
use super::tls_error::explained_io;
use super::tls_options::TlsOptions;

/// Bytes of an answer that are read at most: that of a large `_bulk` request has some hundred KiB.
const ANSWER_MAX: usize = 4 << 20;
/// The longest time that a reader may ask to be left alone.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);

/// A request that can be sent again.
#[derive(Clone, Debug)]
pub(super) struct HttpRequest {
    /// The path with what follows it.
    pub(super) target: String,
    /// The type of its body.
    pub(super) content_type: &'static str,
    /// Its body.
    pub(super) body: Bytes,
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct HttpAnswer {
    /// Its status (RFC 9110 section 15).
    pub(super) status: u16,
    /// The time that the reader wants to be left alone.
    pub(super) retry_after: Option<Duration>,
    /// Its body.
    pub(super) body: Bytes,
}

/// A connection that is opened when it is needed.
pub(super) struct HttpClient {
    url: HttpUrl,
    tls_options: TlsOptions,
    options: AccessOptions,
    scheme: &'static str,
    tls: Option<Arc<ClientConfig>>,
    authorization: Option<HeaderValue>,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl HttpClient {
    /// A client for `url`. The files of its settings are read; tokens have the name `scheme`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn new(
        url: HttpUrl,
        tls_options: TlsOptions,
        options: AccessOptions,
        scheme: &'static str,
    ) -> io::Result<Self> {
        let tls = if url.tls { Some(tls_options.load()?) } else { None };
        let authorization = options.authorization(scheme)?;
        Ok(Self { url, tls_options, options, scheme, tls, authorization, sender: None })
    }

    /// Connects, unless there is a connection.
    pub(super) async fn connect(&mut self) -> io::Result<()> {
        if let Some(sender) = &mut self.sender
            && sender.ready().await.is_ok()
        {
            return Ok(());
        }
        self.sender = None;
        // Secrets and certificates are renewed while the agent runs. What was read before counts where they cannot be read any more.
        if let Ok(authorization) = self.options.authorization(self.scheme) {
            self.authorization = authorization;
        }
        let tcp = Tcp { host: self.url.host.clone(), port: self.url.port }.connect()?;
        tcp.set_nonblocking(true)?;
        let tcp = TcpStream::from_std(tcp)?;
        let Some(before) = &self.tls else {
            let (sender, connection) = handshake(TokioIo::new(tcp)).await.map_err(io::Error::other)?;
            drop(tokio::spawn(connection));
            self.sender = Some(sender);
            return Ok(());
        };
        let config = self.tls_options.load().unwrap_or_else(|_| Arc::clone(before));
        self.tls = Some(Arc::clone(&config));
        let name = self.tls_options.name_of(&self.url.host)?;
        let shown = name.to_str().into_owned();
        let connected = TlsConnector::from(config).connect(name, tcp).await;
        let stream = connected.map_err(|error| explained_io(error, &shown))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        drop(tokio::spawn(connection));
        self.sender = Some(sender);
        Ok(())
    }

    /// The answer to a request. A connection that the reader closed meanwhile is opened again.
    pub(super) async fn exchange(&mut self, request: &HttpRequest) -> io::Result<HttpAnswer> {
        loop {
            let fresh = self.sender.is_none();
            self.connect().await?;
            let built = self.request(request)?;
            let Some(sender) = &mut self.sender else { continue };
            match sender.send_request(built).await {
                Ok(answer) => return read(answer).await.inspect_err(|_| self.sender = None),
                Err(error) => {
                    self.sender = None;
                    if fresh {
                        return Err(explained_io(io::Error::other(error), &self.url.host));
                    }
                }
            }
        }
    }

    fn request(&self, request: &HttpRequest) -> io::Result<Request<Full<Bytes>>> {
        let mut builder = Request::post(&request.target)
            .header(HOST, self.url.authority())
            .header(USER_AGENT, concat!("ftpmon/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, request.content_type);
        if let Some(value) = &self.authorization {
            builder = builder.header(AUTHORIZATION, value);
        }
        let mut body = request.body.clone();
        if self.options.compress {
            builder = builder.header(CONTENT_ENCODING, "gzip");
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(&body)?;
            body = encoder.finish()?.into();
        }
        builder.body(Full::new(body)).map_err(io::Error::other)
    }
}

async fn read(answer: Response<Incoming>) -> io::Result<HttpAnswer> {
    let status = answer.status().as_u16();
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await.map_err(io::Error::other)?;
    Ok(HttpAnswer { status, retry_after, body: body.to_bytes() })
}
