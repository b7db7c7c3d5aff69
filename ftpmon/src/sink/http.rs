//! POST requests to an HTTP reader. A line counts as delivered when an answer says so.

use core::pin::Pin;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::access_options::AccessOptions;
use super::answers::{self, ANSWER_TIMEOUT};
use super::destination::{Destination, Recovery, Rejection, not_open};
use super::http_client::{HttpAnswer, HttpClient, HttpRequest};
use super::http_protocol::HttpProtocol;
use super::http_url::HttpUrl;
use super::open_lines::{OpenLines, shown};
use super::protocol::{LineAnswer, Protocol};
use super::tls_options::TlsOptions;

/// Bytes of lines in a request: readers have limits (Splunk Cloud 1 MB with what is around each line, Loki 4 MiB).
const REQUEST_BYTES: usize = 768 << 10;

/// An HTTP reader.
pub(super) struct Http {
    target: String,
    protocol: Box<dyn Protocol>,
    client: Arc<Mutex<HttpClient>>,
    /// Made on the thread that writes.
    runtime: Option<Runtime>,
    /// The lines of the write that is under way.
    lines: Option<OpenLines>,
    /// The largest number of lines in a request: smaller after the reader refused a whole one.
    most: usize,
    answer: Option<Answer>,
    rejections: Vec<Rejection>,
    /// The reader wants to be left alone until then.
    not_before: Option<Instant>,
}

type Answer = Pin<Box<dyn Future<Output = io::Result<HttpAnswer>> + Send>>;

impl Http {
    /// A reader at `url`, not connected yet.
    ///
    /// # Errors
    /// A file that the settings name cannot be read.
    pub(super) fn new(
        url: HttpUrl,
        protocol: HttpProtocol,
        tls: TlsOptions,
        options: AccessOptions,
    ) -> io::Result<Self> {
        answers::prepare()?;
        let protocol = protocol.start();
        let target = format!("{}{}", url.path, protocol.path());
        let target = if target.starts_with('/') { target } else { format!("/{target}") };
        let client = HttpClient::new(url, tls, options, protocol.scheme())?;
        let client = Arc::new(Mutex::new(client));
        Ok(Self {
            target,
            protocol,
            client,
            runtime: None,
            lines: None,
            most: usize::MAX,
            answer: None,
            rejections: Vec::new(),
            not_before: None,
        })
    }

    /// Sends the next lines.
    fn ask(&mut self) -> Option<()> {
        let lines = self.lines.as_mut()?;
        let texts = lines.ask(self.most, REQUEST_BYTES);
        let request = HttpRequest {
            target: self.target.clone(),
            content_type: self.protocol.content_type(),
            body: self.protocol.body(&texts).into(),
        };
        let client = Arc::clone(&self.client);
        self.answer = Some(Box::pin(async move {
            let mut client = client.lock().await;
            let answer = timeout(ANSWER_TIMEOUT, client.exchange(&request)).await;
            answer.unwrap_or_else(|_| Err(io::Error::other("its reader does not answer a request")))
        }));
        Some(())
    }

    /// Decides about the lines that were sent.
    fn decide(&mut self, answer: &HttpAnswer) -> io::Result<()> {
        let Some(lines) = &mut self.lines else { return Ok(()) };
        let asked = lines.asked();
        let said = format!("{} {}", answer.status, shown(&answer.body));
        let again = match answer.status {
            // One line may be the cause: it is found by halves.
            400 | 413 | 422 if asked > 1 => {
                self.most = asked / 2;
                None
            }
            status @ (200..=299 | 400 | 413 | 422) => {
                let refused = || vec![LineAnswer::Refused(said); asked];
                let taken = (200..=299).contains(&status);
                let line_answers =
                    if taken { self.protocol.line_answers(&answer.body, asked) } else { refused() };
                let decided = lines.decide(line_answers);
                self.rejections.extend(decided.rejections);
                self.most = self.most.saturating_mul(2);
                decided.again
            }
            _ => Some(said),
        };
        match again {
            Some(reason) => {
                self.not_before = answer.retry_after.map(|pause| Instant::now() + pause);
                Err(answers::says(&reason))
            }
            None => Ok(()),
        }
    }
}

impl Destination for Http {
    fn open(&mut self) -> io::Result<()> {
        if let Some(left) = self.not_before.and_then(|until| until.checked_duration_since(Instant::now())) {
            let seconds = left.as_secs() + 1;
            return Err(io::Error::other(format!("its reader wants to be left alone for {seconds} s")));
        }
        self.not_before = None;
        self.answer = None;
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => answers::runtime()?,
        };
        let mut client = runtime.block_on(self.client.lock());
        let connected = answers::connect(&runtime, client.connect());
        drop(client);
        self.runtime = Some(runtime);
        connected
    }

    /// A write ends when the reader has decided about all of its lines. Until then it is made again with the same bytes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.lines.as_ref().is_some_and(|lines| lines.begin(bytes)) {
            self.answer = None;
            self.rejections.clear();
            self.lines = Some(OpenLines::new(bytes));
            self.most = usize::MAX;
        }
        let deadline = answers::write_deadline();
        while self.lines.as_ref().is_some_and(|lines| !lines.is_decided()) {
            if self.answer.is_none() {
                self.ask();
            }
            let (Some(runtime), Some(answer)) = (&self.runtime, &mut self.answer) else {
                return Err(not_open());
            };
            let answer = answers::wait(runtime, deadline, answer)?;
            self.answer = None;
            self.decide(&answer?)?;
        }
        Ok(self.lines.take().map_or(0, |lines| lines.bytes()))
    }

    fn take_rejections(&mut self) -> Vec<Rejection> {
        core::mem::take(&mut self.rejections)
    }

    /// Lines that an answer confirmed stay delivered.
    fn recovery(&self) -> Recovery {
        Recovery::SameByte
    }

    fn batch_bytes(&self) -> usize {
        REQUEST_BYTES
    }
}
