//! Everything put together: one sidecar from its options, read from top to bottom.
use crate::api::access::Access;
use crate::api::cors::Cors;
use crate::api::http::{Settings, Token};
use crate::api::{self, Observer, grpc};
use crate::components::{Components, Values};
use crate::declared;
use crate::facts::Sources;
use crate::naming::{self, Found};
use crate::options::{DAPR_VERSION, Mode, Options};
use crate::outbox::Pubsub;
use crate::reload::{self, Followers, Reloader};
use crate::resources::{self, Current};
use crate::running::{Drains, Sidecar, Targets};
use crate::scheduler::Receivers;
use crate::stopping::{ByApi, Ending};
use crate::{actors, address, advice, app, bindings, identity, pipelines, scheduler, servers, telemetry};
use anyhow::{Context, bail};
use axum::Router;
use block_host::absent;
use block_host::{About, Health};
use component_api::Registry;
use foundation_endpoint::Endpoints;
use foundation_peer::{Own, Peers};
use foundation_process::listen;
use foundation_resiliency::{Policies, Resiliency};
use std::sync::Arc;

/// The feature that switches on cryptography with single keys; Dapr's builds that have it list it under this name.
const SUBTLE_CRYPTO: &str = "_SubtleCrypto";

/// Puts a sidecar together; its servers listen when this returns. `ending` tells when a part of it asks for its end.
///
/// # Errors
/// What makes a start impossible: a configuration that cannot be read, a component that fails, a port that is taken.
pub(crate) async fn assemble(options: &Options, ending: &Ending) -> anyhow::Result<Sidecar> {
    if options.mode == Mode::Kubernetes {
        bail!("Kubernetes mode is not in this build yet; use --mode standalone");
    }
    let environment = &options.environment;
    let (app_id, namespace) = (options.app_id.clone(), environment.namespace().to_owned());
    let drains = Drains::default();

    // What is configured.
    let configuration = resources::configuration(options).await.context("error loading configuration")?;
    let features = configuration.enabled_features();
    tracing::info!(target: "dapr.runtime", "Enabled features: {}", features.join(" "));
    let current = Current::first(options).await?;
    let resources = &current.get().resources;

    // Who this sidecar is: nobody can reach it before that is known.
    let metrics = telemetry::metrics(options, &configuration)?;
    for doubt in advice::of(&configuration, options.mtls.is_some(), !options.app.protocol.is_grpc()) {
        tracing::warn!(target: "dapr.runtime", "{doubt}");
    }
    let identity = identity::start(options, &metrics, &drains.background).await?;

    // Health: a target for each part that has to be ready.
    let (health, outbound) = (Health::new(), Health::new());
    let targets = Targets::new(&health, &outbound, options.listen.metrics.is_some());
    let placed = (!options.placement.is_empty()).then(|| health.target("internal-placement-service"));
    let scheduled = (!options.scheduler.addresses.is_empty()).then(|| health.target("scheduler-watch-hosts"));
    let reload_targets = configuration.has_feature(reload::FEATURE).then(|| reload::targets(&health));
    servers::metrics(&options.listen, metrics.clone(), &drains.background).await?;
    let (tracer, exporter) = telemetry::tracing(options, &configuration, &drains.background)?;
    targets.metrics_are_up();

    // Other sidecars: the port is taken before components may get it for a connection of their own.
    let internal_port = match options.listen.internal_port {
        Some(port) => port,
        None => address::stable_port(&app_id, environment).await,
    };
    let internal = listen::tcp(&options.listen.internal_address, internal_port).await;
    let internal = internal.with_context(|| format!("cannot listen on internal port {internal_port}"))?;
    let internal_port = internal.local_addr()?.port();
    let own = Own {
        app_id: app_id.clone(),
        namespace: namespace.clone(),
        address: address::advertised(&options.listen.internal_address, environment),
        host_name: address::host_name(environment),
        internal_port,
    };
    let scheduler = scheduler::client(options, identity.as_ref(), &own)?;
    let mut registry = Registry::default();
    component_all::register_all(&mut registry);
    component_all::discover(environment.sockets_folder(), &mut registry).await;
    let registry = Arc::new(registry);
    let Found { resolver, name: resolver_name } =
        naming::resolver(&registry, configuration.name_resolution.as_ref(), &own).await;
    let peers =
        Arc::new(Peers::new(resolver, own, options.max_body_size, &drains.background).with_identity(identity.clone()));

    // Components: secret stores first, as the others may need them.
    let values = Values::new(&app_id, environment.clone());
    let components = Components::new(registry, values, configuration.clone(), metrics.clone(), &drains.background);
    components.start(&resources.components).await?;
    let live = components.live().clone();
    let http_endpoints = declared::endpoints(&resources.http_endpoints, components.values(), &live).await;

    // What requests pass on their way in, and on their way to the app.
    let api_pipeline =
        pipelines::build("server", declared::pipeline(configuration.http_pipeline.as_ref()), &live.middlewares);
    let app_pipeline =
        pipelines::build("app", declared::pipeline(configuration.app_http_pipeline.as_ref()), &live.middlewares);

    // How calls are tried again, and when they are not even tried.
    let resiliency = Resiliency::new(Policies::load(&resources.resiliencies, &metrics));

    // The app, and the building blocks.
    let app_options = app::options(options, &app_pipeline, metrics.clone());
    let app = app::connect(app_options.as_ref(), &drains.background);
    let invoke = block_invoke::Service::new(Arc::clone(&peers), app.clone(), options.max_body_size);
    let invoke = invoke.with_endpoints(http_endpoints, app_pipeline);
    let invoke = invoke.with_resiliency(resiliency.clone()).with_upgrades(&drains.api);
    let http_app = !options.app.protocol.is_grpc();
    let access = block_invoke::Access::new(configuration.access_control.as_ref(), http_app, metrics.clone());
    let invoke = Arc::new(invoke.with_access(access).with_metrics(metrics.clone()));
    let secret = block_secret::Service::new(live.secrets.clone(), declared::secret_scopes(&configuration));
    let secret = Arc::new(secret.with_resiliency(resiliency.clone()).with_metrics(metrics.clone()));
    let configuration_items = block_configuration::Service::new(live.configurations.clone(), app.clone());
    let configuration_items =
        Arc::new(configuration_items.with_resiliency(resiliency.clone()).with_metrics(metrics.clone()));
    let conversation = block_conversation::Service::new(live.conversations.clone());
    let conversation = Arc::new(conversation.with_resiliency(resiliency.clone()).with_metrics(metrics.clone()));
    let lock = block_lock::Service::new(app_id.clone(), live.locks.clone());
    let lock = Arc::new(lock.with_resiliency(resiliency.clone()).with_metrics(metrics.clone()));
    let subtle = configuration.enabled_features().iter().any(|feature| feature == SUBTLE_CRYPTO);
    let crypto = block_crypto::Service::new(live.cryptos.clone()).with_subtle(subtle);
    let crypto = Arc::new(crypto.with_resiliency(resiliency.clone()).with_metrics(metrics.clone()));
    let pubsub = block_pubsub::Service::new(app_id.clone(), namespace.clone(), live.brokers.clone());
    let pubsub = pubsub.with_resiliency(resiliency.clone()).with_metrics(metrics.clone());
    let pubsub = Arc::new(pubsub.with_tracer(tracer.clone()));
    let outbox = Arc::new(Pubsub(Arc::clone(&pubsub)));
    let stores = live.state.clone();
    let outbox = block_state::Outbox::new(app_id.clone(), namespace.clone(), stores, outbox, &drains.background);
    let state = block_state::Service::new(app_id.clone(), namespace.clone(), live.state.clone());
    let state = state.with_resiliency(resiliency.clone()).with_metrics(metrics.clone());
    let state = Arc::new(state.with_outbox(Arc::clone(&outbox)));
    let ask_app = block_pubsub::Options { ask_app: options.app.ask_subscriptions };
    let subscriber = block_pubsub::Subscriber::new(Arc::clone(&pubsub), app.clone(), ask_app, &drains.background);
    for resource in &resources.subscriptions {
        let declared = declared::subscription(resource);
        subscriber.declare(declared).context("failed to load declarative subscriptions")?;
    }
    subscriber.reconcile().await;
    let binding = block_binding::Service::new(live.bindings.clone());
    let binding = binding.with_resiliency(resiliency.clone()).with_metrics(metrics.clone());
    let binding = Arc::new(binding.with_tracer(tracer.clone()));
    let reader = block_binding::Reader::new(
        Arc::clone(&binding),
        app.clone(),
        Arc::new(bindings::States(Arc::clone(&state))),
        bindings::options(options.app.binding_patience),
        &drains.background,
    );
    let actor_options =
        actors::options(options, identity.as_ref(), &features, scheduler.clone(), (resiliency, metrics.clone()))?;
    let actors = block_actor::Service::new(actor_options, &peers, live.state.clone(), &drains.background);
    let actors = Arc::new(actors);
    if let Some(target) = placed {
        let actors = Arc::clone(&actors);
        drains.background.spawn_until_stopped(async move {
            actors.until_ready().await;
            target.ready();
        });
    }
    actors.start().await;
    if let (Some(scheduler), Some(target)) = (&scheduler, scheduled) {
        let jobs = block_job::Delivery { app: app.clone(), metrics: metrics.clone() };
        let receivers = Arc::new(Receivers { jobs, reminders: actors.due_reminders() });
        let (running, known) = (Arc::clone(scheduler), Arc::clone(scheduler));
        drains.background.spawn_until_stopped(async move { running.run(receivers).await });
        drains.background.spawn_until_stopped(async move {
            known.until_known().await;
            target.ready();
        });
    }
    let job = Arc::new(block_job::Service::new(app_id.clone(), namespace.clone(), scheduler.clone()));
    let sources = Sources {
        live: live.clone(),
        subscriber: Arc::clone(&subscriber),
        current: current.clone(),
        actors: Arc::clone(&actors),
        scheduler: scheduler.clone(),
    };
    let about = About { app_id: app_id.clone(), version: DAPR_VERSION, features, app: app::described(options) };
    let stop = ByApi::new(ending.clone(), drains.background.clone());
    let host = block_host::Service::new(about, health, outbound, Arc::new(sources), Arc::new(stop));
    let host = Arc::new(host);
    let telemetry = block_telemetry::Service::new(app_id.clone(), metrics.clone(), exporter);
    let telemetry = Arc::new(telemetry);

    // The API.
    let token = environment.api_token().map(Token::new);
    let log = declared::call_log(&configuration, options.api_logging);
    let observer = Observer { app_id: app_id.clone(), log, metrics: metrics.clone(), tracer };
    let access = declared::access(&configuration);
    let settings = Settings {
        token: token.clone(),
        cors: Cors::new(&options.allowed_origins),
        pipeline: api_pipeline,
        max_body_size: options.max_body_size,
        read_buffer_size: options.read_buffer_size,
    };
    let public = Settings { read_buffer_size: options.read_buffer_size, ..Settings::default() };
    let public = api::http::Api::new(
        routed(block_host::public_endpoints(Arc::clone(&host)), &access),
        None,
        public,
        Observer { log: None, ..observer.clone() },
    );
    let endpoints = block_host::endpoints(Arc::clone(&host))
        .merge(block_state::endpoints(Arc::clone(&state)))
        .merge(block_pubsub::endpoints(Arc::clone(&pubsub)))
        .merge(block_secret::endpoints(Arc::clone(&secret)))
        .merge(block_configuration::endpoints(Arc::clone(&configuration_items)))
        .merge(block_lock::endpoints(Arc::clone(&lock)))
        .merge(block_crypto::endpoints(Arc::clone(&crypto)))
        .merge(block_conversation::endpoints(Arc::clone(&conversation)))
        .merge(block_binding::endpoints(Arc::clone(&binding)))
        .merge(block_telemetry::endpoints(Arc::clone(&telemetry)))
        .merge(block_actor::endpoints(Arc::clone(&actors)))
        .merge(block_job::endpoints(Arc::clone(&job)))
        .merge(absent::endpoints());
    let fallback = access.allows_invoke().then(|| Arc::clone(&invoke));
    let http = api::http::Api::new(routed(endpoints, &access), fallback, settings, observer.clone());
    let blocks = grpc::Blocks {
        invoke: Arc::clone(&invoke),
        state,
        pubsub,
        secret,
        crypto,
        binding,
        subscriber: Arc::clone(&subscriber),
        configuration: Arc::clone(&configuration_items),
        lock,
        conversation,
        telemetry,
        actors: Arc::clone(&actors),
        job,
        host,
    };
    let settings = grpc::Settings { token, access, max_message_size: options.max_body_size };
    let grpc = grpc::Api::new(blocks, settings, observer.clone())?;

    // The servers.
    servers::grpc(options, grpc, &drains.api).await?;
    targets.grpc_is_up();
    let http_port = servers::http(options, http, &drains.api).await?;
    servers::public(&options.listen, public, &drains.api).await?;
    let peers_routes = block_invoke::internal_routes(invoke)
        .merge(block_actor::internal_routes(Arc::clone(&actors), options.max_body_size));
    let internal_api = grpc::Internal::new(peers_routes, Observer { log: None, ..observer });
    servers::internal(options, identity.as_ref(), internal, internal_api, metrics, &drains.api)?;
    targets.internal_is_up();
    naming::register(Arc::clone(&peers), resolver_name, http_port, &drains.background);

    // Resources that change from now on.
    if let Some(targets) = reload_targets {
        let (options, ending) = (options.clone(), ending.clone());
        let followers = Followers {
            subscriber: Arc::clone(&subscriber),
            reader: Arc::clone(&reader),
            outbox: Arc::clone(&outbox),
            actors: Arc::clone(&actors),
        };
        Reloader { options, components, followers, current, ending, targets }.start(&drains.reload);
    }
    Ok(Sidecar {
        app_options,
        app,
        actors,
        scheduler,
        subscriber,
        reader,
        outbox,
        configuration: configuration_items,
        live,
        peers,
        targets,
        drains,
    })
}

/// The endpoints that the lists allow.
fn routed(endpoints: Endpoints, access: &Access) -> Router {
    endpoints.into_router(|endpoint| access.allows_endpoint(endpoint))
}
