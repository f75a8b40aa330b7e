//! Calls over HTTP, of issuers of tokens and of schema registries.
use component_api::Result;
use foundation_fetch::{Client, Limits, trust};
use std::time::Duration;

const LIMITS: Limits = Limits { patience: Duration::from_secs(30), largest: 16 << 20 };

/// A client that trusts the roots of the system and those given as PEM, or any certificate at all.
///
/// # Errors
/// TLS cannot be set up.
pub(crate) fn client(more_roots: &str, is_unchecked: bool) -> Result<Client> {
    if is_unchecked {
        return Ok(Client::new(trust::anybody()?, LIMITS));
    }
    let mut roots = trust::system();
    trust::add(&mut roots, more_roots.as_bytes());
    Ok(Client::new(trust::only(roots)?, LIMITS))
}
