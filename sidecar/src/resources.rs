//! The resources of this sidecar: loaded, and kept as they are now.
use crate::options::Options;
use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use foundation_resources::{
    Configuration, ConfigurationSpec, Diff, Error, Loaded, McpServer, Problem, Reader, Resource, WorkflowAccessPolicy,
    load as load_files,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, mem};
use tokio::sync::Mutex;
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

const LOADER: &str = "dapr.runtime.loader.disk";
const PROCESSOR: &str = "dapr.runtime.processor";

/// How long reading all files may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The resources that are in force. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Current {
    loaded: Arc<ArcSwap<Loaded>>,
    /// Held by who reads files, so that at most one thread is stuck when they do not come.
    reading: Arc<Mutex<()>>,
}

impl Current {
    /// What a sidecar starts with.
    ///
    /// # Errors
    /// What keeps files from being read, two resources of one kind with one name, a component without a type, or a server
    /// that cannot be used.
    pub(crate) async fn first(options: &Options) -> anyhow::Result<Self> {
        let current = Self::default();
        let mut loaded = current.load(options).await.context("failed to load components")?;
        if let Some(problem) = loaded.problems.iter().find(|problem| problem.is_fatal) {
            bail!("failed to load components: {problem}");
        }
        let resources = &mut loaded.resources;
        resources.mcp_servers = usable_servers(&[], mem::take(&mut resources.mcp_servers))?;
        resources.workflow_access_policies = usable_policies(mem::take(&mut resources.workflow_access_policies));
        current.set(loaded);
        Ok(current)
    }

    pub(crate) fn get(&self) -> Arc<Loaded> {
        self.loaded.load_full()
    }

    pub(crate) fn set(&self, loaded: Loaded) {
        self.loaded.store(Arc::new(loaded));
    }

    /// Reads the resource files as they are now. Documents that cannot be read are logged unless they are known, and what
    /// they declared before is kept.
    ///
    /// # Errors
    /// A folder that cannot be read, files that do not come, or two resources of one kind with one name.
    pub(crate) async fn load(&self, options: &Options) -> Result<Loaded, Error> {
        let (before, options, reading) = (self.get(), options.clone(), Arc::clone(&self.reading));
        in_time(async {
            let alone = reading.lock_owned().await;
            spawn_blocking(move || {
                let _alone = alone;
                load(&options, &before)
            })
            .await
        })
        .await
    }
}

/// Reads the configuration files.
///
/// # Errors
/// A file that cannot be read or is no configuration, or a configuration that contradicts itself.
pub(crate) async fn configuration(options: &Options) -> Result<ConfigurationSpec, Error> {
    let files: Vec<_> = options.configurations.iter().map(PathBuf::from).collect();
    let environment = options.environment.clone();
    let configuration = spawn_blocking(move || Configuration::load(&files, &|name| environment.get(name)));
    in_time(configuration).await.map(|configuration| configuration.spec)
}

/// What was read on a thread that may get stuck.
async fn in_time<T>(reading: impl Future<Output = Result<Result<T, Error>, JoinError>>) -> Result<T, Error> {
    match timeout(PATIENCE, reading).await {
        Ok(Ok(read)) => read,
        _ => Err(Error::Stuck(PATIENCE)),
    }
}

fn load(options: &Options, before: &Loaded) -> Result<Loaded, Error> {
    let reader = Reader { app_id: &options.app_id, namespace: options.environment.given_namespace() };
    let loaded = load_files(&options.resources, reader)?;
    for problem in loaded.problems.iter().filter(|problem| !before.problems.contains(problem)) {
        tracing::warn!(target: LOADER, "error loading resource, it is left out: {problem}");
    }
    let in_force = |hint: &Problem| hint.kind == Configuration::KIND && is_named(options, &hint.file);
    for hint in loaded.hints.iter().filter(|hint| !before.hints.contains(hint) && !in_force(hint)) {
        tracing::warn!(target: LOADER, "{hint}");
    }
    Ok(loaded.keeping(before))
}

/// Whether `--config` names a file. Its Configuration is read, and spoken of, by itself.
fn is_named(options: &Options, file: &Path) -> bool {
    let same = |named: &String| matches!((fs::canonicalize(named), fs::canonicalize(file)), (Ok(one), Ok(other)) if one == other);
    options.configurations.iter().any(same)
}

/// The servers that can be used; those that are new or another are checked and logged.
///
/// # Errors
/// A server that cannot be used and is not to be ignored.
pub(crate) fn usable_servers(before: &[McpServer], now: Vec<McpServer>) -> anyhow::Result<Vec<McpServer>> {
    let changes = Diff::between(before, &now);
    let mut usable = Vec::with_capacity(now.len());
    for server in now {
        let is_changed = changes.added.contains(&server) || changes.changed.contains(&server);
        match if is_changed { check(&server) } else { Ok(()) } {
            Ok(()) if is_changed => tracing::info!(target: PROCESSOR, "MCPServer loaded: {}", server.log_name()),
            Ok(()) => {}
            Err(reason) if server.spec.ignore_errors => {
                tracing::error!(target: PROCESSOR, "Ignoring error processing MCPServer: {reason}");
                continue;
            }
            Err(reason) => {
                tracing::warn!(target: PROCESSOR, "Error processing MCPServer, daprd will exit gracefully: {reason}");
                bail!(reason);
            }
        }
        usable.push(server);
    }
    Ok(usable)
}

fn check(server: &McpServer) -> Result<(), String> {
    let name = &server.metadata.name;
    server.check().map_err(|reason| format!("MCPServer {name:?} failed validation: {reason}"))?;
    server.check_security(false).map_err(|reason| format!("MCPServer {name:?} failed security validation: {reason}"))
}

/// The policies that can be used; what is wrong with others is logged.
pub(crate) fn usable_policies(policies: Vec<WorkflowAccessPolicy>) -> Vec<WorkflowAccessPolicy> {
    let usable = |policy: &WorkflowAccessPolicy| match policy.check() {
        Ok(()) => true,
        Err(reason) => {
            let name = &policy.metadata.name;
            tracing::warn!(target: "dapr.runtime", "WorkflowAccessPolicy {name:?} failed validation, skipping: {reason}");
            false
        }
    };
    policies.into_iter().filter(usable).collect()
}
