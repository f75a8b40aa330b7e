//! Resources from folders of YAML files (surface.md 3.1).
use crate::document::{Head, parse, split};
use crate::problem::Error;
use crate::set::{Loaded, Reader, Taker};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Reads the files `*.yaml` and `*.yml` of all folders, but not of folders within. Documents of other kinds or versions
/// are passed over; those that cannot be read are in [`Loaded::problems`].
///
/// # Errors
/// A folder that cannot be read, or two resources of one kind with one name.
pub fn load(folders: &[PathBuf], reader: Reader<'_>) -> Result<Loaded, Error> {
    let mut taker = Taker::new(reader);
    for folder in folders {
        for file in files(folder).map_err(|reason| Error::Unreadable { path: folder.clone(), reason })? {
            match read(&file) {
                Ok(text) => take(&mut taker, &file, &text),
                Err(error) => taker.refuse(&file, Head::default(), format!("cannot be read: {error}")),
            }
        }
    }
    taker.finish()
}

/// Reads the documents of one text as if it were a file.
///
/// # Errors
/// Two resources of one kind with one name.
pub fn load_text(text: &str, file: &Path, reader: Reader<'_>) -> Result<Loaded, Error> {
    let mut taker = Taker::new(reader);
    take(&mut taker, file, text);
    taker.finish()
}

/// What is no file, such as a pipe, could keep its reader waiting for good.
fn read(file: &Path) -> io::Result<String> {
    if fs::metadata(file)?.is_file() {
        fs::read_to_string(file)
    } else {
        Err(io::Error::other("it is no regular file"))
    }
}

fn take(taker: &mut Taker<'_>, file: &Path, text: &str) {
    taker.see(file);
    for (line, document) in split(text) {
        match parse(document, line) {
            Ok(value) => taker.take(file, &value),
            Err(reason) => taker.refuse(file, Head::default(), reason),
        }
    }
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let paths = fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<_> = paths.filter(|path| is_yaml(path) && !path.is_dir()).collect();
    files.sort();
    Ok(files)
}

fn is_yaml(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml")
}
