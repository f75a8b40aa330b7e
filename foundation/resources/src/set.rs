//! All resources that are meant for one app.
use crate::decode::Stray;
use crate::document::{Head, read};
use crate::hints::{MISPLACED, hints, lacking, no_broker};
use crate::problem::{Error, Problem};
use crate::{
    Component, ComponentSpec, Configuration, HttpEndpoint, McpServer, Resiliency, Resource, Subscription,
    WorkflowAccessPolicy,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const SCOPE: &str = "dapr.runtime.loader.disk";

/// All resources that are meant for one app, each kind in the order of files and documents.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    pub components: Vec<Component>,
    pub subscriptions: Vec<Subscription>,
    pub http_endpoints: Vec<HttpEndpoint>,
    pub resiliencies: Vec<Resiliency>,
    pub mcp_servers: Vec<McpServer>,
    pub workflow_access_policies: Vec<WorkflowAccessPolicy>,
    /// Configurations beside the other resources. They are not in force; only their changes matter.
    pub configurations: Vec<Configuration>,
}

/// Who reads resources.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// Id of the app.
    pub app_id: &'a str,
    /// Namespace of the app; empty takes resources of all namespaces.
    pub namespace: &'a str,
}

/// What was loaded, and what was wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Loaded {
    /// What can be used.
    pub resources: Resources,
    /// Documents that were left out.
    pub problems: Vec<Problem>,
    /// What has no effect in documents that were taken.
    pub hints: Vec<Problem>,
    /// Where resources come from.
    origins: BTreeMap<Key, PathBuf>,
    /// All files that were read.
    read: BTreeSet<PathBuf>,
    /// What is kept though its file has it no more.
    missing: BTreeSet<Key>,
}

/// Kind and name of a resource.
type Key = (String, String);

impl Loaded {
    /// The same with resources of `before` that may be gone only because an editor is in the middle of writing them:
    /// their documents cannot be read, or their file is there without them for the first time.
    #[must_use]
    pub fn keeping(mut self, before: &Self) -> Self {
        let (mut now, old) = (std::mem::take(&mut self.resources), &before.resources);
        self.keep(&mut now.components, &old.components, before);
        self.keep(&mut now.subscriptions, &old.subscriptions, before);
        self.keep(&mut now.http_endpoints, &old.http_endpoints, before);
        self.keep(&mut now.resiliencies, &old.resiliencies, before);
        self.keep(&mut now.mcp_servers, &old.mcp_servers, before);
        self.keep(&mut now.workflow_access_policies, &old.workflow_access_policies, before);
        self.keep(&mut now.configurations, &old.configurations, before);
        Self { resources: now, ..self }
    }

    /// Subscriptions to brokers that are not there.
    fn orphans(&self) -> Vec<Problem> {
        let Resources { components, subscriptions, .. } = &self.resources;
        let brokers = components.iter().filter(|one| one.spec.kind.starts_with("pubsub."));
        let brokers: Vec<_> = brokers.map(|one| one.metadata.name.as_str()).collect();
        let orphan = |one: &Subscription| {
            let (kind, name) = (Subscription::KIND.to_owned(), one.metadata.name.clone());
            let reason = no_broker(&one.spec.pubsubname, &brokers)?;
            let file = self.origins.get(&(kind.clone(), name.clone())).cloned().unwrap_or_default();
            Some(Problem { file, kind, name, reason, is_fatal: false })
        };
        subscriptions.iter().filter_map(orphan).collect()
    }

    /// Whether something is kept only until the next look at the files.
    pub fn is_doubtful(&self) -> bool {
        !self.missing.is_empty()
    }

    fn keep<T: Resource>(&mut self, now: &mut Vec<T>, old: &[T], before: &Self) {
        for old in old {
            let key = (T::KIND.to_owned(), old.metadata().name.clone());
            let Some(file) = before.origins.get(&key) else { continue };
            if now.iter().any(|new| new.metadata().name == key.1) || !self.may_come_back(&key, file, before) {
                continue;
            }
            now.push(old.clone());
            self.origins.insert(key, file.clone());
        }
    }

    fn may_come_back(&mut self, key: &Key, file: &Path, before: &Self) -> bool {
        let same = |problem: &Problem| {
            let (any_kind, any_name) = (problem.kind.is_empty(), problem.name.is_empty());
            problem.file == file && (any_kind || problem.kind == key.0) && (any_name || problem.name == key.1)
        };
        let is_unreadable = self.problems.iter().any(same);
        let is_missing = !is_unreadable && self.read.contains(file) && !before.missing.contains(key);
        if is_missing {
            self.missing.insert(key.clone());
        }
        is_unreadable || is_missing
    }
}

/// Takes documents one by one.
pub(crate) struct Taker<'a> {
    reader: Reader<'a>,
    loaded: Loaded,
    /// Names in log lines by kind and name.
    known: BTreeMap<(&'static str, String), String>,
    duplicates: Vec<String>,
}

impl<'a> Taker<'a> {
    pub(crate) fn new(reader: Reader<'a>) -> Self {
        Self { reader, loaded: Loaded::default(), known: BTreeMap::new(), duplicates: Vec::new() }
    }

    /// Everything that was taken.
    ///
    /// # Errors
    /// Two resources of one kind with one name.
    pub(crate) fn finish(mut self) -> Result<Loaded, Error> {
        let orphans = self.loaded.orphans();
        self.loaded.hints.extend(orphans);
        if self.duplicates.is_empty() { Ok(self.loaded) } else { Err(Error::Duplicates(self.duplicates)) }
    }

    /// Remembers a file that was read.
    pub(crate) fn see(&mut self, file: &Path) {
        self.loaded.read.insert(file.to_owned());
    }

    /// Remembers a document that cannot be used.
    pub(crate) fn refuse(&mut self, file: &Path, head: Head, reason: String) {
        self.loaded.problems.push(Problem::of(file, &head, reason));
    }

    fn hint(&mut self, file: &Path, head: &Head, reasons: Vec<String>) {
        self.loaded.hints.extend(reasons.into_iter().map(|reason| Problem::of(file, head, reason)));
    }

    /// Takes a document when it is a resource for this app; unknown kinds and versions are none.
    pub(crate) fn take(&mut self, file: &Path, value: &Value) {
        let Some(head) = Head::of(value).filter(|head| self.is_for(head)) else { return };
        if let Some(reason) = head.foreign() {
            return self.refuse(file, head, reason);
        }
        if let Some(component) = self.read::<Component>(file, &head, value) {
            self.take_component(file, &head, component);
        } else if let Some(endpoint) = self.read::<HttpEndpoint>(file, &head, value) {
            self.loaded.resources.http_endpoints.push(endpoint);
        } else if let Some(resiliency) = self.read::<Resiliency>(file, &head, value) {
            self.loaded.resources.resiliencies.push(resiliency);
        } else if let Some(server) = self.read::<McpServer>(file, &head, value) {
            self.loaded.resources.mcp_servers.push(server);
        } else if let Some(policy) = self.read::<WorkflowAccessPolicy>(file, &head, value) {
            self.loaded.resources.workflow_access_policies.push(policy);
        } else if let Some(configuration) = self.read::<Configuration>(file, &head, value) {
            self.hint(file, &head, vec![MISPLACED.to_owned()]);
            self.loaded.resources.configurations.push(configuration);
        } else {
            self.take_subscription(file, &head, value);
        }
    }

    fn take_component(&mut self, file: &Path, head: &Head, component: Component) {
        let ComponentSpec { kind, ignore_errors, .. } = &component.spec;
        match lacking(&head.metadata, kind) {
            None => self.loaded.resources.components.push(component),
            Some(field) => {
                // Dapr starts with a component that has no name, which nobody can use.
                let is_fatal = kind.is_empty() && !ignore_errors;
                self.loaded
                    .problems
                    .push(Problem { is_fatal, ..Problem::of(file, head, format!("{field} is missing")) });
            }
        }
    }

    /// Dapr knows no duplicates of Subscriptions: the last one of a name counts.
    fn take_subscription(&mut self, file: &Path, head: &Head, value: &Value) {
        let Some((subscription, strays)) = self.decode::<Subscription>(file, head, value) else { return };
        let subscription = subscription.upgraded(&head.api_version);
        if !subscription.is_scoped_to(self.reader.app_id) {
            return;
        }
        self.hint(file, head, hints(value, head, strays));
        let all = &mut self.loaded.resources.subscriptions;
        all.retain(|known| known.metadata.name != head.metadata.name);
        all.push(subscription);
        self.remember::<Subscription>(file, head);
    }

    fn read<T: Resource>(&mut self, file: &Path, head: &Head, value: &Value) -> Option<T> {
        let (resource, strays): (T, _) = self.decode(file, head, value)?;
        let (name, log_name) = (&head.metadata.name, resource.log_name());
        if let Some(known) = self.known.get(&(T::KIND, name.clone())) {
            let text = format!("duplicate definition of {} name {log_name} with existing {known}", T::KIND);
            self.duplicates.push(text);
            return None;
        }
        if !resource.is_scoped_to(self.reader.app_id) {
            tracing::debug!(target: SCOPE, "{} {log_name} in {} is for other apps", T::KIND, file.display());
            return None;
        }
        self.known.insert((T::KIND, name.clone()), log_name);
        self.hint(file, head, hints(value, head, strays));
        self.remember::<T>(file, head);
        Some(resource)
    }

    fn decode<T: Resource>(&mut self, file: &Path, head: &Head, value: &Value) -> Option<(T, Vec<Stray>)> {
        if !head.is::<T>() {
            return None;
        }
        read(value, head).map_err(|error| self.refuse(file, head.clone(), error.to_string())).ok()
    }

    fn remember<T: Resource>(&mut self, file: &Path, head: &Head) {
        tracing::debug!(target: SCOPE, "{} {} is declared in {}", T::KIND, head.metadata.name, file.display());
        let key = (T::KIND.to_owned(), head.metadata.name.clone());
        self.loaded.origins.insert(key, file.to_owned());
    }

    fn is_for(&self, head: &Head) -> bool {
        let Head { kind, metadata, .. } = head;
        let (own, namespace) = (&metadata.namespace, self.reader.namespace);
        let fits = own.is_empty() || namespace.is_empty() || own == namespace;
        if !fits {
            tracing::debug!(target: SCOPE, "{kind} {} is for namespace {own}, not {namespace}", metadata.name);
        }
        fits
    }
}
