//! Cryptography with keys that the app never sees.
