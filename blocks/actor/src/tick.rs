//! A timer or a reminder that is due, as the app is told of it (protocols.md 2.5).
use crate::model::ActorKey;
use prost::Message;
use prost_types::Any;
use serde_json::value::RawValue;
use wire::internals::v1::Reminder;

/// The protobuf type of bytes in an [`Any`].
const BYTES: &str = "type.googleapis.com/google.protobuf.BytesValue";

/// What a tick is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Timer,
    Reminder,
}

/// A timer or a reminder that is due. Times are as they were written when it was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub kind: Kind,
    pub actor: ActorKey,
    pub name: String,
    pub due_time: String,
    pub period: String,
    /// Of timers: what the actor shall do.
    pub callback: String,
    pub data: Option<Any>,
}

impl Tick {
    /// The data as JSON: bytes are taken for such.
    pub(crate) fn json(&self) -> Option<Box<RawValue>> {
        json_of(self.data.as_ref()?)
    }
}

/// Bytes that hold JSON.
pub(crate) fn json_of(data: &Any) -> Option<Box<RawValue>> {
    let bytes = if data.type_url == BYTES { bytes_of(data)? } else { return None };
    foundation_json::compact(&bytes)
}

/// Bytes as data of a timer or a reminder.
pub(crate) fn data_of(bytes: Vec<u8>) -> Any {
    Any { type_url: BYTES.to_owned(), value: bytes.encode_to_vec() }
}

fn bytes_of(data: &Any) -> Option<Vec<u8>> {
    Vec::decode(data.value.as_slice()).ok()
}

impl From<Reminder> for Tick {
    fn from(reminder: Reminder) -> Self {
        Self {
            kind: if reminder.is_timer { Kind::Timer } else { Kind::Reminder },
            actor: ActorKey::new(reminder.actor_type, reminder.actor_id),
            name: reminder.name,
            due_time: reminder.due_time,
            period: reminder.period,
            // Sidecars do not tell it each other.
            callback: String::new(),
            data: reminder.data,
        }
    }
}

impl From<&Tick> for Reminder {
    fn from(tick: &Tick) -> Self {
        Self {
            actor_id: tick.actor.id.clone(),
            actor_type: tick.actor.actor_type.clone(),
            name: tick.name.clone(),
            data: tick.data.clone(),
            period: tick.period.clone(),
            due_time: tick.due_time.clone(),
            is_timer: tick.kind == Kind::Timer,
            ..Self::default()
        }
    }
}
