//! Secret stores in other processes.
use crate::connection::{Connection, MOST, Socket, metadata};
use crate::discovery::Services;
use crate::error::error;
use async_trait::async_trait;
use component_api::secret::{Features, Secret, Store};
use component_api::{Config, Metadata, Registry, Result};
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::components::v1::secret_store_client::SecretStoreClient;
use wire::components::v1::{BulkGetSecretRequest, FeaturesRequest, GetSecretRequest, SecretStoreInitRequest};

pub(crate) fn register(name: &str, socket: &Socket, _: &Services, registry: &mut Registry) {
    let socket = socket.clone();
    registry.secret.add_found(name, move |config| start(socket.clone(), config));
}

async fn start(socket: Socket, config: Config) -> Result<Arc<dyn Store>> {
    let mut client = SecretStoreClient::new(socket.connection(&config.name)).max_decoding_message_size(MOST);
    let request = SecretStoreInitRequest { metadata: metadata(&config.properties) };
    client.init(request).await.map_err(|status| error(&status))?;
    let said = client.features(FeaturesRequest {}).await.map_err(|status| error(&status))?.into_inner();
    let multiple_values = said.features.iter().any(|feature| feature == "MULTIPLE_KEY_VALUES_PER_SECRET");
    Ok(Arc::new(PluggableSecrets { client, features: Features { multiple_values } }))
}

struct PluggableSecrets {
    client: SecretStoreClient<Connection>,
    features: Features,
}

#[async_trait]
impl Store for PluggableSecrets {
    fn features(&self) -> Features {
        self.features
    }

    async fn get(&self, name: &str, metadata: &Metadata) -> Result<Secret> {
        let request = GetSecretRequest { key: name.to_owned(), metadata: metadata.clone().into_iter().collect() };
        let found = self.client.clone().get(request).await.map_err(|status| error(&status))?;
        Ok(found.into_inner().data.into_iter().collect())
    }

    async fn bulk_get(&self, metadata: &Metadata) -> Result<BTreeMap<String, Secret>> {
        let request = BulkGetSecretRequest { metadata: metadata.clone().into_iter().collect() };
        let found = self.client.clone().bulk_get(request).await.map_err(|status| error(&status))?;
        let secrets = found.into_inner().data.into_iter();
        Ok(secrets.map(|(name, secret)| (name, secret.secrets.into_iter().collect())).collect())
    }
}
