//! A client of servers of etcd's API.
use crate::Error;
use crate::authentication::Credentials;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};
use wire::etcd::etcdserverpb::kv_client::KvClient;
use wire::etcd::etcdserverpb::lease_client::LeaseClient;
use wire::etcd::etcdserverpb::watch_client::WatchClient;
use wire::etcd::etcdserverpb::watch_request::RequestUnion;
use wire::etcd::etcdserverpb::{
    LeaseGrantRequest, LeaseKeepAliveRequest, LeaseRevokeRequest, RangeRequest, RangeResponse, TxnRequest, TxnResponse,
    WatchCreateRequest, WatchRequest, WatchResponse,
};

/// Longest call, and longest wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECTING: Duration = Duration::from_secs(3);
/// Metadata of a request for [`crate::Store::page`]; others pass over it.
pub(crate) const PAGE: &str = "trilby-page";
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the servers are, and who their client is.
#[derive(Clone)]
pub struct RemoteSettings {
    /// `host:port`, perhaps with `http://` in front.
    pub endpoints: Vec<String>,
    /// Empty when servers ask for none.
    pub username: String,
    pub password: String,
}

/// Talks to one of several servers, and to the next one when it is gone. Clones share the connections.
#[derive(Clone)]
pub struct Remote {
    servers: Arc<Vec<Channel>>,
    current: Arc<AtomicUsize>,
    credentials: Arc<Credentials>,
}

type Answer<T> = Pin<Box<dyn Future<Output = Result<Response<T>, Status>> + Send>>;

impl Remote {
    /// Connects when the first call needs it.
    ///
    /// # Errors
    /// An endpoint that is none, or none at all.
    pub fn new(settings: RemoteSettings) -> Result<Self, Error> {
        if settings.endpoints.is_empty() {
            let message = "there is no etcd endpoint; check --etcd-client-endpoints".to_owned();
            return Err(Error::Remote { code: Code::InvalidArgument, message });
        }
        let servers = settings.endpoints.iter().map(|endpoint| connect(endpoint)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            servers: Arc::new(servers),
            current: Arc::default(),
            credentials: Arc::new(Credentials::new(settings.username, settings.password)),
        })
    }

    pub(crate) async fn range(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        self.read(request, false).await
    }

    /// A store of ours counts nothing then, and bounds the bytes.
    pub(crate) async fn page(&self, request: RangeRequest) -> Result<RangeResponse, Error> {
        self.read(request, true).await
    }

    async fn read(&self, request: RangeRequest, is_page: bool) -> Result<RangeResponse, Error> {
        let call = |channel, mut request: Request<RangeRequest>| -> Answer<RangeResponse> {
            if is_page {
                request.metadata_mut().insert(PAGE, MetadataValue::from_static("true"));
            }
            let mut client = KvClient::new(channel).max_decoding_message_size(usize::MAX);
            Box::pin(async move { client.range(request).await })
        };
        // Reading again does no harm.
        let mut tries = self.servers.len();
        loop {
            match self.call(request.clone(), call).await {
                Err(error) if error.is_temporary() && tries > 1 => tries -= 1,
                answer => return Ok(answer?.into_inner()),
            }
        }
    }

    pub(crate) async fn txn(&self, request: TxnRequest) -> Result<TxnResponse, Error> {
        let call = |channel, request| -> Answer<TxnResponse> {
            let mut client = KvClient::new(channel).max_decoding_message_size(usize::MAX);
            Box::pin(async move { client.txn(request).await })
        };
        Ok(self.call(request, call).await?.into_inner())
    }

    pub(crate) async fn lease_grant(&self, seconds: i64) -> Result<i64, Error> {
        let request = LeaseGrantRequest { ttl: seconds, id: 0 };
        let call = |channel, request| -> Answer<_> {
            Box::pin(async move { LeaseClient::new(channel).lease_grant(request).await })
        };
        Ok(self.call(request, call).await?.into_inner().id)
    }

    pub(crate) async fn lease_revoke(&self, id: i64) -> Result<(), Error> {
        let call = |channel, request| -> Answer<_> {
            Box::pin(async move { LeaseClient::new(channel).lease_revoke(request).await })
        };
        self.call(LeaseRevokeRequest { id }, call).await.map(drop)
    }

    /// Renews a lease once. None: it is gone.
    pub(crate) async fn lease_renew(&self, id: i64) -> Result<Option<i64>, Error> {
        let call = |channel, request: Request<LeaseKeepAliveRequest>| -> Answer<_> {
            let request = request.map(tokio_stream::once);
            Box::pin(async move { LeaseClient::new(channel).lease_keep_alive(request).await })
        };
        let renew = async {
            let mut answers = self.call(LeaseKeepAliveRequest { id }, call).await?.into_inner();
            Ok::<_, Error>(answers.message().await?)
        };
        let answer = tokio::time::timeout(PATIENCE, renew).await.map_err(|_| late())??;
        Ok(answer.map(|answer| answer.ttl).filter(|seconds| *seconds > 0))
    }

    /// Watches keys; the first answer says that the watch has begun.
    pub(crate) async fn watch(&self, create: WatchCreateRequest) -> Result<RemoteWatch, Error> {
        let (requests, received) = mpsc::channel(1);
        let union = Some(RequestUnion::CreateRequest(create));
        requests.try_send(WatchRequest { request_union: union }).ok();
        let channel = self.channel();
        let mut request = Request::new(ReceiverStream::new(received));
        self.credentials.sign(&mut request, &channel).await?;
        let mut client = WatchClient::new(channel).max_decoding_message_size(usize::MAX);
        let answers = tokio::time::timeout(PATIENCE, client.watch(request)).await.map_err(|_| late())?;
        let answers = answers.map_err(|status| self.failed(status))?.into_inner();
        Ok(RemoteWatch { answers, _requests: requests })
    }

    /// Carries out one call within its time, with a new token if the old one is refused.
    async fn call<Q, A>(
        &self,
        message: Q,
        call: impl Fn(Channel, Request<Q>) -> Answer<A>,
    ) -> Result<Response<A>, Error>
    where
        Q: Clone,
    {
        let mut fresh = false;
        loop {
            let channel = self.channel();
            let mut request = Request::new(message.clone());
            self.credentials.sign(&mut request, &channel).await?;
            let answer = tokio::time::timeout(PATIENCE, call(channel, request)).await;
            match answer.unwrap_or_else(|_| Err(Status::deadline_exceeded("etcd does not answer"))) {
                Err(status) if !fresh && self.credentials.is_stale(&status) => fresh = true,
                answer => return answer.map_err(|status| self.failed(status)),
            }
        }
    }

    fn channel(&self) -> Channel {
        self.servers[self.current.load(Ordering::Relaxed) % self.servers.len()].clone()
    }

    /// The next call goes to another server when this one cannot be used.
    fn failed(&self, status: Status) -> Error {
        if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Unknown) {
            self.current.fetch_add(1, Ordering::Relaxed);
        }
        status.into()
    }
}

/// What a watch of a server sees. It ends when it is dropped.
pub(crate) struct RemoteWatch {
    answers: Streaming<WatchResponse>,
    _requests: mpsc::Sender<WatchRequest>,
}

impl RemoteWatch {
    pub(crate) async fn next(&mut self) -> Result<WatchResponse, Error> {
        let ended = || Error::Remote { code: Code::Unavailable, message: "etcd has ended the watch".to_owned() };
        self.answers.message().await?.ok_or_else(ended)
    }
}

fn connect(endpoint: &str) -> Result<Channel, Error> {
    let address = if endpoint.contains("://") { endpoint.to_owned() } else { format!("http://{endpoint}") };
    let wrong = |error: tonic::transport::Error| Error::Remote {
        code: Code::InvalidArgument,
        message: format!("the etcd endpoint {endpoint} is no address: {error}"),
    };
    let endpoint = Endpoint::from_shared(address).map_err(wrong)?.connect_timeout(CONNECTING);
    let endpoint = endpoint.http2_keep_alive_interval(KEEPALIVE).keep_alive_timeout(KEEPALIVE_TIMEOUT);
    Ok(endpoint.keep_alive_while_idle(true).connect_lazy())
}

fn late() -> Error {
    Error::Remote { code: Code::DeadlineExceeded, message: "etcd does not answer".to_owned() }
}
