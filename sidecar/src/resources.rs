//! The resources of this sidecar: loaded, and kept as they are now.
use crate::options::Options;
use anyhow::{Context, bail};
use arc_swap::ArcSwap;
use foundation_resources::{
    Configuration, ConfigurationSpec, Diff, Error, Loaded, McpServer, Problem, Reader, Resource, WorkflowAccessPolicy,
    load as load_files,
};
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

const LOADER: &str = "dapr.runtime.loader.disk";
const PROCESSOR: &str = "dapr.runtime.processor";

/// The resources that are in force. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Current(Arc<ArcSwap<Loaded>>);

impl Current {
    /// What a sidecar starts with.
    ///
    /// # Errors
    /// A folder that cannot be read, two resources of one kind with one name, or a server that cannot be used.
    pub(crate) fn first(options: &Options) -> anyhow::Result<Self> {
        let mut loaded = load(options, &Loaded::default()).context("failed to load components")?;
        let resources = &mut loaded.resources;
        resources.mcp_servers = usable_servers(&[], mem::take(&mut resources.mcp_servers))?;
        resources.workflow_access_policies = usable_policies(mem::take(&mut resources.workflow_access_policies));
        let current = Self::default();
        current.set(loaded);
        Ok(current)
    }

    pub(crate) fn get(&self) -> Arc<Loaded> {
        self.0.load_full()
    }

    pub(crate) fn set(&self, loaded: Loaded) {
        self.0.store(Arc::new(loaded));
    }
}

/// Reads the configuration files.
///
/// # Errors
/// A file that cannot be read or is no configuration, or a configuration that contradicts itself.
pub(crate) fn configuration(options: &Options) -> Result<ConfigurationSpec, Error> {
    let files: Vec<_> = options.configurations.iter().map(PathBuf::from).collect();
    Configuration::load(&files, &|name| options.environment.get(name)).map(|configuration| configuration.spec)
}

/// Reads the resource files. Documents that cannot be read are logged unless they were known `before`, and what they
/// declared then is kept.
///
/// # Errors
/// A folder that cannot be read, or two resources of one kind with one name.
pub(crate) fn load(options: &Options, before: &Loaded) -> Result<Loaded, Error> {
    let reader = Reader { app_id: &options.app_id, namespace: options.environment.given_namespace() };
    let loaded = load_files(&options.resources, reader)?;
    let is_new = |problem: &&Problem| !before.problems.contains(problem);
    for problem in loaded.problems.iter().filter(is_new) {
        tracing::warn!(target: LOADER, "error loading resource, it is left out: {problem}");
    }
    Ok(loaded.keeping(before))
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
