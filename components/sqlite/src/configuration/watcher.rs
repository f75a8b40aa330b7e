//! Tells that a database may have changed: the kernel watches its files, whoever writes them.
use crate::SCOPE;
use component_api::{Error, Result};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use std::ffi::OsString;
use std::path::Path;
use tokio::sync::watch;

/// Endings of the files that a commit is written to.
const ENDINGS: [&str; 3] = ["", "-wal", "-journal"];

/// Watches as long as it lives.
#[derive(Debug)]
pub(super) struct Watcher {
    pub(super) bell: watch::Receiver<()>,
    /// None where the system cannot watch.
    _watching: Option<RecommendedWatcher>,
}

/// Watches the files of the database at that path; an empty path is one in memory, which nobody else writes.
///
/// Where that cannot be done, the bell never rings.
pub(super) fn watch(database: &str) -> Watcher {
    let bell = watch::Sender::new(());
    let listener = bell.subscribe();
    let watching = if database.is_empty() { None } else { warn(start(Path::new(database), bell)) };
    Watcher { bell: listener, _watching: watching }
}

/// The folder is watched, since files beside the database come and go.
fn start(database: &Path, bell: watch::Sender<()>) -> Result<RecommendedWatcher> {
    let failed = |error: notify::Error| Error::other("the files of the database").with_source(error);
    let nowhere = || Error::other("the database is in no folder");
    let (folder, name) = (database.parent().ok_or_else(nowhere)?, database.file_name().ok_or_else(nowhere)?);
    let names = ENDINGS.map(|ending| [name, ending.as_ref()].into_iter().collect::<OsString>());
    let heard = move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_commit(&event, &names)) {
            bell.send_replace(());
        }
    };
    let mut watcher = notify::recommended_watcher(heard).map_err(failed)?;
    watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)?;
    Ok(watcher)
}

fn is_commit(event: &Event, names: &[OsString]) -> bool {
    let writes = !matches!(event.kind, EventKind::Access(_) | EventKind::Other);
    writes && event.paths.iter().any(|path| path.file_name().is_some_and(|name| names.iter().any(|one| one == name)))
}

fn warn(started: Result<RecommendedWatcher>) -> Option<RecommendedWatcher> {
    let why = |error: &Error| tracing::warn!(target: SCOPE, "cannot watch, changes may be late: {error}");
    started.inspect_err(why).ok()
}
