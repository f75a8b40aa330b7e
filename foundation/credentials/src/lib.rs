//! The credentials of a certificate authority: files in Dapr's form, what they sign, and how one root gives way to the next.
//!
//! [`Authority`] signs with [`Credentials`], which are in [`Files`]. A [`Rotation`] replaces a root that was made here long before it
//! ends: the next one is trusted first, signs then, and the last one goes when nothing that it vouches for is left.
//! Contract: protocols.md 5.1, 5.3.
mod authority;
mod certificate;
mod credentials;
mod error;
mod files;
mod journal;
mod key;
mod rotation;
mod schedule;

pub use authority::{Authority, Lifetimes, Signed};
pub use certificate::{Root, pem};
pub use credentials::Credentials;
pub use error::Error;
pub use files::{Files, read, write};
pub use journal::{Journal, Longest, Next, Retiring};
pub use rotation::{Rotation, Step};
pub use schedule::Schedule;
