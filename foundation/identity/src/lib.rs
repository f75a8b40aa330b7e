//! Identities of workloads: SPIFFE ids, certificates and their rotation.
mod spiffe_id;

pub use spiffe_id::{InvalidSpiffeId, PeerId, SpiffeId, TrustDomain};
