//! Brokers, and clients of theirs that have nothing in common with the agent's.

use anyhow::Result;

use super::{Receiver, Stage};
use crate::process::{Running, run_ok};

/// A program of Python's: mock brokers of librdkafka.
pub const KAFKA_BROKER: &str = include_str!("kafka_broker.py");
/// A program of Python's: tells what a topic has.
pub const KAFKA_CLIENT: &str = include_str!("kafka_client.py");
const NATS_CLIENT: &str = include_str!("nats_client.py");

/// A NATS server with JetStream on port 4222 of the stage, whose store outlives it.
///
/// # Errors
/// It does not start.
pub fn nats_server(stage: &Stage, options: &[&str]) -> Result<Running> {
    let mut command = Receiver::NatsServer.command(&stage.net.server)?;
    let store = stage.scratch.path().join("jetstream");
    command.args(["-js", "-a", "127.0.0.1", "-p", "4222", "-sd"]).arg(store).args(options);
    let server = Running::start(&mut command)?;
    stage.listens(4222, &server)?;
    Ok(server)
}

/// Runs the client of NATS with these words, and gives what it prints.
///
/// # Errors
/// It cannot be run, or failed.
pub fn nats_client(stage: &Stage, words: &[&str]) -> Result<String> {
    let script = stage.scratch.write("nats_client.py", NATS_CLIENT)?;
    run_ok(Receiver::NatsPy.command(&stage.net.server)?.arg(script).args(words))
}
