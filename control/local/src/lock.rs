//! One process for each folder.
use anyhow::Context as _;
use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long one that is about to end may take.
const PATIENCE: Duration = Duration::from_secs(15);
const PAUSE: Duration = Duration::from_millis(20);

/// The right to be the control plane of a folder; it ends with the process at the latest.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a folder, which is made if it is not there. None: another process has it, and serves.
    ///
    /// # Errors
    /// A folder that cannot be used, and a process that neither serves nor ends.
    pub(crate) fn take(folder: &Path) -> anyhow::Result<Option<Self>> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(|| cannot("make", folder))?;
        let path = folder.join("lock");
        let file = File::create(&path).with_context(|| cannot("write", &path))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) if UnixStream::connect(socket(folder)).is_ok() => return Ok(None),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => anyhow::bail!(
                    "another process has {} locked, and does not serve; end it (`trilby control-plane`)",
                    path.display()
                ),
                Err(TryLockError::Error(error)) => return Err(error).with_context(|| cannot("lock", &path)),
            }
        }
    }
}

/// Where runs find the process of a folder.
pub(crate) fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

fn cannot(what: &str, path: &Path) -> String {
    format!("cannot {what} {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn there_is_one_for_each_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap().unwrap();
        let serving = UnixListener::bind(socket(folder.path())).unwrap();
        assert!(Lock::take(folder.path()).unwrap().is_none());
        drop((serving, lock));
        assert!(Lock::take(folder.path()).unwrap().is_some());
    }
}
