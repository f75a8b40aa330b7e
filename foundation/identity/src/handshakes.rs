//! Handshakes that are under way: there are only so many, and who dawdles gives way to who waits.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

/// Handshakes at once. Each holds a socket and some kilobytes.
const MOST: usize = 1024;
/// How long a handshake is not disturbed although others wait: on a busy machine it is not the client who dawdles.
const GRACE: Duration = Duration::from_millis(500);

/// The handshakes of one server. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handshakes(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    under_way: Mutex<UnderWay>,
    left: Notify,
}

#[derive(Debug, Default)]
struct UnderWay {
    /// In the order in which they began. Who drops a sender makes its handshake give way.
    begun: BTreeMap<u64, (Instant, oneshot::Sender<()>)>,
    count: u64,
}

/// A handshake that is under way until it is dropped.
#[derive(Debug)]
pub(crate) struct Handshake {
    number: u64,
    gives_way: oneshot::Receiver<()>,
    all: Handshakes,
}

impl Handshakes {
    /// Waits until there is room for one more, which the oldest one makes when it has had its time.
    pub(crate) async fn room(&self) {
        loop {
            let left = self.0.left.notified();
            let Some(wait) = self.make_room() else { return };
            timeout(wait, left).await.ok();
        }
    }

    /// Begins a handshake.
    pub(crate) fn begin(&self) -> Handshake {
        let (sender, gives_way) = oneshot::channel();
        let mut under_way = self.under_way();
        under_way.count += 1;
        let number = under_way.count;
        under_way.begun.insert(number, (Instant::now(), sender));
        drop(under_way);
        Handshake { number, gives_way, all: self.clone() }
    }

    /// How long the oldest may still take; none when there is room. There may be too many of them, for who was accepted begins a little
    /// later.
    fn make_room(&self) -> Option<Duration> {
        let mut under_way = self.under_way();
        while under_way.begun.len() >= MOST {
            let oldest = under_way.begun.first_entry()?;
            let wait = GRACE.saturating_sub(oldest.get().0.elapsed());
            if !wait.is_zero() {
                return Some(wait);
            }
            oldest.remove();
        }
        None
    }

    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.0.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handshake {
    /// Resolves when it is to give way to others.
    pub(crate) async fn gives_way(&mut self) {
        (&mut self.gives_way).await.ok();
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.all.under_way().begun.remove(&self.number);
        self.all.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn crowd() -> (Handshakes, Vec<Handshake>) {
        let all = Handshakes::default();
        let mut crowd = Vec::new();
        for _ in 0..MOST {
            all.room().await;
            crowd.push(all.begin());
        }
        (all, crowd)
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_first_gives_way_when_its_time_is_over() {
        let (all, mut crowd) = crowd().await;
        let start = Instant::now();
        all.room().await;
        assert_eq!(start.elapsed().max(GRACE), start.elapsed());
        crowd[0].gives_way().await;
        let second = timeout(GRACE, crowd[1].gives_way()).await;
        assert!(second.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_too_many_gives_way_too() {
        let (all, mut crowd) = crowd().await;
        crowd.extend((0..100).map(|_| all.begin()));
        all.room().await;
        assert_eq!(all.under_way().begun.len(), MOST - 1);
        crowd[100].gives_way().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_ends_makes_room_at_once() {
        let (all, mut crowd) = crowd().await;
        let start = Instant::now();
        tokio::join!(all.room(), async { drop(crowd.pop()) });
        assert!(start.elapsed() < GRACE);
        assert!(timeout(GRACE, crowd[0].gives_way()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_while_there_is_room() {
        let (all, mut crowd) = crowd().await;
        crowd.truncate(1);
        let start = Instant::now();
        all.room().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }
}
