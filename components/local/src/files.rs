//! `bindings.localstorage`: files below one folder.
mod inside;
mod root;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use component_api::binding::{Binding, Request, Response};
use component_api::{Config, Descriptor, Error, Kind, Registry, Result, Status, metadata_value};
use inside::inside;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const OPERATIONS: [&str; 4] = ["create", "get", "list", "delete"];
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// Makes the component known.
pub fn register(registry: &mut Registry) {
    let descriptor = Descriptor {
        names: &["localstorage"],
        versions: &["v1"],
        status: Status::Stable,
        summary: "Files below a folder of the sidecar.",
        schema: || schemars::schema_for!(Settings),
    };
    registry.binding.add(descriptor, async |config: Config| {
        let files: Arc<dyn Binding> = Arc::new(Files::open(&config.properties.decode()?)?);
        Ok(files)
    });
}

/// Metadata of `bindings.localstorage`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Settings {
    /// Folder of the files, which is made if need be. It must not be below `/proc`, `/sys`, `/boot` or
    /// `/var/run/secrets`.
    pub root_path: String,
}

/// Creates, reads, lists and deletes files. Metadata `fileName` is a path below the root and cannot lead out of it.
#[derive(Debug)]
pub struct Files {
    root: PathBuf,
}

impl Files {
    /// Makes the folder.
    ///
    /// # Errors
    /// A root that is no folder, that must not be used or that cannot be made.
    pub fn open(settings: &Settings) -> Result<Self> {
        let root = root::checked(&settings.root_path)?;
        let shown = root.display();
        std::fs::create_dir_all(&root)
            .map_err(|error| failed(format!("unable to create directory specified by 'rootPath' {shown}: {error}")))?;
        Ok(Self { root })
    }
}

#[async_trait]
impl Binding for Files {
    fn operations(&self) -> Vec<String> {
        OPERATIONS.map(str::to_owned).into()
    }

    async fn invoke(&self, request: Request) -> Result<Response> {
        let root = self.root.clone();
        let done = tokio::task::spawn_blocking(move || perform(&root, &request)).await;
        done.map_err(|error| failed(format!("the operation broke off: {error}")))?
    }
}

fn perform(root: &Path, request: &Request) -> Result<Response> {
    let given = metadata_value(&request.metadata, "fileName").filter(|name| !name.is_empty());
    let name = match (given, request.operation.as_str()) {
        (None, "create") => uuid::Uuid::new_v4().to_string(),
        (given, _) => given.unwrap_or_default().to_owned(),
    };
    let path =
        inside(root, &name).map_err(|error| failed(format!("error getting absolute path for file {name}: {error}")))?;
    match request.operation.as_str() {
        "create" => create(root, &path, &request.data),
        "get" => get(&path),
        "list" => list(&path),
        "delete" => delete(&path),
        other => Err(Error::unsupported(format!("unsupported operation {other}"))),
    }
}

fn create(root: &Path, path: &Path, data: &[u8]) -> Result<Response> {
    if let Some(folder) = path.parent() {
        let problem = |error| failed(format!("error creating directory {}: {error}", folder.display()));
        std::fs::create_dir_all(folder).map_err(problem)?;
    }
    let problem = |error| failed(format!("error creating file {}: {error}", path.display()));
    replace(path, &content(data)).map_err(problem)?;
    let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
    Ok(answer(json!({ "fileName": name }).to_string()))
}

/// Writes beside the file first: when the disk is full, what was there stays.
fn replace(path: &Path, data: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.partial", uuid::Uuid::new_v4()));
    let beside = path.with_file_name(name);
    let written = std::fs::write(&beside, data).and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        std::fs::remove_file(&beside).ok();
    }
    written
}

/// Data arrives as JSON: a string stands for its text, and text in base64 for its bytes.
fn content(data: &[u8]) -> Vec<u8> {
    let text = serde_json::from_slice::<String>(data).map_or_else(|_| data.to_vec(), String::into_bytes);
    let encoded: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
    BASE64.decode(encoded).unwrap_or(text)
}

fn get(path: &Path) -> Result<Response> {
    let shown = path.display();
    match std::fs::read(path) {
        Ok(data) => Ok(answer(data)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Error::new(Kind::NotFound, format!("file not found: {shown}")))
        }
        Err(error) => Err(failed(format!("error reading file {shown}: {error}"))),
    }
}

fn list(path: &Path) -> Result<Response> {
    let shown = path.display();
    let metadata =
        std::fs::metadata(path).map_err(|error| failed(format!("error getting stats for path {shown}: {error}")))?;
    if !metadata.is_dir() {
        return Err(failed(format!("unable to list files as the file specified is not a directory: {shown}")));
    }
    let mut files = Vec::new();
    walk(path, &mut files).map_err(|error| failed(format!("error listing files in the directory {shown}: {error}")))?;
    let files: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
    // Dapr lists nothing as null.
    let listed = if files.is_empty() { "null".to_owned() } else { json!(files).to_string() };
    Ok(answer(listed))
}

/// Files of a folder and of those below it, by name.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn delete(path: &Path) -> Result<Response> {
    let removed = if path.is_dir() { std::fs::remove_dir(path) } else { std::fs::remove_file(path) };
    removed.map_err(|error| failed(format!("error deleting file {}: {error}", path.display())))?;
    Ok(Response::default())
}

fn answer(data: impl Into<Bytes>) -> Response {
    Response { data: Some(data.into()), ..Response::default() }
}

fn failed(message: String) -> Error {
    Error::other(message)
}
