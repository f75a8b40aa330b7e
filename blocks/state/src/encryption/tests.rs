//! Keys and records.
use super::*;

const FIRST: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const SECOND: &str = "f0e1d2c3b4a5968778695a4b3c2d1e0f";

fn keys(primary: &str, secondary: &str) -> Result<Option<Encryption>, InvalidKey> {
    let properties = Properties::from_iter([(PRIMARY, primary), (SECONDARY, secondary)]);
    Encryption::of(&properties.taken_from(PRIMARY, primary).taken_from(SECONDARY, secondary))
}

fn json(text: &str) -> Value {
    Value::Json(text.to_owned().into())
}

#[test]
fn values_come_back() {
    let keys = keys(FIRST, SECOND).unwrap().unwrap();
    for (value, text) in [(json("{\"a\":1}"), "{\"a\":1}"), (json("\"\\u00fc\""), "ü"), (json("1"), "1")] {
        let stored = keys.encrypt(&value).unwrap();
        assert!(stored.bytes().ends_with(format!("||{FIRST}").as_bytes()));
        assert_eq!(keys.decrypt(stored.bytes()).unwrap(), text);
    }
    let quoted = Value::Binary("\"x\"".into());
    assert_eq!(keys.decrypt(keys.encrypt(&quoted).unwrap().bytes()).unwrap(), "\"x\"", "bytes stay as they are");
}

#[test]
fn the_secondary_key_decrypts_what_it_once_encrypted() {
    let old = keys(SECOND, SECOND).unwrap().unwrap().encrypt(&json("1")).unwrap();
    assert_eq!(keys(FIRST, SECOND).unwrap().unwrap().decrypt(old.bytes()).unwrap(), "1");
    let reason = "the record is encrypted with a key that is not configured";
    assert_eq!(keys(FIRST, FIRST).unwrap().unwrap().decrypt(old.bytes()).unwrap_err(), reason);
}

#[test]
fn what_was_not_encrypted_is_an_error() {
    let keys = keys(FIRST, SECOND).unwrap().unwrap();
    let lacks_name = "encryption key name not found on record";
    let changed = "the record was not encrypted with the key that it names";
    assert_eq!(keys.decrypt(b"plain").unwrap_err(), lacks_name);
    assert_eq!(keys.decrypt(b"plain||").unwrap_err(), lacks_name);
    assert_eq!(keys.decrypt(format!("AAAA||{FIRST}").as_bytes()).unwrap_err(), changed);
    assert_eq!(keys.decrypt(b"").unwrap(), "");
}

#[test]
fn keys_that_cannot_be_used() {
    let reason = |key: &str| keys(key, SECOND).err().unwrap().to_string();
    let start = "failed to extract encryption key: primaryEncryptionKey";
    assert_eq!(reason(""), format!("{start} is empty; check the secret that it refers to"));
    assert_eq!(reason("00"), format!("{start} must have 16, 24 or 32 bytes"));
    for wrong in ["0", "+f", "zz", "00 "] {
        assert_eq!(reason(wrong), format!("{start} must be in hexadecimal digits"));
    }
}

#[test]
fn a_key_in_the_open_is_refused() {
    let error = Encryption::of(&Properties::from_iter([(PRIMARY, FIRST)])).err().unwrap().to_string();
    assert!(error.contains("primaryEncryptionKey must be given by secretKeyRef"), "{error}");
}

#[test]
fn a_secondary_key_alone_encrypts_nothing_and_is_told() {
    use crate::{AtRest, check};
    let alone = Properties::from_iter([(SECONDARY, SECOND)]).taken_from(SECONDARY, SECOND);
    assert_eq!(check(&alone), Ok(AtRest::PlainForLackOfPrimaryKey));
    assert_eq!(check(&Properties::default()), Ok(AtRest::Plain));
    let primary = Properties::from_iter([(PRIMARY, FIRST)]).taken_from(PRIMARY, FIRST);
    assert_eq!(check(&primary), Ok(AtRest::Encrypted));
}
