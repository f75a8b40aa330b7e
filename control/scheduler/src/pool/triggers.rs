//! Triggers on their way to a sidecar, which may be recalled up to the last moment.
use super::{Outcome, Pool, StreamId};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_stream::Stream;
use tonic::Status;
use wire::scheduler::v1::WatchJobsResponse;

/// Tells that a trigger is not to be sent any more. Clones are of the same trigger.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recall(Arc<AtomicBool>);

/// Bytes of a trigger, of which there may be only so many at once.
pub(crate) type Weight = OwnedSemaphorePermit;

/// A trigger that waits for a sidecar to read it.
pub(crate) struct Parcel {
    pub(super) stream: StreamId,
    pub(super) message: WatchJobsResponse,
    pub(super) recall: Recall,
    /// Given back when it is read.
    pub(super) _weight: Option<Weight>,
}

pub(crate) type Outbox = mpsc::Sender<Result<Parcel, Status>>;

/// What a sidecar reads.
pub(crate) struct Triggers {
    pool: Pool,
    parcels: mpsc::Receiver<Result<Parcel, Status>>,
}

impl Recall {
    pub(crate) fn recall(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(super) fn is_recalled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl Pool {
    /// An outbox for so many triggers, and the other end of it.
    pub(crate) fn outbox(&self, room: usize) -> (Outbox, Triggers) {
        let (outbox, parcels) = mpsc::channel(room);
        (outbox, Triggers { pool: self.clone(), parcels })
    }
}

impl Triggers {
    /// None: it was recalled.
    fn unpack(&self, parcel: Result<Parcel, Status>) -> Option<Result<WatchJobsResponse, Status>> {
        match parcel {
            Ok(parcel) if parcel.recall.is_recalled() => {
                self.pool.acknowledge(parcel.stream, parcel.message.id, Outcome::Recalled).ok();
                None
            }
            parcel => Some(parcel.map(|parcel| parcel.message)),
        }
    }

    /// The next one that is there already.
    #[cfg(test)]
    pub(crate) fn try_next(&mut self) -> Option<Result<WatchJobsResponse, Status>> {
        loop {
            let parcel = self.parcels.try_recv().ok()?;
            if let Some(message) = self.unpack(parcel) {
                return Some(message);
            }
        }
    }
}

impl Stream for Triggers {
    type Item = Result<WatchJobsResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let Some(parcel) = std::task::ready!(self.parcels.poll_recv(context)) else { return Poll::Ready(None) };
            if let Some(message) = self.unpack(parcel) {
                return Poll::Ready(Some(message));
            }
        }
    }
}
