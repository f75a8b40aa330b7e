//! Paths that cannot leave a folder, whatever they and the symbolic links on their way say.
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Links that are followed before they count as a circle, as Linux counts them.
const MOST_LINKS: usize = 255;

/// The path that `name` has when `root` is the root of the file system: `..` and links end there.
///
/// # Errors
/// Links that go round in circles, or one that cannot be read.
pub(super) fn inside(root: &Path, name: &str) -> io::Result<PathBuf> {
    let mut left = reversed(Path::new(name));
    let mut path = root.to_owned();
    let mut links = 0;
    while let Some(step) = left.pop() {
        if step == ".." {
            if path != root {
                path.pop();
            }
            continue;
        }
        let next = path.join(step);
        if !next.is_symlink() {
            path = next;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(io::Error::other("too many symbolic links"));
        }
        let target = next.read_link()?;
        if target.is_absolute() {
            root.clone_into(&mut path);
        }
        left.extend(reversed(&target));
    }
    Ok(path)
}

/// The steps of a path, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let step = |component: Component<'_>| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
    };
    path.components().rev().filter_map(step).collect()
}
