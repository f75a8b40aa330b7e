//! Closed-loop load: every connection does the next thing when the last one was done.
use crate::connection::Connection;
use futures_util::future::try_join_all;
use std::time::{Duration, Instant};

/// What a load came to.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Microseconds of each request, sorted.
    latencies: Vec<u32>,
    elapsed: Duration,
}

impl Load {
    /// Keeps these connections busy for `duration`.
    pub(crate) async fn run(connections: Vec<Connection>, duration: Duration) -> anyhow::Result<Self> {
        let start = Instant::now();
        let all = try_join_all(connections.into_iter().map(|connection| repeat(connection, start + duration))).await?;
        let elapsed = start.elapsed();
        let mut latencies = all.concat();
        latencies.sort_unstable();
        Ok(Self { latencies, elapsed })
    }

    pub(crate) fn count(&self) -> usize {
        self.latencies.len()
    }

    pub(crate) fn per_second(&self) -> f64 {
        self.count() as f64 / self.elapsed.as_secs_f64()
    }

    /// Milliseconds that `percent` of the requests did not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let index = (self.latencies.len() * percent / 100).min(self.latencies.len().saturating_sub(1));
        self.latencies.get(index).map_or(f64::NAN, |micros| f64::from(*micros) / 1000.0)
    }
}

async fn repeat(mut connection: Connection, end: Instant) -> anyhow::Result<Vec<u32>> {
    let mut latencies = Vec::new();
    let mut sent = Instant::now();
    while sent < end {
        connection.once().await?;
        let now = Instant::now();
        latencies.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
        sent = now;
    }
    Ok(latencies)
}
