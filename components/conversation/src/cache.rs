//! Answers that are kept for a while: the same question is then not asked again.
use bytes::Bytes;
use component_api::conversation::Response;
use lru::LruCache;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Answers that are kept at most.
const MOST: usize = 1024;

/// Answers by what the API was sent.
#[derive(Debug)]
pub(crate) struct Cache {
    time_to_live: Duration,
    answers: Mutex<LruCache<Bytes, Kept>>,
}

#[derive(Debug)]
struct Kept {
    until: Instant,
    response: Response,
}

impl Cache {
    /// Keeps answers for that long.
    pub(crate) fn new(time_to_live: Duration) -> Self {
        Self { time_to_live, answers: Mutex::new(LruCache::new(NonZeroUsize::new(MOST).unwrap_or(NonZeroUsize::MIN))) }
    }

    /// The answer to that question, if it is still fresh.
    pub(crate) fn get(&self, question: &Bytes) -> Option<Response> {
        let mut answers = self.answers();
        let kept = answers.get(question)?;
        if kept.until > Instant::now() {
            return Some(kept.response.clone());
        }
        answers.pop(question);
        None
    }

    pub(crate) fn put(&self, question: Bytes, response: Response) {
        if let Some(until) = Instant::now().checked_add(self.time_to_live) {
            self.answers().put(question, Kept { until, response });
        }
    }

    fn answers(&self) -> MutexGuard<'_, LruCache<Bytes, Kept>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answers_are_kept_for_a_while() {
        let cache = Cache::new(Duration::from_secs(60));
        let question = Bytes::from("question");
        cache.put(question.clone(), Response { model: "m".to_owned(), ..Response::default() });
        tokio::time::advance(Duration::from_secs(59)).await;
        assert_eq!(cache.get(&question).map(|response| response.model).as_deref(), Some("m"));
        assert_eq!(cache.get(&Bytes::from("other")), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(cache.get(&question), None);
        assert!(cache.answers().is_empty());
    }
}
