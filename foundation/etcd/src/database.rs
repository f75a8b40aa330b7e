//! The file: records by key, the keys that go with a lease, and a few numbers.
mod replica;

use crate::Error;
use redb::{Builder, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

pub(crate) use replica::Received;

pub(crate) type Bytestring = &'static [u8];

pub(crate) const RECORDS: TableDefinition<'_, Bytestring, Bytestring> = TableDefinition::new("records");
/// Leases by key.
pub(crate) const LEASED: TableDefinition<'_, Bytestring, i64> = TableDefinition::new("leased");
const NUMBERS: TableDefinition<'_, &str, i64> = TableDefinition::new("numbers");
/// Seconds by lease, of a replicated store: a single one forgets its leases with its process.
pub(crate) const LEASES: TableDefinition<'_, i64, i64> = TableDefinition::new("leases");
/// How far a replicated store is.
pub(crate) const REPLICA: TableDefinition<'_, &str, Bytestring> = TableDefinition::new("replica");

const NAME: &str = "store.redb";
const COPY: &str = "store.redb.copy";
const INCOMING: &str = "store.redb.incoming";
/// Of how the tables are written.
const FORMAT: i64 = 1;
/// The library's own default is a gigabyte; the system caches the file as well.
const CACHE: usize = 8 << 20;
/// How long readers may keep a file that is to be opened again, in pauses.
const PATIENCE: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);
/// What etcd begins to count from.
const FIRST_REVISION: i64 = 1;

/// The numbers that go with the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) revision: i64,
    /// Space that records take, in bytes.
    pub(crate) size: u64,
    /// Whether the quota has been reached and nobody has said that there is space again.
    pub(crate) no_space: bool,
    pub(crate) cluster: u64,
    pub(crate) member: u64,
}

/// An open file. It is opened anew after a failure.
pub(crate) struct Database {
    folder: PathBuf,
    open: RwLock<Option<Arc<redb::Database>>>,
    /// What the last commit has left, once somebody has read it: opening it takes longer than reading a record.
    latest: Mutex<Option<Arc<Snapshot>>>,
}

/// The records as a commit has left them.
pub(crate) struct Snapshot {
    pub(crate) records: ReadOnlyTable<Bytestring, Bytestring>,
    pub(crate) leased: ReadOnlyTable<Bytestring, i64>,
    pub(crate) revision: i64,
    /// The file is not closed while it is read.
    _database: Arc<redb::Database>,
}

impl Database {
    /// Opens the file in a folder, or makes it.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Numbers), Error> {
        let unusable = |error: std::io::Error| {
            Error::Storage(format!("cannot use the folder {}: {error}; check --etcd-data-dir", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let opened = open_or_make(&folder.join(NAME))?;
        sync(folder).map_err(unusable)?;
        let numbers = begin(&opened)?;
        let open = RwLock::new(Some(Arc::new(opened)));
        Ok((Self { folder: folder.to_owned(), open, latest: Mutex::default() }, numbers))
    }

    /// The records after the last commit. The lock is held while they are opened, so that nothing older is kept than what was
    /// there when [`Database::committed`] was last called.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>, Error> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(latest) = &*latest {
            return Ok(Arc::clone(latest));
        }
        let database = self.current()?;
        let reading = database.begin_read().map_err(Error::storage)?;
        let snapshot = Arc::new(Snapshot {
            revision: number(&reading, "revision")?,
            records: reading.open_table(RECORDS).map_err(Error::storage)?,
            leased: reading.open_table(LEASED).map_err(Error::storage)?,
            _database: database,
        });
        *latest = Some(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// There is something newer to read.
    pub(crate) fn committed(&self) {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(crate) fn current(&self) -> Result<Arc<redb::Database>, Error> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.clone().ok_or_else(|| Error::Storage("the database file is being opened again".to_owned()))
    }

    /// Whether the file could be written. After a failure the library refuses that.
    pub(crate) fn is_usable(&self) -> bool {
        self.current().is_ok_and(|database| database.begin_write().is_ok())
    }

    pub(crate) fn file(&self) -> PathBuf {
        Self::file_in(&self.folder)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Of the file, in bytes.
    pub(crate) fn length(&self) -> u64 {
        std::fs::metadata(self.file()).map_or(0, |file| file.len())
    }

    /// Opens the file again after a failure. What was committed is there.
    pub(crate) fn reopen(&self) -> Result<Numbers, Error> {
        self.close()?;
        let opened = builder().open(self.file()).map_err(Error::storage)?;
        let numbers = numbers(&opened)?;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(opened));
        Ok(numbers)
    }

    /// Waits for the readers to be done, then closes the file.
    pub(crate) fn close(&self) -> Result<(), Error> {
        let old = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        self.committed();
        let Some(old) = old else { return Ok(()) };
        for _ in 0..PATIENCE {
            if Arc::strong_count(&old) == 1 {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
        }
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(old);
        Err(Error::Storage("the database file is still being read".to_owned()))
    }

    /// Writes the records to a new file that takes the place of the old one. Nothing may be written meanwhile.
    pub(crate) fn defragment(&self) -> Result<(), Error> {
        let copy = self.folder.join(COPY);
        let replaced = self.copy_to(&copy).and_then(|copied| self.replace_by(&copy, copied));
        replaced.inspect_err(|_| drop(std::fs::remove_file(&copy)))
    }

    /// Another file takes the place of this one; who reads the old one goes on with it.
    fn replace_by(&self, path: &Path, other: redb::Database) -> Result<(), Error> {
        let file = self.file();
        let failed = |error: std::io::Error| Error::Storage(format!("cannot write {}: {error}", file.display()));
        std::fs::rename(path, &file).map_err(failed)?;
        sync(&self.folder).map_err(failed)?;
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(other));
        self.committed();
        Ok(())
    }

    fn copy_to(&self, path: &Path) -> Result<redb::Database, Error> {
        std::fs::remove_file(path).ok();
        let source = self.snapshot()?;
        let copied = builder().create(path).map_err(Error::storage)?;
        let numbers = numbers(&*self.current()?)?;
        let mut writing = copied.begin_write().map_err(Error::storage)?;
        writing.set_durability(Durability::Immediate).map_err(Error::storage)?;
        {
            let mut records = writing.open_table(RECORDS).map_err(Error::storage)?;
            for row in source.records.iter().map_err(Error::storage)? {
                let (key, record) = row.map_err(Error::storage)?;
                records.insert(key.value(), record.value()).map_err(Error::storage)?;
            }
            let mut leased = writing.open_table(LEASED).map_err(Error::storage)?;
            for row in source.leased.iter().map_err(Error::storage)? {
                let (key, lease) = row.map_err(Error::storage)?;
                leased.insert(key.value(), lease.value()).map_err(Error::storage)?;
            }
        }
        replica::copy(&*self.current()?, &writing)?;
        numbers.write(&writing)?;
        writing.commit().map_err(Error::storage)?;
        Ok(copied)
    }
}

impl Numbers {
    pub(crate) fn write(&self, writing: &redb::WriteTransaction) -> Result<(), Error> {
        let mut table = writing.open_table(NUMBERS).map_err(Error::storage)?;
        let rows = [
            ("format", FORMAT),
            ("revision", self.revision),
            ("size", self.size.cast_signed()),
            ("no space", self.no_space.into()),
            ("cluster", self.cluster.cast_signed()),
            ("member", self.member.cast_signed()),
        ];
        for (name, number) in rows {
            table.insert(name, number).map_err(Error::storage)?;
        }
        Ok(())
    }

    fn new() -> Self {
        let (cluster, member) = (rand::random(), rand::random());
        Self { revision: FIRST_REVISION, size: 0, no_space: false, cluster, member }
    }
}

/// The numbers of a file; a new one gets its tables.
fn begin(database: &redb::Database) -> Result<Numbers, Error> {
    let writing = database.begin_write().map_err(Error::storage)?;
    let is_new = {
        let table = writing.open_table(NUMBERS).map_err(Error::storage)?;
        writing.open_table(RECORDS).map_err(Error::storage)?;
        writing.open_table(LEASED).map_err(Error::storage)?;
        table.get("format").map_err(Error::storage)?.is_none()
    };
    if is_new {
        Numbers::new().write(&writing)?;
    }
    writing.commit().map_err(Error::storage)?;
    numbers(database)
}

fn numbers(database: &redb::Database) -> Result<Numbers, Error> {
    numbers_of(&database.begin_read().map_err(Error::storage)?)
}

fn numbers_of(reading: &ReadTransaction) -> Result<Numbers, Error> {
    let format = number(reading, "format")?;
    if format != FORMAT {
        let reason =
            format!("the database file has format {format}, this program reads {FORMAT}: use the one that wrote it");
        return Err(Error::Storage(reason));
    }
    Ok(Numbers {
        revision: number(reading, "revision")?,
        size: number(reading, "size")?.cast_unsigned(),
        no_space: number(reading, "no space")? != 0,
        cluster: number(reading, "cluster")?.cast_unsigned(),
        member: number(reading, "member")?.cast_unsigned(),
    })
}

fn number(reading: &ReadTransaction, name: &str) -> Result<i64, Error> {
    let table = reading.open_table(NUMBERS).map_err(Error::storage)?;
    Ok(table.get(name).map_err(Error::storage)?.map_or(0, |number| number.value()))
}

/// Opens a file, or makes it.
pub(crate) fn open_or_make(file: &Path) -> Result<redb::Database, Error> {
    match std::fs::metadata(file) {
        // The library would begin anew in it.
        Ok(found) if found.len() == 0 => Err(Error::Damaged("it is empty".to_owned())),
        Ok(_) => builder().open(file).map_err(Error::storage),
        Err(_) => builder().create(file).map_err(Error::storage),
    }
}

/// All sums of a file are checked when it is opened: the library trusts what it reads later.
pub(crate) fn builder() -> Builder {
    let mut builder = redb::Database::builder();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(true);
    builder
}

/// A new name in a folder lasts once the folder is written.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}
