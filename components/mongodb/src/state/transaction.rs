//! Several writes, all or none.
use crate::error::translate;
use crate::write::{Failure, Write};
use component_api::{Error, Kind, Result};
use mongodb::bson::RawDocumentBuf;
use mongodb::error::{Error as MongoError, ErrorKind, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT};
use mongodb::options::{ReadConcern, WriteConcern};
use mongodb::{ClientSession, Collection};
use std::time::Duration;
use tokio::time::sleep;

/// Pause before a transaction that met another one is tried again; it doubles each time.
const PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Makes all writes or none. One that meets another transaction is tried again until the caller gives up.
pub(super) async fn run(collection: &Collection<RawDocumentBuf>, writes: &[Write], servers: &str) -> Result<()> {
    let mut session = collection.client().start_session().await.map_err(|error| refusal(servers, &error))?;
    let mut pause = PAUSE;
    loop {
        match attempt(collection, writes, &mut session).await {
            Err(Failure::Mongo(error)) if error.contains_label(TRANSIENT_TRANSACTION_ERROR) => sleep(pause).await,
            Err(Failure::Mongo(error)) => return Err(refusal(servers, &error)),
            Err(refused) => return Err(refused.into_error(servers)),
            Ok(()) => return Ok(()),
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(
    collection: &Collection<RawDocumentBuf>,
    writes: &[Write],
    session: &mut ClientSession,
) -> std::result::Result<(), Failure> {
    session.start_transaction().read_concern(ReadConcern::snapshot()).write_concern(WriteConcern::majority()).await?;
    for write in writes {
        if let Err(failure) = write.make(collection, Some(&mut *session)).await {
            // The server ends what is left of it by itself.
            session.abort_transaction().await.ok();
            return Err(failure);
        }
    }
    commit(session).await.map_err(Failure::Mongo)
}

/// A commit of which nothing is known can be repeated: the server does it once.
async fn commit(session: &mut ClientSession) -> mongodb::error::Result<()> {
    loop {
        match session.commit_transaction().await {
            Err(error) if error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT) && !is_away(&error) => {
                sleep(PAUSE).await;
            }
            done => return done,
        }
    }
}

fn is_away(error: &MongoError) -> bool {
    matches!(*error.kind, ErrorKind::ServerSelection { .. })
}

/// A server that stands alone has no transactions: code 20 of its answer, or the library's own refusal.
fn refusal(servers: &str, error: &MongoError) -> Error {
    let stands_alone = match &*error.kind {
        ErrorKind::Transaction { .. } | ErrorKind::SessionsNotSupported => true,
        ErrorKind::Command(error) => error.code == 20,
        _ => false,
    };
    if stands_alone {
        let message = "using transactions with MongoDB requires connecting to a replica set";
        return Error::new(Kind::Unsupported, format!("{message}; mongodb at {servers} is none"));
    }
    translate(servers, error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mongodb::bson::{deserialize_from_document, doc};

    /// What MongoDB answers where it stands alone.
    #[test]
    fn servers_that_have_no_transactions() {
        let words = "Transaction numbers are only allowed on a replica set member or mongos";
        let answer = doc! {"ok": 0.0, "code": 20, "codeName": "IllegalOperation", "errmsg": words};
        let error = ErrorKind::Command(deserialize_from_document(answer).unwrap()).into();
        let error = refusal("a:1", &error);
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().ends_with("a replica set; mongodb at a:1 is none"), "{error}");
        assert_eq!(refusal("a:1", &ErrorKind::Shutdown.into()).kind(), Kind::Unavailable);
    }
}
