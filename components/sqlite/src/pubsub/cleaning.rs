//! Removal of what nobody will get any more. It is looked for without keeping others from the database, and deleted by its
//! keys, a little at a time.
use super::metadata::Metadata;
use super::tables::{milliseconds, now};
use rusqlite::{Connection, Params, Result, params};
use std::time::Duration;

/// Rows deleted in one go, so that nobody waits long for the database.
const AT_ONCE: u32 = 500;
/// However short messages are kept, a group that was away for less is still known.
const SHORTEST_MEMORY: Duration = Duration::from_secs(3600);

/// What can go.
#[derive(Debug, Default)]
pub(super) struct Waste {
    messages: Vec<i64>,
    /// How many messages of a topic somebody might still have got, and the topic.
    lost: Vec<(usize, String)>,
    /// Topic and consumer.
    groups: Vec<(String, String)>,
}

impl Waste {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.groups.is_empty()
    }

    /// Messages that are deleted although somebody might still get them.
    pub(super) fn lost(&self) -> Vec<(usize, String)> {
        self.lost.clone()
    }

    fn give_up(&mut self, mut messages: Vec<i64>, topic: String) {
        messages.retain(|id| !self.messages.contains(id));
        if !messages.is_empty() {
            self.lost.push((messages.len(), topic));
        }
        self.messages.append(&mut messages);
    }
}

/// Finds some of what can go; reads only.
pub(super) fn find(connection: &Connection, metadata: &Metadata) -> Result<Waste> {
    let mut waste = Waste { groups: abandoned(connection, metadata)?, ..Waste::default() };
    waste.messages = expired(connection)?;
    for topic in topics(connection)? {
        if waste.messages.len() >= AT_ONCE as usize {
            break;
        }
        waste.messages.extend(done(connection, &topic)?);
        waste.give_up(too_many(connection, &topic, metadata)?, topic);
    }
    Ok(waste)
}

/// Deletes what was found.
pub(super) fn delete(connection: &Connection, waste: &Waste) -> Result<()> {
    for id in &waste.messages {
        connection.prepare_cached("DELETE FROM pubsub_messages WHERE id = ?1")?.execute([id])?;
        connection.prepare_cached("DELETE FROM pubsub_deliveries WHERE message_id = ?1")?.execute([id])?;
    }
    for group in &waste.groups {
        for table in ["pubsub_groups", "pubsub_deliveries"] {
            let sql = format!("DELETE FROM {table} WHERE topic = ?1 AND consumer = ?2");
            connection.execute(&sql, params![group.0, group.1])?;
        }
    }
    Ok(())
}

/// Groups that would find nothing of what they left behind.
fn abandoned(connection: &Connection, metadata: &Metadata) -> Result<Vec<(String, String)>> {
    let memory = metadata.retention.0.max(SHORTEST_MEMORY);
    let mut statement = connection.prepare_cached("SELECT topic, consumer FROM pubsub_groups WHERE seen_at < ?1")?;
    let rows =
        statement.query_map([now().saturating_sub(milliseconds(memory))], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn expired(connection: &Connection) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM pubsub_messages WHERE expires_at <= ?1 LIMIT ?2";
    ids(connection, sql, params![now(), AT_ONCE])
}

/// Messages that all groups of their topic are done with. Where there is no group, one may still come.
fn done(connection: &Connection, topic: &str) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM pubsub_messages m
        WHERE topic = ?1 AND id <= (SELECT min(position) FROM pubsub_groups WHERE topic = ?1)
        AND NOT EXISTS (SELECT 1 FROM pubsub_deliveries d WHERE d.message_id = m.id) LIMIT ?2";
    ids(connection, sql, params![topic, AT_ONCE])
}

/// Messages that are too old, or more than are kept.
fn too_many(connection: &Connection, topic: &str, metadata: &Metadata) -> Result<Vec<i64>> {
    let oldest = now().saturating_sub(milliseconds(metadata.retention.0));
    // The plus keeps SQLite from the index of topics, where it would look at every message.
    let too_old = "SELECT id FROM pubsub_messages WHERE published_at < ?1 AND +topic = ?2 LIMIT ?3";
    let surplus = "SELECT id FROM pubsub_messages WHERE topic = ?1 AND id <=
        (SELECT id FROM pubsub_messages WHERE topic = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2) ORDER BY id LIMIT ?3";
    let mut found = ids(connection, too_old, params![oldest, topic, AT_ONCE])?;
    found.extend(ids(connection, surplus, params![topic, metadata.max_messages, AT_ONCE])?);
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// All topics, found by stepping through the index rather than over all messages.
fn topics(connection: &Connection) -> Result<Vec<String>> {
    let sql = "WITH RECURSIVE topics (name) AS (
            SELECT min(topic) FROM pubsub_messages
            UNION ALL SELECT (SELECT min(topic) FROM pubsub_messages WHERE topic > name) FROM topics WHERE name IS NOT NULL
        ) SELECT name FROM topics WHERE name IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| row.get(0))?;
    rows.collect()
}

fn ids(connection: &Connection, sql: &str, values: impl Params) -> Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(values, |row| row.get(0))?;
    rows.collect()
}
