//! How large the state of actors is by the word of their store, which is asked for all keys of their type.
use crate::error::Error;
use crate::sizes::StateSize;
use crate::state::ActorState;
use component_api::state::{GetRequest, Item, KeysPage, Store};
use component_api::{Instance, Metadata};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout;

/// The longest time that it may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Keys that the store lists at a time.
const LISTED: u32 = 1_000;
/// Values that are read at a time.
const READ: usize = 16;

/// Sizes by the id of the actor.
pub(crate) type Sizes = BTreeMap<String, StateSize>;

impl ActorState {
    /// Measures the actors of a type whose ids are in `sizes`, in the place of what is known of them.
    ///
    /// # Errors
    /// [`Error::NoStateStore`], [`Error::Unmeasurable`] and [`Error::GetState`].
    pub(crate) async fn measure(&self, actor_type: &str, sizes: Sizes) -> Result<Sizes, Error> {
        let store = self.store(Error::GetState)?;
        if !store.component.features().keys_like {
            return Err(Error::Unmeasurable(store.name.clone()));
        }
        let late = || Error::GetState(format!("state store {} did not list its keys within 30 seconds", store.name));
        timeout(PATIENCE, self.measure_by(&store, actor_type, sizes)).await.map_err(|_| late())?
    }

    async fn measure_by(
        &self,
        store: &Instance<dyn Store>,
        actor_type: &str,
        mut sizes: Sizes,
    ) -> Result<Sizes, Error> {
        let prefix = format!("{}||{actor_type}||", self.app_id);
        sizes.values_mut().for_each(|size| *size = StateSize::default());
        let mut from = None;
        loop {
            let page = self.list(store, &prefix, from).await?;
            let wanted = page.keys.iter().filter_map(|key| Some((owner(key, &prefix, &sizes)?, key.clone())));
            let wanted: Vec<(String, String)> = wanted.collect();
            for some in wanted.chunks(READ) {
                self.weigh(store, (actor_type, some), &mut sizes).await?;
            }
            match page.continuation {
                Some(next) => from = Some(next),
                None => return Ok(sizes),
            }
        }
    }

    async fn list(&self, store: &Instance<dyn Store>, prefix: &str, from: Option<String>) -> Result<KeysPage, Error> {
        let pattern = format!("{}%", escaped(prefix));
        let policy = self.policy(store);
        let listed = policy.run(|| store.component.keys_like(&pattern, Some(LISTED), from.clone())).await;
        listed.map_err(|error| Error::GetState(error.to_string()))
    }

    /// Reads values, and adds their sizes to those of their actors.
    async fn weigh(
        &self,
        store: &Instance<dyn Store>,
        (actor_type, wanted): (&str, &[(String, String)]),
        sizes: &mut Sizes,
    ) -> Result<(), Error> {
        let request = |(id, key): &(String, String)| {
            let metadata = Metadata::from([self.partition(actor_type, id)]);
            GetRequest { key: key.clone(), metadata, ..GetRequest::default() }
        };
        let requests: Vec<_> = wanted.iter().map(request).collect();
        let policy = self.policy(store);
        let read = policy.run(|| read(store, requests.clone())).await;
        let items = read.map_err(|error| Error::GetState(error.to_string()))?;
        for ((id, _), item) in wanted.iter().zip(items) {
            if let (Some(size), Some(item)) = (sizes.get_mut(id), item) {
                *size += StateSize::of(item.data.len());
            }
        }
        Ok(())
    }
}

async fn read(store: &Instance<dyn Store>, requests: Vec<GetRequest>) -> component_api::Result<Vec<Option<Item>>> {
    store.component.bulk_get(requests).await.into_iter().collect()
}

/// The actor that a key belongs to, if it is one of those. Stores may take the case of a pattern lightly.
fn owner(key: &str, prefix: &str, sizes: &Sizes) -> Option<String> {
    let rest = key.strip_prefix(prefix)?;
    let ends = rest.match_indices("||").map(|(end, _)| end);
    let mut ids = ends.filter_map(|end| rest.get(..end));
    ids.find(|id| sizes.contains_key(*id)).map(str::to_owned)
}

/// A text as a pattern that fits nothing else.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_by_the_ids_of_their_actors() {
        let sizes = Sizes::from([("1".to_owned(), StateSize::default()), ("a||b".to_owned(), StateSize::default())]);
        let owner = |key| owner(key, "app||t||", &sizes);
        assert_eq!(owner("app||t||1||key||more").as_deref(), Some("1"));
        assert_eq!(owner("app||t||a||b||key").as_deref(), Some("a||b"));
        for other in ["app||t||2||key", "app||T||1||key", "app||t||1", "other||t||1||key"] {
            assert_eq!(owner(other), None, "{other}");
        }
    }

    #[test]
    fn a_pattern_fits_its_text_alone() {
        assert_eq!(escaped(r"a_b%\c"), r"a\_b\%\\c");
    }
}
