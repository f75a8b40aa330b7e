//! How many replicas a server has.
use super::Connections;
use component_api::Result;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer is good for: replicas come and go.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// The last answer, and when it came.
#[derive(Debug, Default)]
pub(super) struct Replicas(Mutex<Option<(Instant, usize)>>);

impl Replicas {
    /// Another server may answer from now on.
    pub(super) fn forget(&self) {
        *self.known() = None;
    }

    fn known(&self) -> MutexGuard<'_, Option<(Instant, usize)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connections {
    /// How many replicas the server has, or had a few seconds ago.
    pub(crate) async fn replicas(&self) -> Result<usize> {
        if let Some((_, count)) = self.replicas.known().filter(|(asked, _)| asked.elapsed() < GOOD_FOR) {
            return Ok(count);
        }
        let asked = Instant::now();
        let info: String = self.run(redis::cmd("INFO").arg("replication")).await?;
        let line = info.lines().find_map(|line| line.strip_prefix("connected_slaves:"));
        let count = line.and_then(|count| count.trim().parse().ok()).unwrap_or_default();
        *self.replicas.known() = Some((asked, count));
        Ok(count)
    }
}
