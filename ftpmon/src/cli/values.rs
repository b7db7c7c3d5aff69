//! The values that options take: by name, with their help texts; sizes and durations.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use core::ops::RangeInclusive;

use crate::config::{ChecksumsPolicy, FilesPolicy, HashAlgorithm, SecretsPolicy, parse_bytes, parse_seconds};
use crate::diagnostics::{LogFormat, LogLevel};
use crate::format::Format;
use crate::kernel::HookChoice;
use crate::sink::SpoolFull;
use crate::view::{ColorChoice, Language, Order, Tab};

/// A size within a range of bytes.
pub(super) fn bytes(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<u64, String> + Clone + Send + Sync + 'static {
    move |text| within(parse_bytes(text)?, &range)
}

/// The same of 32 bits.
pub(super) fn bytes32(
    range: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| {
        let bytes = parse_bytes(text)?;
        let bytes = u32::try_from(bytes).map_err(|_| format!("`{text}` is too large"))?;
        within(bytes, &range)
    }
}

/// A duration within a range of seconds.
pub(super) fn seconds(
    range: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync + 'static {
    move |text| within(parse_seconds(text)?, &range)
}

fn within<T: PartialOrd + core::fmt::Display>(value: T, range: &RangeInclusive<T>) -> Result<T, String> {
    match range.contains(&value) {
        true => Ok(value),
        false => Err(format!("{value} is not in {}..={}", range.start(), range.end())),
    }
}

macro_rules! values {
    ($($type:ty { $($variant:ident: $name:literal, $help:literal;)+ })+) => {$(
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$variant),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self {
                    $(Self::$variant => PossibleValue::new($name).help($help),)+
                })
            }
        }
    )+};
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.description()))
    }
}

/// `--owners`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnersChoice {
    /// Look processes up.
    On,
    /// Look none up.
    Off,
}

values! {
    HookChoice {
        Auto: "auto", "The cheapest hook for each interface";
        Native: "native", "XDP in the network driver";
        Generic: "generic", "XDP in the kernel's network stack; works on any interface";
        Tcx: "tcx", "TCX (clsact before kernel 6.6)";
    }
    LogLevel {
        Error: "error", "What failed";
        Warn: "warn", "What is missing or may be as well";
        Info: "info", "What changed as well";
        Debug: "debug", "Steps as well";
        Trace: "trace", "Everything";
    }
    LogFormat {
        Text: "text", "A line of text: ftpmon: LEVEL: TEXT";
        Json: "json", "A line of JSON: ts, level, target, message";
    }
    OwnersChoice {
        On: "on", "Add the process to session_start and transfer events";
        Off: "off", "Do not look processes up";
    }
    ColorChoice {
        Auto: "auto", "On a terminal, unless NO_COLOR is set";
        Always: "always", "Always";
        Never: "never", "Never";
    }
    Order {
        Time: "time", "The longest open first";
        Idle: "idle", "The longest silent first";
        Bytes: "bytes", "The most bytes first";
        Failed: "failed", "The most refused logins first";
        User: "user", "By user, then by client";
    }
    Tab {
        Sessions: "sessions", "Open sessions";
        Transfers: "transfers", "Transfers that run, and the last that ended";
        Users: "users", "Users by their transfers and refused logins";
        Paths: "paths", "Paths by their transfers";
        Servers: "servers", "Servers by their transfers";
        Clients: "clients", "Clients by their transfers and refused logins";
        Logins: "logins", "The last refused logins";
        Alerts: "alerts", "The last alerts";
    }
    Language {
        En: "en", "English";
        Zh: "zh", "Chinese";
    }
    ChecksumsPolicy {
        Auto: "auto", "In capture files, verify where the sender has right ones; live, verify none";
        Verify: "verify", "Verify all";
        Ignore: "ignore", "Verify none";
    }
    SecretsPolicy {
        Mask: "mask", "Replace them with ***";
        Hash: "hash", "Replace them with a keyed hash, so that equal secrets can be recognized";
        Show: "show", "Write them in clear text";
    }
    FilesPolicy {
        Off: "off", "Count their bytes";
        Hash: "hash", "Report hashes (see --hashes) and the MIME type of each file";
        Extract: "extract", "Like hash, and store the files in --files-dir";
    }
    SpoolFull {
        DropOldest: "drop-oldest", "The oldest events";
        DropNewest: "drop-newest", "The newest events";
        Block: "block", "Nothing: packets stay in the kernel's ring, which counts what it has no room for";
    }
    HashAlgorithm {
        Sha256: "sha256", "SHA-256";
        Sha1: "sha1", "SHA-1, for lists that have no better hash";
        Md5: "md5", "MD5, for lists that have no better hash";
    }
}
