//! What becomes of a file that cannot be used: whoever meets the failure says so here, and whoever can mend it waits here.
use crate::Error;
use tokio::sync::Notify;

/// How the file is.
#[derive(Default)]
pub(crate) struct Health {
    /// Somebody could not read.
    ailing: Notify,
}

impl Health {
    /// Hears what reading has come to, and passes it on.
    pub(crate) fn hear<T>(&self, read: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Storage(_)) = &read {
            self.ailing.notify_one();
        }
        read
    }

    /// Waits until somebody could not read.
    pub(crate) async fn ailing(&self) {
        self.ailing.notified().await;
    }
}
