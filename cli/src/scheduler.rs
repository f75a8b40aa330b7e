//! What the scheduler keeps, read and written through etcd's API as Dapr's CLI does it: scheduler or sidecars need not know.
mod export_file;
mod gob;
mod key;
mod listing;
mod records;

pub(crate) use export_file::ExportFile;
pub(crate) use key::{Key, prefixes, shown};
pub(crate) use listing::{Filter, Listed, Sparse, long_row, short_row};
pub(crate) use records::{Records, etcd};
