//! Properties of messages from the metadata of requests.
use crate::error::short;
use component_api::pubsub::time_to_live;
use component_api::{Error, Metadata, Result, metadata_value};
use lapin::BasicProperties;
use std::time::Duration;

/// The properties of a message; `lifetime` counts where the metadata say nothing of it.
///
/// # Errors
/// A text that is too long, or a priority that is no number.
pub(crate) fn properties(metadata: &Metadata, lifetime: Option<Duration>) -> Result<BasicProperties> {
    let text = |name: &str| metadata_value(metadata, name).filter(|text| !text.is_empty());
    let mut properties =
        BasicProperties::default().with_content_type(short(text("contentType").unwrap_or("text/plain"))?);
    if let Some(id) = text("messageID") {
        properties = properties.with_message_id(short(id)?);
    }
    if let Some(id) = text("correlationID") {
        properties = properties.with_correlation_id(short(id)?);
    }
    if let Some(kind) = text("type") {
        properties = properties.with_type(short(kind)?);
    }
    if let Some(lifetime) = time_to_live(metadata).or(lifetime) {
        properties = properties.with_expiration(lifetime.as_millis().to_string().into());
    }
    match text("priority") {
        Some(priority) => Ok(properties.with_priority(number(priority)?)),
        None => Ok(properties),
    }
}

/// A priority; what is too high or too low is the nearest one that there is.
fn number(text: &str) -> Result<u8> {
    let refusal = |error| Error::invalid(format!("priority '{text}' is no whole number")).with_source(error);
    let number: i64 = text.parse().map_err(refusal)?;
    Ok(u8::try_from(number.clamp(0, 255)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_become_properties() {
        let pairs = [("ttlInSeconds", "2"), ("priority", "300"), ("messageId", "m"), ("contentType", "text/html")];
        let metadata = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let read = properties(&metadata, Some(Duration::from_secs(9))).unwrap();
        assert_eq!(read.expiration().as_ref().map(|text| text.as_str()), Some("2000"));
        assert_eq!((*read.priority(), read.message_id().as_ref().map(|id| id.as_str())), (Some(255), Some("m")));
        let read = properties(&Metadata::new(), Some(Duration::from_secs(9))).unwrap();
        assert_eq!(read.expiration().as_ref().map(|text| text.as_str()), Some("9000"));
        assert_eq!(read.content_type().as_ref().map(|text| text.as_str()), Some("text/plain"));
    }
}
