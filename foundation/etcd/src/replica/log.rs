//! The log of a member, its vote, and whether it is still joining: a file of its own, written through to the disk at each step.
use super::machine::Machine;
use super::types::{
    Entry, LogId, StorageError, Types, Vote, damaged, entry, log_id, read_entry, read_log_id, read_vote, vote,
};
use crate::Error;
use crate::damage::guarded;
use crate::database::{Bytestring, builder, open_or_make};
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{AnyError, LogState, OptionalSend, RaftLogReader, StorageIOError};
use prost::Message;
use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::task::spawn_blocking;
use wire::trilby::replication::v1 as message;

const ENTRIES: TableDefinition<'_, u64, Bytestring> = TableDefinition::new("entries");
const NOTES: TableDefinition<'_, &str, Bytestring> = TableDefinition::new("notes");
const VOTE: &str = "vote";
const PURGED: &str = "purged";
/// Index up to which a member must have applied the log before it may vote.
const JOINING: &str = "joining";

pub(crate) const NAME: &str = "log.redb";
/// Bytes of entries that are read at once, or one entry.
const TOGETHER: usize = 4 << 20;

/// Makes the file in a folder, and the folder.
pub(crate) fn begin(folder: &Path) -> Result<(), Error> {
    let unusable = |error: std::io::Error| {
        Error::Storage(format!("cannot use the folder {}: {error}; check --etcd-data-dir", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(unusable)?;
    builder().create(folder.join(NAME)).map(drop).map_err(Error::storage)
}

/// The log. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Log {
    file: PathBuf,
    database: Arc<redb::Database>,
    machine: Arc<Machine>,
}

impl Log {
    /// Opens the file in a folder, or makes it.
    pub(crate) fn open(folder: &Path, machine: Arc<Machine>) -> Result<Self, Error> {
        let file = folder.join(NAME);
        let log = Self { database: Arc::new(open_or_make(&file)?), file, machine };
        log.write(|writing| {
            writing.open_table(ENTRIES).map_err(Error::storage)?;
            writing.open_table(NOTES).map_err(Error::storage)?;
            Ok(())
        })?;
        Ok(log)
    }

    /// Makes sure that nothing is missing between the records and the log.
    ///
    /// # Errors
    /// One of the files is not the one that goes with the other.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let (purged, _) = self.state()?;
        let applied = self.machine.applied();
        if purged.map(|purged| purged.index) <= applied {
            return Ok(());
        }
        let reason = "the records and the log of this member do not go together: remove its folder, and it gets all from the others";
        Err(Error::Storage(reason.to_owned()))
    }

    /// The index that a member that joins must come to.
    pub(crate) fn joining(&self) -> Result<Option<u64>, Error> {
        let note = self.note(JOINING)?;
        note.map(|bytes| Ok(u64::from_le_bytes(bytes[..].try_into().map_err(|_| damaged())?))).transpose()
    }

    pub(crate) fn set_joining(&self, index: Option<u64>) -> Result<(), Error> {
        self.write(|writing| {
            let mut notes = writing.open_table(NOTES).map_err(Error::storage)?;
            match index {
                Some(index) => drop(notes.insert(JOINING, &index.to_le_bytes()[..]).map_err(Error::storage)?),
                None => drop(notes.remove(JOINING).map_err(Error::storage)?),
            }
            Ok(())
        })
    }

    #[cfg(test)]
    pub(crate) fn while_nothing_is_written(&self, look: impl FnOnce()) {
        let writing = self.database.begin_write();
        look();
        drop(writing);
    }

    fn note(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let reading = self.database.begin_read().map_err(Error::storage)?;
        let notes = reading.open_table(NOTES).map_err(Error::storage)?;
        Ok(notes.get(name).map_err(Error::storage)?.map(|bytes| bytes.value().to_owned()))
    }

    fn state(&self) -> Result<(Option<LogId>, Option<LogId>), Error> {
        let purged = self.note(PURGED)?.map(|bytes| message::LogId::decode(&bytes[..])).transpose();
        let purged = purged.map_err(|_| damaged())?.map(read_log_id);
        let reading = self.database.begin_read().map_err(Error::storage)?;
        let entries = reading.open_table(ENTRIES).map_err(Error::storage)?;
        let last = entries.last().map_err(Error::storage)?.map(|(_, bytes)| decode(bytes.value())).transpose()?;
        Ok((purged, last.map(|last| last.log_id).or(purged)))
    }

    /// Entries in a range of indexes: the first, and more as long as there are few bytes if `is_bounded`.
    fn read(&self, range: (Bound<u64>, Bound<u64>), is_bounded: bool) -> Result<Vec<Entry>, Error> {
        let reading = self.database.begin_read().map_err(Error::storage)?;
        let entries = reading.open_table(ENTRIES).map_err(Error::storage)?;
        let (mut found, mut size) = (Vec::new(), 0);
        for row in entries.range::<u64>(range).map_err(Error::storage)? {
            let (_, bytes) = row.map_err(Error::storage)?;
            size += bytes.value().len();
            if is_bounded && size > TOGETHER && !found.is_empty() {
                break;
            }
            found.push(decode(bytes.value())?);
        }
        Ok(found)
    }

    fn append_all(&self, rows: &[(u64, Vec<u8>)]) -> Result<(), Error> {
        self.write(|writing| {
            let mut entries = writing.open_table(ENTRIES).map_err(Error::storage)?;
            for (index, bytes) in rows {
                entries.insert(index, &bytes[..]).map_err(Error::storage)?;
            }
            Ok(())
        })
    }

    fn remove(&self, range: impl RangeBounds<u64> + 'static, purged: Option<LogId>) -> Result<(), Error> {
        self.write(|writing| {
            let mut entries = writing.open_table(ENTRIES).map_err(Error::storage)?;
            entries.retain_in(range, |_, _| false).map_err(Error::storage)?;
            if let Some(purged) = purged {
                let mut notes = writing.open_table(NOTES).map_err(Error::storage)?;
                notes.insert(PURGED, &log_id(purged).encode_to_vec()[..]).map_err(Error::storage)?;
            }
            Ok(())
        })
    }

    fn write(&self, change: impl FnOnce(&WriteTransaction) -> Result<(), Error>) -> Result<(), Error> {
        let writing = self.database.begin_write().map_err(Error::storage)?;
        change(&writing)?;
        writing.commit().map_err(Error::storage)
    }

    /// Does something to the file on a thread that may wait for the disk.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let log = self.clone();
        spawn_blocking(move || guarded(&log.file, || work(&log))).await.map_err(|_| Error::Stopped)?
    }
}

impl RaftLogReader<Types> for Log {
    async fn try_get_log_entries<R: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: R,
    ) -> Result<Vec<Entry>, StorageError> {
        let range = (range.start_bound().cloned(), range.end_bound().cloned());
        self.blocking(move |log| log.read(range, false)).await.map_err(unreadable)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, StorageError> {
        let range = (Bound::Included(start), Bound::Excluded(end));
        self.blocking(move |log| log.read(range, true)).await.map_err(unreadable)
    }
}

impl RaftLogStorage<Types> for Log {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, StorageError> {
        let (last_purged_log_id, last_log_id) = self.blocking(Self::state).await.map_err(unreadable)?;
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, own: &Vote) -> Result<(), StorageError> {
        let bytes = vote(*own).encode_to_vec();
        let save = move |writing: &WriteTransaction| {
            let mut notes = writing.open_table(NOTES).map_err(Error::storage)?;
            notes.insert(VOTE, &bytes[..]).map_err(Error::storage)?;
            Ok(())
        };
        let saved = self.blocking(move |log| log.write(save)).await;
        saved.map_err(|error| StorageIOError::write_vote(AnyError::new(&error)).into())
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, StorageError> {
        let Some(found) = self.blocking(|log| log.note(VOTE)).await.map_err(unreadable)? else { return Ok(None) };
        let found = message::Vote::decode(&found[..]).map_err(|_| unreadable(damaged()))?;
        Ok(Some(read_vote(Some(found))))
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Types>) -> Result<(), StorageError>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let rows = entries.into_iter().map(|written| (written.log_id.index, entry(&written).encode_to_vec()));
        let rows: Vec<_> = rows.collect();
        let written = self.blocking(move |log| log.append_all(&rows)).await;
        callback.log_io_completed(written.clone().map_err(std::io::Error::other));
        written.map_err(unwritable)
    }

    async fn truncate(&mut self, since: LogId) -> Result<(), StorageError> {
        self.blocking(move |log| log.remove(since.index.., None)).await.map_err(unwritable)
    }

    /// The records must last without what is removed.
    async fn purge(&mut self, upto: LogId) -> Result<(), StorageError> {
        let purge = move |log: &Self| {
            log.machine.flush()?;
            log.remove(..=upto.index, Some(upto))
        };
        self.blocking(purge).await.map_err(unwritable)
    }
}

fn decode(bytes: &[u8]) -> Result<Entry, Error> {
    read_entry(message::Entry::decode(bytes).map_err(|_| damaged())?)
}

fn unreadable(error: Error) -> StorageError {
    StorageIOError::read_logs(AnyError::new(&error)).into()
}

fn unwritable(error: Error) -> StorageError {
    StorageIOError::write_logs(AnyError::new(&error)).into()
}
