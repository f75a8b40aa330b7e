//! Bindings in other processes.
use crate::connection::{Connection, MOST, Socket, metadata};
use crate::discovery::Services;
use crate::error::error;
use crate::stream::{keep_open, say_farewell};
use async_trait::async_trait;
use component_api::binding::{Binding, Event, Handle, Request, Response};
use component_api::pubsub::Subscription;
use component_api::{Config, Error, Properties, Registry, Result, Task};
use futures_util::stream::{FuturesUnordered, StreamExt};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};
use wire::components::v1::input_binding_client::InputBindingClient;
use wire::components::v1::output_binding_client::OutputBindingClient;
use wire::components::v1::{
    AckResponseError, InputBindingInitRequest, InvokeRequest, ListOperationsRequest, OutputBindingInitRequest,
    ReadRequest, ReadResponse,
};

/// Events that may be in work; the process waits with further ones.
const MOST_IN_WORK: usize = 1000;

pub(crate) fn register(name: &str, socket: &Socket, services: &Services, registry: &mut Registry) {
    let (socket, services) = (socket.clone(), services.clone());
    registry.binding.add_found(name, move |config| start(socket.clone(), services.clone(), config));
}

async fn start(socket: Socket, services: Services, config: Config) -> Result<Arc<dyn Binding>> {
    let connection = socket.connection(&config.name);
    let is_wanted = |direction, service| services.has(service) && goes(&config.properties, direction);
    let input = is_wanted("input", "InputBinding").then(|| InputBindingClient::new(connection.clone()));
    let output = is_wanted("output", "OutputBinding").then(|| OutputBindingClient::new(connection));
    let mut binding = PluggableBinding { input, output, operations: Vec::new() };
    binding.init(&config.properties).await.map_err(|status| error(&status))?;
    Ok(Arc::new(binding))
}

/// Whether the metadata wants that direction; without `direction` both are.
fn goes(properties: &Properties, direction: &str) -> bool {
    let wanted = properties.get("direction");
    wanted.is_none_or(|wanted| wanted.split(',').any(|wanted| wanted.trim().eq_ignore_ascii_case(direction)))
}

struct PluggableBinding {
    input: Option<InputBindingClient<Connection>>,
    output: Option<OutputBindingClient<Connection>>,
    operations: Vec<String>,
}

impl PluggableBinding {
    async fn init(&mut self, properties: &Properties) -> std::result::Result<(), Status> {
        if let Some(input) = &mut self.input {
            input.init(InputBindingInitRequest { metadata: metadata(properties) }).await?;
        }
        if let Some(output) = &mut self.output {
            output.init(OutputBindingInitRequest { metadata: metadata(properties) }).await?;
            self.operations = output.list_operations(ListOperationsRequest {}).await?.into_inner().operations;
        }
        Ok(())
    }
}

#[async_trait]
impl Binding for PluggableBinding {
    fn is_input(&self) -> bool {
        self.input.is_some()
    }

    fn operations(&self) -> Vec<String> {
        self.operations.clone()
    }

    async fn read(&self, handle: Arc<dyn Handle>) -> Result<Subscription> {
        let client = self.input.clone().ok_or_else(|| Error::unsupported("this binding has no input"))?;
        let client = client.max_decoding_message_size(MOST);
        Ok(Subscription::new(Task::spawn(|stopping| async move {
            keep_open("a binding", &stopping, || read(client.clone(), &*handle, &stopping)).await;
        })))
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        let client = self.output.clone().ok_or_else(|| Error::unsupported("this binding has no output"))?;
        let Request { operation, data, metadata } = request;
        let request = InvokeRequest { data, metadata: metadata.into_iter().collect(), operation };
        let answer = client.max_decoding_message_size(MOST).invoke(request).await.map_err(|status| error(&status))?;
        let answer = answer.into_inner();
        Ok(Response { data: Some(answer.data), metadata: answer.metadata.into_iter().collect(), failure: None })
    }
}

/// Hands on the events of one stream until it ends. Returns whether there were any.
async fn read(
    mut client: InputBindingClient<Connection>,
    handle: &dyn Handle,
    stopping: &CancellationToken,
) -> std::result::Result<bool, Status> {
    let (answers, requests) = mpsc::channel(1);
    // The answer begins with the first event.
    let opened = stopping.run_until_cancelled(client.read(ReceiverStream::new(requests))).await;
    let Some(opened) = opened else { return Ok(false) };
    let mut events = opened?.into_inner();
    let had_events = hand_on(&mut events, handle, &answers, stopping).await?;
    drop(answers);
    say_farewell(events).await;
    Ok(had_events)
}

async fn hand_on(
    events: &mut Streaming<ReadResponse>,
    handle: &dyn Handle,
    answers: &mpsc::Sender<ReadRequest>,
    stopping: &CancellationToken,
) -> std::result::Result<bool, Status> {
    let mut in_work = FuturesUnordered::new();
    let mut had_events = false;
    let ended = loop {
        tokio::select! {
            biased;
            () = stopping.cancelled() => break Ok(()),
            Some(answer) = in_work.next() => drop(answers.send(answer).await),
            next = events.message(), if in_work.len() < MOST_IN_WORK => match next {
                Ok(Some(event)) => {
                    had_events = true;
                    in_work.push(answered(handle, event));
                }
                Ok(None) => break Ok(()),
                Err(status) => break Err(status),
            },
        }
    };
    while let Some(answer) = in_work.next().await {
        answers.send(answer).await.ok();
    }
    ended.map(|()| had_events)
}

async fn answered(handle: &dyn Handle, event: ReadResponse) -> ReadRequest {
    let ReadResponse { data, metadata, message_id, .. } = event;
    match handle.handle(Event { data, metadata: metadata.into_iter().collect() }).await {
        Ok(response_data) => ReadRequest { response_data, message_id, response_error: None },
        Err(error) => {
            let response_error = Some(AckResponseError { message: error.to_string() });
            ReadRequest { message_id, response_error, ..ReadRequest::default() }
        }
    }
}
