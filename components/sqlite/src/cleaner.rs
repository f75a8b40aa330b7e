//! Removal of rows that have expired, by one of the processes that share a database.
use crate::SCOPE;
use crate::database::Database;
use component_api::Task;
use std::sync::Arc;
use std::time::Duration;

/// What is removed, and where it is written down when that was done last.
#[derive(Debug)]
pub(crate) struct Cleaning {
    pub(crate) interval: Duration,
    pub(crate) metadata_table: String,
    /// Row of the metadata table.
    pub(crate) key: &'static str,
    /// Statement that removes the rows.
    pub(crate) delete: String,
}

impl Cleaning {
    /// Cleans in every interval until the task is dropped; an interval of zero is never.
    pub(crate) fn start(self, database: Arc<Database>) -> Option<Task> {
        if self.interval.is_zero() {
            return None;
        }
        let cleaning = Arc::new(self);
        Some(Task::spawn(|stopping| async move {
            while stopping.run_until_cancelled(tokio::time::sleep(cleaning.interval)).await.is_some() {
                cleaning.clean(&database).await;
            }
        }))
    }

    async fn clean(self: &Arc<Self>, database: &Database) {
        let cleaning = Arc::clone(self);
        let removed = database.write(move |connection| {
            // A little less than the interval, since clocks and timers are not exact.
            let apart = i64::try_from(cleaning.interval.as_millis()).unwrap_or(i64::MAX).saturating_sub(100);
            if connection.execute(&cleaning.mark(), (cleaning.key, apart))? == 0 {
                return Ok(0);
            }
            Ok(connection.execute(&cleaning.delete, [])?)
        });
        match removed.await {
            Ok(removed) => tracing::debug!(target: SCOPE, "Removed {removed} expired rows"),
            Err(error) => tracing::error!(target: SCOPE, "Error removing expired data: {error}"),
        }
    }

    /// Changes a row unless another process has cleaned a short time ago.
    fn mark(&self) -> String {
        format!(
            "INSERT INTO {} (key, value) VALUES (?1, CURRENT_TIMESTAMP)
             ON CONFLICT (key) DO UPDATE SET value = CURRENT_TIMESTAMP
             WHERE (unixepoch(CURRENT_TIMESTAMP) - unixepoch(value)) * 1000 > ?2",
            self.metadata_table
        )
    }
}
