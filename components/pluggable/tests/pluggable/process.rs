//! The process of a component, played by a server of the test.
use bytes::Bytes;
use component_api::{Registry, Task};
use prost::Message;
use prost_types::Any;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_stream::wrappers::{UnboundedReceiverStream, UnixListenerStream};
use tonic::{Code, Request, Response, Status, Streaming, async_trait};
use wire::components::v1::*;
use wire::google::rpc;

type Reply<T> = Result<Response<T>, Status>;
type Listeners<T> = Arc<Mutex<Vec<UnboundedSender<Result<T, Status>>>>>;
type Items<T> = UnboundedReceiverStream<Result<T, Status>>;

pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.unwrap()
}

/// A process with one socket, `own.sock`.
pub(crate) struct Process {
    folder: TempDir,
    _server: Task,
    /// Ids of messages, and whether they were refused.
    pub(crate) acks: UnboundedReceiver<(String, bool)>,
    /// Answers to events.
    pub(crate) answers: UnboundedReceiver<Result<String, String>>,
}

/// What the process knows. Messages and events come back to whoever listens.
#[derive(Clone)]
struct Served {
    properties: Arc<Mutex<HashMap<String, String>>>,
    entries: Arc<Mutex<HashMap<String, Bytes>>>,
    messages: Listeners<PullMessagesResponse>,
    events: Listeners<ReadResponse>,
    acks: UnboundedSender<(String, bool)>,
    answers: UnboundedSender<Result<String, String>>,
}

impl Process {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("own.sock")).unwrap();
        let (ack_sender, acks) = mpsc::unbounded_channel();
        let (answer_sender, answers) = mpsc::unbounded_channel();
        let (properties, entries, messages, events) = Default::default();
        let served = Served { properties, entries, messages, events, acks: ack_sender, answers: answer_sender };
        let _server = Task::spawn(|stopping| serve(served, listener, stopping));
        Self { folder, _server, acks, answers }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn registry(&self) -> Registry {
        let mut registry = Registry::default();
        component_pluggable::discover(self.folder(), &mut registry).await;
        registry
    }
}

async fn serve(served: Served, listener: UnixListener, stopping: tokio_util::sync::CancellationToken) {
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(wire::FILE_DESCRIPTOR_SET)
        .with_service_name("dapr.proto.components.v1.StateStore")
        .with_service_name("dapr.proto.components.v1.TransactionalStoreMultiMaxSize")
        .with_service_name("dapr.proto.components.v1.SecretStore")
        .with_service_name("dapr.proto.components.v1.PubSub")
        .with_service_name("dapr.proto.components.v1.InputBinding")
        .with_service_name("dapr.proto.components.v1.OutputBinding")
        .build_v1alpha()
        .unwrap();
    let server = tonic::transport::Server::builder()
        .add_service(reflection)
        .add_service(state_store_server::StateStoreServer::new(served.clone()))
        .add_service(transactional_store_multi_max_size_server::TransactionalStoreMultiMaxSizeServer::new(
            served.clone(),
        ))
        .add_service(secret_store_server::SecretStoreServer::new(served.clone()))
        .add_service(pub_sub_server::PubSubServer::new(served.clone()))
        .add_service(input_binding_server::InputBindingServer::new(served.clone()))
        .add_service(output_binding_server::OutputBindingServer::new(served));
    stopping.run_until_cancelled(server.serve_with_incoming(UnixListenerStream::new(listener))).await;
}

impl Served {
    fn init<T>(&self, request: &Request<T>, metadata: Option<MetadataRequest>) {
        let mut properties = metadata.unwrap_or_default().properties;
        let instance = request.metadata().get("x-component-instance").unwrap().to_str().unwrap();
        properties.insert("instance".to_owned(), instance.to_owned());
        *self.properties.lock().unwrap() = properties;
    }

    fn found(&self, key: &str) -> (Bytes, Option<Etag>) {
        let data = self.entries.lock().unwrap().get(key).cloned();
        let etag = data.as_ref().map(|_| Etag { value: "1".to_owned() });
        (data.unwrap_or_default(), etag)
    }

    fn write(&self, item: SetRequest) {
        self.entries.lock().unwrap().insert(item.key, item.value);
    }
}

fn done<T: Default>() -> Reply<T> {
    Ok(Response::new(T::default()))
}

#[async_trait]
impl secret_store_server::SecretStore for Served {
    async fn init(&self, request: Request<SecretStoreInitRequest>) -> Reply<SecretStoreInitResponse> {
        self.init(&request, request.get_ref().metadata.clone());
        done()
    }

    async fn features(&self, _: Request<FeaturesRequest>) -> Reply<FeaturesResponse> {
        Ok(Response::new(FeaturesResponse { features: vec!["MULTIPLE_KEY_VALUES_PER_SECRET".to_owned()] }))
    }

    async fn get(&self, request: Request<GetSecretRequest>) -> Reply<GetSecretResponse> {
        if request.get_ref().key == "none" {
            return Err(Status::not_found("no secret"));
        }
        Ok(Response::new(GetSecretResponse { data: self.properties.lock().unwrap().clone() }))
    }

    async fn bulk_get(&self, _: Request<BulkGetSecretRequest>) -> Reply<BulkGetSecretResponse> {
        let secrets = self.properties.lock().unwrap().clone();
        Ok(Response::new(BulkGetSecretResponse { data: [("key".to_owned(), SecretResponse { secrets })].into() }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Reply<PingResponse> {
        done()
    }
}

#[async_trait]
impl state_store_server::StateStore for Served {
    async fn init(&self, request: Request<InitRequest>) -> Reply<InitResponse> {
        self.init(&request, request.get_ref().metadata.clone());
        done()
    }

    async fn features(&self, _: Request<FeaturesRequest>) -> Reply<FeaturesResponse> {
        Ok(Response::new(FeaturesResponse { features: ["ETAG", "TRANSACTIONAL"].map(str::to_owned).into() }))
    }

    async fn delete(&self, _: Request<DeleteRequest>) -> Reply<DeleteResponse> {
        let description = "it is another one".to_owned();
        let violation = rpc::bad_request::FieldViolation { field: "etag".to_owned(), description };
        let request = rpc::BadRequest { field_violations: vec![violation] };
        let type_url = "type.googleapis.com/google.rpc.BadRequest".to_owned();
        let details = vec![Any { type_url, value: request.encode_to_vec() }];
        let whole = rpc::Status { code: Code::FailedPrecondition as i32, message: String::new(), details };
        Err(Status::with_details(Code::FailedPrecondition, "", whole.encode_to_vec().into()))
    }

    async fn get(&self, request: Request<GetRequest>) -> Reply<GetResponse> {
        let (data, etag) = self.found(&request.get_ref().key);
        Ok(Response::new(GetResponse { data, etag, ..Default::default() }))
    }

    async fn set(&self, request: Request<SetRequest>) -> Reply<SetResponse> {
        self.write(request.into_inner());
        done()
    }

    async fn ping(&self, _: Request<PingRequest>) -> Reply<PingResponse> {
        done()
    }

    async fn bulk_delete(&self, _: Request<BulkDeleteRequest>) -> Reply<BulkDeleteResponse> {
        done()
    }

    /// In another order than asked for.
    async fn bulk_get(&self, request: Request<BulkGetRequest>) -> Reply<BulkGetResponse> {
        let item = |request: GetRequest| {
            let (data, etag) = self.found(&request.key);
            BulkStateItem { key: request.key, data, etag, ..Default::default() }
        };
        let items = request.into_inner().items.into_iter().rev().map(item).collect();
        Ok(Response::new(BulkGetResponse { items }))
    }

    async fn bulk_set(&self, request: Request<BulkSetRequest>) -> Reply<BulkSetResponse> {
        request.into_inner().items.into_iter().for_each(|item| self.write(item));
        done()
    }
}

#[async_trait]
impl transactional_store_multi_max_size_server::TransactionalStoreMultiMaxSize for Served {
    async fn multi_max_size(&self, _: Request<MultiMaxSizeRequest>) -> Reply<MultiMaxSizeResponse> {
        Ok(Response::new(MultiMaxSizeResponse { max_size: 7 }))
    }
}

#[async_trait]
impl pub_sub_server::PubSub for Served {
    type PullMessagesStream = Items<PullMessagesResponse>;

    async fn init(&self, request: Request<PubSubInitRequest>) -> Reply<PubSubInitResponse> {
        assert_eq!(request.get_ref().metadata.as_ref().unwrap().properties["consumerID"], "app");
        done()
    }

    async fn features(&self, _: Request<FeaturesRequest>) -> Reply<FeaturesResponse> {
        done()
    }

    /// Waits for a subscription.
    async fn publish(&self, request: Request<PublishRequest>) -> Reply<PublishResponse> {
        let PublishRequest { data, topic, .. } = request.into_inner();
        while self.messages.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let id = String::from_utf8(data.to_vec()).unwrap();
        let message = PullMessagesResponse { data, topic_name: topic, id, ..Default::default() };
        self.messages.lock().unwrap().iter().for_each(|sender| drop(sender.send(Ok(message.clone()))));
        done()
    }

    async fn bulk_publish(&self, _: Request<BulkPublishRequest>) -> Reply<BulkPublishResponse> {
        done()
    }

    async fn pull_messages(&self, request: Request<Streaming<PullMessagesRequest>>) -> Reply<Self::PullMessagesStream> {
        let mut requests = request.into_inner();
        let topic = requests.message().await?.unwrap().topic.unwrap();
        assert_eq!(topic.name, "topic");
        let (sender, messages) = mpsc::unbounded_channel();
        self.messages.lock().unwrap().push(sender);
        self.note(requests, |served, request: PullMessagesRequest| {
            served.acks.send((request.ack_message_id, request.ack_error.is_some())).ok();
        });
        Ok(Response::new(UnboundedReceiverStream::new(messages)))
    }

    async fn pause(&self, _: Request<PauseRequest>) -> Reply<PauseResponse> {
        done()
    }

    async fn resume(&self, _: Request<ResumeRequest>) -> Reply<ResumeResponse> {
        Err(Status::unimplemented("no"))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Reply<PingResponse> {
        done()
    }
}

impl Served {
    /// Notes what comes on a stream, and ends its other direction with it.
    #[allow(clippy::disallowed_methods)] // It ends with its stream, which ends with the server.
    fn note<T: Send + 'static>(&self, mut requests: Streaming<T>, note: fn(&Self, T)) {
        let served = self.clone();
        tokio::spawn(async move {
            while let Ok(Some(request)) = requests.message().await {
                note(&served, request);
            }
            served.messages.lock().unwrap().clear();
            served.events.lock().unwrap().clear();
        });
    }
}

#[async_trait]
impl input_binding_server::InputBinding for Served {
    type ReadStream = Items<ReadResponse>;

    async fn init(&self, _: Request<InputBindingInitRequest>) -> Reply<InputBindingInitResponse> {
        done()
    }

    async fn read(&self, request: Request<Streaming<ReadRequest>>) -> Reply<Self::ReadStream> {
        let (sender, events) = mpsc::unbounded_channel();
        self.events.lock().unwrap().push(sender);
        self.note(request.into_inner(), |served, request: ReadRequest| {
            let text = String::from_utf8(request.response_data.to_vec()).unwrap();
            let answer = request.response_error.map_or(Ok(text), |error| Err(error.message));
            served.answers.send(answer).ok();
        });
        Ok(Response::new(UnboundedReceiverStream::new(events)))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Reply<PingResponse> {
        done()
    }
}

#[async_trait]
impl output_binding_server::OutputBinding for Served {
    async fn init(&self, _: Request<OutputBindingInitRequest>) -> Reply<OutputBindingInitResponse> {
        done()
    }

    /// Comes back as an event; waits for a reader.
    async fn invoke(&self, request: Request<InvokeRequest>) -> Reply<InvokeResponse> {
        let InvokeRequest { data, operation, .. } = request.into_inner();
        while self.events.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let event = ReadResponse { data: data.clone(), ..Default::default() };
        self.events.lock().unwrap().iter().for_each(|sender| drop(sender.send(Ok(event.clone()))));
        Ok(Response::new(InvokeResponse {
            data,
            metadata: [("done".to_owned(), operation)].into(),
            ..Default::default()
        }))
    }

    async fn list_operations(&self, _: Request<ListOperationsRequest>) -> Reply<ListOperationsResponse> {
        Ok(Response::new(ListOperationsResponse { operations: vec!["send".to_owned()] }))
    }

    async fn ping(&self, _: Request<PingRequest>) -> Reply<PingResponse> {
        done()
    }
}
