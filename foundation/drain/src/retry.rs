//! Work that is tried until it comes to its end.
use std::future::Future;
use std::time::Duration;
use tokio::time::sleep;

/// Pauses before another try: from the first, by half as much more, to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LAST_PAUSE: Duration = Duration::from_secs(60);

/// Tries again what has failed just now, until it says that it is done.
pub async fn until_done<F: Future<Output = bool>>(mut attempt: impl FnMut() -> F) {
    let mut pause = FIRST_PAUSE;
    loop {
        sleep(pause).await;
        if attempt().await {
            return;
        }
        pause = (pause + pause / 2).min(LAST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::ready;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_up_to_a_minute() {
        let (start, mut left) = (Instant::now(), 14);
        until_done(|| {
            left -= 1;
            ready(left == 0)
        })
        .await;
        let (grown, last) = ((0..12).map(|n| 500.0 * 1.5_f64.powi(n)).sum::<f64>(), 2.0 * 60_000.0);
        let waited = start.elapsed().as_secs_f64() * 1000.0;
        assert!((waited - grown - last).abs() < 100.0, "{waited}");
    }
}
