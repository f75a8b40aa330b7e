//! Reminders of actors, which the scheduler keeps (protocols.md 2.7).
//!
//! The scheduler is not in this build yet. Requests are checked as if it were, and then refused with a word on it; a client
//! of the scheduler takes the place of that refusal, and ticks of reminders go by [`crate::router::Router::tick`] as those of
//! timers do.
use crate::error::Error;
use crate::hosts::Hosts;
use std::sync::Arc;

const ABSENT: &str = "reminders need the scheduler, which is not in this build yet; use a timer";

/// Reminders of the actors that are hosted here.
pub(crate) struct Reminders {
    pub(crate) hosts: Arc<Hosts>,
}

impl Reminders {
    /// Does something with a reminder of an actor type.
    ///
    /// # Errors
    /// [`Error::ReminderNotHosted`], else what `refused` makes of the reason.
    pub(crate) fn manage<T>(&self, actor_type: &str, refused: fn(String) -> Error) -> Result<T, Error> {
        if !self.hosts.is_hosted(actor_type) {
            return Err(Error::ReminderNotHosted);
        }
        Err(refused(ABSENT.to_owned()))
    }
}
