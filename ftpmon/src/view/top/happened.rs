//! Transfers that ended, refused logins and alerts.

use std::borrow::Cow;

use ftpmon_event::addr::Endpoint;
use ftpmon_event::time::Timestamp;
use ftpmon_event::{Alert, Event, FileDirection, Login, Outcome, Transfer};
use smol_str::SmolStr;

use crate::view::sessions::{Facts, Field};

/// Something that happened.
#[derive(Clone, Debug)]
pub(super) struct Happened {
    pub(super) at: Timestamp,
    pub(super) session: Option<SmolStr>,
    pub(super) client: Option<Endpoint>,
    pub(super) server: Option<Endpoint>,
    pub(super) user: Option<SmolStr>,
    pub(super) what: What,
}

/// The thing itself.
#[derive(Clone, Debug)]
pub(super) enum What {
    /// A transfer ended.
    Transfer {
        direction: Option<FileDirection>,
        path: Option<SmolStr>,
        bytes: u64,
        declared: Option<u64>,
        rate_bps: Option<u64>,
        duration_us: Option<u64>,
        outcome: Outcome,
    },
    /// A login was refused.
    Login { code: Option<u16>, encrypted: bool },
    /// A detector found something.
    Alert { id: SmolStr, severity: u8, message: SmolStr },
}

impl Happened {
    pub(super) fn transfer(event: &Event, told: &Transfer) -> Self {
        let facts = &told.transfer;
        let what = What::Transfer {
            direction: facts.direction,
            path: facts.path.clone().or_else(|| facts.arg.clone()),
            bytes: facts.bytes,
            declared: facts.declared_bytes,
            rate_bps: facts.rate_bps,
            duration_us: told.data.as_ref().and_then(|data| data.duration_us),
            outcome: facts.outcome,
        };
        Self::of(event, what)
    }

    pub(super) fn login(event: &Event, told: &Login) -> Self {
        let what = What::Login { code: told.login.code, encrypted: told.login.encrypted };
        let user = told.login.user.clone();
        let of = Self::of(event, what);
        Self { user: user.or(of.user), ..of }
    }

    pub(super) fn alert(event: &Event, told: &Alert) -> Self {
        let alert = &told.alert;
        let what =
            What::Alert { id: alert.id.clone(), severity: alert.severity, message: alert.message.clone() };
        let of = Self::of(event, what);
        Self { session: of.session.or_else(|| alert.evidence.sessions.first().cloned()), ..of }
    }

    fn of(event: &Event, what: What) -> Self {
        let session = event.session.as_deref();
        Self {
            at: event.ts,
            session: session.map(|session| session.id().into()),
            client: session.map(|session| session.client),
            server: session.map(|session| session.server),
            user: event.user.as_deref().map(|user| user.text.clone()),
            what,
        }
    }
}

impl Facts for Happened {
    fn fact(&self, field: Field) -> Option<Cow<'_, str>> {
        Some(match (field, &self.what) {
            (Field::User, _) => self.user.as_deref()?.into(),
            (Field::Client, _) => self.client?.to_string().into(),
            (Field::Server, _) => self.server?.to_string().into(),
            (Field::State, What::Transfer { outcome, .. }) => outcome.name().into(),
            (Field::State, What::Login { .. }) => "refused".into(),
            (Field::State, What::Alert { id, .. }) => id.as_str().into(),
            (Field::Path, What::Transfer { path, .. }) => path.as_deref()?.into(),
            (Field::Any, What::Alert { message, .. }) => message.as_str().into(),
            (Field::Path | Field::Any, _) => return None,
        })
    }
}
