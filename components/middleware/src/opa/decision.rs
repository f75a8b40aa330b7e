//! What a policy decided.
use http::{HeaderName, HeaderValue, StatusCode};
use regorus::Value;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Whether a request may pass, the status if it may not, and headers of the request or of the refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decision {
    pub(super) allow: bool,
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// A decision as policies write it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    allow: bool,
    status_code: Option<u16>,
    additional_headers: BTreeMap<String, String>,
}

impl Decision {
    /// Reads the value of the rule; the error is what is wrong with it.
    pub(super) fn of(value: &Value, status: StatusCode) -> Result<Self, String> {
        match value {
            Value::Undefined => Err("it gives no result; does it set data.http.allow?".to_owned()),
            Value::Bool(allow) => Ok(Self { allow: *allow, status, headers: Vec::new() }),
            Value::Object(_) => Self::written(&value.to_json_str().map_err(|error| error.to_string())?, status),
            _ => Err("its result is neither a boolean nor an object".to_owned()),
        }
    }

    fn written(json: &str, status: StatusCode) -> Result<Self, String> {
        let written: Written = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let header = |(name, value): (String, String)| {
            let wrong = || format!("{name} is no header that can be set");
            let parsed = HeaderName::try_from(&name).map_err(|_| wrong())?;
            Ok((parsed, HeaderValue::try_from(value).map_err(|_| wrong())?))
        };
        let given = written.status_code.map(StatusCode::from_u16).transpose();
        Ok(Self {
            allow: written.allow,
            status: given.map_err(|_| "its status_code is none".to_owned())?.unwrap_or(status),
            headers: written.additional_headers.into_iter().map(header).collect::<Result<_, String>>()?,
        })
    }
}
