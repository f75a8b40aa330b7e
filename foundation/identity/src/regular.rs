//! Files that are read in the midst of everything else.
use std::io;
use std::path::Path;

/// The bytes of a file, or of the one that it is a link to. What is no regular file could hold up the whole process: a pipe is read when
/// somebody writes to it.
///
/// # Errors
/// What the system says, and [`io::ErrorKind::InvalidInput`].
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    std::fs::read(path)
}
