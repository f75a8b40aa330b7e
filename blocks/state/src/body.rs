//! Bodies of HTTP requests. Names of members are found without regard to case and unknown ones are ignored, as in Go.
use crate::json;
use crate::model::{BulkGet, Delete, Operation, Options, Save, Transaction};
use component_api::Metadata;
use component_api::state::{Etag, Value as Stored};
use serde_json::{Map, Value};

/// What is wrong with a body, in a sentence.
type Result<T> = std::result::Result<T, String>;

/// Entries to save.
pub(crate) fn entries(body: &[u8]) -> Result<Vec<Save>> {
    let entries = list(json::read(body)?, "body")?;
    let entry = |value| {
        let save = save(Members::of(value)?)?;
        if save.key.is_empty() { Err("\"key\" is a required field".to_owned()) } else { Ok(save) }
    };
    entries.into_iter().map(entry).collect()
}

/// Keys to read.
pub(crate) fn bulk_get(body: &[u8]) -> Result<BulkGet> {
    let mut members = Members::of(json::read(body)?)?;
    // How many are read at once is up to the store, but it has to be a number.
    match members.take("parallelism") {
        None | Some(Value::Null) => {}
        Some(Value::Number(number)) if number.is_i64() => {}
        Some(_) => return Err("parallelism must be a whole number".to_owned()),
    }
    let keys = list(members.take("keys").unwrap_or_default(), "keys")?;
    let keys = keys.into_iter().map(|key| text(key, "keys")).collect::<Result<_>>()?;
    Ok(BulkGet { keys, metadata: members.pairs("metadata")? })
}

/// A transaction.
pub(crate) fn transaction(body: &[u8]) -> Result<Transaction> {
    let mut members = Members::of(json::read(body)?)?;
    let operations = list(members.take("operations").unwrap_or_default(), "operations")?;
    let operations = operations.into_iter().map(|value| operation(Members::of(value)?)).collect::<Result<_>>()?;
    Ok(Transaction { operations, metadata: members.pairs("metadata")? })
}

fn operation(mut members: Members) -> Result<Operation> {
    let name = members.text("operation")?;
    let request = members.take("request").unwrap_or_default();
    match name.as_str() {
        "upsert" => Ok(Operation::Upsert(save(Members::of(request)?)?)),
        "delete" => Ok(Operation::Delete(delete(Members::of(request)?)?)),
        _ => Ok(Operation::Unknown { name, key: String::new() }),
    }
}

fn save(mut members: Members) -> Result<Save> {
    Ok(Save {
        key: members.text("key")?,
        value: Stored::Json(json::write(&members.take("value").unwrap_or_default())),
        etag: members.etag()?,
        options: members.options()?,
        metadata: members.pairs("metadata")?,
    })
}

fn delete(mut members: Members) -> Result<Delete> {
    let (key, etag) = (members.text("key")?, members.etag()?);
    Ok(Delete { key, etag, options: members.options()?, metadata: members.pairs("metadata")? })
}

/// The members of an object that were not looked at yet.
struct Members(Map<String, Value>);

impl Members {
    /// `null` is an object without members.
    fn of(value: Value) -> Result<Self> {
        match value {
            Value::Object(members) => Ok(Self(members)),
            Value::Null => Ok(Self(Map::new())),
            _ => Err("an object was expected".to_owned()),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        if let Some(value) = self.0.remove(name) {
            return Some(value);
        }
        let name = self.0.keys().find(|given| given.eq_ignore_ascii_case(name)).cloned()?;
        self.0.remove(&name)
    }

    /// A text, which is empty where there is none.
    fn text(&mut self, name: &str) -> Result<String> {
        text(self.take(name).unwrap_or_default(), name)
    }

    fn etag(&mut self) -> Result<Option<Etag>> {
        Ok(Some(self.text("etag")?).filter(|etag| !etag.is_empty()).map(Etag))
    }

    fn options(&mut self) -> Result<Options> {
        let mut options = Self::of(self.take("options").unwrap_or_default())?;
        Ok(Options { concurrency: options.text("concurrency")?, consistency: options.text("consistency")? })
    }

    fn pairs(&mut self, name: &str) -> Result<Metadata> {
        let pairs = Self::of(self.take(name).unwrap_or_default())?;
        pairs.0.into_iter().map(|(name, value)| Ok((name.clone(), text(value, &name)?))).collect()
    }
}

fn text(value: Value, name: &str) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        _ => Err(format!("{name} must be a text")),
    }
}

fn list(value: Value, name: &str) -> Result<Vec<Value>> {
    match value {
        Value::Array(list) => Ok(list),
        Value::Null => Ok(Vec::new()),
        _ => Err(format!("{name} must be a list")),
    }
}
