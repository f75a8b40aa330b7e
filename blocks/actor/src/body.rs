//! Bodies of HTTP requests. Names of members are found without regard to case and unknown ones are ignored, as in Go.
use crate::model::ActorKey;
use crate::reminders::{Kept, NewReminder};
use crate::state::Operation;
use crate::tick::{Kind, Tick, data_of, json_of};
use component_api::state::{Etag, Value as Stored};
use foundation_json::{self as json, Members, list};
use foundation_scheduler::{FailurePolicy, MisfirePolicy};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use wire::common::v1::JobFailurePolicy;

/// What is wrong with a body, in a sentence.
type Result<T> = std::result::Result<T, String>;

/// The steps of a transaction.
pub(crate) fn operations(body: &[u8]) -> Result<Vec<Operation>> {
    let steps = list(json::read(body)?, "body")?;
    steps.into_iter().map(|step| Ok(operation(Members::of(step)?).unwrap_or_else(Operation::Invalid))).collect()
}

fn operation(mut members: Members) -> Result<Operation> {
    let name = members.text("operation")?;
    let request = match members.take("request") {
        None | Some(Value::Null) => return Err("request data is empty".to_owned()),
        Some(request) => Members::of(request)?,
    };
    match name.as_str() {
        "" => Err("operation is empty".to_owned()),
        "upsert" => upsert(request),
        "delete" => delete(request),
        name => Err(format!("operation type {name} not supported")),
    }
}

fn upsert(mut members: Members) -> Result<Operation> {
    let value = Stored::Json(json::write(&members.take("value").unwrap_or_default()));
    let (key, etag) = (members.text("key")?, etag(&mut members)?);
    Ok(Operation::Upsert { key, value, etag, metadata: members.texts("metadata")? })
}

fn delete(mut members: Members) -> Result<Operation> {
    Ok(Operation::Delete { key: members.text("key")?, etag: etag(&mut members)? })
}

fn etag(members: &mut Members) -> Result<Option<Etag>> {
    Ok(Some(members.text("etag")?).filter(|etag| !etag.is_empty()).map(Etag))
}

/// A timer with its time to live.
pub(crate) fn timer(body: &[u8], actor: ActorKey, name: String) -> Result<(Tick, String)> {
    let mut members = Raw::read(body)?;
    let data = members.take("data").map(|data| data_of(data.get().as_bytes().to_vec()));
    let tick = Tick {
        kind: Kind::Timer,
        actor,
        name,
        due_time: members.text("dueTime")?,
        period: members.text("period")?,
        callback: members.text("callback")?,
        data,
    };
    Ok((tick, members.text("ttl")?))
}

/// A reminder to be made.
pub(crate) fn reminder(body: &[u8], actor: ActorKey, name: String) -> Result<NewReminder> {
    let mut members = Raw::read(body)?;
    Ok(NewReminder {
        actor,
        name,
        due_time: members.text("dueTime")?,
        period: members.text("period")?,
        ttl: members.text("ttl")?,
        data: members.take("data").map(|data| data_of(data.get().as_bytes().to_vec())),
        overwrite: members.value("overwrite")?,
        failure_policy: failure_policy(&mut members)?,
        misfire_policy: members.value::<MisfirePolicy>("misfirePolicy")?.unwrap_or_default().into(),
    })
}

/// Dapr reads the first name alone, and writes the second one everywhere else.
fn failure_policy(members: &mut Raw) -> Result<Option<JobFailurePolicy>> {
    for name in ["failure_policy", "failurePolicy"] {
        if let Some(policy) = members.value::<Option<FailurePolicy>>(name)?.flatten() {
            return Ok(Some(policy.into()));
        }
    }
    Ok(None)
}

/// A reminder as JSON; its data is JSON if it was given as such.
pub(crate) fn kept(kept: Kept) -> Value {
    let data = kept.data.as_ref().and_then(json_of).map(|data| from_raw(&data));
    let text = |text: Option<String>| text.map(Value::from);
    let members = [
        ("actorID", Some(kept.actor.id.into())),
        ("actorType", Some(kept.actor.actor_type.into())),
        ("data", data),
        ("dueTime", text(kept.due_time)),
        ("period", text(kept.period)),
        ("ttl", text(kept.ttl)),
    ];
    Value::Object(members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
}

fn from_raw(data: &RawValue) -> Value {
    serde_json::from_str(data.get()).unwrap_or_default()
}

/// Members of an object with their values as they were written.
struct Raw(BTreeMap<String, Box<RawValue>>);

impl Raw {
    /// Reads the first value of a body; what follows it is ignored.
    fn read(body: &[u8]) -> Result<Self> {
        let mut values = serde_json::Deserializer::from_slice(body).into_iter();
        let first = values.next().ok_or_else(|| "EOF".to_owned())?;
        first.map(Self).map_err(|error| error.to_string())
    }

    fn take(&mut self, wanted: &str) -> Option<Box<RawValue>> {
        let name = self.0.keys().find(|name| name.eq_ignore_ascii_case(wanted))?.clone();
        self.0.remove(&name)
    }

    fn value<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        serde_json::from_str(value.get()).map_err(|error| format!("{name}: {error}"))
    }

    fn text(&mut self, name: &str) -> Result<String> {
        let Some(value) = self.take(name).filter(|value| value.get() != "null") else { return Ok(String::new()) };
        serde_json::from_str(value.get()).map_err(|_| format!("{name} must be a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::common::v1::job_failure_policy::Policy;

    #[test]
    fn a_failure_policy_has_two_names() {
        for name in ["failure_policy", "failurePolicy"] {
            let body = format!(r#"{{"dueTime": "1s", "{name}": {{"drop": {{}}}}}}"#);
            let actor = ActorKey { actor_type: "type".to_owned(), id: "id".to_owned() };
            let read = reminder(body.as_bytes(), actor, "name".to_owned()).unwrap();
            assert!(matches!(read.failure_policy.unwrap().policy, Some(Policy::Drop(_))), "{name}");
        }
    }
}
