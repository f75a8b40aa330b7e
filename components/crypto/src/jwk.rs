//! JSON Web Keys (RFC 7517, 7518 section 6, and 8037).
use crate::elliptic::{CURVES, Curve, EcKey, EdKey};
use crate::error::Problem;
use crate::key::{Key, Limits, Material};
use crate::rsa::RsaKey;
use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

type Result<T> = std::result::Result<T, Problem>;

/// A number or bytes of a key, as text.
type Member = Option<Zeroizing<String>>;

/// A key as it is written.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Written {
    kty: String,
    kid: String,
    alg: String,
    #[serde(rename = "use")]
    usage: String,
    key_ops: Vec<String>,
    crv: String,
    k: Member,
    n: Member,
    e: Member,
    d: Member,
    p: Member,
    q: Member,
    dp: Member,
    dq: Member,
    qi: Member,
    x: Member,
    y: Member,
}

/// Reads one key.
pub(crate) fn read(json: &[u8]) -> Result<Key> {
    let written: Written = serde_json::from_slice(json).map_err(|_| Problem::Format)?;
    let limits = Limits {
        id: written.kid.clone(),
        algorithm: written.alg.clone(),
        usage: written.usage.clone(),
        operations: written.key_ops.clone(),
    };
    Ok(Key { material: written.material()?, limits })
}

/// Reads all keys of a set (RFC 7517, section 5) that have an id and a type that is known; others do not matter.
pub(crate) fn read_set(json: &[u8]) -> Result<Vec<(String, Key)>> {
    let set: Map<String, Value> = serde_json::from_slice(json).map_err(|_| Problem::Format)?;
    let keys = match set.get("keys") {
        Some(Value::Array(keys)) => keys.clone(),
        Some(_) => return Err(Problem::Format),
        None => vec![Value::Object(set)],
    };
    let read = keys.iter().filter_map(|key| read(key.to_string().as_bytes()).ok());
    Ok(read.map(|key| (key.limits.id.clone(), key)).collect())
}

/// The public part of a key; a symmetric one has none.
pub(crate) fn public(key: &Key) -> Option<Value> {
    let mut members = match &key.material {
        Material::Symmetric(_) => return None,
        Material::Rsa(key) => texts(&[("kty", "RSA"), ("n", &encode(&key.public.n)), ("e", &encode(&key.public.e))]),
        Material::Ec(key) => {
            let (x, y) = key.point[1..].split_at(key.curve.size);
            texts(&[("kty", "EC"), ("crv", key.curve.name), ("x", &encode(x)), ("y", &encode(y))])
        }
        Material::Ed25519(key) => texts(&[("kty", "OKP"), ("crv", "Ed25519"), ("x", &encode(&key.public))]),
    };
    let Limits { id, algorithm, usage, operations } = &key.limits;
    members.extend(texts(&[("kid", id), ("alg", algorithm), ("use", usage)]));
    if !operations.is_empty() {
        members.insert("key_ops".to_owned(), operations.as_slice().into());
    }
    Some(Value::Object(members))
}

impl Written {
    fn material(&self) -> Result<Material> {
        Ok(match self.kty.as_str() {
            "oct" => Material::Symmetric(bytes(&self.k)?),
            "RSA" => Material::Rsa(self.rsa()?),
            "EC" => Material::Ec(self.ec()?),
            "OKP" => Material::Ed25519(self.ed()?),
            _ => return Err(Problem::UnknownKeyType),
        })
    }

    fn rsa(&self) -> Result<RsaKey> {
        let public_key = PublicKeyComponents { n: number(&self.n)?, e: number(&self.e)? };
        if self.d.is_none() {
            return Ok(RsaKey::from_public(public_key));
        }
        let components = KeyPairComponents {
            public_key,
            d: bytes(&self.d)?.to_vec(),
            p: bytes(&self.p)?.to_vec(),
            q: bytes(&self.q)?.to_vec(),
            dP: bytes(&self.dp)?.to_vec(),
            dQ: bytes(&self.dq)?.to_vec(),
            qInv: bytes(&self.qi)?.to_vec(),
        };
        RsaKey::from_pair(&KeyPair::from_components(&components).map_err(|_| Problem::Rejected)?)
    }

    fn ec(&self) -> Result<EcKey> {
        let curve = CURVES.iter().find(|curve| curve.name == self.crv).ok_or(Problem::UnknownKeyType)?;
        let (x, y) = (coordinate(&self.x, curve)?, coordinate(&self.y, curve)?);
        let private = self.d.as_ref().map(|_| coordinate(&self.d, curve)).transpose()?;
        EcKey::new(curve, [&[4], &x[..], &y[..]].concat(), private.as_deref().map(Vec::as_slice))
    }

    fn ed(&self) -> Result<EdKey> {
        if self.crv != "Ed25519" {
            return Err(Problem::UnknownKeyType);
        }
        let seed = self.d.as_ref().map(|_| bytes(&self.d)).transpose()?;
        EdKey::new(bytes(&self.x)?.to_vec(), seed.as_deref().map(Vec::as_slice))
    }
}

fn bytes(text: &Member) -> Result<Zeroizing<Vec<u8>>> {
    let text = text.as_ref().ok_or(Problem::Format)?.trim_end_matches('=');
    BASE64_URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| Problem::Format)
}

/// A public number without leading zeros.
fn number(text: &Member) -> Result<Vec<u8>> {
    let bytes = bytes(text)?;
    Ok(bytes.iter().copied().skip_while(|byte| *byte == 0).collect())
}

/// A number of the size of the curve's coordinates; some writers leave out leading zeros.
fn coordinate(text: &Member, curve: &Curve) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = bytes(text)?;
    let missing = curve.size.checked_sub(bytes.len()).ok_or(Problem::Rejected)?;
    Ok(Zeroizing::new([&vec![0; missing][..], &bytes[..]].concat()))
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Those members that have a value.
fn texts(members: &[(&str, &str)]) -> Map<String, Value> {
    let given = members.iter().filter(|(_, text)| !text.is_empty());
    given.map(|(name, text)| ((*name).to_owned(), (*text).into())).collect()
}
