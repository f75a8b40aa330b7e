//! The tables of the broker and everything that is done to them.
//!
//! A group has a position in each topic: what lies beyond is new to it. Below it, a message is done unless it has a row in
//! `pubsub_deliveries`: either a process is at work on it, or it waits to come again. Both have a time, `due_at`, after
//! which any process of the group may take the message; whoever dies at work simply lets that time pass.
use super::lease::Claim;
use super::metadata::Metadata;
use component_api::Metadata as Pairs;
use component_api::pubsub::Message;
use rusqlite::{Connection, OptionalExtension, Result, Row, named_params, params};
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

/// Rows deleted in one go, so that nobody waits long for the database.
const CLEANED_AT_ONCE: u32 = 5_000;

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
    Message(Claim),
    /// Nothing now; a known message may be taken at that time, in milliseconds since 1970.
    Nothing(Option<i64>),
}

pub(super) fn now() -> i64 {
    milliseconds(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn create(connection: &Connection) -> Result<()> {
    connection.execute_batch(SCHEMA)
}

/// Makes the group known; it gets what is published from now on. A group that is known keeps its position.
pub(super) fn join(connection: &Connection, place: &Place) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO pubsub_groups (topic, consumer, position)
        VALUES (?1, ?2, coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'pubsub_messages'), 0))";
    connection.prepare_cached(sql)?.execute(params![place.topic, place.consumer])?;
    Ok(())
}

/// Stores a message if there is a group that will ever get it. Returns whether there is.
pub(super) fn publish(connection: &Connection, message: &NewMessage) -> Result<bool> {
    let now = now();
    let metadata = serde_json::to_string(&message.metadata).unwrap_or_default();
    let expires_at = message.time_to_live.map(|time| now.saturating_add(milliseconds(time)));
    let sql = "INSERT INTO pubsub_messages (topic, data, content_type, metadata, published_at, expires_at)
        SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM pubsub_groups WHERE topic = ?1)";
    let values = params![message.topic, &message.data[..], message.content_type, metadata, now, expires_at];
    Ok(connection.prepare_cached(sql)?.execute(values)? > 0)
}

/// Whether [`claim`] would find a message; reads only.
pub(super) fn peek(connection: &Connection, place: &Place) -> Result<Found> {
    let now = now();
    if let Some(due) = at_work(connection, place, now)? {
        return Ok(Found::Nothing(Some(due)));
    }
    match due_again(connection, place, now)?.map_or_else(|| fresh(connection, place, now), |claim| Ok(Some(claim)))? {
        Some(claim) => Ok(Found::Message(claim)),
        None => Ok(Found::Nothing(next_due(connection, place, now)?)),
    }
}

/// Takes the next message for a while.
pub(super) fn claim(connection: &Connection, place: &Place, metadata: &Metadata) -> Result<Found> {
    let found = peek(connection, place)?;
    if let Found::Message(claim) = &found {
        let due_at = now().saturating_add(milliseconds(metadata.visibility_timeout.0));
        let sql = "INSERT INTO pubsub_deliveries (topic, consumer, message_id, attempts, owner, due_at)
            VALUES (:topic, :consumer, :id, 1, :owner, :due_at)
            ON CONFLICT DO UPDATE SET attempts = attempts + 1, owner = :owner, due_at = :due_at";
        connection.prepare_cached(sql)?.execute(named_params! {
            ":topic": place.topic, ":consumer": place.consumer, ":id": claim.id, ":owner": place.owner, ":due_at": due_at
        })?;
        let sql = "UPDATE pubsub_groups SET position = max(position, ?3) WHERE topic = ?1 AND consumer = ?2";
        connection.prepare_cached(sql)?.execute(params![place.topic, place.consumer, claim.id])?;
    }
    Ok(found)
}

/// Keeps a message for a while longer, if it is still ours.
pub(super) fn renew(connection: &Connection, place: &Place, id: i64, metadata: &Metadata) -> Result<()> {
    let due_at = now().saturating_add(milliseconds(metadata.visibility_timeout.0));
    let sql = "UPDATE pubsub_deliveries SET due_at = ?5 WHERE topic = ?1 AND consumer = ?2 AND message_id = ?3 AND owner = ?4";
    connection.prepare_cached(sql)?.execute(params![place.topic, place.consumer, id, place.owner, due_at])?;
    Ok(())
}

/// Notes what became of a message. A failure that comes too late changes nothing: another process has it by then.
pub(super) fn settle(
    connection: &Connection,
    place: &Place,
    claim: (i64, i64),
    outcome: Outcome,
    metadata: &Metadata,
) -> Result<()> {
    let (id, attempts) = claim;
    let given_up = outcome == Outcome::Failed && metadata.max_retries >= 0 && attempts > metadata.max_retries;
    if given_up {
        tracing::warn!(target: "dapr.contrib", "message {id} of topic {} is given up after {attempts} deliveries", place.topic);
    }
    if outcome == Outcome::Done || given_up {
        let sql = "DELETE FROM pubsub_deliveries WHERE topic = ?1 AND consumer = ?2 AND message_id = ?3";
        connection.prepare_cached(sql)?.execute(params![place.topic, place.consumer, id])?;
        return Ok(());
    }
    let pause = if outcome == Outcome::Failed { metadata.pause_after(attempts) } else { Duration::ZERO };
    let due_at = now().saturating_add(milliseconds(pause));
    let sql = "UPDATE pubsub_deliveries SET owner = NULL, due_at = ?5
        WHERE topic = ?1 AND consumer = ?2 AND message_id = ?3 AND owner = ?4";
    connection.prepare_cached(sql)?.execute(params![place.topic, place.consumer, id, place.owner, due_at])?;
    Ok(())
}

/// Deletes what nobody will get any more, a limited number of rows. Returns whether there may be more.
pub(super) fn clean(connection: &Connection, metadata: &Metadata) -> Result<bool> {
    let now = now();
    let mut deleted = 0;
    let outdated = "DELETE FROM pubsub_messages WHERE id IN
        (SELECT id FROM pubsub_messages WHERE published_at < ?1 OR expires_at <= ?2 LIMIT ?3)";
    let oldest = now.saturating_sub(milliseconds(metadata.retention.0));
    deleted += connection.execute(outdated, params![oldest, now, CLEANED_AT_ONCE])?;
    let done = "DELETE FROM pubsub_messages WHERE id IN (SELECT m.id FROM pubsub_messages m
        WHERE m.id <= (SELECT min(position) FROM pubsub_groups g WHERE g.topic = m.topic)
        AND NOT EXISTS (SELECT 1 FROM pubsub_deliveries d WHERE d.message_id = m.id) LIMIT ?1)";
    deleted += connection.execute(done, params![CLEANED_AT_ONCE])?;
    let surplus = "DELETE FROM pubsub_messages WHERE id IN (SELECT m.id FROM pubsub_groups g JOIN pubsub_messages m ON m.topic = g.topic
        AND m.id <= (SELECT id FROM pubsub_messages WHERE topic = g.topic ORDER BY id DESC LIMIT 1 OFFSET ?1) LIMIT ?2)";
    deleted += connection.execute(surplus, params![metadata.max_messages, CLEANED_AT_ONCE])?;
    let orphans = "DELETE FROM pubsub_deliveries
        WHERE NOT EXISTS (SELECT 1 FROM pubsub_messages m WHERE m.id = message_id)";
    connection.execute(orphans, [])?;
    Ok(deleted >= CLEANED_AT_ONCE as usize)
}

/// In an ordered group: until when the one message at work is kept, if there is one.
fn at_work(connection: &Connection, place: &Place, now: i64) -> Result<Option<i64>> {
    if !place.ordered {
        return Ok(None);
    }
    let sql = "SELECT min(due_at) FROM pubsub_deliveries
        WHERE topic = ?1 AND consumer = ?2 AND owner IS NOT NULL AND due_at > ?3";
    connection.prepare_cached(sql)?.query_row(params![place.topic, place.consumer, now], |row| row.get(0))
}

fn due_again(connection: &Connection, place: &Place, now: i64) -> Result<Option<Claim>> {
    let sql = "SELECT m.id, m.topic, m.data, m.content_type, m.metadata, d.attempts + 1
        FROM pubsub_deliveries d JOIN pubsub_messages m ON m.id = d.message_id
        WHERE d.topic = ?1 AND d.consumer = ?2 AND d.due_at <= ?3 AND (m.expires_at IS NULL OR m.expires_at > ?3)
        ORDER BY d.message_id LIMIT 1";
    connection.prepare_cached(sql)?.query_row(params![place.topic, place.consumer, now], read_claim).optional()
}

fn fresh(connection: &Connection, place: &Place, now: i64) -> Result<Option<Claim>> {
    let sql = "SELECT id, topic, data, content_type, metadata, 1 FROM pubsub_messages
        WHERE topic = ?1 AND id > (SELECT position FROM pubsub_groups WHERE topic = ?1 AND consumer = ?2)
        AND (expires_at IS NULL OR expires_at > ?3) ORDER BY id LIMIT 1";
    connection.prepare_cached(sql)?.query_row(params![place.topic, place.consumer, now], read_claim).optional()
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
