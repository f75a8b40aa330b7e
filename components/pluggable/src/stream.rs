//! What streams of messages have in common: they are opened again when they break, and their last answers still go out.
use std::future::Future;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// Pauses before a stream is opened again: the first one, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(10);
/// How long the process may take to close a stream that is closed on this side.
const FAREWELL: Duration = Duration::from_secs(1);

/// Opens a stream again and again until it is to stop. `open` returns when its stream has ended.
pub(crate) async fn keep_open<F>(what: &str, stopping: &CancellationToken, mut open: impl FnMut() -> F)
where
    F: Future<Output = Result<bool, Status>>,
{
    let mut pause = FIRST_PAUSE;
    while !stopping.is_cancelled() {
        match open().await {
            // One that has worked is opened again soon.
            Ok(had_messages) => pause = if had_messages { FIRST_PAUSE } else { pause },
            Err(status) => {
                let (code, message) = (status.code(), status.message());
                tracing::error!(target: "dapr.contrib", "failed to receive messages of {what}: {code:?}: {message}");
            }
        }
        stopping.run_until_cancelled(sleep(pause)).await;
        pause = (pause * 2).min(LAST_PAUSE);
    }
}

/// Lets the process read what was sent last, and end the stream. What it sends meanwhile stays unanswered.
pub(crate) async fn say_farewell<T>(mut messages: Streaming<T>) {
    let ended = async { while matches!(messages.message().await, Ok(Some(_))) {} };
    timeout(FAREWELL, ended).await.ok();
}
