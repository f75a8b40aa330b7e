//! Who the client of a server is: a name and a password, for which the server gives a token.
use crate::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use wire::etcd::etcdserverpb::AuthenticateRequest;
use wire::etcd::etcdserverpb::auth_client::AuthClient;

/// The name of the token among a request's metadata.
const TOKEN: &str = "token";
/// A server that asks nobody who they are.
const NOT_ENABLED: &str = "etcdserver: authentication is not enabled";
/// What servers say to a request that came without a token, or with one from before a change of their users.
const STALE: [&str; 2] = ["etcdserver: user name is empty", "etcdserver: revision of auth store is old"];
/// Longest exchange.
const PATIENCE: Duration = Duration::from_secs(10);

/// A name and a password, and the token that they have been exchanged for.
#[derive(Default)]
pub(crate) struct Credentials {
    pub(crate) name: String,
    pub(crate) password: String,
    token: Mutex<Option<AsciiMetadataValue>>,
}

impl Credentials {
    pub(crate) fn new(name: String, password: String) -> Self {
        Self { name, password, token: Mutex::default() }
    }

    /// Adds the token to a request.
    pub(crate) async fn sign<T>(&self, request: &mut Request<T>, channel: &Channel) -> Result<(), Error> {
        if self.name.is_empty() {
            return Ok(());
        }
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let token = match known {
            Some(token) => Some(token),
            None => self.authenticate(channel).await?,
        };
        if let Some(token) = token {
            request.metadata_mut().insert(TOKEN, token);
        }
        Ok(())
    }

    /// Whether another try with a new token may succeed.
    pub(crate) fn is_stale(&self, status: &Status) -> bool {
        let is_refused = status.code() == Code::Unauthenticated || STALE.contains(&status.message());
        let is_stale = is_refused && !self.name.is_empty();
        if is_stale {
            *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        is_stale
    }

    /// None: the server asks nobody.
    async fn authenticate(&self, channel: &Channel) -> Result<Option<AsciiMetadataValue>, Error> {
        let request = AuthenticateRequest { name: self.name.clone(), password: self.password.clone() };
        let mut client = AuthClient::new(channel.clone());
        let answered = tokio::time::timeout(PATIENCE, client.authenticate(request)).await;
        let answer = match answered.unwrap_or_else(|_| Err(Status::deadline_exceeded("etcd does not answer"))) {
            Ok(answer) => answer.into_inner(),
            Err(status) if status.message() == NOT_ENABLED => return Ok(None),
            Err(status) => return Err(status.into()),
        };
        let unusable = |_| Error::Remote { code: Code::Internal, message: "the token cannot be used".to_owned() };
        let mut token = AsciiMetadataValue::try_from(answer.token).map_err(unusable)?;
        token.set_sensitive(true);
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(Some(token))
    }
}
