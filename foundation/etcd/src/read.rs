//! Reading a range of records, as they are or as they were.
use crate::Error;
use crate::database::Bytestring;
use crate::keys::Keys;
use crate::record::Record;
use bytes::Bytes;
use redb::ReadableTable;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use wire::etcd::etcdserverpb::range_request::{SortOrder, SortTarget};
use wire::etcd::etcdserverpb::{RangeRequest, RangeResponse};
use wire::etcd::mvccpb::KeyValue;

/// Records by key that were others at the time that is read; none when they were not there.
pub(crate) type Past = BTreeMap<Bytes, Option<KeyValue>>;

/// One record.
pub(crate) fn get(table: &impl ReadableTable<Bytestring, Bytestring>, key: &[u8]) -> Result<Option<Record>, Error> {
    let found = table.get(key).map_err(Error::storage)?;
    found.map(|record| Record::decode(record.value())).transpose()
}

/// What a request asks for, without the header. `counts` tells whether the count of all keys is wanted though a limit is
/// reached.
pub(crate) fn range(
    table: &impl ReadableTable<Bytestring, Bytestring>,
    request: &RangeRequest,
    past: Past,
    counts: bool,
) -> Result<RangeResponse, Error> {
    let keys = Keys::of(&request.key, &request.range_end)?;
    let mut answer = Answer::new(request, counts);
    if let (Some(key), true) = (keys.single(), past.is_empty()) {
        if let Some(record) = get(table, key)? {
            // There is no other one to visit.
            let _ = answer.take(record.into_key_value(key.clone()));
        }
        return Ok(answer.finish());
    }
    each(table, &keys, past, |found| answer.take(found))?;
    Ok(answer.finish())
}

/// Visits records in the order of their keys.
pub(crate) fn each(
    table: &impl ReadableTable<Bytestring, Bytestring>,
    keys: &Keys,
    past: Past,
    mut visit: impl FnMut(KeyValue) -> ControlFlow<()>,
) -> Result<(), Error> {
    let Some(bounds) = keys.bounds() else { return Ok(()) };
    let mut past = past.into_iter().peekable();
    for row in table.range::<&[u8]>(bounds).map_err(Error::storage)? {
        let (key, record) = row.map_err(Error::storage)?;
        let key = key.value();
        while let Some((_, before)) = past.next_if(|(other, _)| &other[..] < key) {
            if before.is_some_and(|before| visit(before).is_break()) {
                return Ok(());
            }
        }
        let found = match past.next_if(|(other, _)| other == key) {
            Some((_, before)) => before,
            None => Some(Record::decode(record.value())?.into_key_value(Bytes::copy_from_slice(key))),
        };
        if found.is_some_and(|found| visit(found).is_break()) {
            return Ok(());
        }
    }
    let _ = past.filter_map(|(_, before)| before).try_for_each(visit);
    Ok(())
}

/// An answer that comes into being.
struct Answer<'r> {
    request: &'r RangeRequest,
    counts: bool,
    limit: usize,
    /// The order of keys is another one than the wanted: all of them are needed.
    sorts: bool,
    found: Vec<KeyValue>,
    count: i64,
}

impl<'r> Answer<'r> {
    fn new(request: &'r RangeRequest, counts: bool) -> Self {
        let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let in_order = request.sort_target() == SortTarget::Key && request.sort_order() != SortOrder::Descend;
        Self { request, counts, limit, sorts: !in_order, found: Vec::new(), count: 0 }
    }

    fn take(&mut self, mut record: KeyValue) -> ControlFlow<()> {
        if !self.is_meant(&record) {
            return ControlFlow::Continue(());
        }
        self.count += 1;
        if !self.request.count_only && (self.sorts || self.found.len() < self.limit) {
            if self.request.keys_only {
                record.value = Bytes::new();
            }
            self.found.push(record);
            return ControlFlow::Continue(());
        }
        if self.counts || self.request.count_only { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    fn is_meant(&self, record: &KeyValue) -> bool {
        let is_within = |value: i64, least: i64, most: i64| value >= least && (most == 0 || value <= most);
        let request = self.request;
        is_within(record.mod_revision, request.min_mod_revision, request.max_mod_revision)
            && is_within(record.create_revision, request.min_create_revision, request.max_create_revision)
    }

    fn finish(mut self) -> RangeResponse {
        if self.sorts {
            let target = self.request.sort_target();
            self.found.sort_by(|a, b| compare(target, a, b));
            if self.request.sort_order() == SortOrder::Descend {
                self.found.reverse();
            }
            self.found.truncate(self.limit);
        }
        let taken = i64::try_from(self.found.len()).unwrap_or(i64::MAX);
        let more = !self.request.count_only && self.count > taken;
        RangeResponse { header: None, kvs: self.found, more, count: self.count }
    }
}

fn compare(target: SortTarget, a: &KeyValue, b: &KeyValue) -> Ordering {
    match target {
        SortTarget::Key => a.key.cmp(&b.key),
        SortTarget::Version => a.version.cmp(&b.version),
        SortTarget::Create => a.create_revision.cmp(&b.create_revision),
        SortTarget::Mod => a.mod_revision.cmp(&b.mod_revision),
        SortTarget::Value => a.value.cmp(&b.value),
    }
}
