//! The registered claims of a token (RFC 7519, section 4.1), and what is expected of them.
use crate::Error;
use serde::{Deserialize, Deserializer};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Claims of a token whose signature is good.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Claims {
    #[serde(rename = "iss")]
    pub issuer: Option<String>,
    #[serde(rename = "sub")]
    pub subject: Option<String>,
    #[serde(rename = "aud", deserialize_with = "one_or_many")]
    pub audiences: Vec<String>,
    /// Seconds since 1970, as the two that follow.
    #[serde(rename = "exp")]
    pub expires: Option<f64>,
    #[serde(rename = "nbf")]
    pub not_before: Option<f64>,
    #[serde(rename = "iat")]
    pub issued: Option<f64>,
}

/// What the claims must say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub issuer: Option<String>,
    pub subject: Option<String>,
    /// One of the token's audiences.
    pub audience: Option<String>,
    /// How far clocks may differ.
    pub skew: Duration,
}

impl Expected {
    pub(crate) fn check(&self, claims: &Claims, now: SystemTime) -> Result<(), Error> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let skew = self.skew.as_secs_f64();
        let later = |time: Option<f64>| time.is_some_and(|time| time > now + skew);
        if claims.expires.is_some_and(|expires| expires <= now - skew) {
            return Err(Error::Expired);
        }
        if later(claims.not_before) || later(claims.issued) {
            return Err(Error::Early);
        }
        if self.issuer.is_some() && self.issuer != claims.issuer {
            return Err(Error::Issuer);
        }
        if self.subject.is_some() && self.subject != claims.subject {
            return Err(Error::Subject);
        }
        let meant = self.audience.as_ref().is_none_or(|audience| claims.audiences.contains(audience));
        if meant { Ok(()) } else { Err(Error::Audience) }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}
