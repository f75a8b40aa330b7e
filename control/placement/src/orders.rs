//! Orders on their way to one stream.
//!
//! A stream takes them when its connection can. When a new round begins before that, orders of the one before are of no use to
//! it any more and make room: however often rounds begin, a stream has a round's three orders waiting at most.
use crate::order::Order;
use futures_util::Stream;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tonic::Status;

#[derive(Default)]
struct Waiting {
    orders: VecDeque<Arc<Order>>,
    /// Comes after the orders.
    status: Option<Status>,
    is_over: bool,
    is_abandoned: bool,
    taker: Option<Waker>,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Waiting>>);

/// The giving half. The stream ends with it.
pub(crate) struct Orders(Shared);

/// Ends a stream without keeping it open.
pub(crate) struct Ending(Shared);

/// The taking half, which others may share orders with.
pub(crate) struct SharedOrders(Shared);

/// Both halves for a stream that has just opened.
pub(crate) fn orders() -> (Orders, SharedOrders) {
    let shared = Shared::default();
    (Orders(shared.clone()), SharedOrders(shared))
}

impl Orders {
    /// Gives an order, or says that nobody takes it any more. One that begins a round replaces all that wait.
    pub(crate) fn give(&self, order: Arc<Order>) -> bool {
        let mut waiting = self.0.lock();
        if waiting.is_abandoned {
            return false;
        }
        if order.begins_round() {
            waiting.orders.clear();
        }
        waiting.orders.push_back(order);
        wake(waiting);
        true
    }

    /// Ends the stream with this status, unless it has ended already.
    pub(crate) fn end(&self, status: Status) {
        self.0.end(Some(status));
    }

    /// The part of it that can only end it.
    pub(crate) fn ending(&self) -> Ending {
        Ending(self.0.clone())
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        self.0.end(None);
    }
}

impl Ending {
    /// Ends the stream with this status, unless it has ended already.
    pub(crate) fn end(&self, status: Status) {
        self.0.end(Some(status));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, status: Option<Status>) {
        let mut waiting = self.lock();
        if !waiting.is_over {
            (waiting.status, waiting.is_over) = (status, true);
            wake(waiting);
        }
    }
}

fn wake(mut waiting: MutexGuard<'_, Waiting>) {
    let taker = waiting.taker.take();
    drop(waiting);
    taker.into_iter().for_each(Waker::wake);
}

impl Stream for SharedOrders {
    type Item = Result<Arc<Order>, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut waiting = self.0.lock();
        if let Some(order) = waiting.orders.pop_front() {
            return Poll::Ready(Some(Ok(order)));
        }
        if waiting.is_over {
            return Poll::Ready(waiting.status.take().map(Err));
        }
        waiting.taker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Drop for SharedOrders {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.is_abandoned = true;
        waiting.orders.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, StreamExt};
    use wire::placement::v1::PlacementOrder;

    fn order(operation: &str, version: u64) -> Arc<Order> {
        Arc::new(Order::new(PlacementOrder { operation: operation.to_owned(), version, tables: None }))
    }

    /// What waits, as texts; the last is the status if the stream is over.
    fn taken(stream: &mut SharedOrders) -> Vec<String> {
        let text = |taken: Result<Arc<Order>, Status>| match taken {
            Ok(order) => format!("{} {}", order.message.operation, order.message.version),
            Err(status) => status.message().to_owned(),
        };
        std::iter::from_fn(|| stream.next().now_or_never().flatten()).map(text).collect()
    }

    #[test]
    fn a_new_round_takes_the_place_of_what_waits() {
        let (orders, mut stream) = orders();
        for version in 1..1000 {
            assert!(orders.give(order("lock", version)));
        }
        assert!(orders.give(order("update", 999)) && orders.give(order("unlock", 999)));
        assert_eq!(taken(&mut stream), ["lock 999", "update 999", "unlock 999"]);
    }

    #[test]
    fn the_status_comes_last_and_once() {
        let (orders, mut stream) = orders();
        orders.give(order("lock", 1));
        orders.ending().end(Status::aborted("first"));
        orders.end(Status::aborted("second"));
        drop(orders);
        assert_eq!(taken(&mut stream), ["lock 1", "first"]);
        assert!(matches!(stream.next().now_or_never(), Some(None)));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let (orders, mut stream) = orders();
        let waits = tokio::join!(stream.next(), async { orders.give(order("lock", 1)) });
        assert!(waits.0.is_some() && waits.1);
        let ends = tokio::join!(stream.next(), async { drop(orders) });
        assert!(ends.0.is_none());
    }

    #[test]
    fn nobody_takes_orders_of_a_stream_that_is_gone() {
        let (orders, stream) = orders();
        drop(stream);
        assert!(!orders.give(order("lock", 1)));
    }
}
