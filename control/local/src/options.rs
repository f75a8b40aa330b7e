//! The command line of the local control plane.
use foundation_flags::Kind::{Bool, Text};
use foundation_flags::{Flag, Flags, Misuse, flag};
use std::path::PathBuf;

const FLAGS: &[Flag] = &[
    flag("folder", Text, "", "Folder of its socket, and of the jobs that are kept"),
    flag("certificates", Text, "", "Folder of the authority's credentials; with it all who come prove who they are"),
    flag("log-level", Text, "info", "debug, info, warn, error or fatal"),
    flag("log-as-json", Bool, "false", "Write log lines as JSON"),
];

/// What the process is started with.
#[derive(Clone, Debug)]
pub struct Options {
    pub folder: PathBuf,
    /// Folder of the credentials of the authority, if sidecars have identities.
    pub certificates: Option<PathBuf>,
    /// Of the control plane.
    pub namespace: String,
    pub log_level: String,
    pub log_as_json: bool,
}

impl Options {
    /// Reads a command line (without the name of the program).
    ///
    /// # Errors
    /// [`Misuse`]; the folder must be told.
    pub fn read(arguments: &[String], namespace: &str) -> Result<Self, Misuse> {
        let flags = Flags::parse(&[FLAGS], arguments)?;
        if flags.text("folder").is_empty() {
            return Err(Misuse::NoValue("folder"));
        }
        Ok(Self {
            folder: flags.text("folder").into(),
            certificates: Some(flags.text("certificates")).filter(|path| !path.is_empty()).map(PathBuf::from),
            namespace: namespace.to_owned(),
            log_level: flags.text("log-level").to_owned(),
            log_as_json: flags.bool("log-as-json"),
        })
    }
}

/// How to use the command line.
pub fn usage() -> String {
    foundation_flags::usage("control-plane", &[FLAGS])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_must_be_told() {
        let read = |arguments: &[&str]| {
            let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            Options::read(&arguments, "default")
        };
        assert_eq!(read(&["--folder", "/a"]).unwrap().folder, PathBuf::from("/a"));
        assert_eq!(read(&[]).unwrap_err(), Misuse::NoValue("folder"));
    }
}
