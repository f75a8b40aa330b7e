//! What a message of Kafka is made of, and what becomes metadata of it.
use bytes::Bytes;
use component_api::{Error, Metadata as Pairs, Result};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rdkafka::Message;
use rdkafka::message::{BorrowedHeaders, BorrowedMessage, Header, Headers, OwnedHeaders};
use regex::Regex;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What is not escaped in a value that becomes metadata, as in Go's queries.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How headers and metadata become each other.
#[derive(Debug)]
pub(crate) struct Naming {
    /// Names that are not passed on.
    excluded: Option<Regex>,
    escape: bool,
}

/// A message to be sent, but for its value.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pub(crate) key: Option<String>,
    pub(crate) partition: Option<i32>,
    pub(crate) headers: Option<OwnedHeaders>,
}

/// A message that came.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) offset: i64,
    /// None for a message that only says that its key is gone.
    pub(crate) value: Option<Bytes>,
    pub(crate) metadata: Pairs,
}

impl Naming {
    /// # Errors
    /// `excluded` is no regular expression.
    pub(crate) fn new(excluded: &str, escape: bool) -> Result<Self> {
        if excluded.is_empty() {
            return Ok(Self { excluded: None, escape });
        }
        let regex = Regex::new(excluded);
        let regex =
            regex.map_err(|error| Error::invalid("excludeHeaderMetaRegex cannot be read").with_source(error))?;
        Ok(Self { excluded: Some(regex), escape })
    }

    /// Key, partition and headers that metadata ask for. The names of key and partition are headers too.
    ///
    /// # Errors
    /// A partition that is no number, or a name that no header can have.
    pub(crate) fn outgoing(&self, metadata: &Pairs) -> Result<Outgoing> {
        let key = metadata.get("partitionKey").or_else(|| metadata.get("__key")).cloned();
        let partition = metadata.get("partitionNumber").map(|text| partition(text)).transpose()?;
        let mut headers = OwnedHeaders::new_with_capacity(metadata.len());
        for (name, value) in metadata.iter().filter(|(name, _)| !self.is_excluded(name)) {
            if name.contains('\0') {
                return Err(Error::invalid("kafka: the name of a header has a zero byte"));
            }
            headers = headers.insert(Header { key: name, value: Some(value.as_str()) });
        }
        let headers = (headers.count() > 0).then_some(headers);
        Ok(Outgoing { key, partition, headers })
    }

    /// A message with what the app is told of it.
    pub(crate) fn incoming(&self, message: &BorrowedMessage<'_>) -> Incoming {
        let timestamp = message.timestamp().to_millis().unwrap_or(-1);
        let mut metadata = Pairs::from([
            ("__topic".to_owned(), message.topic().to_owned()),
            ("__partition".to_owned(), message.partition().to_string()),
            ("__offset".to_owned(), message.offset().to_string()),
            ("__timestamp".to_owned(), timestamp.to_string()),
        ]);
        if let Some(key) = message.key() {
            metadata.insert("__key".to_owned(), self.text(key));
        }
        for (name, value) in message.headers().into_iter().flat_map(pairs) {
            if !self.is_excluded(name) {
                metadata.insert(name.to_owned(), self.text(value));
            }
        }
        let value = message.payload().map(Bytes::copy_from_slice);
        Incoming { offset: message.offset(), value, metadata }
    }

    fn is_excluded(&self, name: &str) -> bool {
        self.excluded.as_ref().is_some_and(|excluded| excluded.is_match(name))
    }

    fn text(&self, value: &[u8]) -> String {
        let text = String::from_utf8_lossy(value);
        if !self.escape {
            return text.into_owned();
        }
        utf8_percent_encode(&text, ESCAPED).to_string().replace("%20", "+")
    }
}

/// Headers with a name. One whose name is no text is left out: the library breaks off at it.
fn pairs(headers: &BorrowedHeaders) -> impl Iterator<Item = (&str, &[u8])> {
    let pair = |index| catch_unwind(AssertUnwindSafe(|| headers.try_get(index))).ok().flatten();
    (0..headers.count()).filter_map(pair).map(|header| (header.key, header.value.unwrap_or_default()))
}

fn partition(text: &str) -> Result<i32> {
    let number = text.parse::<i32>().map_err(|error| {
        Error::invalid(format!("invalid partitionNumber metadata value \"{text}\"")).with_source(error)
    })?;
    if number < 0 {
        return Err(Error::invalid(format!("partitionNumber must be non-negative, got {number}")));
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&str, &str)]) -> Pairs {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn names(outgoing: &Outgoing) -> Vec<String> {
        let headers = outgoing.headers.iter().flat_map(|headers| headers.iter());
        headers.map(|header| header.key.to_owned()).collect()
    }

    #[test]
    fn keys_and_partitions_are_headers_too() {
        let naming = Naming::new("", false).unwrap();
        let given = metadata(&[("partitionKey", "k"), ("partitionNumber", "2"), ("color", "red")]);
        let outgoing = naming.outgoing(&given).unwrap();
        assert_eq!((outgoing.key.as_deref(), outgoing.partition), (Some("k"), Some(2)));
        assert_eq!(names(&outgoing), ["color", "partitionKey", "partitionNumber"]);
        assert_eq!(naming.outgoing(&metadata(&[("__key", "k")])).unwrap().key.as_deref(), Some("k"));
        let nothing = naming.outgoing(&Pairs::new()).unwrap();
        assert!(nothing.key.is_none() && nothing.partition.is_none() && nothing.headers.is_none());
    }

    #[test]
    fn partitions_that_are_none() {
        let naming = Naming::new("", false).unwrap();
        for text in ["two", "-1", "4294967296", ""] {
            assert!(naming.outgoing(&metadata(&[("partitionNumber", text)])).is_err(), "{text}");
        }
        assert!(naming.outgoing(&metadata(&[("a\0b", "")])).is_err());
    }

    #[test]
    fn names_that_are_not_passed_on() {
        let naming = Naming::new("^rawPayload|valueSchemaType$", false).unwrap();
        let given = metadata(&[("rawPayload", "true"), ("valueSchemaType", "Avro"), ("color", "red")]);
        assert_eq!(names(&naming.outgoing(&given).unwrap()), ["color"]);
        assert!(Naming::new("(", false).is_err());
    }

    #[test]
    fn escaped_values() {
        let naming = Naming::new("", true).unwrap();
        assert_eq!(naming.text("a b/ü*~-_.".as_bytes()), "a+b%2F%C3%BC%2A~-_.");
        assert_eq!(Naming::new("", false).unwrap().text(b"a b"), "a b");
    }
}
