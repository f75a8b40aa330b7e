//! Snapshots: the records as they are at one moment, and those that come from another member.
use super::types::{Applied, applied};
use crate::Error;
use crate::database::{Bytestring, Database, LEASED, LEASES, Numbers, RECORDS, Received};
use bytes::Bytes;
use prost::Message;
use redb::{Durability, ReadOnlyTable, WriteTransaction};
use std::ops::Bound;
use wire::trilby::replication::v1::{self as message, Row, Table};

/// Bytes of one piece, or one record. Tests have several pieces.
const PIECE: usize = if cfg!(test) { 100 } else { 1 << 20 };
/// The order in which tables are sent.
const TABLES: [Table; 3] = [Table::Records, Table::Leased, Table::Leases];

/// What the library hands on as a snapshot.
pub(crate) enum Data {
    View(Box<View>),
    Incoming(Incoming),
}

impl Data {
    pub(crate) fn incoming(self) -> Result<Incoming, Error> {
        match self {
            Self::Incoming(incoming) => Ok(incoming),
            Self::View(_) => Err(Error::Storage("a snapshot that was sent cannot be installed".to_owned())),
        }
    }
}

/// The records at one moment.
pub(crate) struct View {
    records: ReadOnlyTable<Bytestring, Bytestring>,
    leased: ReadOnlyTable<Bytestring, i64>,
    leases: ReadOnlyTable<i64, i64>,
    numbers: Numbers,
}

/// Where a transfer goes on: in which table, and behind which key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    table: usize,
    after: Option<Bytes>,
}

impl View {
    pub(crate) fn open(database: &Database) -> Result<(Self, Applied), Error> {
        let (reading, applied, numbers) = database.replicated_view()?;
        let view = Self {
            records: reading.open_table(RECORDS).map_err(Error::storage)?,
            leased: reading.open_table(LEASED).map_err(Error::storage)?,
            leases: reading.open_table(LEASES).map_err(Error::storage)?,
            numbers,
        };
        Ok((view, applied))
    }

    /// Rows from a position on, and the next position; none when these were the last.
    pub(crate) fn rows(&self, from: Position) -> Result<(Vec<Row>, Option<Position>), Error> {
        let (mut rows, mut position, mut size) = (Vec::new(), from, 0);
        while let Some(table) = TABLES.get(position.table).copied() {
            let is_full = self.rows_of(table, position.after.take(), &mut rows, &mut size)?;
            if is_full {
                position.after = rows.last().map(|row| row.key.clone());
                return Ok((rows, Some(position)));
            }
            position.table += 1;
        }
        Ok((rows, None))
    }

    fn rows_of(
        &self,
        table: Table,
        after: Option<Bytes>,
        rows: &mut Vec<Row>,
        size: &mut usize,
    ) -> Result<bool, Error> {
        let after = after.as_deref();
        match table {
            Table::Records => {
                let found = self.records.range::<&[u8]>((behind(after), Bound::Unbounded)).map_err(Error::storage)?;
                take(found, |key, value: &[u8]| row(table, key, value), rows, size)
            }
            Table::Leased => {
                let found = self.leased.range::<&[u8]>((behind(after), Bound::Unbounded)).map_err(Error::storage)?;
                take(found, |key, lease| row(table, key, &lease.to_le_bytes()), rows, size)
            }
            Table::Leases => {
                let after = after.map(number).transpose()?;
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let found = self.leases.range((from, Bound::Unbounded)).map_err(Error::storage)?;
                take(found, |id, seconds| row(table, &id.to_le_bytes(), &seconds.to_le_bytes()), rows, size)
            }
        }
    }

    /// Goes with the last piece.
    pub(crate) fn numbers(&self) -> message::Numbers {
        let Numbers { revision, size, no_space, .. } = self.numbers;
        message::Numbers { revision, size, no_space }
    }
}

fn behind(key: Option<&[u8]>) -> Bound<&[u8]> {
    key.map_or(Bound::Unbounded, Bound::Excluded)
}

fn row(table: Table, key: &[u8], value: &[u8]) -> Row {
    Row { table: table.into(), key: Bytes::copy_from_slice(key), value: Bytes::copy_from_slice(value) }
}

/// Returns whether a piece is full.
fn take<K: redb::Key + 'static, V: redb::Value + 'static>(
    found: redb::Range<'_, K, V>,
    row: impl Fn(K::SelfType<'_>, V::SelfType<'_>) -> Row,
    rows: &mut Vec<Row>,
    size: &mut usize,
) -> Result<bool, Error> {
    for entry in found {
        let (key, value) = entry.map_err(Error::storage)?;
        let row = row(key.value(), value.value());
        *size += row.encoded_len();
        rows.push(row);
        if *size >= PIECE {
            return Ok(true);
        }
    }
    Ok(false)
}

fn number(bytes: &[u8]) -> Result<i64, Error> {
    let bytes = bytes.try_into().map_err(|_| Error::Storage("a row of a snapshot is damaged".to_owned()))?;
    Ok(i64::from_le_bytes(bytes))
}

/// Records that come from another member, in a file beside that of the store.
pub(crate) struct Incoming {
    received: Received,
    numbers: Option<message::Numbers>,
    /// Number of the next piece.
    next: u64,
}

impl Incoming {
    pub(crate) fn begin(database: &Database) -> Result<Self, Error> {
        Ok(Self { received: database.receive()?, numbers: None, next: 0 })
    }

    /// Takes the next piece. Returns whether it was the last one; none when it is not the next.
    pub(crate) fn add(&mut self, piece: &message::Piece) -> Result<Option<bool>, Error> {
        if piece.number != self.next {
            return Ok(None);
        }
        let mut writing = self.received.database.begin_write().map_err(Error::storage)?;
        writing.set_durability(Durability::None).map_err(Error::storage)?;
        piece.rows.iter().try_for_each(|row| insert(&writing, row))?;
        writing.commit().map_err(Error::storage)?;
        self.next += 1;
        self.numbers = piece.numbers;
        Ok(Some(self.numbers.is_some()))
    }

    /// Makes the file last.
    pub(crate) fn finish(self, state: &Applied, own: Numbers) -> Result<Received, Error> {
        let missing = || Error::Storage("a snapshot has come without its end".to_owned());
        let message::Numbers { revision, size, no_space } = self.numbers.ok_or_else(missing)?;
        let writing = self.received.database.begin_write().map_err(Error::storage)?;
        Numbers { revision, size, no_space, ..own }.write(&writing)?;
        state.write(&writing)?;
        writing.commit().map_err(Error::storage)?;
        Ok(self.received)
    }
}

fn insert(writing: &WriteTransaction, row: &Row) -> Result<(), Error> {
    match row.table() {
        Table::Records => {
            let mut table = writing.open_table(RECORDS).map_err(Error::storage)?;
            table.insert(&row.key[..], &row.value[..]).map(drop).map_err(Error::storage)
        }
        Table::Leased => {
            let mut table = writing.open_table(LEASED).map_err(Error::storage)?;
            table.insert(&row.key[..], number(&row.value)?).map(drop).map_err(Error::storage)
        }
        Table::Leases => {
            let mut table = writing.open_table(LEASES).map_err(Error::storage)?;
            table.insert(number(&row.key)?, number(&row.value)?).map(drop).map_err(Error::storage)
        }
    }
}

impl Applied {
    pub(crate) fn write(&self, writing: &WriteTransaction) -> Result<(), Error> {
        let mut table = writing.open_table(crate::database::REPLICA).map_err(Error::storage)?;
        table.insert("applied", &applied(self).encode_to_vec()[..]).map(drop).map_err(Error::storage)
    }
}
