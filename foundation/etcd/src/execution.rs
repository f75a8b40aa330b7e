//! Transactions on the records of an open write.
use crate::Error;
use crate::database::{Bytestring, LEASED, Numbers, RECORDS};
use crate::keys::Keys;
use crate::leases::Leases;
use crate::quota::Quota;
use crate::read::{self, Extent, Past};
use crate::record::{Record, space};
use bytes::Bytes;
use redb::{ReadableTable, Table, WriteTransaction};
use std::ops::ControlFlow;
use wire::etcd::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::response_op::Response;
use wire::etcd::etcdserverpb::{
    Compare, DeleteRangeRequest, DeleteRangeResponse, PutRequest, PutResponse, RangeRequest, RequestOp, ResponseOp,
    TxnRequest, TxnResponse,
};
use wire::etcd::mvccpb::event::EventType;
use wire::etcd::mvccpb::{Event, KeyValue};

/// Records that are being written.
pub(crate) struct Execution<'w> {
    records: Table<'w, Bytestring, Bytestring>,
    leased: Table<'w, Bytestring, i64>,
    pub(crate) numbers: Numbers,
    pub(crate) events: Vec<Event>,
    pub(crate) quota: Quota,
}

/// The branch of a transaction that its comparisons have chosen.
struct Chosen<'r> {
    succeeded: bool,
    steps: Vec<Step<'r>>,
}

enum Step<'r> {
    Range(&'r RangeRequest),
    Put(&'r PutRequest),
    Delete(&'r DeleteRangeRequest),
    Transaction(Chosen<'r>),
}

impl<'w> Execution<'w> {
    pub(crate) fn new(writing: &'w WriteTransaction, numbers: Numbers, quota: Quota) -> Result<Self, Error> {
        let records = writing.open_table(RECORDS).map_err(Error::storage)?;
        let leased = writing.open_table(LEASED).map_err(Error::storage)?;
        Ok(Self { records, leased, numbers, events: Vec::new(), quota })
    }

    /// Carries a transaction out. Nothing is written when it is refused.
    ///
    /// # Errors
    /// What is refused, and a file that cannot be used: then all that was written is void.
    pub(crate) fn transact(&mut self, request: &TxnRequest, leases: &Leases) -> Result<TxnResponse, Error> {
        let chosen = self.choose(request)?;
        let more = self.admit(&chosen, leases)?;
        self.quota.admit(more, &mut self.numbers)?;
        let revision = self.numbers.revision + 1;
        let events = self.events.len();
        let response = self.apply(&chosen, revision)?;
        if self.events.len() > events {
            self.numbers.revision = revision;
        }
        Ok(response)
    }

    /// Deletes all that goes with a lease, or with any one.
    pub(crate) fn end_lease(&mut self, lease: Option<i64>) -> Result<(), Error> {
        let mut keys = Vec::new();
        for row in self.leased.iter().map_err(Error::storage)? {
            let (key, of) = row.map_err(Error::storage)?;
            if lease.is_none_or(|lease| lease == of.value()) {
                keys.push(Bytes::copy_from_slice(key.value()));
            }
        }
        let revision = self.numbers.revision + 1;
        for key in &keys {
            self.remove(key, revision)?;
        }
        if !keys.is_empty() {
            self.numbers.revision = revision;
        }
        Ok(())
    }

    fn choose<'r>(&self, request: &'r TxnRequest) -> Result<Chosen<'r>, Error> {
        let mut succeeded = true;
        for compare in &request.compare {
            succeeded = succeeded && self.holds(compare)?;
        }
        let branch = if succeeded { &request.success } else { &request.failure };
        let steps = branch.iter().map(|operation| self.step(operation)).collect::<Result<_, _>>()?;
        Ok(Chosen { succeeded, steps })
    }

    fn step<'r>(&self, operation: &'r RequestOp) -> Result<Step<'r>, Error> {
        Ok(match &operation.request {
            Some(Request::RequestRange(range)) => Step::Range(range),
            Some(Request::RequestPut(put)) => Step::Put(put),
            Some(Request::RequestDeleteRange(delete)) => Step::Delete(delete),
            Some(Request::RequestTxn(inner)) => Step::Transaction(self.choose(inner)?),
            None => return Err(Error::KeyNotFound),
        })
    }

    fn holds(&self, compare: &Compare) -> Result<bool, Error> {
        let keys = Keys::of(&compare.key, &compare.range_end)?;
        if let Some(key) = keys.single() {
            return Ok(is_so(compare, read::get(&self.records, key)?.as_ref()));
        }
        let mut holds = true;
        read::each(&self.records, &keys, &Past::new(), |found| {
            holds = is_so(compare, Some(&of_key_value(&found)));
            if holds { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(holds)
    }

    /// Checks what is to be put; returns the space that it takes.
    fn admit(&self, chosen: &Chosen<'_>, leases: &Leases) -> Result<u64, Error> {
        let mut more = 0;
        for step in &chosen.steps {
            more += match step {
                Step::Put(put) => self.admit_put(put, leases)?,
                Step::Transaction(inner) => self.admit(inner, leases)?,
                Step::Range(_) | Step::Delete(_) => 0,
            };
        }
        Ok(more)
    }

    fn admit_put(&self, put: &PutRequest, leases: &Leases) -> Result<u64, Error> {
        if put.lease != 0 && !leases.has(put.lease) {
            return Err(Error::LeaseNotFound);
        }
        if (put.ignore_value || put.ignore_lease) && read::get(&self.records, &put.key)?.is_none() {
            return Err(Error::KeyNotFound);
        }
        Ok(space(&put.key, &put.value))
    }

    fn apply(&mut self, chosen: &Chosen<'_>, revision: i64) -> Result<TxnResponse, Error> {
        let mut responses = Vec::with_capacity(chosen.steps.len());
        for step in &chosen.steps {
            let response = match step {
                Step::Range(request) => {
                    Response::ResponseRange(read::range(&self.records, request, &Past::new(), Extent::Asked)?)
                }
                Step::Put(put) => Response::ResponsePut(self.put(put, revision)?),
                Step::Delete(delete) => Response::ResponseDeleteRange(self.delete(delete, revision)?),
                Step::Transaction(inner) => Response::ResponseTxn(self.apply(inner, revision)?),
            };
            responses.push(ResponseOp { response: Some(response) });
        }
        Ok(TxnResponse { header: None, succeeded: chosen.succeeded, responses })
    }

    fn put(&mut self, put: &PutRequest, revision: i64) -> Result<PutResponse, Error> {
        let before = read::get(&self.records, &put.key)?;
        let old = before.as_ref();
        let record = Record {
            created: old.map_or(revision, |old| old.created),
            modified: revision,
            version: old.map_or(1, |old| old.version + 1),
            lease: old.filter(|_| put.ignore_lease).map_or(put.lease, |old| old.lease),
            value: old.filter(|_| put.ignore_value).map_or_else(|| put.value.clone(), |old| old.value.clone()),
        };
        self.records.insert(&put.key[..], &record.encode()[..]).map_err(Error::storage)?;
        self.attach(&put.key, record.lease, old.map_or(0, |old| old.lease))?;
        let freed = old.map_or(0, |old| space(&put.key, &old.value));
        self.numbers.size = (self.numbers.size + space(&put.key, &record.value)).saturating_sub(freed);
        let prev_kv = before.map(|before| before.into_key_value(put.key.clone()));
        let kv = Some(record.into_key_value(put.key.clone()));
        self.events.push(Event { r#type: EventType::Put.into(), kv, prev_kv: prev_kv.clone() });
        Ok(PutResponse { header: None, prev_kv: prev_kv.filter(|_| put.prev_kv) })
    }

    fn attach(&mut self, key: &Bytes, lease: i64, before: i64) -> Result<(), Error> {
        if lease != 0 {
            self.leased.insert(&key[..], lease).map_err(Error::storage)?;
        } else if before != 0 {
            self.leased.remove(&key[..]).map_err(Error::storage)?;
        }
        Ok(())
    }

    fn delete(&mut self, delete: &DeleteRangeRequest, revision: i64) -> Result<DeleteRangeResponse, Error> {
        let keys = Keys::of(&delete.key, &delete.range_end)?;
        let mut found = Vec::new();
        match keys.single() {
            Some(key) => found.push(key.clone()),
            None => read::each(&self.records, &keys, &Past::new(), |record| {
                found.push(record.key);
                ControlFlow::Continue(())
            })?,
        }
        let mut response = DeleteRangeResponse::default();
        for key in found {
            let Some(removed) = self.remove(&key, revision)? else { continue };
            response.deleted += 1;
            if delete.prev_kv {
                response.prev_kvs.push(removed);
            }
        }
        Ok(response)
    }

    fn remove(&mut self, key: &Bytes, revision: i64) -> Result<Option<KeyValue>, Error> {
        let removed = self.records.remove(&key[..]).map_err(Error::storage)?;
        let Some(record) = removed.map(|record| Record::decode(record.value())).transpose()? else { return Ok(None) };
        self.attach(key, 0, record.lease)?;
        self.numbers.size = self.numbers.size.saturating_sub(space(key, &record.value));
        let kv = Some(KeyValue { key: key.clone(), mod_revision: revision, ..KeyValue::default() });
        let before = record.into_key_value(key.clone());
        self.events.push(Event { r#type: EventType::Delete.into(), kv, prev_kv: Some(before.clone()) });
        Ok(Some(before))
    }
}

/// Whether a comparison holds for a record. One that is not there has zeros, and no value.
fn is_so(compare: &Compare, record: Option<&Record>) -> bool {
    let number = |of: fn(&Record) -> i64| record.map_or(0, of);
    let order = match compare.target_union.clone().unwrap_or_else(|| zero(compare.target())) {
        TargetUnion::Version(wanted) => number(|record| record.version).cmp(&wanted),
        TargetUnion::CreateRevision(wanted) => number(|record| record.created).cmp(&wanted),
        TargetUnion::ModRevision(wanted) => number(|record| record.modified).cmp(&wanted),
        TargetUnion::Lease(wanted) => number(|record| record.lease).cmp(&wanted),
        TargetUnion::Value(wanted) => match record {
            Some(record) => record.value.cmp(&wanted),
            None => return false,
        },
    };
    match compare.result() {
        CompareResult::Equal => order.is_eq(),
        CompareResult::NotEqual => order.is_ne(),
        CompareResult::Greater => order.is_gt(),
        CompareResult::Less => order.is_lt(),
    }
}

/// What a comparison without a value means.
fn zero(target: CompareTarget) -> TargetUnion {
    match target {
        CompareTarget::Version => TargetUnion::Version(0),
        CompareTarget::Create => TargetUnion::CreateRevision(0),
        CompareTarget::Mod => TargetUnion::ModRevision(0),
        CompareTarget::Lease => TargetUnion::Lease(0),
        CompareTarget::Value => TargetUnion::Value(Bytes::new()),
    }
}

fn of_key_value(kv: &KeyValue) -> Record {
    Record {
        created: kv.create_revision,
        modified: kv.mod_revision,
        version: kv.version,
        lease: kv.lease,
        value: kv.value.clone(),
    }
}
