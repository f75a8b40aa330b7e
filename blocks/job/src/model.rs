//! Jobs as the JSON form of their messages.
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use foundation_endpoint::proto_json::{or_default, uint32};
use foundation_json::{of_protobuf, to_protobuf};
use foundation_scheduler::{FailurePolicy, MisfirePolicy};
use prost::Message;
use prost_types::Any;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use wire::runtime::v1::Job;

/// Protobuf types of data.
const VALUE: &str = "type.googleapis.com/google.protobuf.Value";
const BYTES: &str = "type.googleapis.com/google.protobuf.BytesValue";
const STRING: &str = "type.googleapis.com/google.protobuf.StringValue";

/// The body that schedules a job.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Posted {
    #[serde(deserialize_with = "or_default")]
    pub(crate) name: String,
    schedule: Option<String>,
    #[serde(deserialize_with = "uint32")]
    repeats: Option<u32>,
    #[serde(alias = "due_time")]
    due_time: Option<String>,
    ttl: Option<String>,
    /// Null is data, too.
    #[serde(deserialize_with = "present")]
    data: Option<Value>,
    pub(crate) overwrite: Option<bool>,
    #[serde(alias = "failure_policy", deserialize_with = "failure_policy")]
    failure_policy: Option<FailurePolicy>,
    /// Not of Dapr.
    #[serde(alias = "misfire_policy", deserialize_with = "misfire_policy")]
    misfire_policy: Option<MisfirePolicy>,
}

impl Posted {
    /// The job, with the name of the path.
    pub(crate) fn job(self, name: &str) -> Job {
        Job {
            name: name.to_owned(),
            schedule: self.schedule,
            repeats: self.repeats,
            due_time: self.due_time,
            ttl: self.ttl,
            data: self.data.map(|data| Any { type_url: VALUE.to_owned(), value: to_protobuf(&data).encode_to_vec() }),
            failure_policy: self.failure_policy.map(FailurePolicy::into),
            misfire_policy: wire::common::v1::MisfirePolicy::from(self.misfire_policy.unwrap_or_default()).into(),
            status: None,
        }
    }
}

/// A job as JSON.
pub(crate) fn shown(job: Job) -> Value {
    let mut members = Map::from_iter([("name".to_owned(), Value::from(job.name))]);
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    };
    put("schedule", job.schedule.map(Value::from));
    put("repeats", job.repeats.map(Value::from));
    put("dueTime", job.due_time.map(Value::from));
    put("ttl", job.ttl.map(Value::from));
    put("data", job.data.map(|data| any(&data)));
    put("failurePolicy", job.failure_policy.map(FailurePolicy::shown));
    Value::Object(members)
}

/// Data of an unknown type is shown as its bytes.
fn any(data: &Any) -> Value {
    let bytes = || Value::from(BASE64_STANDARD.encode(&data.value));
    let value = match data.type_url.as_str() {
        VALUE => prost_types::Value::decode(data.value.as_slice()).map_or_else(|_| bytes(), of_protobuf),
        STRING => String::decode(data.value.as_slice()).map_or_else(|_| bytes(), Value::from),
        BYTES => {
            let inner = Vec::<u8>::decode(data.value.as_slice());
            inner.map_or_else(|_| bytes(), |inner| BASE64_STANDARD.encode(inner).into())
        }
        _ => bytes(),
    };
    json!({"@type": data.type_url, "value": value})
}

fn failure_policy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<FailurePolicy>, D::Error> {
    member("failurePolicy", deserializer)
}

fn misfire_policy<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<MisfirePolicy>, D::Error> {
    member("misfirePolicy", deserializer)
}

/// A member whose name is told with what is wrong in it.
fn member<'de, T: DeserializeOwned, D: Deserializer<'de>>(name: &str, deserializer: D) -> Result<Option<T>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    let read = value.map(serde_json::from_value).transpose();
    read.map_err(|error| D::Error::custom(format!("{name}: {error}")))
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(text: &str) -> Value {
        shown(serde_json::from_str::<Posted>(text).unwrap().job("j"))
    }

    #[test]
    fn what_is_posted_is_shown() {
        let all = r#"{"schedule":"@every 1s","repeats":"3","due_time":"1m","ttl":"1h","data":{"a":[1,null]},
            "failurePolicy":{"constant":{"interval":"1.5s","maxRetries":2}},"unknown":1}"#;
        let data = json!({"@type": VALUE, "value": {"a": [1, null]}});
        let constant = json!({"constant": {"interval": "1.500s", "maxRetries": 2}});
        assert_eq!(
            there_and_back(all),
            json!({"name": "j", "schedule": "@every 1s", "repeats": 3, "dueTime": "1m", "ttl": "1h", "data": data, "failurePolicy": constant})
        );
        assert_eq!(
            there_and_back(r#"{"failurePolicy":{"drop":{}}}"#),
            json!({"name": "j", "failurePolicy": {"drop": {}}})
        );
        assert_eq!(there_and_back(r#"{"data":null}"#)["data"]["value"], Value::Null);
        assert_eq!(there_and_back("{}"), json!({"name": "j"}));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for wrong in [r#"{"repeats":-1}"#, r#"{"repeats":"x"}"#, r#"{"failurePolicy":{"constant":{"interval":"1h"}}}"#]
        {
            assert!(serde_json::from_str::<Posted>(wrong).is_err(), "{wrong}");
        }
    }
    #[test]
    fn what_is_no_policy_is_named() {
        for (wrong, told) in [
            (
                r#"{"failurePolicy":"drop"}"#,
                "failurePolicy: invalid type: string \"drop\", expected an object with a member",
            ),
            (r#"{"misfirePolicy":1}"#, "misfirePolicy: 1 is not one of \"fire_all\""),
        ] {
            let error = serde_json::from_str::<Posted>(wrong).unwrap_err().to_string();
            assert!(error.starts_with(told), "{error}");
        }
        let none = r#"{"failurePolicy":null,"misfirePolicy":null}"#;
        assert!(serde_json::from_str::<Posted>(none).unwrap().failure_policy.is_none());
    }
}
