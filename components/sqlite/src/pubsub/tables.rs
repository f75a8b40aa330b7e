//! The tables of the broker and everything that is done to them.
//!
//! A group has a position in each topic: what lies beyond is new to it. Below it, a message is done unless it has a row in
//! `pubsub_deliveries`: either a process is at work on it, or it waits to come again. Both have a time, `due_at`, after
//! which any process of the group may take the message; whoever dies at work simply lets that time pass. In an ordered group
//! nothing is taken while such a time is still to come.
use super::lease::{Claim, Held, Settlement};
use super::metadata::Metadata;
use crate::SCOPE;
use crate::migrations::Migrations;
use component_api::Metadata as Pairs;
use component_api::pubsub::Message;
use rusqlite::{Connection, Result, Row, named_params, params};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS pubsub_messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    data BLOB NOT NULL,
    content_type TEXT,
    metadata TEXT NOT NULL,
    published_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS pubsub_messages_by_topic ON pubsub_messages (topic, id);
CREATE TABLE IF NOT EXISTS pubsub_groups (
    topic TEXT NOT NULL,
    consumer TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (topic, consumer)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pubsub_deliveries (
    topic TEXT NOT NULL,
    consumer TEXT NOT NULL,
    message_id INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    owner TEXT,
    due_at INTEGER NOT NULL,
    PRIMARY KEY (topic, consumer, message_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pubsub_deliveries_by_message ON pubsub_deliveries (message_id);
";

/// When a group was last there, and what cleaning looks for.
const CLEANING: &str = "
ALTER TABLE pubsub_groups ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
UPDATE pubsub_groups SET seen_at = unixepoch() * 1000;
CREATE INDEX pubsub_messages_by_age ON pubsub_messages (published_at);
CREATE INDEX pubsub_messages_by_expiry ON pubsub_messages (expires_at) WHERE expires_at IS NOT NULL;
";

/// Bytes of data in one batch, which an app has to take in one request; a larger message goes alone.
const BATCH_BYTES: usize = 3 << 20;

/// A message to store.
#[derive(Debug)]
pub(super) struct NewMessage {
    pub topic: String,
    pub data: bytes::Bytes,
    pub content_type: Option<String>,
    pub metadata: Pairs,
    pub time_to_live: Option<Duration>,
}

/// Where a subscription stands, and as whom it works.
#[derive(Debug)]
pub(super) struct Place {
    pub topic: String,
    pub consumer: String,
    pub owner: String,
    pub ordered: bool,
    /// How many messages are taken together.
    pub batch_size: usize,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// To come again after a pause.
    Failed,
    /// To come again at once: it was not looked at.
    Released,
}

/// What there is for a subscription.
#[derive(Debug)]
pub(super) enum Found {
    Messages(Vec<Claim>),
    /// Nothing now; a known message may be taken at that time, in milliseconds since 1970.
    Nothing(Option<i64>),
}

pub(super) fn now() -> i64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The tables, by steps.
pub(super) fn migrations() -> Migrations {
    let steps = vec![SCHEMA.to_owned(), CLEANING.to_owned()];
    Migrations { table: "pubsub_metadata".to_owned(), key: "migrations", steps }
}

/// Notes that the group is there. A new one begins before the oldest message; one that is known keeps its position.
pub(super) fn join(connection: &Connection, place: &Place) -> Result<()> {
    let sql = "INSERT INTO pubsub_groups (topic, consumer, position, seen_at) VALUES (?1, ?2, 0, ?3)
        ON CONFLICT DO UPDATE SET seen_at = ?3";
    connection.prepare_cached(sql)?.execute(params![place.topic, place.consumer, now()])?;
    Ok(())
}

/// Stores a message for the groups of its topic, those to come included.
pub(super) fn publish(connection: &Connection, message: &NewMessage) -> Result<()> {
    let now = now();
    let metadata = serde_json::to_string(&message.metadata).unwrap_or_default();
    let expires_at = message.time_to_live.map(|time| now.saturating_add(milliseconds(time)));
    let sql = "INSERT INTO pubsub_messages (topic, data, content_type, metadata, published_at, expires_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let values = params![message.topic, &message.data[..], message.content_type, metadata, now, expires_at];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Whether [`claim`] would find messages; reads only.
pub(super) fn peek(connection: &Connection, place: &Place) -> Result<Found> {
    let now = now();
    if let Some(due) = held_until(connection, place, now)? {
        return Ok(Found::Nothing(Some(due)));
    }
    let mut batch = Batch { claims: Vec::new(), bytes: 0, size: place.batch_size };
    if batch.take_all(connection, DUE_AGAIN, place, now)? {
        batch.take_all(connection, FRESH, place, now)?;
    }
    if batch.claims.is_empty() {
        Ok(Found::Nothing(next_due(connection, place, now)?))
    } else {
        Ok(Found::Messages(batch.claims))
    }
}

/// Takes the next messages for a while.
pub(super) fn claim(connection: &Connection, place: &Place, metadata: &Metadata) -> Result<Found> {
    let found = peek(connection, place)?;
    let Found::Messages(claims) = &found else { return Ok(found) };
    let due_at = now().saturating_add(milliseconds(metadata.visibility_timeout.0));
    let sql = "INSERT INTO pubsub_deliveries (topic, consumer, message_id, attempts, owner, due_at)
        VALUES (:topic, :consumer, :id, 1, :owner, :due_at)
        ON CONFLICT DO UPDATE SET attempts = attempts + 1, owner = :owner, due_at = :due_at";
    let mut deliveries = connection.prepare_cached(sql)?;
    for claim in claims {
        deliveries.execute(named_params! {
            ":topic": place.topic, ":consumer": place.consumer, ":id": claim.id, ":owner": place.owner, ":due_at": due_at
        })?;
    }
    let last = claims.iter().map(|claim| claim.id).max();
    let sql = "INSERT INTO pubsub_groups (topic, consumer, position, seen_at) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET position = max(position, ?3)";
    connection.prepare_cached(sql)?.execute(params![place.topic, place.consumer, last, now()])?;
    Ok(found)
}

/// Keeps messages for a while longer, as far as they are still ours.
pub(super) fn renew(connection: &Connection, settlement: &Settlement, metadata: &Metadata) -> Result<()> {
    let due_at = now().saturating_add(milliseconds(metadata.visibility_timeout.0));
    let place = &settlement.place;
    let sql = format!("UPDATE pubsub_deliveries SET due_at = ?6 WHERE {OURS}");
    let mut renewal = connection.prepare_cached(&sql)?;
    for held in &settlement.held {
        renewal.execute(params![place.topic, place.consumer, held.id, place.owner, held.attempts, due_at])?;
    }
    Ok(())
}

/// Notes what became of messages. What comes too late changes nothing: somebody else has the message by then.
pub(super) fn settle(connection: &Connection, settlement: &Settlement, metadata: &Metadata) -> Result<()> {
    let place = &settlement.place;
    settlement.held.iter().try_for_each(|held| match held.outcome {
        Outcome::Done => finish(connection, place, *held),
        Outcome::Released => put_back(connection, place, *held, Duration::ZERO),
        Outcome::Failed if metadata.max_retries >= 0 && held.attempts > metadata.max_retries => {
            let (id, topic, attempts) = (held.id, &place.topic, held.attempts);
            tracing::warn!(target: SCOPE, "message {id} of topic {topic} is given up after {attempts} deliveries");
            finish(connection, place, *held)
        }
        Outcome::Failed => put_back(connection, place, *held, metadata.pause_after(held.attempts)),
    })
}

/// One claim of a message, and no later one.
const OURS: &str = "topic = ?1 AND consumer = ?2 AND message_id = ?3 AND owner = ?4 AND attempts = ?5";

fn finish(connection: &Connection, place: &Place, held: Held) -> Result<()> {
    let sql = format!("DELETE FROM pubsub_deliveries WHERE {OURS}");
    let values = params![place.topic, place.consumer, held.id, place.owner, held.attempts];
    connection.prepare_cached(&sql)?.execute(values)?;
    Ok(())
}

fn put_back(connection: &Connection, place: &Place, held: Held, pause: Duration) -> Result<()> {
    let due_at = now().saturating_add(milliseconds(pause));
    let sql = format!("UPDATE pubsub_deliveries SET owner = NULL, due_at = ?6 WHERE {OURS}");
    let values = params![place.topic, place.consumer, held.id, place.owner, held.attempts, due_at];
    connection.prepare_cached(&sql)?.execute(values)?;
    Ok(())
}

/// In an ordered group: until when messages are at work, or a failed one holds back those behind it.
fn held_until(connection: &Connection, place: &Place, now: i64) -> Result<Option<i64>> {
    if !place.ordered {
        return Ok(None);
    }
    let sql = "SELECT max(d.due_at) FROM pubsub_deliveries d JOIN pubsub_messages m ON m.id = d.message_id
        WHERE d.topic = ?1 AND d.consumer = ?2 AND d.due_at > ?3
        AND (d.owner IS NOT NULL OR m.expires_at IS NULL OR m.expires_at > ?3)";
    connection.prepare_cached(sql)?.query_row(params![place.topic, place.consumer, now], |row| row.get(0))
}

/// Messages that failed, or whose process is gone.
const DUE_AGAIN: &str = "SELECT m.id, m.topic, m.data, m.content_type, m.metadata, d.attempts + 1
    FROM pubsub_deliveries d JOIN pubsub_messages m ON m.id = d.message_id
    WHERE d.topic = ?1 AND d.consumer = ?2 AND d.due_at <= ?3 AND (m.expires_at IS NULL OR m.expires_at > ?3)
    ORDER BY d.message_id LIMIT ?4";

/// Messages that are new to the group.
const FRESH: &str = "SELECT id, topic, data, content_type, metadata, 1 FROM pubsub_messages
    WHERE topic = ?1 AND id > coalesce((SELECT position FROM pubsub_groups WHERE topic = ?1 AND consumer = ?2), 0)
    AND (expires_at IS NULL OR expires_at > ?3) ORDER BY id LIMIT ?4";

/// Messages to be taken together.
struct Batch {
    claims: Vec<Claim>,
    bytes: usize,
    size: usize,
}

impl Batch {
    /// Takes what a query finds. Returns whether there is room for more after it.
    fn take_all(&mut self, connection: &Connection, sql: &str, place: &Place, now: i64) -> Result<bool> {
        let room = i64::try_from(self.size.saturating_sub(self.claims.len())).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query(params![place.topic, place.consumer, now, room])?;
        while let Some(row) = rows.next()? {
            let claim = read_claim(row)?;
            self.bytes += claim.message.data.len();
            if self.bytes > BATCH_BYTES && !self.claims.is_empty() {
                return Ok(false);
            }
            self.claims.push(claim);
        }
        Ok(self.claims.len() < self.size)
    }
}

fn next_due(connection: &Connection, place: &Place, now: i64) -> Result<Option<i64>> {
    let sql = "SELECT min(d.due_at) FROM pubsub_deliveries d JOIN pubsub_messages m ON m.id = d.message_id
        WHERE d.topic = ?1 AND d.consumer = ?2 AND (m.expires_at IS NULL OR m.expires_at > ?3)";
    connection.prepare_cached(sql)?.query_row(params![place.topic, place.consumer, now], |row| row.get(0))
}

fn read_claim(row: &Row<'_>) -> Result<Claim> {
    let metadata: String = row.get(4)?;
    let message = Message {
        topic: row.get(1)?,
        data: row.get::<_, Vec<u8>>(2)?.into(),
        content_type: row.get(3)?,
        metadata: serde_json::from_str(&metadata).unwrap_or_default(),
    };
    Ok(Claim { id: row.get(0)?, attempts: row.get(5)?, message })
}
