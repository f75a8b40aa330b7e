//! All resources that are meant for one app.
use crate::document::{Head, read};
use crate::problem::{Error, Problem};
use crate::{
    Component, Configuration, HttpEndpoint, McpServer, Resiliency, Resource, Subscription, WorkflowAccessPolicy,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// Where resources come from, by kind and name.
    files: BTreeMap<(String, String), PathBuf>,
}

impl Loaded {
    /// The same with resources of `before` that are gone only because their documents cannot be read at the moment, as
    /// when an editor is in the middle of writing them.
    #[must_use]
    pub fn keeping(mut self, before: &Self) -> Self {
        let unreadable = |kind: &str, name: &str| {
            let file = before.files.get(&(kind.to_owned(), name.to_owned()))?;
            let same = |problem: &&Problem| {
                let (any_kind, any_name) = (problem.kind.is_empty(), problem.name.is_empty());
                problem.file == *file && (any_kind || problem.kind == kind) && (any_name || problem.name == name)
            };
            self.problems.iter().find(same).map(|_| file.clone())
        };
        let mut kept = Vec::new();
        let (now, old) = (&mut self.resources, &before.resources);
        keep(&mut now.components, &old.components, &unreadable, &mut kept);
        keep(&mut now.subscriptions, &old.subscriptions, &unreadable, &mut kept);
        keep(&mut now.http_endpoints, &old.http_endpoints, &unreadable, &mut kept);
        keep(&mut now.resiliencies, &old.resiliencies, &unreadable, &mut kept);
        keep(&mut now.mcp_servers, &old.mcp_servers, &unreadable, &mut kept);
        keep(&mut now.workflow_access_policies, &old.workflow_access_policies, &unreadable, &mut kept);
        keep(&mut now.configurations, &old.configurations, &unreadable, &mut kept);
        self.files.extend(kept);
        self
    }
}

type Origin = ((String, String), PathBuf);

fn keep<T: Resource>(
    now: &mut Vec<T>,
    before: &[T],
    unreadable: &dyn Fn(&str, &str) -> Option<PathBuf>,
    kept: &mut Vec<Origin>,
) {
    for old in before {
        let name = &old.metadata().name;
        if now.iter().any(|new| new.metadata().name == *name) {
            continue;
        }
        if let Some(file) = unreadable(T::KIND, name) {
            now.push(old.clone());
            kept.push(((T::KIND.to_owned(), name.clone()), file));
        }
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
    pub(crate) fn finish(self) -> Result<Loaded, Error> {
        if self.duplicates.is_empty() { Ok(self.loaded) } else { Err(Error::Duplicates(self.duplicates)) }
    }

    /// Remembers a document that cannot be used.
    pub(crate) fn refuse(&mut self, file: &Path, head: Head, reason: String) {
        let Head { kind, metadata, .. } = head;
        self.loaded.problems.push(Problem { file: file.to_owned(), kind, name: metadata.name, reason });
    }

    /// Takes a document when it is a resource for this app; unknown kinds and versions are none.
    pub(crate) fn take(&mut self, file: &Path, value: &Value) {
        let Some(head) = Head::of(value).filter(|head| self.is_for(head)) else { return };
        if let Some(component) = self.read::<Component>(file, &head, value) {
            self.loaded.resources.components.push(component);
        } else if let Some(endpoint) = self.read::<HttpEndpoint>(file, &head, value) {
            self.loaded.resources.http_endpoints.push(endpoint);
        } else if let Some(resiliency) = self.read::<Resiliency>(file, &head, value) {
            self.loaded.resources.resiliencies.push(resiliency);
        } else if let Some(server) = self.read::<McpServer>(file, &head, value) {
            self.loaded.resources.mcp_servers.push(server);
        } else if let Some(policy) = self.read::<WorkflowAccessPolicy>(file, &head, value) {
            self.loaded.resources.workflow_access_policies.push(policy);
        } else if let Some(configuration) = self.read::<Configuration>(file, &head, value) {
            self.loaded.resources.configurations.push(configuration);
        } else {
            self.take_subscription(file, &head, value);
        }
    }

    /// Dapr knows no duplicates of Subscriptions: the last one of a name counts.
    fn take_subscription(&mut self, file: &Path, head: &Head, value: &Value) {
        let Some(subscription) = self.decode::<Subscription>(file, head, value) else { return };
        let subscription = subscription.upgraded(&head.api_version);
        if !subscription.is_scoped_to(self.reader.app_id) {
            return;
        }
        let all = &mut self.loaded.resources.subscriptions;
        all.retain(|known| known.metadata.name != head.metadata.name);
        all.push(subscription);
        self.remember::<Subscription>(file, head);
    }

    fn read<T: Resource>(&mut self, file: &Path, head: &Head, value: &Value) -> Option<T> {
        let resource: T = self.decode(file, head, value)?;
        let (name, log_name) = (&head.metadata.name, resource.log_name());
        if let Some(known) = self.known.get(&(T::KIND, name.clone())) {
            let text = format!("duplicate definition of {} name {log_name} with existing {known}", T::KIND);
            self.duplicates.push(text);
            return None;
        }
        if !resource.is_scoped_to(self.reader.app_id) {
            return None;
        }
        self.known.insert((T::KIND, name.clone()), log_name);
        self.remember::<T>(file, head);
        Some(resource)
    }

    fn decode<T: Resource>(&mut self, file: &Path, head: &Head, value: &Value) -> Option<T> {
        if !head.is::<T>() {
            return None;
        }
        read(value, head).map_err(|error| self.refuse(file, head.clone(), error.to_string())).ok()
    }

    fn remember<T: Resource>(&mut self, file: &Path, head: &Head) {
        let key = (T::KIND.to_owned(), head.metadata.name.clone());
        self.loaded.files.insert(key, file.to_owned());
    }

    fn is_for(&self, head: &Head) -> bool {
        let own = &head.metadata.namespace;
        own.is_empty() || self.reader.namespace.is_empty() || own == self.reader.namespace
    }
}
