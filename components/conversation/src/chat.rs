//! The chat completions API of OpenAI, which many others speak too: one client for all of them.
mod request;
mod response;
mod schema;

pub(crate) use schema::closed;

use crate::remote::{Language, Remote};
use bytes::Bytes;
use component_api::Result;
use component_api::conversation::{Request, Response};

/// A model behind such an API.
pub(crate) type ChatModel = Remote<Chat>;

/// The API as the model of that name understands it.
#[derive(Debug)]
pub(crate) struct Chat {
    pub(crate) model: String,
    pub(crate) dialect: Dialect,
}

/// How an API differs from OpenAI's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// It refuses metadata.
    pub(crate) no_metadata: bool,
}

impl Language for Chat {
    fn encode(&self, request: &Request) -> Result<Bytes> {
        request::encode(&self.model, self.dialect, request)
    }

    fn decode(&self, _: &Request, answer: &[u8]) -> Result<Response> {
        response::decode(&self.model, answer)
    }
}
