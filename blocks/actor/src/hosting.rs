//! What an app says of the actors that it hosts, from `/dapr/config` or its stream (protocols.md 2.3).
use crate::turns::Reentrancy;
use foundation_json::{Members, list, text};
use foundation_metadata::duration;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

const SCOPE: &str = "dapr.runtime.actor.config";
const IDLE: Duration = Duration::from_secs(3600);
const DRAIN: Duration = Duration::from_secs(2);
/// Types of the runtime itself.
pub(crate) const RESERVED: &str = "dapr.internal.";
/// Letters of a name that a log line shows.
const SHOWN: usize = 64;
/// The longest name of a type: the scheduler takes no reminder under a longer one.
const LONGEST_NAME: usize = 512;

/// How the actors of one type are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeSettings {
    /// An actor that was not used for so long is deactivated.
    pub idle_timeout: Duration,
    /// How long calls may take to end when the hosts of the type change.
    pub drain_timeout: Duration,
    pub reentrancy: Reentrancy,
}

impl Default for TypeSettings {
    fn default() -> Self {
        Self { idle_timeout: IDLE, drain_timeout: DRAIN, reentrancy: Reentrancy::default() }
    }
}

/// Settings as an app writes them, for all types or for some.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The types that are hosted, or those that the settings are for.
    pub entities: Vec<String>,
    /// Whether the settings are for some types only.
    pub is_special: bool,
    /// Go durations; empty is the default.
    pub idle_timeout: String,
    pub drain_timeout: String,
    /// False ends calls at once when the hosts of a type change.
    pub drains: Option<bool>,
    pub reentrant: bool,
    pub max_stack_depth: Option<u32>,
}

/// All that an app says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosting {
    pub common: Section,
    pub special: Vec<Section>,
}

/// Settings that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    #[error("error reading the configuration of the app: {0}")]
    Json(String),
    #[error("failed to parse {what}: time: invalid duration {value:?}")]
    Duration { what: &'static str, value: String },
}

impl Hosting {
    /// Reads the document at `/dapr/config`.
    ///
    /// # Errors
    /// [`Invalid::Json`] for members of another type than they should have.
    pub fn of_json(document: Value) -> Result<Self, Invalid> {
        let mut members = Members::of(document).map_err(Invalid::Json)?;
        let special = list(members.take("entitiesConfig").unwrap_or_default(), "entitiesConfig");
        let special = special.map_err(Invalid::Json)?.into_iter().map(|value| {
            let section = section(Members::of(value)?)?;
            Ok(Section { is_special: true, ..section })
        });
        let special = special.collect::<Result<_, String>>().map_err(Invalid::Json)?;
        Ok(Self { common: section(members).map_err(Invalid::Json)?, special })
    }

    /// The settings of each type. Calls never drain longer than `round`, the longest time for new tables, allows. Types that
    /// cannot be hosted are left out.
    ///
    /// # Errors
    /// [`Invalid::Duration`] for a common setting; others that are wrong are logged.
    pub fn settings(&self, round: Duration) -> Result<BTreeMap<String, TypeSettings>, Invalid> {
        let common = self.common.settings(TypeSettings::default(), round)?;
        let hosted = self.common.entities.iter().filter(|name| is_possible(name));
        let mut all: BTreeMap<_, _> = hosted.map(|name| (name.clone(), common)).collect();
        for section in &self.special {
            let base = TypeSettings { drain_timeout: common.drain_timeout, ..TypeSettings::default() };
            let special = section.or_default(base, round);
            for name in &section.entities {
                match all.get_mut(name) {
                    Some(settings) => *settings = special,
                    None => {
                        tracing::warn!(target: SCOPE, "Configuration specified for non-hosted actor type: {name}");
                    }
                }
            }
        }
        Ok(all)
    }
}

impl Section {
    fn settings(&self, base: TypeSettings, round: Duration) -> Result<TypeSettings, Invalid> {
        let drain = read("drain ongoing call timeout", &self.drain_timeout)?;
        Ok(TypeSettings {
            idle_timeout: read("default actor idle timeout", &self.idle_timeout)?.unwrap_or(base.idle_timeout),
            drain_timeout: self.drain(drain, base, round),
            reentrancy: self.reentrancy(),
        })
    }

    fn or_default(&self, base: TypeSettings, round: Duration) -> TypeSettings {
        let settings = self.settings(base, round);
        settings.unwrap_or_else(|invalid| {
            tracing::warn!(target: SCOPE, "{invalid} for {}, using defaults", self.shown());
            TypeSettings { reentrancy: self.reentrancy(), ..base }
        })
    }

    fn drain(&self, wanted: Option<Duration>, base: TypeSettings, round: Duration) -> Duration {
        if self.drains == Some(false) {
            return Duration::ZERO;
        }
        wanted.map_or(base.drain_timeout, |drain| self.clamp(drain, round))
    }

    /// A round that calls hold up too long is given up, and all actors with it.
    fn clamp(&self, drain: Duration, round: Duration) -> Duration {
        if drain < round {
            return drain;
        }
        let clamped = round.mul_f64(0.8).max(DRAIN);
        let [drain, round, shown] = [drain, round, clamped].map(duration::format);
        let of = self.shown();
        tracing::warn!(target: SCOPE, "drainOngoingCallTimeout ({drain}) for {of} meets or exceeds the dissemination timeout ({round}); clamping to {shown} to avoid blocking placement dissemination");
        clamped
    }

    fn shown(&self) -> String {
        if self.is_special { format!("entities={}", self.entities.join(",")) } else { "global config".to_owned() }
    }

    fn reentrancy(&self) -> Reentrancy {
        let max_stack_depth = self.max_stack_depth.unwrap_or(Reentrancy::default().max_stack_depth);
        Reentrancy { enabled: self.reentrant, max_stack_depth }
    }
}

/// The placement service refuses a sidecar with all its types because of one that it may not host.
fn is_possible(name: &str) -> bool {
    let reason = match name {
        "" => "it has no name",
        _ if format!("{name}.").starts_with(RESERVED) => "the name is reserved for the runtime",
        _ if name.len() > LONGEST_NAME => "the name is longer than 512 bytes",
        _ => return true,
    };
    let shown: String = name.chars().take(SHOWN).collect();
    tracing::warn!(target: SCOPE, "Actor type {shown:?} of the app is not hosted: {reason}. The app's other types are");
    false
}

fn read(what: &'static str, text: &str) -> Result<Option<Duration>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    let read = duration::parse(text).ok_or_else(|| Invalid::Duration { what, value: text.to_owned() });
    read.map(Some)
}

fn section(mut members: Members) -> Result<Section, String> {
    let entities = list(members.take("entities").unwrap_or_default(), "entities")?;
    let mut reentrancy = Members::of(members.take("reentrancy").unwrap_or_default())?;
    let depth = reentrancy.take("maxStackDepth");
    let depth = depth.and_then(|depth| typed("reentrancy.maxStackDepth", &depth, "a number", Value::as_u64));
    Ok(Section {
        is_special: false,
        entities: entities.into_iter().map(|name| text(name, "entities")).collect::<Result<_, _>>()?,
        idle_timeout: members.text("actorIdleTimeout")?,
        drain_timeout: members.text("drainOngoingCallTimeout")?,
        drains: flag("drainRebalancedActors", members.take("drainRebalancedActors")),
        reentrant: flag("reentrancy.enabled", reentrancy.take("enabled")).unwrap_or_default(),
        max_stack_depth: depth.and_then(|depth| u32::try_from(depth).ok()),
    })
}

fn flag(name: &str, value: Option<Value>) -> Option<bool> {
    typed(name, &value?, "true or false, without quotes", Value::as_bool)
}

/// A member of the right type; another one counts as missing, as `null` does.
fn typed<T>(name: &str, value: &Value, right: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
    let typed = read(value);
    if typed.is_none() && !value.is_null() {
        tracing::warn!(target: SCOPE, "{name} in the configuration of the app has no effect: {value} must be {right}");
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ROUND: Duration = Duration::from_secs(30);

    fn settings(document: Value) -> BTreeMap<String, TypeSettings> {
        Hosting::of_json(document).unwrap().settings(ROUND).unwrap()
    }

    #[test]
    fn types_have_common_settings_or_their_own() {
        let all = settings(json!({
            "entities": ["a", "b"],
            "actorIdleTimeout": "1m",
            "drainOngoingCallTimeout": "3s",
            "reentrancy": {"enabled": true},
            "entitiesConfig": [{"entities": ["b", "c"], "actorIdleTimeout": "", "reentrancy": {"maxStackDepth": 5}}],
        }));
        let a = TypeSettings {
            idle_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(3),
            reentrancy: Reentrancy { enabled: true, max_stack_depth: 32 },
        };
        let b = TypeSettings { idle_timeout: IDLE, reentrancy: Reentrancy { enabled: false, max_stack_depth: 5 }, ..a };
        assert_eq!(all, BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]));
    }

    #[test]
    fn draining_stays_within_a_round() {
        let drain = |document| settings(document)["a"].drain_timeout;
        assert_eq!(drain(json!({"entities": ["a"], "drainOngoingCallTimeout": "1m"})), Duration::from_secs(24));
        assert_eq!(drain(json!({"entities": ["a"], "drainRebalancedActors": false})), Duration::ZERO);
        assert_eq!(drain(json!({"entities": ["a"]})), DRAIN);
    }

    #[test]
    fn a_type_that_cannot_be_hosted_does_not_take_the_others_with_it() {
        let (longest, too_long) = ("x".repeat(LONGEST_NAME), "x".repeat(LONGEST_NAME + 1));
        let wrong = ["", "dapr.internal", "dapr.internal.default.app.workflow", &too_long];
        let right = ["a", "dapr.internals", &longest];
        let all = settings(json!({
            "entities": wrong.iter().chain(&right).collect::<Vec<_>>(),
            "entitiesConfig": [{"entities": wrong, "actorIdleTimeout": "1m"}],
        }));
        assert_eq!(all.keys().map(String::as_str).collect::<Vec<_>>(), right);
    }

    #[test]
    fn members_of_another_type_count_as_missing() {
        let document = json!({
            "entities": ["a"],
            "drainRebalancedActors": "false",
            "reentrancy": {"enabled": "true", "maxStackDepth": -1},
        });
        assert_eq!(settings(document)["a"], TypeSettings::default());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let hosting = Hosting::of_json(json!({"entities": ["a"], "actorIdleTimeout": "soon"})).unwrap();
        let invalid = hosting.settings(ROUND).unwrap_err().to_string();
        assert_eq!(invalid, r#"failed to parse default actor idle timeout: time: invalid duration "soon""#);
        assert!(Hosting::of_json(json!({"entities": 5})).is_err());
    }
}
