//! What bindings need of other blocks.
use async_trait::async_trait;
use block_binding::{Options, SaveState};
use std::sync::Arc;
use std::time::Duration;
use wire::common::v1::StateItem;
use wire::runtime::v1::SaveStateRequest;

/// Saves what apps answer to events, by the rules of the state API.
pub(crate) struct States(pub(crate) Arc<block_state::Service>);

#[async_trait]
impl SaveState for States {
    async fn save(&self, store: String, states: Vec<StateItem>) -> Result<(), String> {
        let request = SaveStateRequest { store_name: store, states };
        block_state::save_state(&self.0, request).await.map_err(|status| status.message().to_owned())
    }
}

/// How input bindings are found.
pub(crate) fn options(patience: Option<Duration>) -> Options {
    patience.map_or_else(Options::default, |patience| Options { patience })
}
