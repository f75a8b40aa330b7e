//! What becomes of ticks that were missed, as JSON.
use serde::Deserialize;
use serde_json::Value;
use wire::common::v1 as common;

/// What becomes of ticks whose time passed while nothing could trigger them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub enum MisfirePolicy {
    /// All of them come, one after the other.
    #[default]
    FireAll,
    /// One of them comes for all.
    FireOnce,
    /// None of them comes.
    Skip,
}

impl MisfirePolicy {
    /// The name that a stored policy has in JSON; one that is not known is as good as none.
    pub fn name(stored: i32) -> &'static str {
        match common::MisfirePolicy::try_from(stored) {
            Ok(common::MisfirePolicy::FireOnce) => "fire_once",
            Ok(common::MisfirePolicy::Skip) => "skip",
            Ok(common::MisfirePolicy::FireAll) | Err(_) => "fire_all",
        }
    }
}

impl TryFrom<Value> for MisfirePolicy {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value.as_str() {
            Some("fire_all") => Ok(Self::FireAll),
            Some("fire_once") => Ok(Self::FireOnce),
            Some("skip") => Ok(Self::Skip),
            _ => Err(format!("{value} is not one of \"fire_all\", \"fire_once\" and \"skip\"")),
        }
    }
}

impl From<MisfirePolicy> for common::MisfirePolicy {
    fn from(policy: MisfirePolicy) -> Self {
        match policy {
            MisfirePolicy::FireAll => Self::FireAll,
            MisfirePolicy::FireOnce => Self::FireOnce,
            MisfirePolicy::Skip => Self::Skip,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_shown() {
        for name in ["fire_all", "fire_once", "skip"] {
            let policy: MisfirePolicy = serde_json::from_value(name.into()).unwrap();
            assert_eq!(MisfirePolicy::name(common::MisfirePolicy::from(policy).into()), name);
        }
        for (wrong, shown) in [(Value::from("never"), "\"never\""), (1.into(), "1")] {
            let fault = serde_json::from_value::<MisfirePolicy>(wrong).unwrap_err().to_string();
            assert_eq!(fault, format!(r#"{shown} is not one of "fire_all", "fire_once" and "skip""#));
        }
    }
}
