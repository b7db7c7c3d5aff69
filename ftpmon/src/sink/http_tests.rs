//! Outputs over HTTP against servers that answer as the protocols have it, with the rights that an output's thread has.

use core::convert::Infallible;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read as _};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::kinds::destination;
use super::network_tests::{Authority, Folder, server};
use super::output_spec::OutputSpec;
use super::outputs::Outputs as _;
use super::queued::QueuedOutputs;
use super::spool::{SPOOL_BYTES_MIN, Spool, SpoolFull, SpoolOptions};
use crate::sandbox::{Role, enter_as_nobody};
use ftpmon_event::{Origin, RunId};

const LIMIT: Duration = Duration::from_secs(20);

/// A request as the server saw it: path, fields, body.
#[derive(Clone, Debug)]
struct Asked {
    path: String,
    fields: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// Status and body of an answer.
type Answer = (u16, String);
type Answers = Arc<Mutex<dyn FnMut(&Asked) -> Answer + Send>>;

/// A server that answers each request with what `answer` says; its port.
fn serve(tls: Option<Arc<ServerConfig>>, answer: impl FnMut(&Asked) -> Answer + Send + 'static) -> u16 {
    let answers: Answers = Arc::new(Mutex::new(answer));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let answers = Arc::clone(&answers);
                match tls.clone() {
                    Some(config) => {
                        let stream = TlsAcceptor::from(config).accept(stream).await.unwrap();
                        tokio::spawn(connection(stream, answers));
                    }
                    None => drop(tokio::spawn(connection(stream, answers))),
                }
            }
        });
    });
    port
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, answers: Answers) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answers = Arc::clone(&answers);
        async move {
            let path = request.uri().to_string();
            let fields = request.headers().iter();
            let fields =
                fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
            let body = request.into_body().collect().await.unwrap().to_bytes().to_vec();
            let (status, body) = answers.lock().unwrap()(&Asked { path, fields, body });
            let answer = Response::builder().status(status).body(Full::new(Bytes::from(body))).unwrap();
            Ok::<_, Infallible>(answer)
        }
    });
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

fn lines(count: usize) -> Vec<u8> {
    let line = |seq| {
        format!(
            "{{\"event\":\"reply\",\"ts\":\"2026-11-28T12:00:00.000000001Z\",\"run\":\"r\",\"seq\":{seq},\"text\":\"\\u00e9\"}}\n"
        )
    };
    (0..count).map(line).collect::<String>().into_bytes()
}

/// `seq` of lines.
fn numbers(text: &[u8]) -> Vec<u64> {
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect()
}

/// Writes lines on a thread with the rights of outputs, again after errors: the errors, and the lines that were rejected.
fn write(text: &str, lines: Vec<u8>) -> (Vec<String>, Vec<(Vec<u64>, String)>) {
    let OutputSpec { sink, settings } = text.parse().unwrap();
    let mut output = destination(&sink, &settings).unwrap();
    let thread = spawn(move || {
        enter_as_nobody(Role::Output);
        let (mut errors, mut rejected, mut open) = (Vec::new(), Vec::new(), false);
        let (mut rest, deadline) = (&lines[..], Instant::now() + LIMIT);
        while !rest.is_empty() {
            assert!(Instant::now() < deadline, "it takes too long: {errors:?}");
            let tried = if open { Ok(()) } else { output.open() };
            match tried.and_then(|()| output.write(rest)) {
                Ok(written) => {
                    for rejection in output.take_rejections() {
                        rejected.push((numbers(&rest[rejection.bytes]), rejection.reason));
                    }
                    (rest, open) = (&rest[written..], true);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => open = true,
                Err(error) => {
                    errors.push(error.to_string());
                    open = false;
                }
            }
        }
        (errors, rejected)
    });
    thread.join().unwrap()
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn lines_over_https_with_a_password_and_compressed() {
    let (folder, authority) = (Folder::new("https"), Authority::new());
    let (ca, password) = (folder.file("ca.pem", &authority.pem), folder.file("password", "secret\n"));
    let got = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&got);
    let port = serve(Some(server(authority.sign("127.0.0.1", 2100), None)), move |asked| {
        // RFC 7617 section 2: the base64 of `joe:secret`.
        assert_eq!(asked.fields["authorization"], "Basic am9lOnNlY3JldA==");
        assert_eq!((asked.path.as_str(), asked.fields["content-encoding"].as_str()), ("/in?x=1", "gzip"));
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(&asked.body[..]).read_to_end(&mut text).unwrap();
        into.lock().unwrap().extend(text);
        (200, String::new())
    });
    let text = format!("https://127.0.0.1:{port}/in?x=1,ca={ca},user=joe,password={password},compress=on");
    assert_eq!(write(&text, lines(20_000)), (Vec::new(), Vec::new()));
    assert!(*got.lock().unwrap() == lines(20_000));
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn bulk_answers_decide_about_each_document() {
    let store: Arc<Mutex<BTreeMap<String, u64>>> = Arc::default();
    let (into, mut busy) = (Arc::clone(&store), true);
    let port = serve(None, move |asked| {
        assert!(asked.path.starts_with("/ftp/_bulk?"), "{}", asked.path);
        let text: Vec<&[u8]> = asked.body.split_inclusive(|&byte| byte == b'\n').collect();
        let mut store = into.lock().unwrap();
        let mut items = Vec::new();
        for pair in text.chunks(2) {
            let action: Value = serde_json::from_slice(pair[0]).unwrap();
            let id = action["create"]["_id"].as_str().unwrap().to_owned();
            let seq = numbers(pair[1])[0];
            let (status, error) = match seq {
                7 => (400, r#","error":{"type":"mapper_parsing_exception","reason":"no"}"#),
                seq if busy && seq % 3 == 0 => {
                    (429, r#","error":{"type":"es_rejected_execution_exception","reason":"busy"}"#)
                }
                seq if store.insert(id.clone(), seq).is_some() => {
                    (409, r#","error":{"type":"version_conflict_engine_exception","reason":"x"}"#)
                }
                _ => (201, ""),
            };
            items.push(format!("{{\"create\":{{\"status\":{status}{error}}}}}"));
        }
        busy = false;
        (200, format!("{{\"errors\":true,\"items\":[{}]}}", items.join(",")))
    });
    let (errors, rejected) = write(&format!("elastic+http://127.0.0.1:{port}/ftp"), lines(100));
    assert!(errors.len() == 1 && errors[0].contains("busy"), "{errors:?}");
    assert_eq!(rejected, [(vec![7], "400 mapper_parsing_exception: no".to_owned())]);
    let stored: Vec<u64> = store.lock().unwrap().values().copied().collect();
    let all: BTreeSet<u64> = stored.iter().copied().collect();
    assert_eq!((stored.len(), all.len()), (99, 99));
    // What is sent twice is there once.
    assert_eq!(write(&format!("elastic+http://127.0.0.1:{port}/ftp"), lines(100)).1.len(), 1);
    assert_eq!(store.lock().unwrap().len(), 99);
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn a_line_that_makes_requests_fail_is_found() {
    let got = Arc::new(Mutex::new(Vec::new()));
    let into = Arc::clone(&got);
    let port = serve(None, move |asked| {
        let seen = numbers(&asked.body);
        if seen.contains(&63) {
            return (400, "bad \u{1b}[2J line".to_owned());
        }
        into.lock().unwrap().extend(seen);
        (204, String::new())
    });
    let (errors, rejected) = write(&format!("http://127.0.0.1:{port}"), lines(100));
    assert_eq!(errors, Vec::<String>::new());
    assert_eq!(rejected, [(vec![63], "400 bad  [2J line".to_owned())]);
    assert_eq!(*got.lock().unwrap(), (0..100).filter(|&seq| seq != 63).collect::<Vec<_>>());
}

#[test]
#[cfg_attr(miri, ignore = "opens sockets")]
fn loki_splunk_and_otlp_get_what_they_read() {
    let folder = Folder::new("hec");
    let token = folder.file("token", "abc");
    for (scheme, path) in
        [("loki", "/loki/api/v1/push"), ("splunk", "/services/collector/event"), ("otlp", "/v1/logs")]
    {
        let got = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&got);
        let port = serve(None, move |asked| {
            assert_eq!(asked.path, path);
            let wanted = if path.starts_with("/services") { "Splunk abc" } else { "Bearer abc" };
            assert_eq!(asked.fields["authorization"], wanted);
            let values = serde_json::Deserializer::from_slice(&asked.body).into_iter::<Value>();
            for value in values.map(Result::unwrap) {
                let of_line = |line: &Value| serde_json::from_str::<Value>(line.as_str().unwrap()).unwrap();
                let records: Vec<Value> = match path {
                    "/v1/logs" => {
                        value["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone()
                    }
                    "/services/collector/event" => {
                        assert_eq!(value["time"].as_f64(), Some(1_795_867_200.0));
                        vec![value["event"].clone()]
                    }
                    _ => {
                        let stream = &value["streams"][0];
                        assert_eq!(stream["stream"]["job"], "ftpmon");
                        assert_eq!(stream["stream"]["event"], "reply");
                        let values = stream["values"].as_array().unwrap();
                        assert_eq!(values[0][0], "1795867200000000001");
                        values.iter().map(|value| of_line(&value[1])).collect()
                    }
                };
                into.lock().unwrap().extend(records.iter().map(|record| record["seq"].as_u64().unwrap()));
            }
            (200, "{}".to_owned())
        });
        let text = format!("{scheme}+http://127.0.0.1:{port},token={token}");
        assert_eq!(write(&text, lines(1_000)), (Vec::new(), Vec::new()), "{scheme}");
        assert_eq!(*got.lock().unwrap(), (0..1_000).collect::<Vec<_>>(), "{scheme}");
    }
}

/// A reader that refuses for a while, through the end of a run: everything arrives, and nothing counts as delivered before.
#[test]
#[cfg_attr(miri, ignore = "opens sockets and files")]
fn with_a_spool_only_an_answer_delivers() {
    let folder = Folder::new("spool");
    let (got, works) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(false)));
    let (into, allowed) = (Arc::clone(&got), Arc::clone(&works));
    let port = serve(None, move |asked| {
        if !*allowed.lock().unwrap() {
            return (503, "later".to_owned());
        }
        into.lock().unwrap().extend(numbers(&asked.body));
        (200, String::new())
    });
    let spec: OutputSpec = format!("http://127.0.0.1:{port}").parse().unwrap();
    let run = |run: u64| {
        let options = SpoolOptions {
            folder: folder.0.join("spool"),
            max_bytes: SPOOL_BYTES_MIN,
            full: SpoolFull::DropOldest,
        };
        let origin = Origin { run: RunId(run), sensor: "s".to_owned() };
        let spool = Arc::new(Spool::open(options, &origin).unwrap());
        let mut outputs =
            QueuedOutputs::open_spooled(core::slice::from_ref(&spec), Arc::clone(&spool), 1).unwrap();
        spool.outputs_are_known();
        outputs.start(&lines(1), 0).unwrap();
        outputs
    };
    let mut first = run(1);
    for block in lines(3_000).chunk_by(|_, next| *next != b'{').skip(1) {
        let seq = numbers(block)[0];
        let mut lines = super::outputs::Lines {
            bytes: block.to_vec(),
            ends: vec![block.len() as u32],
            first_seq: seq,
            ..Default::default()
        };
        first.write(&mut lines);
    }
    first.finish().unwrap();
    assert_eq!(*got.lock().unwrap(), Vec::<u64>::new());
    *works.lock().unwrap() = true;
    let second = run(2);
    let deadline = Instant::now() + LIMIT;
    while got.lock().unwrap().len() < 3_001 {
        assert!(Instant::now() < deadline, "{} came", got.lock().unwrap().len());
        std::thread::sleep(Duration::from_millis(5));
    }
    second.finish().unwrap();
    let mut wanted: Vec<u64> = (0..3_000).collect();
    wanted.push(0);
    assert!(*got.lock().unwrap() == wanted, "all in order, and the begin of the second run");
}
