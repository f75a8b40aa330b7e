//! How a record lies in the file: four numbers, then the value.
use crate::Error;
use bytes::Bytes;
use wire::etcd::mvccpb::KeyValue;

const NUMBER: usize = size_of::<i64>();
const HEAD: usize = 4 * NUMBER;
/// What a record takes beside its key and value, roughly.
const OVERHEAD: u64 = 64;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) created: i64,
    pub(crate) modified: i64,
    pub(crate) version: i64,
    pub(crate) lease: i64,
    pub(crate) value: Bytes,
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let numbers = [self.created, self.modified, self.version, self.lease];
        let mut bytes = Vec::with_capacity(HEAD + self.value.len());
        bytes.extend(numbers.into_iter().flat_map(i64::to_le_bytes));
        bytes.extend_from_slice(&self.value);
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let damaged = || Error::Damaged("a record is cut off".to_owned());
        let (head, value) = bytes.split_at_checked(HEAD).ok_or_else(damaged)?;
        let [created, modified, version, lease] = head.as_chunks::<NUMBER>().0 else { return Err(damaged()) };
        Ok(Self {
            created: i64::from_le_bytes(*created),
            modified: i64::from_le_bytes(*modified),
            version: i64::from_le_bytes(*version),
            lease: i64::from_le_bytes(*lease),
            value: Bytes::copy_from_slice(value),
        })
    }

    pub(crate) fn into_key_value(self, key: Bytes) -> KeyValue {
        KeyValue {
            key,
            create_revision: self.created,
            mod_revision: self.modified,
            version: self.version,
            value: self.value,
            lease: self.lease,
        }
    }
}

/// The space that a key and its value count for, in bytes.
pub(crate) fn space(key: &[u8], value: &[u8]) -> u64 {
    OVERHEAD + key.len() as u64 + value.len() as u64
}
