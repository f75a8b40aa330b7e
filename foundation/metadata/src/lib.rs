//! Component metadata: name/value pairs decoded into typed structs, as Dapr's own decoder does it.
//!
//! A component declares what it reads as a struct with `#[derive(Deserialize, JsonSchema)]` and
//! `#[serde(default, rename_all = "camelCase")]`, whose doc comments are its reference documentation, and calls
//! [`Properties::decode`]. Other names of a field are serde aliases; names that no field has are ignored, so that a
//! component may decode several structs from the same pairs.
mod byte_size;
mod decode;
pub mod duration;
mod error;
mod properties;
mod secret;
mod spelling;

pub use byte_size::ByteSize;
pub use decode::is_truthy;
pub use duration::GoDuration;
pub use error::Error;
pub use properties::Properties;
pub use secret::Secret;
pub use spelling::meant;

#[cfg(test)]
mod tests;
