//! The first contact of a component with its server, so that the log tells at the start what cannot be reached.
use super::retired::Closable;
use component_api::Outage;
use std::sync::Weak;
use std::time::Duration;
use tokio::time::sleep;

const SCOPE: &str = "dapr.runtime.processor";
/// Pause after the first try; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Tries until the component has reached its server, or is out of use. Requests meanwhile try for themselves.
pub(super) async fn greet<T: Closable + ?Sized>(component: Weak<T>, log_name: String) {
    let (mut outage, mut pause) = (Outage::default(), PAUSE);
    while let Some(used) = component.upgrade() {
        let answer = used.ping().await;
        drop(used);
        match answer {
            Ok(()) if outage.worked() => return tracing::info!(target: SCOPE, "Component {log_name} works now"),
            Ok(()) => return,
            Err(error) if outage.failed() => {
                tracing::warn!(target: SCOPE, "Component {log_name} does not work yet, which is tried again: {error}");
            }
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use component_api::{Error, Kind, Result};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Late(AtomicU32);

    #[async_trait]
    impl Closable for Late {
        async fn ping(&self) -> Result<()> {
            match self.0.fetch_add(1, Ordering::Relaxed) {
                0..3 => Err(Error::new(Kind::Unavailable, "not there")),
                _ => Ok(()),
            }
        }

        async fn close(&self) -> Result<()> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn it_tries_until_it_works() {
        let late = Arc::new(Late(AtomicU32::new(0)));
        greet(Arc::downgrade(&late), "late".to_owned()).await;
        assert_eq!(late.0.load(Ordering::Relaxed), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends_with_the_component() {
        let never = Arc::new(Late(AtomicU32::new(0)));
        let weak = Arc::downgrade(&never);
        drop(never);
        greet(weak, "never".to_owned()).await;
    }
}
