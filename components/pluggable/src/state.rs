//! State stores in other processes.
mod messages;

use crate::connection::{Connection, MOST, Socket, metadata};
use crate::discovery::Services;
use crate::error::{error, of_bulk_delete, of_write};
use async_trait::async_trait;
use component_api::state::{DeleteRequest, Features, GetRequest, Item, Operation, QueryResult, SetRequest, Store};
use component_api::{Config, Error, Metadata, Registry, Result};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tonic::Status;
use wire::components::v1::queriable_state_store_client::QueriableStateStoreClient;
use wire::components::v1::state_store_client::StateStoreClient;
use wire::components::v1::transactional_state_store_client::TransactionalStateStoreClient;
use wire::components::v1::transactional_store_multi_max_size_client::TransactionalStoreMultiMaxSizeClient;
use wire::components::v1::{self, FeaturesRequest, InitRequest, MultiMaxSizeRequest};

/// How long a store may take to say how long its transactions may be.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn register(name: &str, socket: &Socket, services: &Services, registry: &mut Registry) {
    let (socket, services) = (socket.clone(), services.clone());
    registry.state.add_found(name, move |config| start(socket.clone(), services.clone(), config));
}

async fn start(socket: Socket, services: Services, config: Config) -> Result<Arc<dyn Store>> {
    let connection = socket.connection(&config.name);
    let mut client = StateStoreClient::new(connection.clone()).max_decoding_message_size(MOST);
    client.init(InitRequest { metadata: metadata(&config.properties) }).await.map_err(|status| error(&status))?;
    let said = client.features(FeaturesRequest {}).await.map_err(|status| error(&status))?.into_inner();
    let has_limit = services.has("TransactionalStoreMultiMaxSize");
    let (mut features, limit) = (features(&said.features), OnceCell::new());
    // A process that serves queries can be asked, whether it lists the feature or not.
    features.query |= services.has("QueriableStateStore");
    Ok(Arc::new(PluggableStore { client, connection, features, has_limit, limit }))
}

fn features(said: &[String]) -> Features {
    let has = |wanted: &str| said.iter().any(|feature| feature == wanted);
    Features {
        etag: has("ETAG"),
        transactional: has("TRANSACTIONAL"),
        ttl: has("TTL"),
        query: has("QUERY_API"),
        ..Features::default()
    }
}

/// A store that does not say has no limit.
async fn transaction_limit(connection: Connection) -> Option<usize> {
    let mut client = TransactionalStoreMultiMaxSizeClient::new(connection);
    let asked = timeout(PATIENCE, client.multi_max_size(MultiMaxSizeRequest {})).await;
    match asked.unwrap_or_else(|_| Err(Status::deadline_exceeded("it takes too long"))) {
        Ok(response) => usize::try_from(response.into_inner().max_size).ok(),
        Err(status) => {
            tracing::error!(target: "dapr.contrib", "failed to get multi max size from state store: {}", status.message());
            None
        }
    }
}

struct PluggableStore {
    client: StateStoreClient<Connection>,
    connection: Connection,
    features: Features,
    /// Whether the process can be asked how long transactions may be; some that can fail without transactions.
    has_limit: bool,
    limit: OnceCell<Option<usize>>,
}

#[async_trait]
impl Store for PluggableStore {
    fn features(&self) -> Features {
        self.features
    }

    async fn get(&self, request: GetRequest) -> Result<Option<Item>> {
        let found = self.client.clone().get(messages::get(request)).await;
        Ok(messages::found(found.map_err(|status| error(&status))?.into_inner()))
    }

    async fn set(&self, request: SetRequest) -> Result<()> {
        let done = self.client.clone().set(messages::set(request)).await;
        done.map(drop).map_err(|status| of_write(&status))
    }

    async fn delete(&self, request: DeleteRequest) -> Result<()> {
        let done = self.client.clone().delete(messages::delete(request)).await;
        done.map(drop).map_err(|status| of_write(&status))
    }

    async fn transact(&self, operations: Vec<Operation>, metadata: Metadata) -> Result<()> {
        if !self.features.transactional {
            return Err(Error::unsupported("this state store has no transactions"));
        }
        let operations = operations.into_iter().map(messages::operation).collect();
        let request = v1::TransactionalStateRequest { operations, metadata: metadata.into_iter().collect() };
        let mut client = TransactionalStateStoreClient::new(self.connection.clone());
        client.transact(request).await.map(drop).map_err(|status| of_write(&status))
    }

    async fn transaction_limit(&self) -> Option<usize> {
        if !self.has_limit {
            return None;
        }
        *self.limit.get_or_init(|| transaction_limit(self.connection.clone())).await
    }

    async fn query(&self, query: serde_json::Value, metadata: Metadata) -> Result<QueryResult> {
        if !self.features.query {
            return Err(Error::unsupported("this state store has no queries"));
        }
        let query = messages::query(&query).map_err(Error::invalid)?;
        let request = v1::QueryRequest { query: Some(query), metadata: metadata.into_iter().collect() };
        let mut client = QueriableStateStoreClient::new(self.connection.clone()).max_decoding_message_size(MOST);
        let found = client.query(request).await.map_err(|status| error(&status))?;
        Ok(messages::query_result(found.into_inner()))
    }

    async fn bulk_get(&self, requests: Vec<GetRequest>) -> Vec<Result<Option<Item>>> {
        let keys: Vec<_> = requests.iter().map(|request| request.key.clone()).collect();
        let items = requests.into_iter().map(messages::get).collect();
        match self.client.clone().bulk_get(v1::BulkGetRequest { items, options: None }).await {
            Ok(response) => by_key(response.into_inner().items, &keys),
            Err(status) => keys.iter().map(|_| Err(error(&status))).collect(),
        }
    }

    async fn bulk_set(&self, requests: Vec<SetRequest>) -> Vec<Result<()>> {
        let count = requests.len();
        let items = requests.into_iter().map(messages::set).collect();
        let done = self.client.clone().bulk_set(v1::BulkSetRequest { items, options: None }).await;
        (0..count).map(|_| done.as_ref().map(drop).map_err(of_write)).collect()
    }

    async fn bulk_delete(&self, requests: Vec<DeleteRequest>) -> Vec<Result<()>> {
        let count = requests.len();
        let items = requests.into_iter().map(messages::delete).collect();
        let done = self.client.clone().bulk_delete(v1::BulkDeleteRequest { items, options: None }).await;
        (0..count).map(|_| done.as_ref().map(drop).map_err(of_bulk_delete)).collect()
    }
}

/// Answers in the order of the keys; a key without an answer has no entry.
fn by_key(items: Vec<v1::BulkStateItem>, keys: &[String]) -> Vec<Result<Option<Item>>> {
    let items: HashMap<_, _> = items.into_iter().map(|item| (item.key.clone(), item)).collect();
    keys.iter().map(|key| items.get(key).cloned().map_or(Ok(None), messages::bulk_item)).collect()
}
