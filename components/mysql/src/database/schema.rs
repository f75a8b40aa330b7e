//! The tables of the state store. Each step looks first whether there is anything to do, so that a user who may not change
//! tables can use those that are there, and sidecars that start at the same time, be they Trilby's or Dapr's, can share
//! them.
use super::says;
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};

/// What the server says when another process was quicker: database, table, column or key exists.
const MADE_BY_ANOTHER: [u16; 4] = [1007, 1050, 1060, 1061];

/// A database and the tables in it.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    pub(crate) database: String,
    pub(crate) table: String,
    pub(crate) metadata_table: String,
}

impl Schema {
    /// Makes what is missing.
    pub(super) async fn prepare(&self, connection: &mut Conn) -> Result<(), Error> {
        let Self { database, table, metadata_table } = self;
        if !has(connection, "SCHEMATA WHERE SCHEMA_NAME = ?", &[database]).await? {
            tolerant(connection, format!("CREATE DATABASE {database}")).await?;
        }
        connection.query_drop(format!("USE {database}")).await?;
        if !self.has_table(connection, table).await? {
            tolerant(connection, entries(table)).await?;
        }
        if !self.has_column(connection, "expiredate").await? {
            tolerant(connection, format!("ALTER TABLE {table} ADD COLUMN expiredate TIMESTAMP NULL")).await?;
            tolerant(connection, format!("CREATE INDEX expiredate_idx ON {table} (expiredate)")).await?;
        }
        if !self.has_column(connection, "row_id").await? {
            tolerant(connection, numbered(table)).await?;
        }
        if !self.has_table(connection, metadata_table).await? {
            tolerant(connection, metadata(metadata_table)).await?;
        }
        Ok(())
    }

    async fn has_table(&self, connection: &mut Conn, table: &str) -> Result<bool, Error> {
        has(connection, "TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", &[&self.database, table]).await
    }

    async fn has_column(&self, connection: &mut Conn, column: &str) -> Result<bool, Error> {
        let columns = "COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? AND COLUMN_NAME = ?";
        has(connection, columns, &[&self.database, &self.table, column]).await
    }
}

async fn has(connection: &mut Conn, what: &str, names: &[&str]) -> Result<bool, Error> {
    let query = format!("SELECT 1 FROM information_schema.{what} LIMIT 1");
    Ok(connection.exec_first::<u8, _, _>(query, names.to_vec()).await?.is_some())
}

/// Does a step that another process may do at the same time.
async fn tolerant(connection: &mut Conn, statement: String) -> Result<(), Error> {
    match connection.query_drop(statement).await {
        Err(error) if says(&error, &MADE_BY_ANOTHER) => Ok(()),
        done => done,
    }
}

fn entries(table: &str) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {table} (
            id VARCHAR(255) NOT NULL PRIMARY KEY,
            value JSON NOT NULL,
            isbinary BOOLEAN NOT NULL,
            insertDate TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updateDate TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
            eTag VARCHAR(36) NOT NULL,
            expiredate TIMESTAMP NULL,
            row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT,
            INDEX expiredate_idx(expiredate),
            UNIQUE KEY row_id_uidx (row_id)
        )"
    )
}

/// A number for each row, by which pages of keys are found again.
fn numbered(table: &str) -> String {
    format!(
        "ALTER TABLE {table} ADD COLUMN row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, ADD UNIQUE KEY row_id_uidx (row_id)"
    )
}

fn metadata(table: &str) -> String {
    format!("CREATE TABLE IF NOT EXISTS {table} (id VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT NOT NULL)")
}
