//! What a document says of itself: which key, which algorithms.
use super::{NONCE_PREFIX, Problem};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// How the key of a document is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyAlgorithm {
    A256Kw,
    A128Cbc,
    A192Cbc,
    A256Cbc,
    RsaOaep256,
}

impl KeyAlgorithm {
    const ALL: [(Self, u32, &'static str); 5] = [
        (Self::A256Kw, 1, "A256KW"),
        (Self::A128Cbc, 2, "A128CBC-NOPAD"),
        (Self::A192Cbc, 3, "A192CBC-NOPAD"),
        (Self::A256Cbc, 4, "A256CBC-NOPAD"),
        (Self::RsaOaep256, 5, "RSA-OAEP-256"),
    ];

    /// The algorithm of a name or of its alias, in upper case.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let name = match name {
            "AES" => "A256KW",
            "RSA" => "RSA-OAEP-256",
            other => other,
        };
        Self::ALL.iter().find(|(_, _, known)| *known == name).map(|(algorithm, ..)| *algorithm)
    }

    /// The name that providers of keys know it by.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(algorithm, ..)| *algorithm == self).map_or("", |(_, _, name)| name)
    }
}

/// How the segments of a document are encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cipher {
    #[default]
    AesGcm,
    ChaCha20Poly1305,
}

impl Cipher {
    /// The cipher of a name in upper case.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        match name {
            "AES-GCM" => Some(Self::AesGcm),
            "CHACHA20-POLY1305" => Some(Self::ChaCha20Poly1305),
            _ => None,
        }
    }
}

/// The second line of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The key to decrypt with; empty when the reader has to know.
    pub(crate) key_name: String,
    pub(crate) algorithm: KeyAlgorithm,
    pub(crate) wrapped_key: Vec<u8>,
    pub(crate) cipher: Cipher,
    pub(crate) nonce_prefix: [u8; NONCE_PREFIX],
}

/// As it is written; names and their order are those of Dapr.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Written {
    #[serde(skip_serializing_if = "String::is_empty")]
    k: String,
    kw: u32,
    wfk: String,
    cph: u32,
    np: String,
}

impl Manifest {
    /// The line, without its end.
    pub(crate) fn write(&self) -> Result<Vec<u8>, Problem> {
        let number = KeyAlgorithm::ALL.iter().find(|(algorithm, ..)| *algorithm == self.algorithm);
        let written = Written {
            k: self.key_name.clone(),
            kw: number.map_or(0, |(_, number, _)| *number),
            wfk: BASE64_STANDARD.encode(&self.wrapped_key),
            cph: if self.cipher == Cipher::AesGcm { 1 } else { 2 },
            np: BASE64_STANDARD.encode(self.nonce_prefix),
        };
        serde_json::to_vec(&written).map_err(|_| Problem::Manifest)
    }

    /// Reads the line.
    ///
    /// # Errors
    /// [`Problem::Manifest`], whatever is wrong.
    pub(crate) fn read(line: &[u8]) -> Result<Self, Problem> {
        let written: Written = serde_json::from_slice(line).map_err(|_| Problem::Manifest)?;
        Self::checked(written).ok_or(Problem::Manifest)
    }

    fn checked(written: Written) -> Option<Self> {
        let Written { k, kw, wfk, cph, np } = written;
        let wrapped_key = BASE64_STANDARD.decode(wfk).ok().filter(|key| !key.is_empty())?;
        Some(Self {
            key_name: k,
            algorithm: KeyAlgorithm::ALL.iter().find(|(_, number, _)| *number == kw)?.0,
            wrapped_key,
            cipher: match cph {
                1 => Cipher::AesGcm,
                2 => Cipher::ChaCha20Poly1305,
                _ => return None,
            },
            nonce_prefix: BASE64_STANDARD.decode(np).ok()?.try_into().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    proptest! {
        #[test]
        fn any_line_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80), kw in any::<i32>(), cph in any::<i32>(), text in "[A-Za-z0-9+/=]{0,16}") {
            Manifest::read(&bytes).ok();
            for (kw, cph) in [(kw, cph), (kw.rem_euclid(7), cph.rem_euclid(4))] {
                let line = serde_json::json!({"k": text, "kw": kw, "wfk": text, "cph": cph, "np": text});
                if let Ok(manifest) = Manifest::read(line.to_string().as_bytes()) {
                    prop_assert_eq!(Manifest::read(&manifest.write().unwrap()), Ok(manifest));
                }
            }
        }

        #[test]
        fn what_is_written_is_read(key_name in "\\PC{0,20}", wrapped_key in prop::collection::vec(any::<u8>(), 1..60), nonce_prefix: [u8; NONCE_PREFIX], which in select(&KeyAlgorithm::ALL[..])) {
            let manifest = Manifest { key_name, algorithm: which.0, wrapped_key, cipher: Cipher::ChaCha20Poly1305, nonce_prefix };
            prop_assert_eq!(Manifest::read(&manifest.write().unwrap()), Ok(manifest));
        }
    }
}
