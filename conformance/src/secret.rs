//! What every secret store must show (components.md 4.4). A feature that is not listed must really be absent.
#![allow(clippy::expect_used, clippy::panic)] // A trial that fails ends its test.
use crate::trial::trial;
use component_api::Metadata;
use component_api::secret::{Secret, Store};

/// A secret store and what is in it. There may be more in it than that.
pub struct Subject<'a> {
    pub store: &'a dyn Store,
    /// Name and value of a secret with a single value.
    pub single: (&'a str, &'a str),
    /// Name of a secret that is not there; `None` where everything is, as in the environment.
    pub missing: Option<&'a str>,
}

/// Runs all trials, and prints their names.
///
/// # Panics
/// When the store fails a trial; the last name printed is that trial's.
pub async fn run(subject: &Subject<'_>) {
    trial("secret: get", get(subject)).await;
    trial("secret: all", bulk_get(subject)).await;
    trial("secret: missing", missing(subject)).await;
}

async fn get(subject: &Subject<'_>) {
    let secret = subject.store.get(subject.single.0, &Metadata::new()).await.expect("a secret");
    assert_eq!(secret, expected(subject));
}

async fn bulk_get(subject: &Subject<'_>) {
    let all = subject.store.bulk_get(&Metadata::new()).await.expect("all secrets");
    assert_eq!(all.get(subject.single.0), Some(&expected(subject)));
    if !subject.store.features().multiple_values {
        let many = all.iter().find(|(_, secret)| secret.len() != 1);
        assert!(many.is_none(), "several values without the feature: {:?}", many.map(|(name, _)| name));
    }
}

async fn missing(subject: &Subject<'_>) {
    let Some(name) = subject.missing else { return };
    assert!(subject.store.get(name, &Metadata::new()).await.is_err(), "a missing secret is an error");
}

fn expected(subject: &Subject<'_>) -> Secret {
    Secret::from([(subject.single.0.to_owned(), subject.single.1.to_owned())])
}
