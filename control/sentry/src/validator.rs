//! Whether who asks for an identity may have it.
mod jwks;
mod kubernetes;

pub(crate) use jwks::Jwks;
pub(crate) use kubernetes::PodTokens;

use crate::error::Refusal;
use foundation_identity::SpiffeId;
use std::collections::BTreeMap;
use std::fmt;
use wire::sentry::v1::sign_certificate_request::TokenValidator;

/// One way to check who asks.
pub enum Validator {
    /// Everybody is believed.
    Insecure,
    /// A token says who asks.
    Jwks(Box<Jwks>),
    /// Kubernetes says who asks.
    Kubernetes(Box<PodTokens>),
}

/// The ways that are switched on.
pub(crate) struct Validators {
    by_number: BTreeMap<i32, Validator>,
    /// For requests that name none.
    default: Option<i32>,
}

impl Validators {
    /// Only what is named here can be asked for; where nothing tells who asks, everybody is believed.
    pub(crate) fn new(jwks: Option<Jwks>, kubernetes: Option<PodTokens>) -> Self {
        let kubernetes = kubernetes.map(|tokens| (TokenValidator::Kubernetes, Validator::Kubernetes(Box::new(tokens))));
        let jwks = jwks.map(|jwks| (TokenValidator::Jwks, Validator::Jwks(Box::new(jwks))));
        let default = match (&kubernetes, &jwks) {
            (Some(_), _) => Some(TokenValidator::Kubernetes),
            (None, Some(_)) => None,
            (None, None) => Some(TokenValidator::Insecure),
        };
        let insecure =
            (kubernetes.is_none() && jwks.is_none()).then_some((TokenValidator::Insecure, Validator::Insecure));
        let all = [kubernetes, jwks, insecure].into_iter().flatten();
        Self {
            by_number: all.map(|(number, validator)| (number.into(), validator)).collect(),
            default: default.map(Into::into),
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

    /// Keeps what was read fresh.
    pub(crate) async fn follow(&self) {
        for validator in self.by_number.values() {
            // There is one of them at most.
            if let Validator::Jwks(jwks) = validator {
                jwks.follow().await;
            }
        }
    }

    /// All that are switched on.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Validator> {
        self.by_number.values()
    }

    /// The validator that a request names.
    pub(crate) fn named(&self, number: i32) -> Result<&Validator, Refusal> {
        let number = if number == TokenValidator::Unknown as i32 { self.default } else { Some(number) };
        self.by_number.get(&number.ok_or(Refusal::NoValidator)?).ok_or(Refusal::ValidatorDisabled)
    }
}

impl fmt::Display for Validator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Insecure => "insecure",
            Self::Jwks(_) => "jwks",
            Self::Kubernetes(_) => "kubernetes",
        })
    }
}

impl Validator {
    /// The identity that the bearer of the token gets, which is what was asked for but for its trust domain.
    pub(crate) async fn check(&self, id: SpiffeId, token: &str) -> Result<SpiffeId, Refusal> {
        match self {
            Self::Insecure => Ok(id),
            Self::Jwks(jwks) => jwks.check(&id, token).await.map(|()| id),
            Self::Kubernetes(tokens) => tokens.check(&id, token).await,
        }
    }

    /// Refuses what needs no look at the rest of a request.
    pub(crate) fn precheck(&self, token: &str) -> Result<(), Refusal> {
        match self {
            Self::Jwks(_) | Self::Kubernetes(_) if token.is_empty() => {
                Err(Refusal::Denied("the request does not contain a token".to_owned()))
            }
            _ => Ok(()),
        }
    }
}
