//! The thread that answers: HTTP/1.1 by hyper.

use core::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Builder;
use std::time::Duration;

use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::error;

use super::board::Board;
use super::exposition;
use super::feed::Reader;
use super::listener::StatusListener;
use super::summary::Summary;
use crate::sandbox::{self, Role};

/// Connections at once. Stops a host that connects and says nothing from filling memory.
const CONNECTIONS_MAX: usize = 16;
/// The longest life of a connection that does not read events.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// A pause where connections cannot be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// The body of an answer.
type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves the board on a thread of its own, until the process ends.
///
/// # Errors
/// The system gives no thread or event loop.
pub(crate) fn serve(listener: StatusListener, board: Board) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Builder::new().name("status".to_owned()).spawn(move || {
        sandbox::enter_or_exit(Role::Status);
        if let Err(error) = runtime.block_on(accept(listener, board)) {
            error!("the state is not served any more: {error}");
        }
    })?;
    Ok(())
}

async fn accept(listener: StatusListener, board: Board) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    match listener {
        StatusListener::Unix(listener, _) => {
            let listener = UnixListener::from_std(listener)?;
            loop {
                let accepted = listener.accept().await.map(|(stream, _)| stream);
                answer(accepted, true, &places, &board).await;
            }
        }
        StatusListener::Tcp(listener) => {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let accepted = listener.accept().await.map(|(stream, _)| stream);
                answer(accepted, false, &places, &board).await;
            }
        }
    }
}

/// Answers a connection beside others. Events have names of users and paths: they are given to those only whom the rights of a Unix
/// socket let in.
async fn answer<S>(accepted: io::Result<S>, is_unix: bool, places: &Arc<Semaphore>, board: &Board)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (Ok(stream), Ok(place)) = (accepted, Arc::clone(places).acquire_owned().await) else {
        tokio::time::sleep(ACCEPT_AGAIN).await;
        return;
    };
    let board = board.clone();
    tokio::spawn(async move {
        let reads_events = Arc::new(AtomicBool::new(false));
        let reads = Arc::clone(&reads_events);
        let service = service_fn(move |request: Request<Incoming>| {
            let response = if is_unix && request.uri().path() == "/events" {
                reads.store(true, Ordering::Relaxed);
                events(&board)
            } else {
                respond(&request, &board)
            };
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        while timeout(CONNECTION_TIME, connection.as_mut()).await.is_err() {
            if !reads_events.load(Ordering::Relaxed) {
                break;
            }
        }
        drop(place);
    });
}

/// All events from now on, until the reader has enough.
fn events(board: &Board) -> Response<Body> {
    let Some(reader) = board.feed().subscribe() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "others read the events\n".to_owned());
    };
    let next = |mut reader: Reader| async move {
        let line = reader.next().await?;
        Some((Ok(Frame::data(Bytes::copy_from_slice(&line))), reader))
    };
    let body = StreamBody::new(stream::unfold(reader, next)).boxed_unsync();
    of_type("application/x-ndjson", Response::new(body))
}

fn respond(request: &Request<Incoming>, board: &Board) -> Response<Body> {
    let is_read = *request.method() == Method::GET || *request.method() == Method::HEAD;
    if !is_read {
        return text(StatusCode::METHOD_NOT_ALLOWED, "GET only\n".to_owned());
    }
    let Some((state, recent)) = board.latest() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "starting\n".to_owned());
    };
    match request.uri().path() {
        "/metrics" => typed(StatusCode::OK, exposition::CONTENT_TYPE, exposition::metrics(&state)),
        "/healthz" if recent => text(StatusCode::OK, "ok\n".to_owned()),
        "/healthz" => text(StatusCode::SERVICE_UNAVAILABLE, "no packet is read\n".to_owned()),
        "/readyz" => match state.unready().as_slice() {
            [] if recent => text(StatusCode::OK, "ok\n".to_owned()),
            reasons => text(StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n"),
        },
        "/status" => match serde_json::to_string(&Summary::new(&state)) {
            Ok(json) => typed(StatusCode::OK, "application/json", json + "\n"),
            Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => text(StatusCode::NOT_FOUND, "/metrics /healthz /readyz /status /events\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(body)).boxed_unsync());
    *response.status_mut() = status;
    of_type(kind, response)
}

fn of_type(kind: &'static str, mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
