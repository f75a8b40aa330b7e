//! Which folders may be the root of files.
use component_api::{Error, Result};
use std::io;
use std::path::{Component, Path, PathBuf};

/// Places with secrets of the system or of the cluster.
const FORBIDDEN: [&str; 4] = ["/proc", "/sys", "/boot", "/var/run/secrets"];

/// The path of a root without links and dots. It need not exist yet.
///
/// # Errors
/// An empty path, one that is a file, or one in a place that must not be used.
pub(super) fn checked(given: &str) -> Result<PathBuf> {
    if given.is_empty() {
        return Err(invalid("property rootPath must not be empty"));
    }
    let absolute = std::path::absolute(given).map_err(|error| unresolved(&error))?;
    let root = resolved(&clean(&absolute))?;
    if FORBIDDEN.iter().any(|place| root.starts_with(place)) {
        return Err(invalid("property rootPath points to a disallowed location"));
    }
    Ok(root)
}

/// Without `..`, by the names alone.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        if component == Component::ParentDir {
            cleaned.pop();
        } else {
            cleaned.push(component);
        }
    }
    cleaned
}

/// Resolves the links of that part which exists.
fn resolved(path: &Path) -> Result<PathBuf> {
    for existing in path.ancestors() {
        match existing.metadata() {
            Ok(metadata) if !metadata.is_dir() => {
                return Err(invalid("property rootPath represents a file and not a directory"));
            }
            Ok(_) => {
                let real = existing.canonicalize().map_err(|error| unresolved(&error))?;
                return Ok(path.strip_prefix(existing).map_or_else(|_| real.clone(), |rest| real.join(rest)));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unresolved(&error)),
        }
    }
    Ok(path.to_owned())
}

fn unresolved(error: &io::Error) -> Error {
    invalid(&format!("error getting stat for rootPath: {error}"))
}

fn invalid(reason: &str) -> Error {
    Error::invalid(format!("failed to parse metadata: {reason}"))
}
