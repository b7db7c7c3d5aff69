//! The event model: everything ftpmon can say, before any format gave it a shape.
//!
//! `docs/events.md` describes the events for people, `docs/events.schema.json` is generated from these types.
//! A field may be added; none is renamed or given another meaning within a schema version.

pub mod addr;
mod alert;
mod connection;
mod control;
mod data;
mod identity;
mod kind;
mod line;
pub mod link;
mod place;
mod process;
mod schema;
mod sensor;
pub mod text;
pub mod time;

use std::sync::Arc;

use serde::Serialize;

pub use alert::{Alert, AlertDetail, Confidence, Evidence};
pub use connection::{ClosedBy, Handshake};
pub use control::{
    Anomaly, AnomalyDetail, AnomalyId, Category, Command, CommandLine, CommandRef, Direction, End, EndReason,
    Gap, GapCause, GapDetail, Login, LoginAttempt, LoginOutcome, Repeated, Reply, ReplyClass, ReplyLine,
    SessionEnd, SessionStart, Tls, TlsState, TlsTurn, TlsVia, Verb,
};
pub use data::{
    DataAnnouncement, DataChannel, DataConnection, DataTls, FileDirection, FileFacts, FileId, FileRange,
    FileReason, Mode, Nat, Outcome, RepresentationType, Transfer, TransferFacts, Via,
};
pub use identity::{RunId, SessionIdentity};
pub use kind::EventType;
pub use line::{EventLine, Origin};
pub use place::{Place, Places};
pub use process::{FoundBy, LocalProcess};
pub use schema::schema;
pub use sensor::{
    ConfigChange, ConfigDetail, ConfigOutcome, ConfigReload, DropDetail, DropReason, Dropped, Hook,
    InterfaceFacts, SensorStart, SensorStop, Source, Stats, StopReason, TableFill,
};

use crate::text::Text;
use crate::time::Timestamp;

/// The version of the event schema.
pub const SCHEMA_VERSION: u32 = 1;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The packet that completed it.
    pub ts: Timestamp,
    /// The control connection that it belongs to; none for the sensor's own events.
    pub session: Option<Arc<SessionIdentity>>,
    /// The user of the session, once USER was seen.
    pub user: Option<Arc<Text>>,
    /// The event's own part.
    pub kind: EventKind,
}

/// The event types. The payload of each serializes to the type's own fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum EventKind {
    /// First line of every run and of every rotated file.
    SensorStart(Box<SensorStart>),
    /// Counters since the start.
    Stats(Box<Stats>),
    /// Last line of a run.
    SensorStop(SensorStop),
    /// An output or the spool could not keep events.
    Drop(Dropped),
    /// The configuration was read again.
    Config(Box<ConfigReload>),
    /// A control connection was established, or first seen.
    SessionStart(SessionStart),
    /// A command line is complete.
    Command(Command),
    /// A reply is complete, a multi-line one whole.
    Reply(Reply),
    /// A login attempt is decided.
    Login(Login),
    /// The control channel turned to TLS or back.
    Tls(Tls),
    /// An endpoint for a data connection was learned.
    DataChannel(DataChannel),
    /// A data connection ended, or a transfer command ended without one.
    Transfer(Box<Transfer>),
    /// Bytes of the control stream were never seen.
    Gap(Gap),
    /// Something outside the protocol.
    Anomaly(Anomaly),
    /// A detector found something.
    Alert(Box<Alert>),
    /// The control connection ended.
    SessionEnd(SessionEnd),
}

impl EventKind {
    /// The event's type.
    #[inline]
    pub const fn event_type(&self) -> EventType {
        match self {
            Self::SensorStart(_) => EventType::SensorStart,
            Self::Stats(_) => EventType::Stats,
            Self::SensorStop(_) => EventType::SensorStop,
            Self::Drop(_) => EventType::Drop,
            Self::Config(_) => EventType::Config,
            Self::SessionStart(_) => EventType::SessionStart,
            Self::Command(_) => EventType::Command,
            Self::Reply(_) => EventType::Reply,
            Self::Login(_) => EventType::Login,
            Self::Tls(_) => EventType::Tls,
            Self::DataChannel(_) => EventType::DataChannel,
            Self::Transfer(_) => EventType::Transfer,
            Self::Gap(_) => EventType::Gap,
            Self::Anomaly(_) => EventType::Anomaly,
            Self::Alert(_) => EventType::Alert,
            Self::SessionEnd(_) => EventType::SessionEnd,
        }
    }

    /// The event's type as the `event` field spells it.
    pub const fn name(&self) -> &'static str {
        self.event_type().name()
    }

    /// Every event type's name, in the order of the schema document.
    pub const NAMES: [&'static str; EventType::ALL.len()] = EventType::NAMES;
}
