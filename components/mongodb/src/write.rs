//! Writes and removals, each of one document.
use crate::error::{DUPLICATE_KEY, mismatch, translate};
use crate::value::{Stored, stored};
use component_api::state::{Concurrency, DeleteRequest, Etag, Operation, SetRequest, time_to_live};
use component_api::{Error, Result};
use mongodb::bson::{Bson, DateTime, Document, RawArrayBuf, RawDocumentBuf, doc, rawdoc};
use mongodb::error::Error as MongoError;
use mongodb::{ClientSession, Collection};
use uuid::Uuid;

/// A write or removal that is made.
#[derive(Clone, Debug)]
pub(crate) enum Write {
    Set {
        filter: Document,
        value: Stored,
        seconds: Option<u32>,
        /// Whether a document is made where the filter finds none.
        upsert: bool,
    },
    Delete {
        filter: Document,
        must_exist: bool,
    },
}

/// Why a write was not made.
pub(crate) enum Failure {
    Refused(Error),
    Mongo(MongoError),
}

impl Failure {
    pub(crate) fn into_error(self, servers: &str) -> Error {
        match self {
            Self::Refused(error) => error,
            Self::Mongo(error) => translate(servers, &error),
        }
    }
}

impl From<MongoError> for Failure {
    fn from(error: MongoError) -> Self {
        Self::Mongo(error)
    }
}

impl Write {
    /// What a request of a transaction asks for.
    ///
    /// # Errors
    /// A value or time to live that cannot be.
    pub(crate) fn new(operation: Operation) -> Result<Self> {
        match operation {
            Operation::Set(request) => Self::set(request),
            Operation::Delete(request) => Ok(Self::delete(request)),
        }
    }

    /// # Errors
    /// A value or time to live that cannot be.
    pub(crate) fn set(request: SetRequest) -> Result<Self> {
        let (value, seconds) = (stored(&request.value)?, time_to_live(&request.metadata)?);
        let etag = given(request.etag);
        let upsert = etag.is_none();
        let mut filter = doc! {"_id": request.key};
        match etag {
            Some(etag) => drop(filter.insert("_etag", etag)),
            // Only what has expired is replaced; a document that lives makes the new one a duplicate.
            None if request.concurrency == Concurrency::FirstWrite => {
                drop(filter.insert("_ttl", doc! {"$lt": DateTime::now()}));
            }
            None => {}
        }
        Ok(Self::Set { filter, value, seconds, upsert })
    }

    pub(crate) fn delete(request: DeleteRequest) -> Self {
        let etag = given(request.etag);
        let must_exist = etag.is_some();
        let mut filter = doc! {"_id": request.key};
        filter.extend(etag.map(|etag| ("_etag".to_owned(), Bson::String(etag))));
        Self::Delete { filter, must_exist }
    }

    /// Makes it, in a transaction if there is one.
    pub(crate) async fn make(
        &self,
        collection: &Collection<RawDocumentBuf>,
        session: Option<&mut ClientSession>,
    ) -> std::result::Result<(), Failure> {
        let found = match self {
            Self::Delete { filter, .. } => {
                let delete = collection.delete_one(filter.clone());
                match session {
                    Some(session) => delete.session(session).await?,
                    None => delete.await?,
                }
                .deleted_count
            }
            Self::Set { filter, value: Stored::Bson(value), seconds, upsert } => {
                let update = collection.update_one(filter.clone(), steps(value.clone(), *seconds)).upsert(*upsert);
                let done = match session {
                    Some(session) => update.session(session).await?,
                    None => update.await?,
                };
                done.matched_count + u64::from(done.upserted_id.is_some())
            }
            Self::Set { filter, value: Stored::Bytes(bytes), seconds, upsert } => {
                update_with_bytes(collection, session, filter, (bytes, *seconds), *upsert).await?
            }
        };
        let must_find = matches!(self, Self::Set { .. } | Self::Delete { must_exist: true, .. });
        if must_find && found == 0 { Err(Failure::Refused(mismatch())) } else { Ok(()) }
    }
}

/// An empty ETag is none.
fn given(etag: Option<Etag>) -> Option<String> {
    etag.map(|etag| etag.0).filter(|etag| !etag.is_empty())
}

/// The update, in two steps as Dapr's component has them. The server's clock counts, and nothing of a value is a command.
fn steps(value: Bson, seconds: Option<u32>) -> Vec<Document> {
    let ends = seconds.map(|seconds| doc! {"$add": ["$$NOW", i64::from(seconds) * 1000]});
    let etag = Uuid::new_v4().to_string();
    vec![
        doc! {"$set": {"value": {"$literal": value}, "_etag": etag}},
        doc! {"$addFields": {"_ttl": ends.map_or(Bson::Null, Bson::Document)}},
    ]
}

/// The library has no strings that are no UTF-8, so that the command is put together here. Returns how many documents there
/// were or are. It is not tried again after a failure of the network.
async fn update_with_bytes(
    collection: &Collection<RawDocumentBuf>,
    session: Option<&mut ClientSession>,
    filter: &Document,
    (bytes, seconds): (&[u8], Option<u32>),
    upsert: bool,
) -> std::result::Result<u64, Failure> {
    let placeholder = String::from_utf8(vec![b'x'; bytes.len()]).unwrap_or_default();
    let mut update = RawArrayBuf::new();
    for step in steps(Bson::String(placeholder.clone()), seconds) {
        update.push(raw(&step)?);
    }
    let mut updates = RawArrayBuf::new();
    updates.push(rawdoc! {"q": raw(filter)?, "u": update, "upsert": upsert});
    let mut command = rawdoc! {"update": collection.name(), "updates": updates};
    if let (None, Some(concern)) = (&session, collection.write_concern()) {
        let concern = mongodb::bson::serialize_to_raw_document_buf(concern).map_err(unwritable)?;
        command.append(mongodb::bson::raw::cstr!("writeConcern"), concern);
    }
    let command = replaced(command, &placeholder, bytes)?;
    let database = collection.client().database(&collection.namespace().db);
    let run = database.run_raw_command(command);
    let answer = match session {
        Some(session) => run.session(session).await?,
        None => run.await?,
    };
    outcome(&answer)
}

fn raw(document: &Document) -> std::result::Result<RawDocumentBuf, Failure> {
    RawDocumentBuf::try_from(document).map_err(unwritable)
}

fn unwritable(error: mongodb::bson::error::Error) -> Failure {
    Failure::Refused(Error::other("the value cannot be written").with_source(error))
}

/// The command with the value in the place of one that is as long.
fn replaced(command: RawDocumentBuf, placeholder: &str, bytes: &[u8]) -> std::result::Result<RawDocumentBuf, Failure> {
    /// The name of the member that the placeholder is the value of, with its type before and its end after it.
    const NAME: &[u8] = b"\x02$literal\0";
    let mut command = command.into_bytes();
    let length = i32::try_from(placeholder.len() + 1).unwrap_or(i32::MAX).to_le_bytes();
    let member = [NAME, &length, placeholder.as_bytes()].concat();
    let at = command.windows(member.len()).rposition(|window| window == member);
    let start = at.map(|at| at + NAME.len() + length.len());
    let place = start.and_then(|start| command.get_mut(start..start + bytes.len()));
    let lost = || Failure::Refused(Error::other("the value has no place in the command"));
    place.ok_or_else(lost)?.copy_from_slice(bytes);
    RawDocumentBuf::from_bytes(command).map_err(unwritable)
}

/// What the server says of an update that it was sent as it is.
fn outcome(answer: &Document) -> std::result::Result<u64, Failure> {
    let failed = answer.get_array("writeErrors").ok().and_then(|errors| errors.first()?.as_document());
    if let Some(failed) = failed {
        let duplicate = failed.get_i32("code").is_ok_and(|code| code == DUPLICATE_KEY);
        let words = failed.get_str("errmsg").unwrap_or("the write failed");
        return Err(Failure::Refused(if duplicate { mismatch() } else { Error::other(format!("mongodb: {words}")) }));
    }
    if let Ok(failed) = answer.get_document("writeConcernError") {
        let words = failed.get_str("errmsg").unwrap_or("it is not known whether enough servers have the write");
        return Err(Failure::Refused(Error::new(component_api::Kind::Timeout, format!("mongodb: {words}"))));
    }
    let count = answer.get("n").and_then(|count| count.as_i32().map(i64::from).or_else(|| count.as_i64()));
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
}
