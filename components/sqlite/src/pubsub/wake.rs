//! Tells subscriptions that there may be messages: those of this process at once, those of other processes through a small
//! file beside the database that the kernel watches.
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use tokio::sync::watch;

/// Rings in this process and in those that watch the same file.
#[derive(Debug)]
pub(super) struct Bell {
    here: watch::Sender<u64>,
    elsewhere: Option<File>,
}

/// Hears the bells of all processes, as long as it lives.
#[derive(Debug)]
pub(super) struct Ear {
    here: watch::Receiver<u64>,
    _watcher: Option<RecommendedWatcher>,
}

/// A bell and an ear for the database at that path; without a path, for one that lives in this process only.
///
/// Where the file cannot be made or watched, messages of other processes are found by looking now and then.
pub(super) fn bell_and_ear(database: Option<&str>) -> (Bell, Ear) {
    let here = watch::Sender::new(0);
    let file = database.filter(|path| !path.is_empty()).and_then(|path| open(&beside(path)));
    let watcher = file.as_ref().and_then(|(_, path)| watched(path, here.clone()));
    let ear = Ear { here: here.subscribe(), _watcher: watcher };
    (Bell { here, elsewhere: file.map(|(file, _)| file) }, ear)
}

impl Bell {
    pub(super) fn ring(&mut self) {
        self.here.send_modify(|count| *count += 1);
        if let Some(file) = &mut self.elsewhere {
            file.rewind().and_then(|()| file.write_all(b"!")).ok();
        }
    }
}

impl Ear {
    pub(super) fn listen(&self) -> watch::Receiver<u64> {
        self.here.clone()
    }
}

fn beside(database: &str) -> PathBuf {
    PathBuf::from(format!("{database}-wake"))
}

fn open(path: &Path) -> Option<(File, PathBuf)> {
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path);
    warn(file, "cannot make the file that wakes other processes").map(|file| (file, path.to_owned()))
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
    result.inspect_err(|error| tracing::warn!(target: "dapr.contrib", "{what}, messages may be late: {error}")).ok()
}
