//! The certificate authority of a fleet.
