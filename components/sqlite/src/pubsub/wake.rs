//! Tells subscriptions that there may be messages: those of this process at once, those of other processes through a small
//! file beside the database that the kernel watches.
use crate::SCOPE;
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// Rings in this process and in those that watch the same file, and is rung by them.
#[derive(Debug)]
pub(super) struct Bell {
    here: watch::Sender<u64>,
    elsewhere: Option<Shared>,
}

/// The file that all processes write to and watch.
#[derive(Debug)]
struct Shared {
    file: File,
    _watcher: Option<RecommendedWatcher>,
}

impl Bell {
    /// A bell for the database at that path; without a path, for one that lives in this process only.
    ///
    /// Where the file cannot be made or watched, messages of other processes are found by looking now and then.
    pub(super) fn new(database: Option<&str>) -> Self {
        let mut bell = Self { here: watch::Sender::new(0), elsewhere: None };
        bell.follow_file(database);
        bell
    }

    /// The same bell for a database that was made anew: the file beside it may have gone with the old one.
    pub(super) fn follow_file(&mut self, database: Option<&str>) {
        let path = database.filter(|path| !path.is_empty()).map(beside);
        self.elsewhere = path.and_then(|path| {
            let file = open(&path)?;
            Some(Shared { file, _watcher: watched(&path, self.here.clone()) })
        });
    }

    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.here.subscribe()
    }

    pub(super) fn ring(&mut self) {
        self.here.send_modify(|count| *count += 1);
        if let Some(Shared { file, .. }) = &mut self.elsewhere {
            file.rewind().and_then(|()| file.write_all(b"!")).ok();
        }
    }
}

fn beside(database: &str) -> PathBuf {
    PathBuf::from(format!("{database}-wake"))
}

fn open(path: &Path) -> Option<File> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    warn(file, "cannot make the file that wakes other processes")
}

fn watched(path: &Path, here: watch::Sender<u64>) -> Option<RecommendedWatcher> {
    let heard = move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| event.kind.is_modify()) {
            here.send_modify(|count| *count += 1);
        }
    };
    let mut watcher = warn(notify::recommended_watcher(heard), "cannot watch files")?;
    warn(watcher.watch(path, RecursiveMode::NonRecursive), "cannot watch the file that wakes this process")?;
    Some(watcher)
}

fn warn<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> Option<T> {
    result.inspect_err(|error| tracing::warn!(target: SCOPE, "{what}, messages may be late: {error}")).ok()
}
