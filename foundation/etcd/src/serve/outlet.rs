//! The answers of one stream that its client has not read yet: few of them, and few bytes.
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::StreamExt;
use tokio_stream::adapters::Map;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wire::etcd::etcdserverpb::WatchResponse;

/// Answers that a client has not read yet.
const WAITING: usize = 16;
/// Their bytes. A single answer may be larger: the changes of a revision stay together.
const BYTES: usize = 1 << 20;

/// What a stream gives.
pub(crate) type Answer = Result<WatchResponse, Status>;
pub(crate) type Answers = Map<ReceiverStream<Held>, fn(Held) -> Answer>;

/// An answer that waits, and the room that it takes.
pub(crate) struct Held {
    answer: Answer,
    _room: Option<OwnedSemaphorePermit>,
}

/// Where answers go. Clones share the room.
#[derive(Clone)]
pub(crate) struct Outlet {
    answers: mpsc::Sender<Held>,
    room: Arc<Semaphore>,
}

/// The client has gone.
pub(crate) struct Gone;

/// Room for an answer that is to be made.
pub(crate) struct Room(OwnedSemaphorePermit);

impl Outlet {
    pub(crate) fn new() -> (Self, Answers) {
        let (answers, received) = mpsc::channel(WAITING);
        let answer: fn(Held) -> Answer = |held| held.answer;
        (Self { answers, room: Arc::new(Semaphore::new(BYTES)) }, ReceiverStream::new(received).map(answer))
    }

    /// Waits for room for so many bytes.
    pub(crate) async fn room(&self, bytes: usize) -> Result<Room, Gone> {
        let bytes = u32::try_from(bytes.min(BYTES)).unwrap_or(u32::MAX);
        let room = tokio::select! {
            biased;
            () = self.answers.closed() => return Err(Gone),
            room = Arc::clone(&self.room).acquire_many_owned(bytes) => room.map_err(|_| Gone)?,
        };
        Ok(Room(room))
    }

    /// Gives an answer in the room that was made for it; what it does not need is free again.
    pub(crate) async fn fill(&self, mut room: Room, size: usize, answer: WatchResponse) -> Result<(), Gone> {
        drop(room.0.num_permits().checked_sub(size).and_then(|unused| room.0.split(unused)));
        self.send(Held { answer: Ok(answer), _room: Some(room.0) }).await
    }

    /// Gives a small answer.
    pub(crate) async fn give(&self, answer: WatchResponse) -> Result<(), Gone> {
        self.send(Held { answer: Ok(answer), _room: None }).await
    }

    async fn send(&self, held: Held) -> Result<(), Gone> {
        self.answers.send(held).await.map_err(|_| Gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn what_is_not_read_is_bounded_by_its_bytes() {
        let (outlet, mut answers) = Outlet::new();
        let half = BYTES / 2;
        for _ in 0..2 {
            let room = outlet.room(half).await.ok().unwrap();
            outlet.fill(room, 3 * BYTES, WatchResponse::default()).await.ok().unwrap();
        }
        let more = || timeout(Duration::from_secs(1), outlet.room(half));
        assert!(more().await.is_err());
        answers.next().await.unwrap().unwrap();
        let room = more().await.unwrap().ok().unwrap();
        outlet.fill(room, 10, WatchResponse::default()).await.ok().unwrap();
        assert!(more().await.is_err(), "all but ten bytes are free, and half of all is taken");
        answers.next().await.unwrap().unwrap();
        assert!(more().await.is_ok());
        drop(answers);
        assert!(outlet.room(BYTES).await.is_err());
    }
}
