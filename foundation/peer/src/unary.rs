//! Calls between sidecars that are one protobuf message each way, such as those of actors (protocols.md 2.6).
use crate::Error;
use crate::peers::Peers;
use crate::target::Target;
use axum::body::Body;
use foundation_grpc::{Once, framed, headers, read_answer};
use http::HeaderMap;
use prost::Message;
use tonic::Status;

impl Peers {
    /// Calls a method of the service between sidecars at an address that is known. `path` is the method's, `transport` are
    /// headers of the call itself, such as its trace.
    ///
    /// # Errors
    /// [`Error`]; [`Error::is_stale`] tells whether another try goes to a fresh connection.
    pub async fn call_message<Q: Message, A: Message + Default>(
        &self,
        address: &str,
        target: &Target,
        path: &str,
        message: &Q,
        transport: &HeaderMap,
    ) -> Result<A, Error> {
        let length = message.encoded_len();
        let limit = self.max_message_size();
        if length > limit {
            let text = format!("trying to send message larger than max ({length} vs. {limit})");
            return Err(Status::resource_exhausted(text).into());
        }
        let body = Body::new(Once::new(framed(message)));
        let response = self.send_to(address, target, (path, headers(transport.clone()), body)).await?;
        Ok(read_answer(response, limit).await?.message)
    }
}
