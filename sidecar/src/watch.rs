//! Tells of changes of files in folders.
use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// Changes come in bursts: one is over when nothing has happened for so long.
const QUIET: Duration = Duration::from_millis(100);
/// A burst without end is cut.
const AT_MOST: Duration = Duration::from_secs(2);

/// Watches folders as long as it lives, but not folders within.
pub(crate) struct Watch {
    changed: Arc<Notify>,
    /// Ends with the value.
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// # Errors
    /// A folder that cannot be watched; the limits of inotify may be too low.
    pub(crate) fn start(folders: &[PathBuf]) -> notify::Result<Self> {
        let changed = Arc::new(Notify::new());
        let bell = Arc::clone(&changed);
        let mut watcher = recommended_watcher(move |event: notify::Result<Event>| {
            if event.map_or(true, |event| is_change(event.kind)) {
                bell.notify_one();
            }
        })?;
        folders.iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
        Ok(Self { changed, _watcher: watcher })
    }

    /// Resolves when something has changed since the last time and nothing changes any more.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
        let burst = async { while timeout(QUIET, self.changed.notified()).await.is_ok() {} };
        timeout(AT_MOST, burst).await.ok();
    }
}

/// Reading a file is no change of it.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LONG: Duration = Duration::from_secs(10);

    #[tokio::test]
    async fn a_change_is_told_once_and_reading_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let watch = Watch::start(&[folder.path().to_owned()]).unwrap();
        let file = folder.path().join("a.yaml");
        fs::write(&file, "a").unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
        fs::read(&file).unwrap();
        assert!(timeout(QUIET * 3, watch.changed()).await.is_err());
        fs::remove_file(&file).unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
    }

    #[test]
    fn a_missing_folder_is_refused() {
        assert!(Watch::start(&["/nowhere/at/all".into()]).is_err());
    }
}
