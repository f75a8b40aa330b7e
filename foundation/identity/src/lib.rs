//! Identities of workloads: SPIFFE ids, certificates and their rotation, and the TLS between those who have one.
//!
//! [`start`] gets a certificate from sentry and keeps it fresh; the [`Identity`] that it returns accepts and opens connections.
//! Contract: protocols.md 5.
mod anchors;
mod announced;
mod bundle;
mod connection;
mod copies;
mod doubt;
mod error;
mod identity;
mod key;
mod places;
mod regular;
mod request;
mod rotation;
mod secured;
mod spiffe_id;
mod svid;
mod trust;
mod verifier;

pub use anchors::Anchors;
pub use announced::{ROOTS_EXTENSION, announcement};
pub use error::Error;
pub use identity::{Acceptor, ClientAuth, Identity};
pub use key::new_key;
pub use regular::read_regular;
pub use request::Sentry;
pub use rotation::{Watch, start};
pub use secured::Secured;
pub use spiffe_id::{InvalidSpiffeId, PeerId, SpiffeId, TrustDomain};
pub use svid::{Svid, id_of};
pub use trust::Trust;
pub use verifier::Expected;
