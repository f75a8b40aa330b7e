//! Connections to the process of a component.
use component_api::Properties;
use hyper_util::rt::TokioIo;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::UnixStream;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};
use tower::service_fn;
use wire::components::v1::MetadataRequest;

/// Tells a process apart which of several components of its type a call is for.
const INSTANCE: &str = "x-component-instance";
/// Largest message of a component in bytes, which is more than Dapr takes.
pub(crate) const MOST: usize = 64 << 20;

/// A connection for one component; it is dialled when needed, and again when it was lost.
pub(crate) type Connection = InterceptedService<Channel, Instance>;

/// Where a process listens.
#[derive(Clone, Debug)]
pub(crate) struct Socket(Arc<PathBuf>);

impl Socket {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self(Arc::new(path))
    }

    /// A connection of a component of that name.
    pub(crate) fn connection(&self, name: &str) -> Connection {
        InterceptedService::new(self.channel(), Instance(AsciiMetadataValue::try_from(name).ok()))
    }

    /// A connection of nobody in particular.
    pub(crate) fn channel(&self) -> Channel {
        let path = Arc::clone(&self.0);
        let dial = service_fn(move |_| {
            let path = Arc::clone(&path);
            async move { UnixStream::connect(&*path).await.map(TokioIo::new) }
        });
        // The address is for the head of requests alone.
        Endpoint::from_static("http://localhost").connect_with_connector_lazy(dial)
    }
}

/// Adds the name of the component to every call.
#[derive(Clone, Debug)]
pub(crate) struct Instance(Option<AsciiMetadataValue>);

impl Interceptor for Instance {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(name) = &self.0 {
            request.metadata_mut().insert(INSTANCE, name.clone());
        }
        Ok(request)
    }
}

/// The metadata of a component as its process gets it.
pub(crate) fn metadata(properties: &Properties) -> Option<MetadataRequest> {
    let properties = properties.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(MetadataRequest { properties })
}
