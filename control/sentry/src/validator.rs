//! Whether who asks for an identity may have it.
mod jwks;

pub(crate) use jwks::Jwks;

use crate::error::Refusal;
use foundation_identity::SpiffeId;
use std::collections::BTreeMap;
use wire::sentry::v1::sign_certificate_request::TokenValidator;

/// One way to check who asks.
pub enum Validator {
    /// Everybody is believed.
    Insecure,
    /// A token says who asks.
    Jwks(Box<Jwks>),
}

/// The ways that are switched on.
pub(crate) struct Validators {
    by_number: BTreeMap<i32, Validator>,
    /// For requests that name none.
    default: Option<i32>,
}

impl Validators {
    /// Only what is named here can be asked for; without a validator of tokens everybody is believed.
    pub(crate) fn new(jwks: Option<Jwks>) -> Self {
        let insecure = TokenValidator::Insecure as i32;
        match jwks {
            Some(jwks) => {
                let jwks = Validator::Jwks(Box::new(jwks));
                Self { by_number: [(TokenValidator::Jwks as i32, jwks)].into(), default: None }
            }
            None => Self { by_number: [(insecure, Validator::Insecure)].into(), default: Some(insecure) },
        }
    }

    /// Reads what must be read before the first request.
    pub(crate) async fn get_ready(&self) {
        for validator in self.by_number.values() {
            if let Validator::Jwks(jwks) = validator {
                jwks.load().await;
            }
        }
    }

    /// The validator that a request names.
    pub(crate) fn named(&self, number: i32) -> Result<&Validator, Refusal> {
        let number = if number == TokenValidator::Unknown as i32 { self.default } else { Some(number) };
        self.by_number.get(&number.ok_or(Refusal::NoValidator)?).ok_or(Refusal::ValidatorDisabled)
    }
}

impl Validator {
    /// Whether the bearer of the token may have the identity.
    pub(crate) async fn check(&self, id: &SpiffeId, token: &str) -> Result<(), Refusal> {
        match self {
            Self::Insecure => Ok(()),
            Self::Jwks(jwks) => jwks.check(id, token).await,
        }
    }

    /// Refuses what needs no look at the rest of a request.
    pub(crate) fn precheck(&self, token: &str) -> Result<(), Refusal> {
        match self {
            Self::Jwks(_) if token.is_empty() => {
                Err(Refusal::Denied("the request does not contain a token".to_owned()))
            }
            _ => Ok(()),
        }
    }
}
