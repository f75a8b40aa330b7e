//! How far the replacement of a root has come, as `rotation.json` keeps it. It holds a key that will sign: it is as secret as `issuer.key`.
use crate::Lifetimes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::{Duration, SystemTime};

/// What is known beyond the files of Dapr.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Journal {
    /// Roots that were made here. Others are never replaced unasked: their owner has a reason for them.
    pub own: Vec<Own>,
    /// What signs next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Next>,
    /// Roots that sign no more and are trusted for a while.
    pub retiring: Vec<Retiring>,
    /// How long certificates below the root that signs are good at most, whichever sentry has signed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest: Option<Longest>,
}

/// The longest of the lifetimes of several sentries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Longest {
    pub workload_milliseconds: u64,
    pub skew_milliseconds: u64,
}

impl Longest {
    /// Those of one sentry.
    pub fn of(lifetimes: Lifetimes) -> Self {
        let milliseconds = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        Self {
            workload_milliseconds: milliseconds(lifetimes.workload),
            skew_milliseconds: milliseconds(lifetimes.skew),
        }
    }

    /// Of these and others.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            workload_milliseconds: self.workload_milliseconds.max(other.workload_milliseconds),
            skew_milliseconds: self.skew_milliseconds.max(other.skew_milliseconds),
        }
    }

    /// The same with the life of a root.
    pub fn lifetimes(self, root: Duration) -> Lifetimes {
        Lifetimes {
            workload: Duration::from_millis(self.workload_milliseconds),
            skew: Duration::from_millis(self.skew_milliseconds),
            root,
        }
    }
}

/// A root that was made here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    pub fingerprint: String,
    #[serde(with = "time")]
    pub made: SystemTime,
}

/// The credentials that sign next. Their root is trusted already.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Next {
    pub root: String,
    pub issuer_certificate: String,
    pub issuer_key: String,
    #[serde(with = "time")]
    pub announced: SystemTime,
    /// Whether it signs as soon as everybody can know it, however long the present root is good.
    pub is_wanted_soon: bool,
}

/// A root that signs no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retiring {
    pub fingerprint: String,
    /// When all that it has vouched for has ended.
    #[serde(with = "time")]
    pub until: SystemTime,
}

/// Points in time as RFC 3339 has them.
mod time {
    use super::*;
    use jiff::Timestamp;
    use serde::de::Error as _;
    use serde::ser::Error as _;

    pub(super) fn serialize<S: Serializer>(time: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Timestamp::try_from(*time).map_err(S::Error::custom)?;
        serializer.serialize_str(&time.to_string())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse::<Timestamp>().map(SystemTime::from).map_err(D::Error::custom)
    }
}
