//! Where the roots to trust are: in a text, or in a file that may change.
use crate::Error;
use crate::bundle::Bundle;
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
    /// Reads them.
    ///
    /// # Errors
    /// A file that is not there, and roots that cannot be used.
    pub(crate) fn read(&self) -> Result<Bundle, Error> {
        Bundle::new(self.pem()?)
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
                Err(error) => tracing::warn!(target: SCOPE, "changed trust anchors are not used: {error}"),
            }
            known = pem;
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|reason| Error::File { path: path.display().to_string(), reason })
}
