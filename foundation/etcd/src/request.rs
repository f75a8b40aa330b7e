//! Whether a request makes sense, before anything of it is done.
use crate::Error;
use crate::keys::Keys;
use bytes::Bytes;
use std::collections::HashSet;
use wire::etcd::etcdserverpb::request_op::Request;
use wire::etcd::etcdserverpb::{PutRequest, RequestOp, TxnRequest};

/// Checks a transaction; each branch has at most `most` operations.
///
/// # Errors
/// What etcd says to it.
pub(crate) fn check(request: &TxnRequest, most: usize) -> Result<(), Error> {
    if [request.compare.len(), request.success.len(), request.failure.len()].into_iter().any(|count| count > most) {
        return Err(Error::TooManyOperations);
    }
    if request.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Error::NoKey);
    }
    for branch in [&request.success, &request.failure] {
        branch.iter().try_for_each(|operation| check_operation(operation, most))?;
        let mut written = Written::default();
        written.add(branch)?;
        written.check()?;
    }
    Ok(())
}

fn check_operation(operation: &RequestOp, most: usize) -> Result<(), Error> {
    match &operation.request {
        Some(Request::RequestRange(range)) => Keys::of(&range.key, &range.range_end).map(drop),
        Some(Request::RequestDeleteRange(delete)) => Keys::of(&delete.key, &delete.range_end).map(drop),
        Some(Request::RequestPut(put)) => check_put(put),
        Some(Request::RequestTxn(inner)) => check(inner, most),
        None => Err(Error::KeyNotFound),
    }
}

fn check_put(put: &PutRequest) -> Result<(), Error> {
    if put.key.is_empty() {
        return Err(Error::NoKey);
    }
    if put.ignore_value && !put.value.is_empty() {
        return Err(Error::ValueProvided);
    }
    if put.ignore_lease && put.lease != 0 {
        return Err(Error::LeaseProvided);
    }
    Ok(())
}

/// What a branch writes: no key twice.
#[derive(Default)]
struct Written<'a> {
    put: HashSet<&'a Bytes>,
    deleted: Vec<Keys>,
}

impl<'a> Written<'a> {
    fn add(&mut self, branch: &'a [RequestOp]) -> Result<(), Error> {
        for operation in branch {
            match &operation.request {
                Some(Request::RequestPut(put)) if !self.put.insert(&put.key) => return Err(Error::DuplicateKey),
                Some(Request::RequestDeleteRange(delete)) => {
                    self.deleted.push(Keys::of(&delete.key, &delete.range_end)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), Error> {
        let twice = self.put.iter().any(|key| self.deleted.iter().any(|deleted| deleted.has(key)));
        if twice { Err(Error::DuplicateKey) } else { Ok(()) }
    }
}
