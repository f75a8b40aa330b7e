//! What every command gets: the environment, read once, and the console.
use crate::console::Console;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The surroundings of a command.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) console: Console,
    pub(crate) environment: Environment,
    /// `--runtime-path`: where `.dapr` is in place of the home folder.
    pub(crate) runtime_path: Option<PathBuf>,
}

/// Environment variables of the process. Its values never reach a log: tokens are among them.
pub(crate) struct Environment(HashMap<String, String>);

impl Environment {
    /// Reads the environment of this process.
    pub(crate) fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// A variable, unless it is blank.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// Whether a variable is there, be it blank.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The home folder of the user.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn home(&self) -> anyhow::Result<&Path> {
        let home = self.get("HOME").or_else(|| self.get("USERPROFILE"));
        home.map(Path::new).ok_or_else(|| anyhow::anyhow!("there is no home folder: set HOME, or give --runtime-path"))
    }

    /// Token that sidecars started from this environment want to be shown.
    pub(crate) fn api_token(&self) -> Option<String> {
        self.get("DAPR_API_TOKEN").map(str::to_owned)
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }
}

impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
