//! How the connections to a database are opened, and whether its file is still the one at its path.
use crate::SCOPE;
use crate::connection::Address;
use crate::metadata::ConnectionMetadata;
use crate::migrations::Migrations;
use component_api::Result;
use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// Pause before a database is opened again that other processes had locked.
const PAUSE: Duration = Duration::from_millis(50);

/// A database and the tables that shall be in it.
#[derive(Debug)]
pub(crate) struct Source {
    address: Address,
    metadata: ConnectionMetadata,
    migrations: Migrations,
}

impl Source {
    /// Reads where the database is; nothing is opened yet.
    ///
    /// # Errors
    /// A connection string that cannot be used.
    pub(crate) fn new(metadata: ConnectionMetadata, migrations: Migrations) -> Result<Self> {
        Ok(Self { address: Address::parse(&metadata.connection_string)?, metadata, migrations })
    }

    /// Whether the database ends with its connection, so that it can have only one.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.address.in_memory
    }

    /// Opens the database, creates it where there is none, and brings its tables up to date. Waits while others that
    /// start at the same time have it locked.
    pub(crate) fn open(&self) -> rusqlite::Result<Opened> {
        let start = Instant::now();
        loop {
            let opened = self.address.open(&self.metadata);
            let ready = opened.and_then(|connection| self.migrations.perform(&connection).map(|()| connection));
            match ready {
                Err(error) if is_busy(&error) && start.elapsed() < self.metadata.timeout.0 => thread::sleep(PAUSE),
                other => return other.map(Opened::new),
            }
        }
    }

    /// One more connection to a database that is there.
    pub(crate) fn open_for_reading(&self) -> rusqlite::Result<Opened> {
        self.address.open_for_reading(&self.metadata).map(Opened::new)
    }

    /// Opens the database in place of a connection whose file is gone: what is written there would be lost.
    pub(crate) fn replace(&self, gone: &mut Opened) -> rusqlite::Result<()> {
        *gone = self.open()?;
        let path = gone.connection.path().unwrap_or_default();
        tracing::warn!(target: SCOPE, "the database file {path} was deleted or replaced while it was in use; it was opened anew, what was only in the old one is lost");
        Ok(())
    }
}

/// A connection, and the file that it has open; none in memory.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    file: Option<File>,
}

impl Opened {
    fn new(connection: Connection) -> Self {
        let file = connection.path().filter(|path| !path.is_empty()).and_then(|path| File::at(Path::new(path)));
        Self { connection, file }
    }

    /// Whether the path leads to another file by now, or to none. It costs about a microsecond.
    pub(crate) fn is_gone(&self) -> bool {
        self.file.as_ref().is_some_and(|file| identity(&file.path) != Some(file.identity))
    }
}

/// A file as it was opened.
#[derive(Debug)]
struct File {
    path: PathBuf,
    identity: (u64, u64),
}

impl File {
    fn at(path: &Path) -> Option<Self> {
        Some(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

/// Device and inode, which nothing else has as long as the file is open.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Other systems do not let a file go that is open.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<(u64, u64)> {
    None
}

/// Whether it may work as soon as others let go of the database.
pub(crate) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
