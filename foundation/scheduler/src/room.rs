//! How much may be in work at the same time. What finds no room is not read, so that it waits at the scheduler.
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::scheduler::v1::WatchJobsResponse;

/// Jobs of a stream that are delivered at the same time; as many as a scheduler has workers.
const MOST: usize = 2048;
const ALL: u32 = 2048;
/// Bytes of data of all jobs of this sidecar that are delivered at the same time. A job that is larger goes alone.
const BUDGET: u32 = 16 << 20;

/// Bytes that all streams share.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET as usize)))
    }
}

/// The room of a stream.
#[derive(Debug)]
pub(crate) struct Room {
    jobs: Arc<Semaphore>,
    budget: Budget,
}

/// The place of a job, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _job: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Room {
    pub(crate) fn new(budget: Budget) -> Self {
        Self { jobs: Arc::new(Semaphore::new(MOST)), budget }
    }

    /// Waits for a place. None is a room that was closed.
    pub(crate) async fn place(&self, job: &WatchJobsResponse) -> Option<Place> {
        let bytes = job.data.as_ref().map_or(0, |data| data.value.len());
        let bytes = u32::try_from(bytes).unwrap_or(BUDGET).min(BUDGET);
        Some(Place {
            _job: Arc::clone(&self.jobs).acquire_owned().await.ok()?,
            _bytes: Arc::clone(&self.budget.0).acquire_many_owned(bytes).await.ok()?,
        })
    }

    /// Waits until nothing is in work.
    pub(crate) async fn until_empty(&self) {
        self.jobs.acquire_many(ALL).await.ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn job(bytes: u32) -> WatchJobsResponse {
        let data = prost_types::Any { value: vec![0; bytes as usize], ..prost_types::Any::default() };
        WatchJobsResponse { data: Some(data), ..WatchJobsResponse::default() }
    }

    #[test]
    fn large_jobs_share_a_budget_over_all_streams() {
        let budget = Budget::default();
        let (one, other) = (Room::new(budget.clone()), Room::new(budget));
        let (half, small) = (job(BUDGET / 2), job(1));
        let first = one.place(&half).now_or_never().flatten();
        let _second = other.place(&half).now_or_never().flatten();
        assert!(one.place(&small).now_or_never().is_none());
        drop(first);
        assert!(one.place(&small).now_or_never().flatten().is_some());
    }

    #[test]
    fn a_job_beyond_the_budget_goes_alone() {
        let room = Room::new(Budget::default());
        let (huge, empty) = (job(BUDGET + 1), job(0));
        let alone = room.place(&huge).now_or_never().flatten();
        assert!(alone.is_some());
        assert!(room.place(&job(1)).now_or_never().is_none());
        assert!(room.place(&empty).now_or_never().flatten().is_some());
        assert!(room.until_empty().now_or_never().is_none());
        drop(alone);
        assert!(room.place(&huge).now_or_never().flatten().is_some());
        assert!(room.until_empty().now_or_never().is_some());
    }
}
