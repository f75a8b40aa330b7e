//! Resource files of this machine, as the listing commands show them.
use crate::commands::Cluster;
use crate::context::Context;
use crate::install::Install;
use crate::output::{Format, detail};
use crate::table::table;
use crate::time;
use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

/// One document of a file.
#[derive(Debug)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) spec: Value,
    /// Between commas.
    pub(crate) scopes: String,
    pub(crate) created: String,
    pub(crate) age: String,
}

#[derive(Serialize)]
struct Detail<'a> {
    name: &'a str,
    namespace: &'a str,
    spec: &'a Value,
}

/// Which resources to show, and how.
#[derive(Args, Debug)]
pub(crate) struct Query {
    /// Only the resource of this name
    #[arg(long, short = 'n')]
    name: Option<String>,
    /// Output format: json, yaml, or list
    #[arg(long, short = 'o', default_value = "list")]
    output: Format,
    /// Folder with resources [default: components and configuration of the installation folder]
    #[arg(long)]
    resources_path: Option<PathBuf>,
    #[command(flatten)]
    cluster: Cluster,
}

impl Query {
    /// Prints the resources of a kind; `row` has the cells of a table.
    ///
    /// # Errors
    /// A file cannot be read, or Kubernetes is asked for.
    pub(crate) fn print(
        &self,
        kind: &str,
        context: &Context,
        columns: &[&str],
        row: impl Fn(&Resource) -> Vec<String>,
    ) -> anyhow::Result<ExitCode> {
        self.cluster.refuse()?;
        let found = self.find(kind, &Install::of(context)?)?;
        let text = match self.output {
            Format::Table => table(columns, &found.iter().map(row).collect::<Vec<_>>()),
            format => detail(format, &found.iter().map(Resource::detail).collect::<Vec<_>>())?,
        };
        context.console.print(&text);
        Ok(ExitCode::SUCCESS)
    }

    fn find(&self, kind: &str, install: &Install) -> anyhow::Result<Vec<Resource>> {
        let folder = self.resources_path.as_deref();
        let mut files = match folder {
            Some(folder) => files(folder).with_context(|| format!("cannot read folder {}", folder.display()))?,
            None => files(&install.components()).unwrap_or_default(),
        };
        files.extend(Some(install.configuration()).filter(|file| folder.is_none() && file.exists()));
        let mut found = Vec::new();
        for file in files {
            found.extend(read(&file, kind).with_context(|| format!("cannot understand {}", file.display()))?);
        }
        found.retain(|resource| self.name.as_ref().is_none_or(|name| resource.name.eq_ignore_ascii_case(name)));
        Ok(found)
    }
}

impl Resource {
    /// A member of the spec as text; `path` is a JSON pointer.
    pub(crate) fn text(&self, path: &str) -> String {
        match self.spec.pointer(path) {
            Some(Value::String(text)) => text.clone(),
            None | Some(Value::Null) => String::new(),
            Some(other) => other.to_string(),
        }
    }

    fn detail(&self) -> Detail<'_> {
        Detail { name: &self.name, namespace: &self.namespace, spec: &self.spec }
    }
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let paths = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let yaml = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let mut files: Vec<_> = paths.filter(yaml).collect();
    files.sort();
    Ok(files)
}

fn read(file: &Path, kind: &str) -> anyhow::Result<Vec<Resource>> {
    let modified = std::fs::metadata(file)?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let documents: Vec<Value> = serde_saphyr::from_multiple(&std::fs::read_to_string(file)?)?;
    let wanted = documents.into_iter().filter(|document| document["kind"] == kind);
    Ok(wanted.map(|document| resource(document, modified)).collect())
}

fn resource(mut document: Value, modified: u64) -> Resource {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let scopes = document["scopes"].as_array().cloned().unwrap_or_default();
    Resource {
        name: text(&document["metadata"]["name"]),
        namespace: text(&document["metadata"]["namespace"]),
        scopes: scopes.iter().map(text).collect::<Vec<_>>().join(","),
        created: time::created(modified),
        age: time::age(time::since(modified)),
        spec: document["spec"].take(),
    }
}
