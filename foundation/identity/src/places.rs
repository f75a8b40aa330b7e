//! Places for what strangers begin: there are only so many, and who dawdles gives way to who waits.
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout};

/// The places of one server. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Places(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// How many there are.
    most: usize,
    /// How long nobody is disturbed although others wait: on a busy machine it is not the client who dawdles.
    grace: Duration,
    taken: Mutex<Taken>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    /// In the order in which they began. Who drops a sender makes that place give way.
    begun: BTreeMap<u64, (Instant, oneshot::Sender<()>)>,
    count: u64,
}

/// A place that is taken until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    gives_way: oneshot::Receiver<()>,
    all: Places,
}

impl Places {
    pub(crate) fn new(most: usize, grace: Duration) -> Self {
        Self(Arc::new(Shared { most, grace, taken: Mutex::default(), left: Notify::new() }))
    }

    /// Waits until there is room for one more, which the oldest one makes when it has had its time.
    pub(crate) async fn room(&self) {
        loop {
            let left = self.0.left.notified();
            let Some(wait) = self.make_room() else { return };
            timeout(wait, left).await.ok();
        }
    }

    /// Takes a place.
    pub(crate) fn take(&self) -> Place {
        let (sender, gives_way) = oneshot::channel();
        let mut taken = self.taken();
        taken.count += 1;
        let number = taken.count;
        taken.begun.insert(number, (Instant::now(), sender));
        drop(taken);
        Place { number, gives_way, all: self.clone() }
    }

    /// How long the oldest may still take; none when there is room. There may be too many of them, for who was accepted begins a little
    /// later.
    fn make_room(&self) -> Option<Duration> {
        let mut taken = self.taken();
        while taken.begun.len() >= self.0.most {
            let oldest = taken.begun.first_entry()?;
            let wait = self.0.grace.saturating_sub(oldest.get().0.elapsed());
            if !wait.is_zero() {
                return Some(wait);
            }
            oldest.remove();
        }
        None
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Resolves when it is to give way to others.
    pub(crate) async fn gives_way(&mut self) {
        (&mut self.gives_way).await.ok();
    }

    /// As [`Place::gives_way`].
    pub(crate) fn poll_gives_way(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.gives_way.is_terminated() {
            return Poll::Ready(());
        }
        Pin::new(&mut self.gives_way).poll(context).map(drop)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.taken().begun.remove(&self.number);
        self.all.0.left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 100;
    const GRACE: Duration = Duration::from_millis(500);

    async fn crowd() -> (Places, Vec<Place>) {
        let all = Places::new(MOST, GRACE);
        let mut crowd = Vec::new();
        for _ in 0..MOST {
            all.room().await;
            crowd.push(all.take());
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
        crowd.extend((0..10).map(|_| all.take()));
        all.room().await;
        assert_eq!(all.taken().begun.len(), MOST - 1);
        crowd[10].gives_way().await;
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
