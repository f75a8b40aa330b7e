//! What a store keeps in place of the app's keys and values: keys with a prefix, values that may be encrypted.
use crate::encryption::{Encryption, InvalidKey};
use crate::error::Error;
use crate::failure::Failure;
use crate::keys::{self, IllegalPrefix, KeyPrefix};
use crate::model::{Delete, Operation, Save};
use component_api::Properties;
use component_api::state::{self, DeleteRequest, Item, SetRequest};

/// A store that cannot be used as it is configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStore {
    #[error("failed to save lock keyprefix: {0}")]
    Prefix(#[from] IllegalPrefix),
    #[error(transparent)]
    Key(#[from] InvalidKey),
}

/// What the runtime does with the values of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtRest {
    Plain,
    /// There is a key to decrypt with and none to encrypt with, so that neither is done.
    PlainForLackOfPrimaryKey,
    Encrypted,
}

/// Checks the metadata that the runtime itself reads; tells whether values are encrypted.
///
/// # Errors
/// [`InvalidStore`]; a sidecar does not start with such a component.
pub fn check(properties: &Properties) -> Result<AtRest, InvalidStore> {
    KeyPrefix::of(properties)?;
    Ok(match Encryption::of(properties)? {
        Some(_) => AtRest::Encrypted,
        None if Encryption::lacks_primary(properties) => AtRest::PlainForLackOfPrimaryKey,
        None => AtRest::Plain,
    })
}

/// The layout of one store.
pub(crate) struct Layout<'a> {
    store: &'a str,
    prefix: Option<String>,
    encryption: Result<Option<Encryption>, InvalidKey>,
}

impl<'a> Layout<'a> {
    /// A store with an illegal prefix is not loaded in the first place.
    pub(crate) fn new(store: &'a str, properties: &Properties, app_id: &str, namespace: &str) -> Self {
        let prefix = KeyPrefix::of(properties).unwrap_or_default().text(store, app_id, namespace);
        Self { store, prefix, encryption: Encryption::of(properties) }
    }

    /// The key that the store gets.
    pub(crate) fn key(&self, key: &str) -> Result<String, Error> {
        if keys::is_illegal(key) {
            let (key, field) = (key.to_owned(), key.to_owned());
            return Err(Error::IllegalKey { store: self.store.to_owned(), key, field });
        }
        Ok(keys::stored(self.prefix.as_deref(), key))
    }

    /// The entry that the store gets, or what is wrong with its options.
    pub(crate) fn set(&self, entry: Save) -> Result<Result<SetRequest, Failure>, Error> {
        let Save { key, value, etag, options, metadata } = entry;
        let key = self.key(&key)?;
        let request = |(concurrency, consistency)| {
            let value = self.closed(value)?;
            Ok(SetRequest { key, value, etag, concurrency, consistency, metadata })
        };
        Ok(options.read().and_then(request).map_err(Failure::other))
    }

    /// The entry to delete, or what is wrong with its options.
    pub(crate) fn delete(&self, entry: Delete) -> Result<Result<DeleteRequest, Failure>, Error> {
        let Delete { key, etag, options, metadata } = entry;
        let key = self.key(&key)?;
        let request = |(concurrency, consistency)| DeleteRequest { key, etag, concurrency, consistency, metadata };
        Ok(options.read().map(request).map_err(Failure::other))
    }

    /// One step of a transaction.
    pub(crate) fn operation(&self, operation: Operation) -> Result<state::Operation, Error> {
        match operation {
            Operation::Upsert(entry) => Ok(state::Operation::Set(self.set(entry)?.map_err(Error::Transaction)?)),
            Operation::Delete(entry) => Ok(state::Operation::Delete(self.delete(entry)?.map_err(Error::Transaction)?)),
            Operation::Unknown { name, key } => {
                self.key(&key)?;
                Err(Error::UnknownOperation(name))
            }
        }
    }

    /// The entry as the app wrote it.
    pub(crate) fn opened(&self, item: Item) -> Result<Item, String> {
        match &self.encryption {
            Ok(None) => Ok(item),
            Ok(Some(encryption)) => {
                let reason = |reason| format!("could not decrypt data for state store {}: {reason}", self.store);
                Ok(Item { data: encryption.decrypt(&item.data).map_err(reason)?, ..item })
            }
            Err(invalid) => Err(invalid.to_string()),
        }
    }

    /// Whether values are encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        !matches!(self.encryption, Ok(None))
    }

    fn closed(&self, value: state::Value) -> Result<state::Value, String> {
        match &self.encryption {
            Ok(None) => Ok(value),
            Ok(Some(encryption)) => encryption.encrypt(&value),
            Err(invalid) => Err(invalid.to_string()),
        }
    }
}
