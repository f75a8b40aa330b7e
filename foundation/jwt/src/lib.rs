//! JSON Web Tokens: key sets, and whether a token is signed by one of their keys (RFC 7515, 7517, 7519).
mod claims;
mod error;
mod key;
mod key_set;
#[cfg(test)]
mod tests;

pub use claims::{Claims, Expected};
pub use error::Error;
pub use key_set::KeySet;
