//! SPIFFE ids of workloads (protocols.md 5.1; SPIFFE-ID, section 2).
use std::fmt;
use std::str::FromStr;

const SCHEME: &str = "spiffe://";
/// Bytes of an id, and of a trust domain.
const LONGEST: usize = 2048;
const LONGEST_TRUST_DOMAIN: usize = 255;
/// Characters of a text that an error shows.
const LONGEST_SHOWN: usize = 128;

/// A trust domain: those whose certificates come from one root.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(String);

/// The id of a workload: `spiffe://<trust domain>/ns/<namespace>/<app id>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    trust_domain: TrustDomain,
    namespace: String,
    app_id: String,
}

/// Extension of a request: who proved to be at the other end of its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerId(pub SpiffeId);

/// A text that is no id of a workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed SPIFFE ID {text}: {reason}")]
pub struct InvalidSpiffeId {
    text: String,
    reason: &'static str,
}

impl InvalidSpiffeId {
    fn new(text: &str, reason: &'static str) -> Self {
        Self { text: text.chars().take(LONGEST_SHOWN).collect(), reason }
    }
}

impl TrustDomain {
    /// A trust domain by its name.
    ///
    /// # Errors
    /// Names with other letters than `a-z`, digits, dots, dashes and underscores, too long ones, and none.
    pub fn new(name: &str) -> Result<Self, InvalidSpiffeId> {
        let reason = match name {
            "" => "trust domain is missing",
            name if name.len() > LONGEST_TRUST_DOMAIN => "trust domain is too long",
            name if !name.bytes().all(is_trust_domain_byte) => {
                "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores"
            }
            name => return Ok(Self(name.to_owned())),
        };
        Err(InvalidSpiffeId::new(name, reason))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SpiffeId {
    /// The id of an app.
    ///
    /// # Errors
    /// A namespace or an app id that cannot be a segment of a path, and those that are too long together.
    pub fn new(trust_domain: TrustDomain, namespace: &str, app_id: &str) -> Result<Self, InvalidSpiffeId> {
        for segment in [namespace, app_id] {
            if let Some(reason) = fault_of_segment(segment) {
                return Err(InvalidSpiffeId::new(segment, reason));
            }
        }
        let id = Self { trust_domain, namespace: namespace.to_owned(), app_id: app_id.to_owned() };
        let text = id.to_string();
        if text.len() > LONGEST { Err(InvalidSpiffeId::new(&text, "it is too long")) } else { Ok(id) }
    }

    /// Who has signed for the id.
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// Namespace of the app.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Id of the app.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }
}

impl FromStr for SpiffeId {
    type Err = InvalidSpiffeId;

    /// Segments behind the app id are ignored: there may be more of them in future.
    fn from_str(text: &str) -> Result<Self, InvalidSpiffeId> {
        let fail = |reason| InvalidSpiffeId::new(text, reason);
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= LONGEST);
        let mut segments = rest.ok_or_else(|| fail("scheme is missing or invalid"))?.split('/');
        let trust_domain = TrustDomain::new(segments.next().unwrap_or_default()).map_err(|error| fail(error.reason))?;
        let (Some("ns"), Some(namespace), Some(app_id)) = (segments.next(), segments.next(), segments.next()) else {
            return Err(fail("it is not /ns/<namespace>/<app id>"));
        };
        if let Some(reason) = segments.find_map(fault_of_segment) {
            return Err(fail(reason));
        }
        Self::new(trust_domain, namespace, app_id).map_err(|error| fail(error.reason))
    }
}

fn is_trust_domain_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte)
}

fn fault_of_segment(segment: &str) -> Option<&'static str> {
    match segment {
        "" => Some("path cannot contain empty segments"),
        "." | ".." => Some("path cannot contain dot segments"),
        segment if !segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) => {
            Some("path segment characters are limited to letters, numbers, dots, dashes, and underscores")
        }
        _ => None,
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/ns/{}/{}", self.trust_domain, self.namespace, self.app_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ids_are_written_as_they_are_read() {
        let text = "spiffe://example.org/ns/default/my-app_1.x";
        let id: SpiffeId = text.parse().unwrap();
        assert_eq!((id.trust_domain().as_str(), id.namespace(), id.app_id()), ("example.org", "default", "my-app_1.x"));
        assert_eq!(id.to_string(), text);
        let longer: SpiffeId = format!("{text}/more").parse().unwrap();
        assert_eq!(longer, id);
    }

    #[test]
    fn what_is_no_id_is_refused() {
        for text in [
            "",
            "https://example.org/ns/a/b",
            "spiffe:///ns/a/b",
            "spiffe://Example.org/ns/a/b",
            "spiffe://example.org:80/ns/a/b",
            "spiffe://example.org",
            "spiffe://example.org/ns/a",
            "spiffe://example.org/ns//b",
            "spiffe://example.org/sa/a/b",
            "spiffe://example.org/ns/a/..",
            "spiffe://example.org/ns/a/b/",
            "spiffe://example.org/ns/a/b%2F",
            "spiffe://example.org/ns/a/b?c",
        ] {
            assert!(text.parse::<SpiffeId>().is_err(), "{text}");
        }
        let domain = TrustDomain::new("public").unwrap();
        assert!(SpiffeId::new(domain, "a/b", "c").is_err());
    }

    #[test]
    fn what_is_too_long_is_refused_in_few_words() {
        let id = |namespace: &str| SpiffeId::new(TrustDomain::new("public").unwrap(), namespace, "app");
        let longest = "a".repeat(LONGEST - "spiffe://public/ns//app".len());
        assert!(id(&longest).unwrap().to_string().parse::<SpiffeId>().is_ok());
        for refused in [id(&format!("{longest}a")), id(&"/".repeat(60_000))] {
            assert!(refused.unwrap_err().to_string().len() < 2 * LONGEST_SHOWN + 64);
        }
        assert!(TrustDomain::new(&"A".repeat(60_000)).unwrap_err().to_string().len() < 2 * LONGEST_SHOWN + 64);
    }

    proptest! {
        #[test]
        fn any_text_is_an_id_or_refused(text in "(spiffe://)?[a-zA-Z0-9._%/-]{0,12}(/ns/)?[a-z./]{0,12}|\\PC{0,40}") {
            if let Ok(id) = text.parse::<SpiffeId>() {
                prop_assert_eq!(id.to_string().parse::<SpiffeId>(), Ok(id.clone()));
                prop_assert!(text.starts_with(&id.to_string()), "{}", text);
            }
        }

        #[test]
        fn names_of_apps_survive(domain in "[a-z0-9._-]{1,12}", namespace in "\\PC{0,6}", app_id in "[a-zA-Z0-9._-]{1,8}") {
            let domain = TrustDomain::new(&domain).unwrap();
            if let Ok(id) = SpiffeId::new(domain, &namespace, &app_id) {
                prop_assert_eq!(id.to_string().parse::<SpiffeId>(), Ok(id));
            }
        }
    }
}
