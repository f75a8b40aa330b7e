//! Whose turn it is: one call at a time on an actor, in the order they came, and calls of one chain within each other
//! (protocols.md 2.4).
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Whether calls of one chain may come back to an actor, and how deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reentrancy {
    pub enabled: bool,
    /// Calls within each other, the first included.
    pub max_stack_depth: u32,
}

impl Default for Reentrancy {
    fn default() -> Self {
        Self { enabled: false, max_stack_depth: 32 }
    }
}

/// Why it will never be the turn of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The actor is being deactivated.
    Closed,
    TooDeep,
}

/// The turns of one actor.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    /// The first one has the turn.
    chains: VecDeque<Chain>,
    chains_so_far: u64,
    closed: bool,
}

/// Calls that share a turn: one, or all of a chain.
#[derive(Debug)]
struct Chain {
    number: u64,
    id: Option<Box<str>>,
    depth: u32,
    waiting: Vec<oneshot::Sender<()>>,
}

/// The turn, or a place in the queue for it. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    turns: &'a Turns,
    chain: u64,
}

impl Turns {
    /// Waits for the turn. Calls with the same chain id share one; none is a chain of its own.
    pub(crate) async fn take(&self, chain_id: Option<&str>, max_depth: u32) -> Result<Turn<'_>, Refused> {
        let (turn, wait) = self.enter(chain_id, max_depth)?;
        match wait {
            Some(wait) => wait.await.map(|()| turn).map_err(|_| Refused::Closed),
            None => Ok(turn),
        }
    }

    fn enter(&self, id: Option<&str>, max_depth: u32) -> Result<(Turn<'_>, Option<oneshot::Receiver<()>>), Refused> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Refused::Closed);
        }
        let known = id.and_then(|id| queue.chains.iter().position(|chain| chain.id.as_deref() == Some(id)));
        let place = known.unwrap_or(queue.chains.len());
        if known.is_none() {
            queue.append(id);
        }
        let chain = queue.chains.get_mut(place).ok_or(Refused::Closed)?;
        if chain.depth >= max_depth.max(1) {
            return Err(Refused::TooDeep);
        }
        chain.depth += 1;
        let wait = (place > 0).then(|| {
            let (started, wait) = oneshot::channel();
            chain.waiting.push(started);
            wait
        });
        Ok((Turn { turns: self, chain: chain.number }, wait))
    }

    /// Lets nobody wait any more; who has the turn keeps it.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        queue.closed = true;
        queue.chains.iter_mut().for_each(|chain| chain.waiting.clear());
    }

    /// The same, unless there is somebody. Returns whether there was nobody.
    pub(crate) fn close_if_idle(&self) -> bool {
        let mut queue = self.lock();
        queue.closed |= queue.chains.is_empty();
        queue.closed
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn append(&mut self, id: Option<&str>) {
        self.chains_so_far += 1;
        let (number, id) = (self.chains_so_far, id.map(Into::into));
        self.chains.push_back(Chain { number, id, depth: 0, waiting: Vec::new() });
    }

    fn leave(&mut self, number: u64) {
        let Some(place) = self.chains.iter().position(|chain| chain.number == number) else { return };
        let Some(chain) = self.chains.get_mut(place) else { return };
        chain.depth -= 1;
        if chain.depth > 0 {
            return;
        }
        self.chains.remove(place);
        if place == 0
            && let Some(next) = self.chains.front_mut()
        {
            for started in std::mem::take(&mut next.waiting) {
                started.send(()).ok();
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.lock().leave(self.chain);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const DEEP: u32 = 32;

    #[tokio::test]
    async fn calls_have_turns_in_the_order_they_came() {
        let turns = Turns::default();
        let first = turns.take(None, DEEP).await.unwrap();
        let mut second = Box::pin(turns.take(None, DEEP));
        let mut third = Box::pin(turns.take(None, DEEP));
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        assert!((&mut third).now_or_never().is_none());
        drop(second.await.unwrap());
        third.await.unwrap();
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_queue() {
        let turns = Turns::default();
        let first = turns.take(None, DEEP).await.unwrap();
        let mut second = Box::pin(turns.take(None, DEEP));
        let mut third = Box::pin(turns.take(None, DEEP));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(second);
        drop(first);
        third.await.unwrap();
    }

    #[tokio::test]
    async fn a_chain_comes_back_as_deep_as_it_may() {
        let turns = Turns::default();
        let outer = turns.take(Some("a"), 2).await.unwrap();
        let inner = turns.take(Some("a"), 2).now_or_never().unwrap().unwrap();
        assert_eq!(turns.take(Some("a"), 2).now_or_never().unwrap().unwrap_err(), Refused::TooDeep);
        assert!(turns.take(Some("b"), 2).now_or_never().is_none());
        drop(outer);
        assert!(turns.take(Some("b"), 2).now_or_never().is_none());
        drop(inner);
        assert!(turns.take(Some("b"), 2).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_waiting_chain_starts_as_a_whole() {
        let turns = Turns::default();
        let first = turns.take(None, DEEP).await.unwrap();
        let mut one = Box::pin(turns.take(Some("a"), DEEP));
        let mut other = Box::pin(turns.take(Some("a"), DEEP));
        assert!((&mut one).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        drop(first);
        let _both = (one.await.unwrap(), other.await.unwrap());
    }

    #[tokio::test]
    async fn nobody_waits_at_a_closed_actor() {
        let turns = Turns::default();
        let first = turns.take(None, DEEP).await.unwrap();
        let mut second = Box::pin(turns.take(None, DEEP));
        assert!((&mut second).now_or_never().is_none());
        assert!(!turns.close_if_idle());
        turns.close();
        assert_eq!(second.await.unwrap_err(), Refused::Closed);
        assert_eq!(turns.take(None, DEEP).await.unwrap_err(), Refused::Closed);
        drop(first);
        assert!(turns.close_if_idle());
    }
}
