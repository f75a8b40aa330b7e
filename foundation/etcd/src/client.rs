//! A client of the API, whoever serves it.
use crate::remote::RemoteWatch;
use crate::{Changes, Error, Remote, Store, Watcher, prefix_end};
use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use tonic::Code;
use wire::etcd::etcdserverpb::{
    RangeRequest, RangeResponse, TxnRequest, TxnResponse, WatchCreateRequest, WatchResponse,
};
use wire::etcd::mvccpb::KeyValue;

/// Reads and writes records, of the store in this process or of servers elsewhere.
#[derive(Clone)]
pub enum Client {
    Embedded(Store),
    Remote(Remote),
}

impl Client {
    /// Reads some records of a range from its begin on, without counting those behind them. An etcd that is not ours takes the limit for
    /// their number.
    ///
    /// # Errors
    /// As [`Client::range`].
    pub async fn page(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        match self {
            Self::Embedded(store) => store.page(request).await,
            Self::Remote(remote) => Box::pin(remote.page(request)).await,
        }
    }

    /// Reads records.
    ///
    /// # Errors
    /// What is refused, and what cannot be reached.
    pub async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        match self {
            Self::Embedded(store) => store.range(request).await,
            // Boxed, for it is large and there are many of the others.
            Self::Remote(remote) => Box::pin(remote.range(request)).await,
        }
    }

    /// Carries out a transaction.
    ///
    /// # Errors
    /// What is refused, and what cannot be reached: then it may have been carried out.
    pub async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Error> {
        match self {
            Self::Embedded(store) => store.txn(request).await,
            Self::Remote(remote) => Box::pin(remote.txn(request)).await,
        }
    }

    /// Reads records by their keys, all as they are at one moment if the store is in this process.
    ///
    /// # Errors
    /// What cannot be reached, or cannot be read.
    pub async fn get_all(&self, keys: Vec<Bytes>) -> Result<Vec<Option<KeyValue>>, Error> {
        match self {
            Self::Embedded(store) => store.get_all(&keys).await,
            Self::Remote(remote) => {
                let request = |key| RangeRequest { key, ..RangeRequest::default() };
                let ranges = keys.into_iter().map(|key| Box::pin(remote.range(request(key))));
                let found = try_join_all(ranges).await?;
                Ok(found.into_iter().map(|mut found| found.kvs.pop()).collect())
            }
        }
    }

    /// Carries out transactions, each by itself. Tells of each whether its comparisons held.
    ///
    /// # Errors
    /// Of each as [`Client::txn`]; of all of them when one makes no sense.
    pub async fn txns(&self, requests: Vec<TxnRequest>) -> Result<Vec<Result<bool, Error>>, Error> {
        match self {
            Self::Embedded(store) => store.txns(requests).await,
            Self::Remote(remote) => {
                let transactions = requests.into_iter().map(|request| Box::pin(remote.txn(request)));
                let done = join_all(transactions).await;
                Ok(done.into_iter().map(|done| done.map(|done| done.succeeded)).collect())
            }
        }
    }

    /// Watches all keys with a prefix from a revision on.
    ///
    /// # Errors
    /// What cannot be reached.
    pub async fn watch(&self, prefix: &str, first: i64) -> Result<Watching, Error> {
        let (key, range_end) = (Bytes::copy_from_slice(prefix.as_bytes()), prefix_end(prefix.as_bytes()));
        match self {
            Self::Embedded(store) => Ok(Watching::Embedded(store.watch(&key, &range_end, first)?)),
            Self::Remote(remote) => {
                let create = WatchCreateRequest {
                    key,
                    range_end,
                    start_revision: first,
                    progress_notify: true,
                    ..Default::default()
                };
                Ok(Watching::Remote(Box::new(RemoteWatching(remote.watch(create).await?))))
            }
        }
    }

    /// Grants a lease of some seconds; returns its id.
    ///
    /// # Errors
    /// What cannot be reached.
    pub async fn lease_grant(&self, seconds: i64) -> Result<i64, Error> {
        match self {
            Self::Embedded(store) => store.lease_grant(0, seconds).await.map(|(id, _)| id),
            Self::Remote(remote) => remote.lease_grant(seconds).await,
        }
    }

    /// Renews a lease. None: it is gone.
    ///
    /// # Errors
    /// What cannot be reached.
    pub async fn lease_renew(&self, id: i64) -> Result<Option<i64>, Error> {
        match self {
            Self::Embedded(store) => store.lease_renew(id).await,
            Self::Remote(remote) => remote.lease_renew(id).await,
        }
    }

    /// Ends a lease.
    ///
    /// # Errors
    /// A lease that is gone, and what cannot be reached.
    pub async fn lease_revoke(&self, id: i64) -> Result<(), Error> {
        match self {
            Self::Embedded(store) => store.lease_revoke(id).await.map(drop),
            Self::Remote(remote) => remote.lease_revoke(id).await,
        }
    }
}

/// A watch that has begun.
pub enum Watching {
    Embedded(Watcher),
    Remote(Box<RemoteWatching>),
}

/// The watch of a server elsewhere.
pub struct RemoteWatching(RemoteWatch);

impl Watching {
    /// Waits for the next changes.
    ///
    /// # Errors
    /// The watch has ended; [`Error::Compacted`] when it must begin with the records as they are now.
    pub async fn next(&mut self) -> Result<Changes, Error> {
        match self {
            Self::Embedded(watcher) => watcher.next().await,
            Self::Remote(watching) => loop {
                let changes = changes(watching.0.next().await?)?;
                if !changes.events.is_empty() {
                    return Ok(changes);
                }
            },
        }
    }
}

fn changes(answer: WatchResponse) -> Result<Changes, Error> {
    if answer.compact_revision != 0 {
        return Err(Error::Compacted);
    }
    if answer.canceled {
        return Err(Error::Remote { code: Code::Cancelled, message: answer.cancel_reason });
    }
    let revision = answer.header.map_or(0, |header| header.revision);
    Ok(Changes { events: answer.events, revision })
}
