//! The choice of detectors.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};

use super::text;
use crate::quantity::parse_seconds;
use ftpmon_core::detect::{ALL, Allowance, Detectors, Entry, Threshold, Wanted, find};

/// The choice of detectors: each item changes what those before it chose, beginning with the detectors that are on by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DetectConfig(#[serde(with = "text::list")] pub Vec<DetectChoice>);

impl Default for DetectConfig {
    fn default() -> Self {
        Self(vec![DetectChoice::Default])
    }
}

impl DetectConfig {
    /// The detectors that are on, with their thresholds.
    fn chosen(&self) -> Vec<(&'static Entry, Threshold)> {
        let mut chosen: Vec<_> =
            ALL.iter().map(|entry| (*entry, entry.on.then_some(entry.threshold))).collect();
        for choice in &self.0 {
            match choice {
                DetectChoice::Default => {
                    chosen.iter_mut().for_each(|(entry, on)| *on = entry.on.then_some(entry.threshold));
                }
                DetectChoice::All => {
                    chosen.iter_mut().for_each(|(entry, on)| *on = Some(entry.threshold));
                }
                DetectChoice::None => chosen.iter_mut().for_each(|(_, on)| *on = None),
                DetectChoice::One { id, set } => {
                    let Some((entry, on)) = chosen.iter_mut().find(|(entry, _)| entry.id() == id) else {
                        continue;
                    };
                    *on = match set {
                        Set::On => Some(on.unwrap_or(entry.threshold)),
                        Set::Off => None,
                        Set::At(threshold) => Some(*threshold),
                    };
                }
            }
        }
        chosen.into_iter().filter_map(|(entry, on)| Some((entry, on?))).collect()
    }

    /// The events that the detectors have to see.
    pub(super) fn wanted(&self) -> Wanted {
        Wanted::by(self.chosen().into_iter().map(|(entry, _)| entry))
    }

    /// Starts the detectors that are on.
    pub(super) fn start(&self, allowances: &[Allowance]) -> Detectors {
        Detectors::start(self.chosen(), allowances)
    }
}

/// One item of the choice of detectors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DetectChoice {
    /// Those that are on by default.
    Default,
    /// Every detector.
    All,
    /// No detector.
    None,
    /// One detector.
    One {
        /// Its id.
        id: String,
        /// Its setting.
        set: Set,
    },
}

/// The setting of one detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// `ID` or `ID=on`
    On,
    /// `ID=off`
    Off,
    /// `ID=COUNT/TIME`: on, with another threshold.
    At(Threshold),
}

impl fmt::Display for DetectChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::All => f.write_str("all"),
            Self::None => f.write_str("none"),
            Self::One { id, set: Set::On } => f.write_str(id),
            Self::One { id, set: Set::Off } => write!(f, "{id}=off"),
            Self::One { id, set: Set::At(Threshold { count, per_s }) } => write!(f, "{id}={count}/{per_s}s"),
        }
    }
}

impl FromStr for DetectChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "default" => return Ok(Self::Default),
            "all" => return Ok(Self::All),
            "none" => return Ok(Self::None),
            _ => {}
        }
        let (id, set) = text.split_once('=').unwrap_or((text, "on"));
        refuse_unknown(id)?;
        let set = match set {
            "on" => Set::On,
            "off" => Set::Off,
            threshold => Set::At(parse_threshold(threshold).ok_or_else(|| {
                format!("`{threshold}` is no setting of a detector: on, off, or COUNT/TIME such as 10/5m")
            })?),
        };
        Ok(Self::One { id: id.to_owned(), set })
    }
}

/// `[ID=][client:|server:|target:]NETWORK`.
///
/// # Errors
/// There is no such detector, or it is no network.
pub fn parse_allowance(text: &str) -> Result<Allowance, String> {
    let allowance: Allowance = text.parse()?;
    allowance.detector.as_deref().map_or(Ok(()), refuse_unknown)?;
    Ok(allowance)
}

fn refuse_unknown(id: &str) -> Result<(), String> {
    if find(id).is_some() {
        return Ok(());
    }
    let known: Vec<_> = ALL.iter().map(|entry| entry.id()).collect();
    Err(format!("there is no detector `{id}`; there are {}", known.join(", ")))
}

fn parse_threshold(text: &str) -> Option<Threshold> {
    let (count, time) = text.split_once('/')?;
    let count = count.parse().ok().filter(|count| *count > 0)?;
    let per_s = parse_seconds(time).ok()?;
    (per_s > 0).then_some(Threshold { count, per_s })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(items: &[&str]) -> Vec<(&'static str, Threshold)> {
        let config = DetectConfig(items.iter().map(|item| item.parse().unwrap()).collect());
        config.chosen().into_iter().map(|(entry, threshold)| (entry.id(), threshold)).collect()
    }

    #[test]
    fn items_change_what_is_on_by_default() {
        let defaults = ALL.iter().filter(|entry| entry.on).count();
        assert!(defaults > 0 && defaults < ALL.len());
        assert_eq!((chosen(&[]).len(), chosen(&["default"]).len()), (defaults, defaults));
        assert_eq!((chosen(&["all"]).len(), chosen(&["none"]).len()), (ALL.len(), 0));
        assert_eq!(chosen(&["clear-text-login"]).len(), defaults + 1);
        assert_eq!(chosen(&["ftp-bounce=off"]).len(), defaults - 1);
        assert_eq!(
            chosen(&["none", "ftp-bounce=3/1h"]),
            [("ftp-bounce", Threshold { count: 3, per_s: 3_600 })]
        );
        assert_eq!(chosen(&["none", "ftp-bounce=3/10", "ftp-bounce"]).len(), 1, "its threshold stays");
    }

    #[test]
    fn what_is_written_is_read() {
        for text in ["default", "all", "none", "login-guessing", "login-guessing=off", "login-guessing=7/90s"]
        {
            assert_eq!(text.parse::<DetectChoice>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn allowances_name_detectors_that_there_are() {
        for text in ["192.0.2.0/24", "ftp-bounce=target:203.0.113.0/24", "server:2001:db8::/32"] {
            assert_eq!(parse_allowance(text).unwrap().to_string(), text);
        }
        assert!(parse_allowance("ftp-bonce=192.0.2.0/24").unwrap_err().contains("ftp-bounce"));
        assert!(parse_allowance("192.0.2.0/64").unwrap_err().contains("no network"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, named) in [
            ("login-gessing", "login-guessing"),
            ("login-guessing=", "COUNT/TIME"),
            ("login-guessing=0/5", "COUNT/TIME"),
            ("login-guessing=5/0", "COUNT/TIME"),
            ("login-guessing=5", "COUNT/TIME"),
        ] {
            let error = text.parse::<DetectChoice>().unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
