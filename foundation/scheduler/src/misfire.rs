//! What becomes of ticks that were missed, as JSON.
use serde::Deserialize;
use wire::common::v1 as common;

/// What becomes of ticks whose time passed while nothing could trigger them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
        let fault = serde_json::from_value::<MisfirePolicy>("never".into()).unwrap_err().to_string();
        assert!(fault.contains("fire_all") && fault.contains("skip"), "{fault}");
    }
}
