//! JSON Web Tokens: key sets, whether a token is signed by one of their keys, and keys that sign (RFC 7515, 7517, 7519).
mod claims;
mod error;
mod key;
mod key_set;
mod signing_key;
#[cfg(test)]
mod tests;

pub use claims::{Claims, Expected};
pub use error::Error;
pub use key_set::KeySet;
pub use signing_key::{SigningKey, generate_rsa};
