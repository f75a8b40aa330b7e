//! Bodies of HTTP requests. Names of members are found without regard to case and unknown ones are ignored, as in Go.
use crate::model::{BulkGet, Delete, Operation, Options, Save, Transaction};
use component_api::state::{Etag, Value as Stored};
use foundation_json::{self as json, Members, list, text};
use serde_json::Value;

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
    Ok(BulkGet { keys, metadata: members.texts("metadata")? })
}

/// A transaction.
pub(crate) fn transaction(body: &[u8]) -> Result<Transaction> {
    let mut members = Members::of(json::read(body)?)?;
    let operations = list(members.take("operations").unwrap_or_default(), "operations")?;
    let operations = operations.into_iter().map(|value| operation(Members::of(value)?)).collect::<Result<_>>()?;
    let metadata = members.texts("metadata")?;
    Ok(Transaction { operations, metadata, ..Transaction::default() })
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
        etag: etag(&mut members)?,
        options: options(&mut members)?,
        metadata: members.texts("metadata")?,
    })
}

fn delete(mut members: Members) -> Result<Delete> {
    let (key, etag) = (members.text("key")?, etag(&mut members)?);
    Ok(Delete { key, etag, options: options(&mut members)?, metadata: members.texts("metadata")? })
}

/// An empty ETag is none.
fn etag(members: &mut Members) -> Result<Option<Etag>> {
    Ok(Some(members.text("etag")?).filter(|etag| !etag.is_empty()).map(Etag))
}

fn options(members: &mut Members) -> Result<Options> {
    let mut options = Members::of(members.take("options").unwrap_or_default())?;
    Ok(Options { concurrency: options.text("concurrency")?, consistency: options.text("consistency")? })
}
