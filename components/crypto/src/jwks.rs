//! `crypto.dapr.jwks`: keys of a JSON Web Key Set, by their ids.
mod set;

use crate::jwks::set::{Location, Set};
use crate::provider::Provider;
use component_api::crypto::Keys;
use component_api::{Config, Descriptor, Error, Registry, Result, Status};
use foundation_metadata::GoDuration;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const REFRESH_INTERVAL: Duration = Duration::from_secs(600);

/// Keys of a JSON Web Key Set, by their ids (`kid`).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    /// The set itself (JSON, plain or in Base64), the URL that has it, or the path of a file, which is read again when it
    /// has changed.
    pub(crate) jwks: String,
    /// How long fetching the set from its URL may take.
    #[schemars(with = "String")]
    pub(crate) request_timeout: GoDuration,
    /// How old the set may be before it is fetched from its URL again.
    #[schemars(with = "String")]
    pub(crate) min_refresh_interval: GoDuration,
}

impl Default for Metadata {
    fn default() -> Self {
        Self {
            jwks: String::new(),
            request_timeout: GoDuration(REQUEST_TIMEOUT),
            min_refresh_interval: GoDuration(REFRESH_INTERVAL),
        }
    }
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["dapr.jwks"],
        versions: &["v1"],
        status: Status::Alpha,
        summary: "Keys of a JSON Web Key Set.",
        schema: || schema_for!(Metadata),
    };
    registry.crypto.add(descriptor, make);
}

async fn make(config: Config) -> Result<Arc<dyn Keys>> {
    let metadata: Metadata = config.properties.decode()?;
    if metadata.jwks.is_empty() {
        return Err(Error::invalid("failed to load metadata: metadata property 'jwks' is required"));
    }
    let timeout = at_least(metadata.request_timeout.0, Duration::from_millis(1), REQUEST_TIMEOUT);
    let interval = at_least(metadata.min_refresh_interval.0, Duration::from_secs(1), REFRESH_INTERVAL);
    let location = Location::of(&metadata.jwks, timeout, interval).await?;
    Ok(Arc::new(Provider(Set::read(location).await?)))
}

/// The duration, or the usual one where it makes no sense.
fn at_least(duration: Duration, least: Duration, usual: Duration) -> Duration {
    if duration < least { usual } else { duration }
}
