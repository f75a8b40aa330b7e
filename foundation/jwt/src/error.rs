//! Why a token is not accepted. No text shows any of the token.

/// Why a token or a key set is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("this is no JSON Web Key Set: {0}")]
    KeySet(String),
    #[error("the token is not in the compact form of JSON Web Signatures")]
    Form,
    #[error("the token has a header that is not understood")]
    Header,
    #[error("the token names no key: its header needs a kid")]
    NoKey,
    /// There is no such key in the set; it may be in a newer one.
    #[error("the key of the token is unknown")]
    UnknownKey,
    #[error("the key of the token does not fit its algorithm")]
    Algorithm,
    #[error("the signature of the token is wrong")]
    Signature,
    #[error("the claims of the token cannot be read")]
    Claims,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    Early,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for another audience")]
    Audience,
    #[error("the token has another subject")]
    Subject,
}
