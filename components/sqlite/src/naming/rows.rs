//! The table of the sidecars: one row for each address, fresh as long as its sidecar lives.
use crate::database::Outcome;
use component_api::naming::Registration;
use rusqlite::Connection;
use std::net::Ipv6Addr;
use std::time::Duration;

/// The row of a sidecar.
#[derive(Debug)]
pub(super) struct Host {
    id: String,
    address: String,
    app_id: String,
}

impl Host {
    pub(super) fn new(own: Registration) -> Self {
        let Registration { address, port, app_id, .. } = own;
        let is_v6 = address.parse::<Ipv6Addr>().is_ok();
        let address = if is_v6 { format!("[{address}]:{port}") } else { format!("{address}:{port}") };
        Self { id: uuid::Uuid::new_v4().to_string(), address, app_id }
    }
}

/// The statements, with the name of the table in them.
#[derive(Debug)]
pub(super) struct Rows {
    table: String,
    seconds: u64,
}

/// The statements that make the table.
pub(super) fn creation(table: &str) -> String {
    format!(
        "CREATE TABLE {table} (
            registration_id TEXT NOT NULL PRIMARY KEY,
            address TEXT NOT NULL,
            app_id TEXT NOT NULL,
            namespace TEXT NOT NULL,
            last_update INTEGER NOT NULL
        );
        CREATE UNIQUE INDEX {table}_address_idx ON {table} (address);
        CREATE INDEX {table}_last_update_idx ON {table} (last_update);"
    )
}

impl Rows {
    pub(super) fn new(table: &str, update_interval: Duration) -> Self {
        Self { table: table.to_owned(), seconds: update_interval.as_secs() }
    }

    /// The statement that removes sidecars that are gone.
    pub(super) fn cleanup(&self) -> String {
        let Self { table, seconds } = self;
        format!("DELETE FROM {table} WHERE unixepoch(CURRENT_TIMESTAMP) - last_update >= {seconds}")
    }

    /// Takes over the address from whoever had it before.
    pub(super) fn register(&self, connection: &Connection, host: &Host) -> Outcome<()> {
        self.insert(connection, "REPLACE", host)?;
        Ok(())
    }

    /// Shows that the sidecar lives; false when another one has its address now. A row that was removed comes back.
    pub(super) fn renew(&self, connection: &Connection, host: &Host) -> Outcome<bool> {
        let renewal = format!(
            "UPDATE {} SET last_update = unixepoch(CURRENT_TIMESTAMP) WHERE registration_id = ? AND address = ?",
            self.table
        );
        let renewed = connection.prepare_cached(&renewal)?.execute([&host.id, &host.address])?;
        Ok(renewed > 0 || self.insert(connection, "INSERT OR IGNORE", host)? > 0)
    }

    pub(super) fn remove(&self, connection: &Connection, host: &Host) -> Outcome<()> {
        let removal = format!("DELETE FROM {} WHERE registration_id = ? AND address = ?", self.table);
        connection.execute(&removal, [&host.id, &host.address])?;
        Ok(())
    }

    pub(super) fn addresses(&self, connection: &Connection, app_id: &str) -> Outcome<Vec<String>> {
        let Self { table, seconds } = self;
        let query = format!(
            "SELECT address FROM {table}
             WHERE app_id = ? AND unixepoch(CURRENT_TIMESTAMP) - last_update < {seconds} ORDER BY RANDOM()"
        );
        let mut statement = connection.prepare_cached(&query)?;
        let addresses = statement.query_map([app_id], |row| row.get(0))?;
        Ok(addresses.collect::<rusqlite::Result<_>>()?)
    }

    fn insert(&self, connection: &Connection, verb: &str, host: &Host) -> rusqlite::Result<usize> {
        let insertion = format!(
            "{verb} INTO {} (registration_id, address, app_id, namespace, last_update)
             VALUES (?, ?, ?, '', unixepoch(CURRENT_TIMESTAMP))",
            self.table
        );
        connection.execute(&insertion, [&host.id, &host.address, &host.app_id])
    }
}
