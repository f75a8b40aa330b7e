//! The regular removal of expired entries, by one of all the sidecars that use the table.
use crate::database::{Database, Statement};
use component_api::{Result, Task};
use mysql_async::Params;
use std::sync::Arc;
use std::time::Duration;

/// How often what is removed, and the table that remembers when that was done last.
pub(super) struct Cleaning {
    pub(super) metadata_table: String,
    pub(super) delete: String,
    pub(super) interval: Duration,
}

impl Cleaning {
    /// Cleans until the task ends; nothing if the interval is zero.
    pub(super) fn start(self, database: Arc<Database>) -> Option<Task> {
        let (interval, shared) = (self.interval, Arc::new((self, database)));
        Task::cleaning(interval, move || {
            let shared = Arc::clone(&shared);
            async move { shared.0.clean(&shared.1).await }
        })
    }

    async fn clean(&self, database: &Database) -> Result<()> {
        let ours = format!(
            "INSERT INTO {} (id, value) VALUES ('last-cleanup', CURRENT_TIMESTAMP) ON DUPLICATE KEY UPDATE
             value = IF(CURRENT_TIMESTAMP > DATE_ADD(value, INTERVAL ? * 1000 MICROSECOND), CURRENT_TIMESTAMP, value)",
            self.metadata_table
        );
        // A little less than the time between two, which are never exactly that far apart.
        let pause = u64::try_from(self.interval.as_millis()).unwrap_or(u64::MAX).saturating_sub(100);
        let ours = Statement { sql: &ours, parameters: Params::Positional(vec![pause.into()]) };
        if database.execute(ours).await? == 0 {
            return Ok(());
        }
        database.execute(Statement { sql: &self.delete, parameters: Params::Empty }).await.map(drop)
    }
}
