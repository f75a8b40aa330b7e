//! Versions of the tables, kept in a table of their own as Dapr does it: sidecars of both kinds share one file.
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

/// Steps that lead to the tables as they are now, and where it is written down how many were done.
#[derive(Debug)]
pub(crate) struct Migrations {
    /// Table with the columns `key` and `value`.
    pub(crate) table: String,
    /// Its row for these tables.
    pub(crate) key: &'static str,
    /// Statements of each step.
    pub(crate) steps: Vec<String>,
}

impl Migrations {
    /// Does what is still to be done; of several processes one does it.
    pub(crate) fn perform(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.level(connection).is_ok_and(|level| level >= self.steps.len()) {
            return Ok(());
        }
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Exclusive)?;
        let table = &self.table;
        transaction.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {table} (key text NOT NULL PRIMARY KEY, value text NOT NULL)"
        ))?;
        for number in self.level(&transaction)?..self.steps.len() {
            transaction.execute_batch(&self.steps[number])?;
            let done = (number + 1).to_string();
            transaction.execute(&format!("REPLACE INTO {table} (key, value) VALUES (?, ?)"), (self.key, done))?;
        }
        transaction.commit()
    }

    fn level(&self, connection: &Connection) -> rusqlite::Result<usize> {
        let query = format!("SELECT CAST(value AS INTEGER) FROM {} WHERE key = ?", self.table);
        let level: Option<u32> = connection.query_row(&query, [self.key], |row| row.get(0)).optional()?;
        Ok(level.map_or(0, |level| level as usize))
    }
}
