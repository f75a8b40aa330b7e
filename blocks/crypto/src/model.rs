//! What is asked of the service.

/// How a document is to be encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncryptOptions {
    /// Key that the key of the document is wrapped with.
    pub key: String,
    /// How it is wrapped, in any case: `A256KW`, `RSA-OAEP-256` and so on, or `AES` or `RSA`.
    pub algorithm: String,
    /// How the text is encrypted, in any case: `aes-gcm` (the default when empty) or `chacha20-poly1305`.
    pub cipher: String,
    /// Do not write into the document which key decrypts it.
    pub omit_decryption_key: bool,
    /// Key that decrypts the document, where it is another one.
    pub decryption_key: String,
}

/// How a document is to be decrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecryptOptions {
    /// Key to use instead of the one that the document names.
    pub key: String,
}
