//! The environment of the process, read once (surface.md 4.3).
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Environment variables. Values are never printed.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// That of this process.
    pub fn of_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        };
        Self(std::env::vars_os().map(text).collect())
    }

    /// The value of a variable, even an empty one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a variable unless it is empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// Whether a variable says yes.
    pub fn is_truthy(&self, name: &str) -> bool {
        let value = self.get(name).unwrap_or_default().trim().to_ascii_lowercase();
        matches!(value.as_str(), "y" | "yes" | "true" | "t" | "on" | "1")
    }

    /// Namespace of the app.
    pub fn namespace(&self) -> &str {
        self.get("NAMESPACE").unwrap_or("default")
    }

    /// Namespace as metrics and resources know it: empty when none was given.
    pub fn given_namespace(&self) -> &str {
        self.get("NAMESPACE").unwrap_or_default()
    }

    /// Folder of the sockets of components in other processes.
    pub fn sockets_folder(&self) -> &Path {
        Path::new(self.filled("DAPR_COMPONENTS_SOCKETS_FOLDER").unwrap_or("/tmp/dapr-components-sockets"))
    }

    /// Token that callers of the API must show.
    pub fn api_token(&self) -> Option<&str> {
        self.filled("DAPR_API_TOKEN")
    }

    /// Token that the app gets shown.
    pub fn app_token(&self) -> Option<&str> {
        self.filled("APP_API_TOKEN")
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
