//! The collection, to which a connection is made when it is first needed; every operation has a deadline.
use crate::address::{Address, concerns};
use crate::error::translate;
use crate::metadata::Metadata;
use component_api::{Error, Kind, OnDemand, Result};
use mongodb::bson::{RawDocumentBuf, doc};
use mongodb::options::{CollectionOptions, IndexOptions};
use mongodb::{Client, Collection, IndexModel};
use std::fmt;
use std::future::{Future, IntoFuture};
use std::time::Duration;
use tokio::time::timeout;

/// How long the connections may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// A collection of documents.
pub(crate) struct Documents {
    address: Address,
    database: String,
    name: String,
    options: CollectionOptions,
    /// How long an operation may take.
    patience: Duration,
    collection: OnDemand<Collection<RawDocumentBuf>>,
}

impl Documents {
    /// Prepares it; nothing is connected yet.
    ///
    /// # Errors
    /// Metadata that cannot be used.
    pub(crate) fn new(metadata: &Metadata) -> Result<Self> {
        Ok(Self {
            address: Address::new(metadata)?,
            database: metadata.database_name.clone(),
            name: metadata.collection_name.clone(),
            options: concerns(metadata)?,
            patience: metadata.operation_timeout.0,
            collection: OnDemand::default(),
        })
    }

    /// The names of the servers in messages.
    pub(crate) fn servers(&self) -> &str {
        &self.address.name
    }

    /// Does something with the collection, within the time that an operation may take.
    pub(crate) async fn run<T, F: Future<Output = Result<T>>>(
        &self,
        operation: impl FnOnce(Collection<RawDocumentBuf>) -> F,
    ) -> Result<T> {
        let all = async { operation(self.collection().await?).await };
        timeout(self.patience, all).await.unwrap_or_else(|_| Err(self.too_slow()))
    }

    /// Whether a server is there and lets us in.
    pub(crate) async fn ping(&self) -> Result<()> {
        self.run(|collection| async move {
            let database = collection.client().database(&self.database);
            database.run_command(doc! {"ping": 1}).await.map(drop).map_err(|error| self.translate(&error))
        })
        .await
    }

    pub(crate) fn translate(&self, error: &mongodb::error::Error) -> Error {
        translate(self.servers(), error)
    }

    /// Ends the connections.
    pub(crate) async fn close(&self) {
        let Some(collection) = self.collection.take() else { return };
        let ending = collection.client().clone().shutdown().immediate(true);
        timeout(ENDING, IntoFuture::into_future(ending)).await.ok();
    }

    async fn collection(&self) -> Result<Collection<RawDocumentBuf>> {
        let (address, patience) = (self.address.clone(), self.patience);
        let (database, name, options) = (self.database.clone(), self.name.clone(), self.options.clone());
        let open = || async move {
            let opened = async {
                let client = Client::with_options(address.options(patience).await?)?;
                let collection = client.database(&database).collection_with_options(&name, options);
                collection.create_index(expiry()).await?;
                Ok(collection)
            };
            opened.await.map_err(|error| translate(&address.name, &error))
        };
        Ok(self.collection.get(open).await?.0)
    }

    fn too_slow(&self) -> Error {
        let advice = "check the server, or raise operationTimeout";
        let message = format!("mongodb at {} did not answer within {:?}; {advice}", self.servers(), self.patience);
        Error::new(Kind::Timeout, message)
    }
}

/// The server removes a document when the time in this field is over.
fn expiry() -> IndexModel {
    let options = IndexOptions::builder().expire_after(Duration::ZERO).build();
    IndexModel::builder().keys(doc! {"_ttl": 1}).options(options).build()
}

impl fmt::Debug for Documents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Documents").field(&self.address).field(&self.name).finish()
    }
}
