//! Commands that have been carried out, and their answers.
use super::{Command, Held, Reply};
use crate::Error;
use crate::execution::Execution;
use crate::leases::Leases;
use wire::etcd::etcdserverpb::{TxnRequest, TxnResponse};

/// A command that has been carried out, and is not yet durable.
pub(super) enum Done {
    Transaction(Reply<TxnResponse>, Result<(TxnResponse, i64), Error>),
    Transactions(Reply<Vec<Held>>, Result<(Vec<Held>, i64), Error>),
    Other(Reply<()>, Result<((), i64), Error>),
}

impl Done {
    pub(super) fn carry_out(command: Command, execution: &mut Execution<'_>, leases: &Leases) -> Self {
        match command {
            Command::Transact(request, reply) => {
                let response = execution.transact(&request, leases);
                Self::Transaction(reply, response.map(|response| (response, execution.numbers.revision)))
            }
            Command::TransactAll(requests, reply) => {
                Self::Transactions(reply, transact_all(&requests, execution, leases))
            }
            Command::EndLease(id, reply) => {
                let ended = if leases.end(id) { execution.end_lease(Some(id)) } else { Err(Error::LeaseNotFound) };
                Self::Other(reply, ended.map(|()| ((), execution.numbers.revision)))
            }
            Command::EndAlarm(reply) => {
                execution.numbers.no_space = false;
                Self::Other(reply, Ok(((), execution.numbers.revision)))
            }
            Command::Defragment(reply) | Command::Stop(reply) => Self::Other(reply, Err(Error::Stopped)),
        }
    }

    pub(super) fn failed(command: Command, error: &Error) -> Self {
        match command {
            Command::Transact(_, reply) => Self::Transaction(reply, Err(error.clone())),
            Command::TransactAll(_, reply) => Self::Transactions(reply, Err(error.clone())),
            Command::EndLease(_, reply)
            | Command::EndAlarm(reply)
            | Command::Defragment(reply)
            | Command::Stop(reply) => Self::Other(reply, Err(error.clone())),
        }
    }

    pub(super) fn storage_error(&self) -> Option<Error> {
        match self {
            Self::Transaction(_, Err(error)) | Self::Transactions(_, Err(error)) | Self::Other(_, Err(error)) => {
                Some(error.clone()).filter(Error::is_of_file)
            }
            _ => None,
        }
    }

    pub(super) fn answer(self, failure: Option<&Error>) {
        let failed = failure.cloned().map_or(Ok(()), Err);
        match self {
            Self::Transaction(reply, result) => drop(reply.send(failed.and(result))),
            Self::Transactions(reply, result) => drop(reply.send(failed.and(result))),
            Self::Other(reply, result) => drop(reply.send(failed.and(result))),
        }
    }
}

/// # Errors
/// A file that cannot be written: nothing of all this counts then.
fn transact_all(
    requests: &[TxnRequest],
    execution: &mut Execution<'_>,
    leases: &Leases,
) -> Result<(Vec<Held>, i64), Error> {
    let mut done = Vec::with_capacity(requests.len());
    for request in requests {
        done.push(match execution.transact(request, leases) {
            Ok(response) => Ok(response.succeeded),
            Err(error) if error.is_of_file() => return Err(error),
            Err(error) => Err(error),
        });
    }
    Ok((done, execution.numbers.revision))
}
