//! Work that may panic without harm to what it is part of.
use futures_util::{FutureExt, TryFutureExt};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use thiserror::Error;

/// Some work has panicked. Where and why is told to the panic hook only: it may name what a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an internal error ended the work")]
pub struct Panicked;

/// Runs work; a panic in it ends nothing but the work.
///
/// # Errors
/// When it panicked.
pub fn isolated<F: Future>(work: F) -> impl Future<Output = Result<F::Output, Panicked>> {
    // What the work leaves half-done is behind locks that recover from poison, or dropped with it.
    AssertUnwindSafe(work).catch_unwind().map_err(|_| Panicked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_all_else_is_as_it_was() {
        assert_eq!(isolated(async { 1 }).await, Ok(1));
        assert_eq!(isolated(async { assert!(std::hint::black_box(false), "a secret") }).await, Err(Panicked));
    }
}
