//! A regular expression that chooses the requests a middleware is for.
use component_api::{Error, Result};
use http::Uri;
use percent_encoding::percent_decode_str;
use regex::Regex;

/// The requests whose path fits; without an expression all of them.
pub(crate) struct PathFilter(Option<Regex>);

impl PathFilter {
    /// # Errors
    /// The expression is none.
    pub(crate) fn new(expression: &str) -> Result<Self> {
        if expression.is_empty() {
            return Ok(Self(None));
        }
        let failed = |error| Error::invalid(format!("Parameter 'pathFilter' is not a valid regex: {error}"));
        Ok(Self(Some(Regex::new(expression).map_err(failed)?)))
    }

    pub(crate) fn fits(&self, uri: &Uri) -> bool {
        let path = percent_decode_str(uri.path()).decode_utf8_lossy();
        self.0.as_ref().is_none_or(|expression| expression.is_match(&path))
    }
}
