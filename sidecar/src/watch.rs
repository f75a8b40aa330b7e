//! Tells of changes of files in folders.
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher, recommended_watcher};
use std::collections::BTreeSet;
use std::future::pending;
use std::path::{PathBuf, absolute};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

/// Changes come in bursts: one is over when nothing has happened for so long.
const QUIET: Duration = Duration::from_millis(100);
/// A burst without end is cut.
const AT_MOST: Duration = Duration::from_secs(2);

/// Pause between two looks for a folder that is gone.
const PAUSE: Duration = Duration::from_millis(500);

/// Watches folders as long as it lives, but not folders within. One that goes away is watched again when it is back.
pub(crate) struct Watch {
    folders: Arc<[PathBuf]>,
    told: Arc<Told>,
    /// Ends with the value.
    watcher: Mutex<RecommendedWatcher>,
}

/// What the watcher has told.
#[derive(Default)]
struct Told {
    changed: Notify,
    /// Folders whose watch has ended with them, or has gone elsewhere with them.
    lost: Mutex<BTreeSet<PathBuf>>,
}

impl Watch {
    /// # Errors
    /// A folder that cannot be watched; the limits of inotify may be too low.
    pub(crate) fn start(folders: &[PathBuf]) -> notify::Result<Self> {
        let folders = folders.iter().map(absolute).collect::<Result<Arc<[_]>, _>>()?;
        let told = Arc::<Told>::default();
        let (watched, listener) = (Arc::clone(&folders), Arc::clone(&told));
        let mut watcher = recommended_watcher(move |event| listener.hear(event, &watched))?;
        folders.iter().try_for_each(|folder| watcher.watch(folder, RecursiveMode::NonRecursive))?;
        Ok(Self { folders, told, watcher: Mutex::new(watcher) })
    }

    /// Resolves when something has changed since the last time and nothing changes any more.
    pub(crate) async fn changed(&self) {
        tokio::select! {
            () = self.told.changed.notified() => {}
            () = self.is_found() => {}
        }
        let burst = async { while timeout(QUIET, self.told.changed.notified()).await.is_ok() {} };
        timeout(AT_MOST, burst).await.ok();
        // Before the files are read: what changes afterwards is told.
        self.find();
    }

    /// Watches all folders anew, as their paths may lead elsewhere by now.
    pub(crate) fn renew(&self) {
        self.told.lost().extend(self.folders.iter().cloned());
        self.find();
    }

    /// Resolves when a folder that was lost is watched again.
    async fn is_found(&self) {
        if self.told.lost().is_empty() {
            pending::<()>().await;
        }
        while !self.find() {
            sleep(PAUSE).await;
        }
    }

    /// Watches folders that were lost, as far as they are there; returns whether one is.
    fn find(&self) -> bool {
        let lost = std::mem::take(&mut *self.told.lost());
        let mut watcher = self.watcher.lock().unwrap_or_else(PoisonError::into_inner);
        let (found, missing): (Vec<_>, Vec<_>) = lost.into_iter().partition(|folder| {
            watcher.unwatch(folder).ok();
            watcher.watch(folder, RecursiveMode::NonRecursive).is_ok()
        });
        self.told.lost().extend(missing);
        !found.is_empty()
    }
}

impl Told {
    fn hear(&self, event: notify::Result<Event>, folders: &[PathBuf]) {
        if let Ok(Event { kind: EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)), paths, .. }) = &event {
            self.lost().extend(paths.iter().filter(|path| folders.contains(path)).cloned());
        }
        if event.map_or(true, |event| is_change(event.kind)) {
            self.changed.notify_one();
        }
    }

    fn lost(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
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
    use std::os::unix::fs::symlink;

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

    #[tokio::test]
    async fn a_folder_that_comes_back_is_watched_again() {
        let place = tempfile::tempdir().unwrap();
        let (folder, elsewhere) = (place.path().join("folder"), place.path().join("elsewhere"));
        fs::create_dir(&folder).unwrap();
        let watch = Watch::start(std::slice::from_ref(&folder)).unwrap();
        for is_moved in [false, true] {
            if is_moved {
                fs::rename(&folder, &elsewhere).unwrap()
            } else {
                fs::remove_dir_all(&folder).unwrap()
            }
            timeout(LONG, watch.changed()).await.unwrap();
            fs::create_dir(&folder).unwrap();
            timeout(LONG, watch.changed()).await.unwrap();
            while timeout(QUIET * 3, watch.changed()).await.is_ok() {}
            fs::write(folder.join("a.yaml"), "a").unwrap();
            timeout(LONG, watch.changed()).await.unwrap();
        }
        fs::write(elsewhere.join("a.yaml"), "a").unwrap();
        assert!(timeout(QUIET * 3, watch.changed()).await.is_err(), "it is another folder by now");
    }

    #[tokio::test]
    async fn a_path_that_leads_elsewhere_is_followed_when_watched_anew() {
        let place = tempfile::tempdir().unwrap();
        let [old, new, link] = ["old", "new", "link"].map(|name| place.path().join(name));
        for folder in [&old, &new] {
            fs::create_dir(folder).unwrap();
        }
        symlink(&old, &link).unwrap();
        let watch = Watch::start(std::slice::from_ref(&link)).unwrap();
        fs::remove_file(&link).unwrap();
        symlink(&new, &link).unwrap();
        watch.renew();
        while timeout(QUIET * 3, watch.changed()).await.is_ok() {}
        fs::write(new.join("a.yaml"), "a").unwrap();
        timeout(LONG, watch.changed()).await.unwrap();
    }

    #[test]
    fn a_missing_folder_is_refused() {
        assert!(Watch::start(&["/nowhere/at/all".into()]).is_err());
    }
}
