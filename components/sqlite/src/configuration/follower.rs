//! Keeps a copy of the table up to date for all subscriptions.
use super::rows::Rows;
use super::watcher::{Watcher, watch as watch_files};
use crate::SCOPE;
use crate::database::Database;
use component_api::configuration::Items;
use component_api::{Result, Task};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// When to look at the table after a bell has rung. A commit can be seen some time after its last byte was written, when it
/// was flushed to the disk; and a bell may get lost.
const LOOKS: [Duration; 4] =
    [Duration::from_millis(10), Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5)];

/// A copy of the table, and the task that refreshes it.
#[derive(Debug)]
pub(super) struct Follower {
    items: watch::Receiver<Arc<Items>>,
    _refreshing: Task,
}

impl Follower {
    /// Reads the table for the first time.
    ///
    /// # Errors
    /// Those of the database.
    pub(super) async fn start(database: &Arc<Database>, rows: &Arc<Rows>) -> Result<Self> {
        let path = database.read(|connection| Ok(connection.path().unwrap_or_default().to_owned())).await?;
        // Watched before it is read, so that nothing is missed in between.
        let watcher = watch_files(&path);
        let source = Source { database: Arc::clone(database), rows: Arc::clone(rows) };
        let known = watch::Sender::new(Arc::new(source.read().await?));
        let items = known.subscribe();
        let refreshing = Task::spawn(|stopping| async move {
            stopping.run_until_cancelled(refresh(source, watcher, known)).await;
        });
        Ok(Self { items, _refreshing: refreshing })
    }

    /// The items as they are now, and as they become.
    pub(super) fn items(&self) -> watch::Receiver<Arc<Items>> {
        self.items.clone()
    }
}

struct Source {
    database: Arc<Database>,
    rows: Arc<Rows>,
}

impl Source {
    async fn read(&self) -> Result<Items> {
        let rows = Arc::clone(&self.rows);
        self.database.read(move |connection| rows.all(connection)).await
    }
}

async fn refresh(source: Source, mut watcher: Watcher, known: watch::Sender<Arc<Items>>) {
    let mut pace = Pace::new();
    loop {
        tokio::select! {
            Ok(()) = watcher.bell.changed() => pace.hurry(),
            () = sleep_until(pace.due) => {
                look(&source, &known).await;
                pace.slow_down();
            }
        }
    }
}

async fn look(source: &Source, known: &watch::Sender<Arc<Items>>) {
    match source.read().await {
        Ok(items) => drop(known.send_if_modified(|known| {
            let other = **known != items;
            if other {
                *known = Arc::new(items);
            }
            other
        })),
        Err(error) => tracing::warn!(target: SCOPE, "cannot look for changes of configuration: {error}"),
    }
}

/// When the next look is due, and how many there were since the last bell.
struct Pace {
    due: Instant,
    looks: usize,
}

impl Pace {
    fn new() -> Self {
        Self { due: Instant::now() + LOOKS[0], looks: 0 }
    }

    /// A bell that rings again and again does not put the look off.
    fn hurry(&mut self) {
        self.looks = 0;
        self.due = self.due.min(Instant::now() + LOOKS[0]);
    }

    fn slow_down(&mut self) {
        self.looks = (self.looks + 1).min(LOOKS.len() - 1);
        self.due = Instant::now() + LOOKS[self.looks];
    }
}
