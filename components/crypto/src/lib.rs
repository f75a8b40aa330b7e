//! Keys in local files and JWK sets, and cryptography with them.
//!
//! Both components differ only in where keys come from; [`provider`] does the operations. Contract: components.md 1.4 and 4.7.
mod aes;
mod cbc;
mod chacha;
mod elliptic;
mod error;
mod jwk;
mod jwks;
mod key;
mod key_wrap;
mod local_storage;
mod parse;
mod provider;
mod rsa;
mod symmetric;

use component_api::Registry;

/// Scope of log lines, as Dapr names it.
const SCOPE: &str = "dapr.contrib";

/// Makes the components of this crate known.
pub fn register(registry: &mut Registry) {
    local_storage::register(registry);
    jwks::register(registry);
}
