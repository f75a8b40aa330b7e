//! How large the store is.

/// Sizes in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Of the file.
    pub file: u64,
    /// Of the records in it, as the quota counts them.
    pub in_use: u64,
}
