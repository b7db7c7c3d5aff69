//! The thread that answers: HTTP/1.1 by hyper.

use core::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::board::Board;
use super::exposition;
use super::listener::StatusListener;
use super::summary::Summary;
use crate::notice::notice;
use crate::sandbox::{self, Role};

/// Connections at once. Stops a host that connects and says nothing from filling memory.
const CONNECTIONS_MAX: usize = 16;
/// The longest life of a connection.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// A pause where connections cannot be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// Serves the board on a thread of its own, until the process ends.
///
/// # Errors
/// The system gives no thread or event loop.
pub(crate) fn serve(listener: StatusListener, board: Board) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Builder::new().name("status".to_owned()).spawn(move || {
        sandbox::enter_or_exit(Role::Status);
        if let Err(error) = runtime.block_on(accept(listener, board)) {
            notice(format_args!("the state is not served any more: {error}"));
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
                answer(accepted, &places, &board).await;
            }
        }
        StatusListener::Tcp(listener) => {
            let listener = TcpListener::from_std(listener)?;
            loop {
                let accepted = listener.accept().await.map(|(stream, _)| stream);
                answer(accepted, &places, &board).await;
            }
        }
    }
}

/// Answers a connection beside others.
async fn answer<S>(accepted: io::Result<S>, places: &Arc<Semaphore>, board: &Board)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (Ok(stream), Ok(place)) = (accepted, Arc::clone(places).acquire_owned().await) else {
        tokio::time::sleep(ACCEPT_AGAIN).await;
        return;
    };
    let board = board.clone();
    tokio::spawn(async move {
        let service = service_fn(move |request| {
            let response = respond(&request, &board);
            async move { Ok::<_, Infallible>(response) }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let _ = timeout(CONNECTION_TIME, connection).await;
        drop(place);
    });
}

fn respond(request: &Request<Incoming>, board: &Board) -> Response<String> {
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
        _ => text(StatusCode::NOT_FOUND, "/metrics /healthz /readyz /status\n".to_owned()),
    }
}

fn text(status: StatusCode, body: String) -> Response<String> {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<String> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
