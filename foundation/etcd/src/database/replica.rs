//! What the file of a replicated store has beside that of a single one, and files that come from other members.
use super::{Database, INCOMING, LEASES, NAME, Numbers, REPLICA, begin, builder, numbers};
use crate::Error;
use crate::replica::{Applied, read_applied};
use prost::Message;
use redb::{ReadTransaction, ReadableDatabase, ReadableTable, TableError, WriteTransaction};
use std::path::{Path, PathBuf};
use wire::trilby::replication::v1 as message;

/// Leases, and the seconds of each.
type Leases = Vec<(i64, i64)>;

/// A file that is to take the place of the store's.
pub(crate) struct Received {
    path: PathBuf,
    pub(crate) database: redb::Database,
}

impl Database {
    /// Whether a folder has a store.
    pub(crate) fn is_in(folder: &Path) -> bool {
        Self::file_in(folder).exists()
    }

    pub(crate) fn file_in(folder: &Path) -> PathBuf {
        folder.join(NAME)
    }

    /// Makes sure that the tables are there. `own` is who the member is.
    pub(crate) fn replicate(&self, own: (u64, u64)) -> Result<Numbers, Error> {
        let database = self.current()?;
        let numbers = Numbers { cluster: own.0, member: own.1, ..numbers(&database)? };
        let writing = database.begin_write().map_err(Error::storage)?;
        writing.open_table(LEASES).map_err(Error::storage)?;
        writing.open_table(REPLICA).map_err(Error::storage)?;
        numbers.write(&writing)?;
        writing.commit().map_err(Error::storage)?;
        Ok(numbers)
    }

    /// How far the records are, and their leases.
    pub(crate) fn replicated(&self) -> Result<(Applied, Leases), Error> {
        let reading = self.current()?.begin_read().map_err(Error::storage)?;
        let table = reading.open_table(LEASES).map_err(Error::storage)?;
        let rows =
            table.iter().map_err(Error::storage)?.map(|row| row.map(|(id, seconds)| (id.value(), seconds.value())));
        let leases = rows.collect::<Result<_, _>>().map_err(Error::storage)?;
        Ok((applied(&reading)?, leases))
    }

    /// Everything as it is now.
    pub(crate) fn replicated_view(&self) -> Result<(ReadTransaction, Applied, Numbers), Error> {
        let reading = self.current()?.begin_read().map_err(Error::storage)?;
        let (state, numbers) = (applied(&reading)?, super::numbers_of(&reading)?);
        Ok((reading, state, numbers))
    }

    pub(crate) fn numbers(&self) -> Result<Numbers, Error> {
        numbers(&*self.current()?)
    }

    /// A new file beside the store's; one that was left there is gone.
    pub(crate) fn receive(&self) -> Result<Received, Error> {
        let path = self.folder.join(INCOMING);
        std::fs::remove_file(&path).ok();
        let database = builder().create(&path).map_err(Error::storage)?;
        begin(&database)?;
        let writing = database.begin_write().map_err(Error::storage)?;
        writing.open_table(LEASES).map_err(Error::storage)?;
        writing.commit().map_err(Error::storage)?;
        Ok(Received { path, database })
    }

    /// A file that has come takes the place of this one.
    pub(crate) fn replace(&self, received: Received) -> Result<(), Error> {
        self.replace_by(&received.path, received.database)
    }
}

fn applied(reading: &ReadTransaction) -> Result<Applied, Error> {
    let table = reading.open_table(REPLICA).map_err(Error::storage)?;
    let Some(bytes) = table.get("applied").map_err(Error::storage)? else { return Ok(Applied::default()) };
    let damaged = |_| Error::Damaged("it does not tell how far it is".to_owned());
    message::Applied::decode(bytes.value()).map(read_applied).map_err(damaged)
}

/// Copies the tables that only a replicated store has.
pub(super) fn copy(from: &redb::Database, writing: &WriteTransaction) -> Result<(), Error> {
    let reading = from.begin_read().map_err(Error::storage)?;
    let leases = match reading.open_table(LEASES) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        leases => leases.map_err(Error::storage)?,
    };
    let mut copied = writing.open_table(LEASES).map_err(Error::storage)?;
    for row in leases.iter().map_err(Error::storage)? {
        let (id, seconds) = row.map_err(Error::storage)?;
        copied.insert(id.value(), seconds.value()).map_err(Error::storage)?;
    }
    applied(&reading)?.write(writing)
}
