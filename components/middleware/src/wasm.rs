//! `middleware.http.wasm`: a guest in WebAssembly sees and changes requests and responses.
//!
//! Guests speak the http-wasm handler ABI (<https://http-wasm.io/http-handler-abi/>), as those of Dapr do. They are
//! interpreted, within limits of memory and of instructions, and get nothing of the system but a clock and random numbers.
mod exchange;
mod guest;
mod host;
mod source;
mod wasi;

use crate::descriptor::descriptor;
use crate::response::refusal;
use async_trait::async_trait;
use component_api::middleware::{Http, Next, Request, Response};
use component_api::{Error, Registry, Result, Status};
use exchange::Exchange;
use guest::{Guest, Program};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::{Arc, Mutex, PoisonError};

const SCOPE: &str = "dapr.middleware.wasm";
/// Guests that wait for the next request.
const IDLE: usize = 16;

/// Metadata of `middleware.http.wasm`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// Where the guest is: `file://` and a path, `http://` or `https://`.
    pub url: String,
    /// A text for the guest.
    pub guest_config: String,
    /// Gives the guest a clock that only counts, and the same random numbers each time.
    pub strict_sandbox: bool,
}

/// Makes the component known.
pub(crate) fn register(registry: &mut Registry) {
    let summary = "A guest in WebAssembly (http-wasm) sees and changes requests and responses.";
    registry.middleware.add(descriptor::<Metadata>(&["http.wasm"], Status::Alpha, summary), async |config| {
        Ok(Arc::new(Wasm::new(&config.properties.decode()?).await?) as Arc<dyn Http>)
    });
}

struct Wasm {
    program: Program,
    idle: Mutex<Vec<Guest>>,
}

impl Wasm {
    /// The first guest is made at once, so that one that cannot run is an error of the component.
    async fn new(metadata: &Metadata) -> Result<Self> {
        let module = source::load(&metadata.url).await?;
        let wrong = |error: wasmi::Error| Error::invalid(format!("wasm: the guest cannot run: {error}"));
        let program = Program::new(&module, metadata).map_err(wrong)?;
        let first = program.guest().map_err(wrong)?;
        Ok(Self { program, idle: Mutex::new(vec![first]) })
    }

    fn take(&self) -> std::result::Result<Guest, wasmi::Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| self.program.guest(), Ok)
    }

    /// Only guests that did not fail come back.
    fn give_back(&self, guest: Guest) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(guest);
        }
    }

    async fn pass(&self, request: Request, next: Next<'_>) -> std::result::Result<Response, String> {
        let mut guest = self.take().map_err(|error| error.to_string())?;
        let exchange = Exchange::begin(request, guest.features(), self.program.reads_body()).await?;
        let (outcome, mut exchange) = guest.handle_request(exchange).map_err(|error| error.to_string())?;
        if !outcome.is_next() {
            self.give_back(guest);
            return Ok(exchange.response());
        }
        let response = next.run(exchange.take_request()).await;
        exchange.answered(response).await?;
        let exchange = guest.handle_response(outcome, exchange).map_err(|error| error.to_string())?;
        self.give_back(guest);
        Ok(exchange.response())
    }
}

#[async_trait]
impl Http for Wasm {
    async fn handle(&self, request: Request, next: Next<'_>) -> Response {
        self.pass(request, next).await.unwrap_or_else(|reason| {
            tracing::error!(target: SCOPE, "the guest failed: {reason}");
            refusal(StatusCode::INTERNAL_SERVER_ERROR)
        })
    }
}
