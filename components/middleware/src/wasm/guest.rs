//! Guests: instances of one program, each for one request at a time.
use super::exchange::{BUFFER_REQUEST, BUFFER_RESPONSE, Exchange};
use super::{Metadata, host, wasi};
use wasmi::{Config, Engine, Error, Instance, Linker, Module, Store, StoreLimits, StoreLimitsBuilder, TypedFunc};

/// Instructions, roughly, that a guest may take for one call: less than a second.
const FUEL: u64 = 100_000_000;
/// Bytes of memory that a guest may have.
const MEMORY: usize = 64 << 20;
const ENTRIES: [&str; 2] = ["_initialize", "_start"];

/// A program that guests are made from.
pub(super) struct Program {
    engine: Engine,
    module: Module,
    linker: Linker<State>,
    config: Vec<u8>,
    strict: bool,
    reads_body: bool,
}

/// One instance of the program.
pub(super) struct Guest {
    store: Store<State>,
    handle_request: TypedFunc<(), i64>,
    handle_response: TypedFunc<(i32, i32), ()>,
}

/// What the functions of the host work on.
pub(super) struct State {
    pub(super) config: Vec<u8>,
    /// Those that the guest asked for before any request.
    pub(super) features: u32,
    /// Some while there is a request.
    pub(super) exchange: Option<Exchange>,
    pub(super) system: wasi::System,
    limits: StoreLimits,
}

/// What a guest wants: the next handler, and a number that it gets back with the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outcome(u64);

impl Outcome {
    pub(super) fn is_next(self) -> bool {
        self.low() != 0
    }

    #[allow(clippy::cast_possible_truncation)] // The lower half is meant.
    fn low(self) -> u32 {
        self.0 as u32
    }

    #[allow(clippy::cast_possible_truncation)] // The upper half is meant.
    fn context(self) -> i32 {
        ((self.0 >> 32) as u32).cast_signed()
    }
}

impl Program {
    /// # Errors
    /// A module that is malformed, or is no handler.
    pub(super) fn new(module: &[u8], metadata: &Metadata) -> Result<Self, Error> {
        let mut config = Config::default();
        config.consume_fuel(true);
        let engine = Engine::new(&config);
        let module = Module::new(&engine, module)?;
        let mut linker = Linker::new(&engine);
        host::define(&mut linker)?;
        wasi::define(&mut linker)?;
        let reads_body = module.imports().any(|import| import.name() == "read_body");
        let (config, strict) = (metadata.guest_config.clone().into_bytes(), metadata.strict_sandbox);
        Ok(Self { engine, module, linker, config, strict, reads_body })
    }

    /// Whether guests may ask for bodies.
    pub(super) fn reads_body(&self) -> bool {
        self.reads_body
    }

    /// Makes a guest, and lets it prepare itself.
    ///
    /// # Errors
    /// A guest that fails, or lacks what a handler exports.
    pub(super) fn guest(&self) -> Result<Guest, Error> {
        let limits = StoreLimitsBuilder::new().memory_size(MEMORY).build();
        let system = wasi::System::new(self.strict);
        let state = State { config: self.config.clone(), features: 0, exchange: None, system, limits };
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.limits);
        store.set_fuel(FUEL)?;
        let instance = self.linker.instantiate_and_start(&mut store, &self.module)?;
        prepare(&mut store, &instance)?;
        if instance.get_memory(&store, "memory").is_none() {
            return Err(Error::new("it exports no memory"));
        }
        let handle_request = instance.get_typed_func(&store, "handle_request")?;
        let handle_response = instance.get_typed_func(&store, "handle_response")?;
        Ok(Guest { store, handle_request, handle_response })
    }
}

fn prepare(store: &mut Store<State>, instance: &Instance) -> Result<(), Error> {
    for entry in ENTRIES {
        let Ok(entry) = instance.get_typed_func::<(), ()>(&*store, entry) else { continue };
        match entry.call(&mut *store, ()) {
            Err(error) if error.i32_exit_status() != Some(0) => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Guest {
    pub(super) fn features(&self) -> u32 {
        self.store.data().features & (BUFFER_REQUEST | BUFFER_RESPONSE)
    }

    /// Shows a request to the guest.
    pub(super) fn handle_request(&mut self, exchange: Exchange) -> Result<(Outcome, Exchange), Error> {
        let handle = self.handle_request;
        let (outcome, exchange) = self.with(exchange, |store| handle.call(store, ()))?;
        Ok((Outcome(outcome.cast_unsigned()), exchange))
    }

    /// Shows the response to the guest.
    pub(super) fn handle_response(&mut self, outcome: Outcome, exchange: Exchange) -> Result<Exchange, Error> {
        let handle = self.handle_response;
        let ((), exchange) = self.with(exchange, |store| handle.call(store, (outcome.context(), 0)))?;
        Ok(exchange)
    }

    fn with<T>(
        &mut self,
        exchange: Exchange,
        call: impl FnOnce(&mut Store<State>) -> Result<T, Error>,
    ) -> Result<(T, Exchange), Error> {
        self.store.set_fuel(FUEL)?;
        self.store.data_mut().exchange = Some(exchange);
        let called = call(&mut self.store)?;
        let exchange = self.store.data_mut().exchange.take();
        Ok((called, exchange.ok_or_else(|| Error::new("the request is gone"))?))
    }
}
