//! NATS with JetStream, by async-nats: a message a line, which a stream confirms.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::context::{Context, ContextBuilder, PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, ErrorCode};
use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use rustls::ClientConfig;
use tokio::sync::Notify;

use super::access_options::AccessOptions;
use super::broker_url::BrokerUrl;
use super::courier::{Connected, Courier, LineAnswers};
use super::line_names::Names;
use super::protocol::LineAnswer;
use super::socket::CONNECT_TIMEOUT;
use super::tls_error::explained_source;
use super::tls_options::TlsOptions;

/// The longest time until a message is confirmed.
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// NATS servers and a subject, which a stream of theirs keeps.
pub(super) struct Nats {
    url: BrokerUrl,
    tls_options: TlsOptions,
    access: AccessOptions,
    tls: Option<Arc<ClientConfig>>,
    login: Login,
    context: Option<Context>,
    state: Arc<ConnectionState>,
}

/// The secrets of a connection.
#[derive(Clone, Default)]
struct Login {
    token: Option<String>,
    user: Option<(String, String)>,
    creds: Option<String>,
}

/// The state of a connection, as its events tell it.
#[derive(Default)]
struct ConnectionState {
    /// The reason why it is of no use any more.
    lost: Mutex<Option<String>>,
    gone: Notify,
    /// The last error that the server told.
    said: Mutex<Option<String>>,
}

impl Nats {
    /// The files of the settings are read.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn new(url: BrokerUrl, tls_options: TlsOptions, access: AccessOptions) -> io::Result<Self> {
        let tls = if url.tls { Some(tls_options.load()?) } else { None };
        let login = Login::load(&access)?;
        Ok(Self { url, tls_options, access, tls, login, context: None, state: Arc::default() })
    }

    fn options(&mut self, state: &Arc<ConnectionState>) -> io::Result<ConnectOptions> {
        // Secrets and certificates are renewed while the agent runs. What was read before counts where they cannot be read any more.
        if let Ok(login) = Login::load(&self.access) {
            self.login = login;
        }
        if self.url.tls
            && let Ok(config) = self.tls_options.load()
        {
            self.tls = Some(config);
        }
        let told = Arc::clone(state);
        let mut options = ConnectOptions::new()
            .name("ftpmon")
            .connection_timeout(CONNECT_TIMEOUT)
            // Whoever has lines to send connects again, and sends them again.
            .max_reconnects(self.url.hosts.len())
            .ignore_discovered_servers()
            .event_callback(move |event| {
                told.hear(&event);
                async {}
            });
        let Login { token, user, creds } = self.login.clone();
        if let Some(token) = token {
            options = options.token(token);
        }
        if let Some((user, password)) = user {
            options = options.user_and_password(user, password);
        }
        if let Some(creds) = creds {
            options = options.credentials(&creds)?;
        }
        if let Some(config) = &self.tls {
            options = options.require_tls(true).tls_client_config(ClientConfig::clone(config));
        }
        Ok(options)
    }
}

impl Login {
    fn load(access: &AccessOptions) -> io::Result<Self> {
        Ok(Self { token: access.token()?, user: access.login()?, creds: access.creds()? })
    }
}

impl ConnectionState {
    fn hear(&self, event: &Event) {
        let lock = |place: &Mutex<Option<String>>, text: String| {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        };
        match event {
            Event::Disconnected | Event::Closed => {
                lock(&self.lost, "its reader ended the connection".to_owned());
                self.gone.notify_waiters();
            }
            Event::LameDuckMode => {
                lock(&self.lost, "its reader is about to stop".to_owned());
                self.gone.notify_waiters();
            }
            Event::ServerError(error) => lock(&self.said, error.to_string()),
            _ => {}
        }
    }

    fn lost(&self) -> Option<io::Error> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.clone().map(|text| io::Error::new(io::ErrorKind::ConnectionReset, text))
    }

    /// The last error that the server told, behind a text.
    fn with_said(&self, text: &str) -> String {
        match &*self.said.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(said) => format!("{text}; it said: {said}"),
            None => text.to_owned(),
        }
    }
}

impl Courier for Nats {
    fn connect(&mut self) -> Connected<'_> {
        Box::pin(async {
            let state = Arc::new(ConnectionState::default());
            let options = self.options(&state)?;
            let addresses = self.url.authorities().map(|host| format!("nats://{host}").parse());
            let addresses: Vec<ServerAddr> = addresses.collect::<Result<_, _>>()?;
            let names = self.url.host_names();
            let client = options.connect(addresses).await.map_err(|error| refusal(&error, &names))?;
            self.context = Some(ContextBuilder::new().timeout(ACK_TIMEOUT).build(client));
            self.state = state;
            Ok(())
        })
    }

    fn disconnect(&mut self) {
        self.context = None;
        self.state = Arc::default();
    }

    fn lost(&self) -> Option<io::Error> {
        self.state.lost()
    }

    fn send(&self, lines: Vec<Vec<u8>>) -> LineAnswers {
        let (context, state, subject) =
            (self.context.clone(), Arc::clone(&self.state), self.url.name.clone());
        Box::pin(async move {
            let Some(context) = context else { return Err(super::destination::not_open()) };
            let gone = state.gone.notified();
            tokio::select! {
                line_answers = publish(&context, &subject, lines, &state) => Ok(line_answers),
                () = gone => Err(state.lost().unwrap_or_else(super::destination::not_open)),
            }
        })
    }
}

/// Publishes lines, all of them before the first confirmation is waited for.
async fn publish(
    context: &Context,
    subject: &str,
    lines: Vec<Vec<u8>>,
    state: &ConnectionState,
) -> Vec<LineAnswer> {
    let mut waiting = Vec::with_capacity(lines.len());
    for line in lines {
        let mut message = PublishMessage::build();
        if let Some(id) = Names::of(&line).line {
            // The stream drops a second one with the same id.
            message = message.message_id(id);
        }
        let published = context.send_publish(subject.to_owned(), message.payload(line.into())).await;
        waiting.push(published);
    }
    let mut line_answers = Vec::with_capacity(waiting.len());
    for published in waiting {
        let confirmed = match published {
            Ok(confirmation) => confirmation.await.map(drop),
            Err(error) => Err(error),
        };
        line_answers
            .push(confirmed.map_or_else(|error| line_answer(&error, subject, state), |()| LineAnswer::Taken));
    }
    line_answers
}

/// The meaning of an error for a line: sizes do not change, everything else may.
fn line_answer(error: &PublishError, subject: &str, state: &ConnectionState) -> LineAnswer {
    let by_stream = error.source().and_then(|source| source.downcast_ref::<jetstream::Error>());
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => LineAnswer::Refused(error.to_string()),
        PublishErrorKind::StreamNotFound => {
            LineAnswer::Again(format!("no stream has the subject {subject}: make one there that has"))
        }
        PublishErrorKind::TimedOut => LineAnswer::Again(state.with_said("nothing: it confirms no message")),
        _ => match by_stream {
            Some(by_stream) if by_stream.error_code() == ErrorCode::STREAM_MESSAGE_EXCEEDS_MAXIMUM => {
                LineAnswer::Refused(by_stream.to_string())
            }
            Some(by_stream) => LineAnswer::Again(by_stream.to_string()),
            None => LineAnswer::Again(error.to_string()),
        },
    }
}

/// The error of a connection, for people.
fn refusal(error: &ConnectError, hosts: &str) -> io::Error {
    if let Some(explained) = explained_source(error, hosts) {
        return explained;
    }
    let text = match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            "its reader does not accept the login (user and password, token or creds)".to_owned()
        }
        _ => error.source().map_or_else(|| error.to_string(), ToString::to_string),
    };
    io::Error::other(text)
}
