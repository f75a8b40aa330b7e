//! Closed-loop load: every connection sends the next request when the last one was answered.
use crate::client::{Call, Client};
use foundation_drain::Drain;
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
    /// Sends `call` over so many connections for `duration`.
    pub(crate) async fn run(
        port: u16,
        call: &Call,
        connections: usize,
        duration: Duration,
        drain: &Drain,
    ) -> anyhow::Result<Self> {
        let clients = try_join_all((0..connections).map(|_| Client::connect(port, drain))).await?;
        let start = Instant::now();
        let all = try_join_all(clients.into_iter().map(|client| repeat(client, call, start + duration))).await?;
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

async fn repeat(mut client: Client, call: &Call, end: Instant) -> anyhow::Result<Vec<u32>> {
    let mut latencies = Vec::new();
    let mut sent = Instant::now();
    while sent < end {
        client.send(call).await?;
        let now = Instant::now();
        latencies.push(u32::try_from((now - sent).as_micros()).unwrap_or(u32::MAX));
        sent = now;
    }
    Ok(latencies)
}
