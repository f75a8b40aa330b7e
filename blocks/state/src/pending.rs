//! What of a bulk is still to be done: a further try leaves out what was done or can never be done.
use crate::failure::Failure;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests of a bulk, and those that failed for good.
#[derive(Debug)]
pub(crate) struct Pending<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    requests: Vec<T>,
    refused: Vec<Failure>,
}

impl<T: Clone> Pending<T> {
    pub(crate) fn new(requests: Vec<T>) -> Self {
        Self(Mutex::new(State { requests, refused: Vec::new() }))
    }

    /// The requests to try now.
    pub(crate) fn requests(&self) -> Vec<T> {
        self.state().requests.clone()
    }

    /// Notes how a try of [`Self::requests`] went; the results are in their order.
    pub(crate) fn note(&self, results: Vec<component_api::Result<()>>) -> Result<(), Failure> {
        let state = &mut *self.state();
        let alone = results.len() == 1 && state.refused.is_empty();
        let requests = std::mem::take(&mut state.requests);
        let mut failed = Vec::new();
        for (request, result) in requests.into_iter().zip(results) {
            match result.map_err(Failure::from) {
                Ok(()) => {}
                Err(failure) if failure.is_permanent() => state.refused.push(failure),
                Err(failure) => {
                    failed.push(failure);
                    state.requests.push(request);
                }
            }
        }
        let all: Vec<_> = state.refused.iter().chain(&failed).cloned().collect();
        match &all[..] {
            [] => Ok(()),
            [only] if alone => Err(only.clone()),
            failures => Err(Failure::of_bulk(failures)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Cause;
    use component_api::{Error, Kind};

    fn mismatch() -> component_api::Result<()> {
        Err(Error::new(Kind::EtagMismatch, "no"))
    }

    #[test]
    fn only_what_may_succeed_is_tried_again() {
        let pending = Pending::new(vec!["a", "b", "c"]);
        let failure = pending.note(vec![Ok(()), mismatch(), Err(Error::other("busy"))]).unwrap_err();
        let text = "possible etag mismatch. error from state store: no\nbusy";
        assert_eq!((failure.cause, failure.message.as_str()), (Cause::EtagMismatch, text));
        assert_eq!(pending.requests(), ["c"]);
        let failure = pending.note(vec![Ok(())]).unwrap_err();
        assert_eq!(failure.cause, Cause::EtagMismatch, "what was refused is not forgotten");
    }
}
