//! Generates messages and services from `proto/`, without protoc.
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use prost::Message;

/// Relative to the package, where cargo runs this: the target directory may serve several clones.
const ROOT: &str = "../proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={ROOT}");
    let mut files = Vec::new();
    collect(Path::new(ROOT), &mut files)?;
    files.sort();

    let mut descriptors = protox::compile(&files, [ROOT])?;
    // Payloads are shared with connections and stores without copying.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors.clone())?;

    // Reflection needs no comments and positions.
    descriptors.file.iter_mut().for_each(|file| file.source_code_info = None);
    let folder = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    fs::write(PathBuf::from(folder).join("descriptors.bin"), descriptors.encode_to_vec())?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
