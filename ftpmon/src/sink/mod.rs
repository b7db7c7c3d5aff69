//! Outputs for finished lines: standard output, files, sockets.
//!
//! Live, each output has a thread and a bounded queue of its own: a reader that is slow or gone holds up neither capture nor
//! the other outputs. What an output could not take is counted, and a `drop` event reports it. Reading capture files
//! waits for its outputs instead.
//!
//! | file | what |
//! |---|---|
//! | `output_spec`, `spec`, `output_error` | an output and its settings as text |
//! | `outputs`, `direct`, `queued` | the outputs of a route: for capture files, and live |
//! | `batch`, `queue`, `losses` | encoded events that wait for an output, and what did not fit |
//! | `worker`, `handed_over`, `report` | an output's thread, what its reader may not have, and what it says on standard error |
//! | `destination`, `kinds` and a file a kind | where bytes go |
//! | `file_options`, `rotation` | the settings of files, and the rotated files beside one |
//! | `tls_options`, `tls_error` | the settings of TLS, and its errors for people |
//! | `octet_counted` | syslog messages on a stream |
//! | `http`, `http_client`, `http_url` | POST requests |
//! | `confirmed`, `courier`, `nats`, `kafka`, `kafka_partition`, `broker_url` | messages that a broker keeps |
//! | `access_options`, `answers`, `open_lines` | who asks readers that answer, waiting for them, and the lines that they have not answered |
//! | `http_protocol`, `protocol`, `elastic`, `loki`, `splunk`, `otlp`, `json_line`, `line_names` | what requests are made of, and what answers say |
//! | `kernel_queue` | what the kernel holds for a reader |
//! | `spool`, `place` | the log on disk that all outputs read (`--spool`) |

mod access_options;
mod answers;
mod batch;
mod broker_url;
#[cfg(feature = "brokers")]
mod confirmed;
#[cfg(feature = "brokers")]
mod courier;
mod datagram;
mod destination;
mod direct;
mod elastic;
mod file;
mod file_options;
mod handed_over;
mod host_port;
mod http;
mod http_client;
mod http_protocol;
#[cfg(test)]
mod http_tests;
mod http_url;
mod json_line;
#[cfg(feature = "brokers")]
mod kafka;
#[cfg(feature = "brokers")]
mod kafka_partition;
mod kernel_queue;
mod kinds;
#[cfg(feature = "brokers")]
mod line_names;
mod loki;
mod losses;
#[cfg(feature = "brokers")]
mod nats;
#[cfg(test)]
mod network_tests;
mod octet_counted;
mod open_lines;
mod otlp;
mod output_error;
mod output_spec;
mod outputs;
mod protocol;
mod queue;
mod queued;
mod report;
mod rotation;
mod socket;
mod spec;
mod splunk;
mod spool;
mod spool_position;
mod stdout;
mod tls;
mod tls_error;
mod tls_options;
mod worker;

pub use access_options::{AccessOptions, Sasl};
pub use broker_url::{Broker, BrokerUrl};
pub use direct::{DirectOutputError, DirectOutputs};
pub use file_options::FileOptions;
pub use http_protocol::HttpProtocol;
pub use http_url::HttpUrl;
pub use kinds::reach;
pub use losses::Loss;
pub use output_error::OutputSpecError;
pub use output_spec::{
    OutputSettings, OutputSpec, QUEUE_BYTES_DEFAULT, QUEUE_BYTES_MAX, QUEUE_BYTES_MIN, RESEND_BYTES_DEFAULT,
};
pub use outputs::{Lines, Outputs};
pub use queued::{OutputError, QueuedOutputs};
pub use spec::{SinkSpec, SinkSpecError};
pub use spool::{
    SPOOL_BYTES_DEFAULT, SPOOL_BYTES_MIN, Spool, SpoolFull, SpoolOptions, SpoolReport, verify_spool,
};
pub use stdout::{reader_gone, reader_has_gone, stdout_is_closed};
pub use tls_options::TlsOptions;
