//! What becomes of a file that cannot be used: whoever meets the failure says so here, and whoever can mend it waits here.
use crate::Error;
use foundation_drain::Drain;
use tokio::sync::Notify;

/// How the file is.
pub(crate) struct Health {
    /// Fails when nobody can mend it.
    drain: Drain,
    /// Somebody could not read.
    ailing: Notify,
}

impl Health {
    pub(crate) fn new(drain: &Drain) -> Self {
        Self { drain: drain.clone(), ailing: Notify::new() }
    }

    /// Hears what reading has come to, and passes it on.
    pub(crate) fn hear<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        if let Err(error) = &read
            && !self.is_lost(error)
            && error.is_of_file()
        {
            self.ailing.notify_one();
        }
        read
    }

    /// Whether the file is damaged: then the process has nothing to work with, and ends.
    pub(crate) fn is_lost(&self, error: &Error) -> bool {
        let is_lost = matches!(error, Error::Damaged(_));
        if is_lost {
            self.drain.fail(error.to_string());
        }
        is_lost
    }

    /// Waits until somebody could not read.
    pub(crate) async fn ailing(&self) {
        self.ailing.notified().await;
    }
}
