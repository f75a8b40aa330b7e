//! Reading a range of records, as they are or as they were.
use crate::Error;
use crate::database::Bytestring;
use crate::keys::Keys;
use crate::record::Record;
use bytes::Bytes;
use redb::ReadableTable;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
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

/// How far a range is read.
#[derive(Clone, Copy)]
pub(crate) enum Extent {
    /// As far as is asked for; the count is that of all keys though a limit is reached.
    Asked,
    /// To the record that makes it so many bytes, if the limit is not reached before; what is behind is not counted.
    Page(usize),
}

/// What a request asks for, without the header.
pub(crate) fn range(
    table: &impl ReadableTable<Bytestring, Bytestring>,
    request: &RangeRequest,
    past: &Past,
    extent: Extent,
) -> Result<RangeResponse, Error> {
    let keys = Keys::of(&request.key, &request.range_end)?;
    let mut answer = Answer::new(request, extent);
    if let (Some(key), true) = (keys.single(), past.is_empty()) {
        if let Some(record) = get(table, key)? {
            // There is no other one to visit.
            let _ = answer.take(record.into_key_value(key.clone()));
        }
        return Ok(answer.finish());
    }
    each(table, &keys, past, |found| answer.take(found))?;
    if let (Extent::Asked, Some(last)) = (extent, answer.more.take()) {
        answer.count += count_behind(table, &keys, past, &last)?;
    }
    Ok(answer.finish())
}

/// How many keys there are behind one: the records are not looked at.
fn count_behind(
    table: &impl ReadableTable<Bytestring, Bytestring>,
    keys: &Keys,
    past: &Past,
    last: &[u8],
) -> Result<i64, Error> {
    let Some((_, end)) = keys.bounds().filter(|_| keys.single().is_none()) else { return Ok(0) };
    let behind = (Bound::Excluded(last), end);
    let mut count = 0;
    for row in table.range::<&[u8]>(behind).map_err(Error::storage)? {
        row.map_err(Error::storage)?;
        count += 1;
    }
    for (key, before) in past.range::<[u8], _>(behind) {
        let is_there = table.get(&key[..]).map_err(Error::storage)?.is_some();
        count += i64::from(before.is_some()) - i64::from(is_there);
    }
    Ok(count)
}

/// Visits records in the order of their keys.
pub(crate) fn each(
    table: &impl ReadableTable<Bytestring, Bytestring>,
    keys: &Keys,
    past: &Past,
    mut visit: impl FnMut(KeyValue) -> ControlFlow<()>,
) -> Result<(), Error> {
    let Some(bounds) = keys.bounds() else { return Ok(()) };
    let mut past = past.iter().peekable();
    for row in table.range::<&[u8]>(bounds).map_err(Error::storage)? {
        let (key, record) = row.map_err(Error::storage)?;
        let key = key.value();
        while let Some((_, before)) = past.next_if(|(other, _)| &other[..] < key) {
            if before.clone().is_some_and(|before| visit(before).is_break()) {
                return Ok(());
            }
        }
        let found = match past.next_if(|(other, _)| &other[..] == key) {
            Some((_, before)) => before.clone(),
            None => Some(Record::decode(record.value())?.into_key_value(Bytes::copy_from_slice(key))),
        };
        if found.is_some_and(|found| visit(found).is_break()) {
            return Ok(());
        }
    }
    let _ = past.filter_map(|(_, before)| before.clone()).try_for_each(visit);
    Ok(())
}

/// An answer that comes into being.
struct Answer<'r> {
    request: &'r RangeRequest,
    limit: usize,
    /// How many bytes may be left to be taken, and are taken.
    most_bytes: usize,
    bytes: usize,
    /// The order of keys is another one than the wanted: all of them are needed.
    sorts: bool,
    found: Vec<KeyValue>,
    count: i64,
    /// The first key that is meant and was not taken, if no further one was looked at.
    more: Option<Bytes>,
}

impl<'r> Answer<'r> {
    fn new(request: &'r RangeRequest, extent: Extent) -> Self {
        let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let in_order = request.sort_target() == SortTarget::Key && request.sort_order() != SortOrder::Descend;
        let most_bytes = match extent {
            Extent::Asked => usize::MAX,
            Extent::Page(bytes) => bytes,
        };
        Self { request, limit, most_bytes, bytes: 0, sorts: !in_order, found: Vec::new(), count: 0, more: None }
    }

    fn take(&mut self, mut record: KeyValue) -> ControlFlow<()> {
        if !self.is_meant(&record) {
            return ControlFlow::Continue(());
        }
        self.count += 1;
        let is_full = self.found.len() >= self.limit || self.bytes >= self.most_bytes;
        if !self.request.count_only && (self.sorts || !is_full) {
            if self.request.keys_only {
                record.value = Bytes::new();
            }
            self.bytes += record.key.len() + record.value.len();
            self.found.push(record);
        } else if !self.chooses() {
            self.more = Some(record.key);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Whether only some of the keys are meant, so that each record has to be looked at.
    fn chooses(&self) -> bool {
        let RangeRequest { min_mod_revision, max_mod_revision, min_create_revision, max_create_revision, .. } =
            self.request;
        [min_mod_revision, max_mod_revision, min_create_revision, max_create_revision].into_iter().any(|at| *at != 0)
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
