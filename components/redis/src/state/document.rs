//! Entries as JSON documents of RedisJSON, as Dapr's component keeps those whose content type is JSON.
//!
//! A document has `data`, `version` (the ETag), and `first-write` once a first writer wrote it.
use component_api::state::{Etag, Item};
use component_api::{Error, Metadata, Result, metadata_value};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Whether the metadata of a request say that the value is JSON.
pub(super) fn is_asked_for(metadata: &Metadata) -> bool {
    metadata_value(metadata, "contentType") == Some("application/json")
}

/// The entry that a document is.
///
/// # Errors
/// Something else wrote the document.
pub(super) fn item(text: &str, metadata: Metadata) -> Result<Item> {
    let foreign =
        |error| Error::other("the JSON document has no member 'data'; something else wrote it").with_source(error);
    let document: Document<'_> = serde_json::from_str(text).map_err(foreign)?;
    let etag = document.version.map(|version| Etag(version.to_string()));
    Ok(Item { data: document.data.get().to_owned().into(), etag, metadata })
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    version: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_entries() {
        let found = item(r#"{"data":{"b":1.50,"a":[]},"first-write":0,"version":3}"#, Metadata::new()).unwrap();
        assert_eq!((&found.data[..], found.etag), (&br#"{"b":1.50,"a":[]}"#[..], Some(Etag("3".to_owned()))));
        assert_eq!(item(r#"{"data":"x"}"#, Metadata::new()).unwrap().etag, None);
        assert!(item(r#"{"version":1}"#, Metadata::new()).is_err());
    }
}
