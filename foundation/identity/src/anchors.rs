//! Where the roots to trust are: in a text, or in a file that may change.
use crate::Error;
use crate::bundle::Bundle;
use crate::regular::read_regular;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

const SCOPE: &str = "dapr.runtime.security";
/// Between two looks at the file. Looking finds what watching misses: files behind links that are swapped.
const PAUSE: Duration = Duration::from_secs(1);

/// The roots to trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchors {
    /// In PEM.
    Text(String),
    /// A file in PEM. New content counts as soon as it is seen.
    File(PathBuf),
}

impl Anchors {
    /// Reads them. A file that is not there yet is waited for, as in Dapr: sentry may be about to write it.
    ///
    /// # Errors
    /// A file that cannot be read, and roots that cannot be used.
    pub(crate) async fn read(&self) -> Result<Bundle, Error> {
        loop {
            match self.pem() {
                Err(Error::File { path, reason }) if reason.kind() == ErrorKind::NotFound => {
                    tracing::warn!(target: SCOPE, "Trust anchors file '{path}' not found, waiting...");
                    tokio::time::sleep(PAUSE).await;
                }
                pem => return Bundle::new(pem?).map_err(|error| self.named(error)),
            }
        }
    }

    fn named(&self, error: Error) -> Error {
        match (self, error) {
            (Self::File(path), Error::Anchors(reason)) => Error::Anchors(format!("{}: {reason}", path.display())),
            (Self::File(path), error @ (Error::Pem(_) | Error::Certificate(_))) => {
                Error::Anchors(format!("{}: {error}", path.display()))
            }
            (_, error) => error,
        }
    }

    fn pem(&self) -> Result<Vec<u8>, Error> {
        match self {
            Self::Text(text) => Ok(text.clone().into_bytes()),
            Self::File(path) => read(path),
        }
    }

    /// Follows changes of a file; a text has none.
    pub(crate) async fn follow(self, bundle: Bundle) {
        if !matches!(self, Self::File(_)) {
            return;
        }
        let mut known = self.pem().unwrap_or_default();
        loop {
            tokio::time::sleep(PAUSE).await;
            let Ok(pem) = self.pem() else { continue };
            if pem == known {
                continue;
            }
            match bundle.given(pem.clone()) {
                Ok(()) => tracing::info!(target: SCOPE, "trust anchors changed"),
                Err(error) => {
                    tracing::warn!(target: SCOPE, "changed trust anchors are not used: {}", self.named(error));
                }
            }
            known = pem;
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    read_regular(path).map_err(|reason| Error::File { path: path.display().to_string(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_is_waited_for_and_named_when_it_is_of_no_use() {
        let path = std::env::temp_dir().join(format!("anchors-{}", std::process::id()));
        let anchors = Anchors::File(path.clone());
        let write = async {
            tokio::time::sleep(3 * PAUSE).await;
            std::fs::write(&path, "nothing").unwrap();
        };
        let (read, ()) = tokio::join!(anchors.read(), write);
        let error = read.unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.ends_with("no certificate in PEM"), "{error}");
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA").unwrap();
        let error = anchors.read().await.unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()) && error.contains("-----END is missing"), "{error}");
        std::fs::remove_file(path).unwrap();
    }
}
