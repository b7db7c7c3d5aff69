//! Kafka, by rskafka: a record a line, whose key is its session, confirmed by all replicas that are in step.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use rskafka::BackoffConfig;
use rskafka::chrono::DateTime;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::Record;
use rustls::ClientConfig;
use tokio::sync::Mutex;

use super::access_options::{AccessOptions, Sasl};
use super::broker_url::BrokerUrl;
use super::courier::{Connected, Courier, LineAnswers};
use super::destination::not_open;
use super::json_line::time_and_type;
use super::kafka_partition::place;
use super::line_names::Names;
use super::protocol::LineAnswer;
use super::tls_error::explained_source;
use super::tls_options::TlsOptions;

/// The longest time that rskafka tries again by itself, and its pauses: an output does that too, and tells it.
const RETRIES: BackoffConfig = BackoffConfig {
    init_backoff: Duration::from_millis(100),
    max_backoff: Duration::from_millis(500),
    base: 2.,
    deadline: Some(Duration::from_secs(2)),
};
/// The longest answer of a broker: one about all topics of a large cluster has some MiB.
const ANSWER_MAX: usize = 16 << 20;

/// Kafka brokers and a topic.
pub(super) struct Kafka {
    url: BrokerUrl,
    tls_options: TlsOptions,
    access: AccessOptions,
    tls: Option<Arc<ClientConfig>>,
    login: Option<(String, String)>,
    topic: Option<Arc<Topic>>,
}

/// A topic whose partitions are known.
struct Topic {
    name: String,
    client: Client,
    partitions: Vec<i32>,
    /// The connections of those that had records.
    connected: Mutex<BTreeMap<i32, Arc<PartitionClient>>>,
    compression: Compression,
    /// Requests so far: lines without a session go to the next partition with each.
    requests: AtomicUsize,
}

/// Records of one partition, with the places of their lines.
type Batch = Vec<(usize, Record)>;

impl Kafka {
    /// The files of the settings are read.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(super) fn new(url: BrokerUrl, tls_options: TlsOptions, access: AccessOptions) -> io::Result<Self> {
        let tls = if url.tls { Some(tls_options.load()?) } else { None };
        let login = access.login()?;
        Ok(Self { url, tls_options, access, tls, login, topic: None })
    }

    fn builder(&mut self) -> ClientBuilder {
        // Secrets and certificates are renewed while the agent runs. What was read before counts where they cannot be read any more.
        if let Ok(login) = self.access.login() {
            self.login = login;
        }
        if self.url.tls
            && let Ok(config) = self.tls_options.load()
        {
            self.tls = Some(config);
        }
        let mut builder = ClientBuilder::new(self.url.authorities().collect())
            .client_id("ftpmon")
            .max_message_size(ANSWER_MAX)
            .backoff_config(RETRIES);
        if let Some(config) = &self.tls {
            builder = builder.tls_config(Arc::clone(config));
        }
        if let Some((user, password)) = self.login.clone() {
            let credentials = Credentials::new(user, password);
            builder = builder.sasl_config(match self.access.sasl {
                Sasl::Plain => SaslConfig::Plain(credentials),
                Sasl::ScramSha256 => SaslConfig::ScramSha256(credentials),
                Sasl::ScramSha512 => SaslConfig::ScramSha512(credentials),
            });
        }
        builder
    }

    async fn find(&mut self) -> io::Result<Topic> {
        let (builder, name, hosts) = (self.builder(), self.url.name.clone(), self.url.host_names());
        let failed = |error: Error| {
            explained_source(&error, &hosts).unwrap_or_else(|| io::Error::other(error.to_string()))
        };
        let client = builder.build().await.map_err(failed)?;
        let topics = client.list_topics().await.map_err(failed)?;
        let known = topics.into_iter().find(|topic| topic.name == name && !topic.partitions.is_empty());
        let known = known.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no topic {name}: make it there"))
        })?;
        let compression = if self.access.compress { Compression::Gzip } else { Compression::NoCompression };
        Ok(Topic {
            name,
            client,
            partitions: known.partitions.into_iter().collect(),
            connected: Mutex::default(),
            compression,
            requests: AtomicUsize::new(0),
        })
    }
}

impl Courier for Kafka {
    fn connect(&mut self) -> Connected<'_> {
        Box::pin(async {
            let topic = self.find().await?;
            self.topic = Some(Arc::new(topic));
            Ok(())
        })
    }

    fn disconnect(&mut self) {
        self.topic = None;
    }

    /// rskafka connects again by itself.
    fn lost(&self) -> Option<io::Error> {
        None
    }

    fn send(&self, lines: Vec<Vec<u8>>) -> LineAnswers {
        let topic = self.topic.clone();
        Box::pin(async move { Ok(topic.ok_or_else(not_open)?.take(lines).await) })
    }
}

impl Topic {
    /// Has each partition take its lines.
    async fn take(&self, lines: Vec<Vec<u8>>) -> Vec<LineAnswer> {
        let count = lines.len();
        let sent =
            join_all(self.divided(lines).into_iter().map(|(partition, batch)| self.put(partition, batch)));
        let unanswered = || LineAnswer::Again("nothing about a record".to_owned());
        let mut line_answers: Vec<LineAnswer> = core::iter::repeat_with(unanswered).take(count).collect();
        for (at, line_answer) in sent.await.into_iter().flatten() {
            if let Some(place) = line_answers.get_mut(at) {
                *place = line_answer;
            }
        }
        line_answers
    }

    /// The records of each partition: those of a session are in one, in their order.
    fn divided(&self, lines: Vec<Vec<u8>>) -> BTreeMap<i32, Batch> {
        let without_session = self.requests.fetch_add(1, Ordering::Relaxed) % self.partitions.len().max(1);
        let mut batches: BTreeMap<i32, Batch> = BTreeMap::new();
        for (at, line) in lines.into_iter().enumerate() {
            let key = Names::of(&line).session.map(String::into_bytes);
            let place = key.as_ref().map_or(without_session, |key| place(key, self.partitions.len()));
            let Some(partition) = self.partitions.get(place) else { continue };
            let (at_ns, _) = time_and_type(&line);
            // Whole ones: rskafka rounds differences of times, which would be off by one.
            let millis = i64::try_from(at_ns / 1_000_000).unwrap_or(0);
            let timestamp = DateTime::from_timestamp_millis(millis).unwrap_or_default();
            let record = Record { key, value: Some(line), headers: BTreeMap::new(), timestamp };
            batches.entry(*partition).or_default().push((at, record));
        }
        batches
    }

    /// Has a partition take records. Those that it refuses for good are found by halves.
    async fn put(&self, partition: i32, batch: Batch) -> Vec<(usize, LineAnswer)> {
        let again = |batch: &Batch, error: &Error| -> Vec<(usize, LineAnswer)> {
            let line_answer = LineAnswer::Again(told(error));
            batch.iter().map(|(at, _)| (*at, line_answer.clone())).collect()
        };
        let client = match self.connected_to(partition).await {
            Ok(client) => client,
            Err(error) => return again(&batch, &error),
        };
        let (mut line_answers, mut waiting) = (Vec::with_capacity(batch.len()), vec![batch]);
        while let Some(mut batch) = waiting.pop() {
            let records = batch.iter().map(|(_, record)| record.clone()).collect();
            match client.produce(records, self.compression).await {
                Ok(_) => line_answers.extend(batch.iter().map(|(at, _)| (*at, LineAnswer::Taken))),
                Err(error) if is_about_content(&error) && batch.len() > 1 => {
                    let behind = batch.split_off(batch.len() / 2);
                    waiting.extend([behind, batch]);
                }
                Err(error) if is_about_content(&error) => {
                    line_answers.extend(batch.iter().map(|(at, _)| (*at, LineAnswer::Refused(told(&error)))));
                }
                Err(error) => {
                    line_answers.extend(again(&batch, &error));
                    // What is behind it may not come before it.
                    waiting.iter().for_each(|batch| line_answers.extend(again(batch, &error)));
                    break;
                }
            }
        }
        line_answers
    }

    async fn connected_to(&self, partition: i32) -> Result<Arc<PartitionClient>, Error> {
        let mut connected = self.connected.lock().await;
        if let Some(client) = connected.get(&partition) {
            return Ok(Arc::clone(client));
        }
        let handling = UnknownTopicHandling::Error;
        let client = Arc::new(self.client.partition_client(&*self.name, partition, handling).await?);
        connected.insert(partition, Arc::clone(&client));
        Ok(client)
    }
}

/// The partition will never take these records, or one of them.
const fn is_about_content(error: &Error) -> bool {
    let Error::ServerError { protocol_error, .. } = error else { return false };
    matches!(
        protocol_error,
        ProtocolError::MessageTooLarge | ProtocolError::RecordListTooLarge | ProtocolError::InvalidRecord
    )
}

/// An error as the broker told it.
fn told(error: &Error) -> String {
    match error {
        Error::ServerError { protocol_error, error_message: Some(text), .. } => {
            format!("{protocol_error}: {text}")
        }
        Error::ServerError { protocol_error, .. } => protocol_error.to_string(),
        other => other.to_string(),
    }
}
