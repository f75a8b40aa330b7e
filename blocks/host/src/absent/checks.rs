//! How the request of an absent block is read before it is refused.
use crate::absent::Owner;
use crate::absent::codes::{self, malformed};
use foundation_endpoint::BodyError;
use foundation_fault::Fault;
use serde_json::Value;

/// What a request said: its JSON body.
pub(crate) struct Captured {
    pub(crate) body: Value,
}

type Refuse = fn(&Owner, &Captured) -> Fault;

/// When and how a request is refused.
#[derive(Clone, Copy)]
pub(crate) enum Refusal {
    /// Without a look at its body.
    At(Refuse),
    /// When its body was read.
    AfterBody { read: &'static Reader, refuse: Refuse },
}

/// How a body is read.
pub(crate) struct Reader {
    pub(crate) unread: fn(&BodyError) -> Fault,
    pub(crate) decode: fn(&[u8]) -> Result<Value, Fault>,
}

/// The JSON form of a protobuf message; no body is an empty message.
pub(crate) static MESSAGE: Reader = Reader { unread: |error| codes::unread(&error.to_string()), decode: message };

fn message(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(malformed("an object is expected")),
        Err(error) => Err(malformed(&error.to_string())),
    }
}
