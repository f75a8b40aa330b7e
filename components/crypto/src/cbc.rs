//! AES in CBC mode, alone and with HMAC (RFC 7518, section 5.2).
use crate::aes;
use crate::error::Problem;
use aws_lc_rs::cipher::{
    DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey,
};
use aws_lc_rs::iv::{FixedLength, IV_LEN_128_BIT};
use aws_lc_rs::{constant_time, hmac};
use component_api::crypto::{DecryptRequest, EncryptRequest, Encrypted};

type Result<T> = std::result::Result<T, Problem>;

const BLOCK: usize = IV_LEN_128_BIT;

/// Encrypts with PKCS#7 padding, or whole blocks without any.
pub(crate) fn encrypt(key: &[u8], nonce: &[u8], plaintext: &[u8], padded: bool) -> Result<Vec<u8>> {
    let context = EncryptionContext::Iv128(vector(nonce)?);
    let key = aes::key(key)?;
    let mut data = plaintext.to_vec();
    let done = if padded {
        PaddedBlockEncryptingKey::cbc_pkcs7(key).and_then(|key| key.less_safe_encrypt(&mut data, context))
    } else if plaintext.len().is_multiple_of(BLOCK) {
        EncryptingKey::cbc(key).and_then(|key| key.less_safe_encrypt(&mut data, context))
    } else {
        return Err(Problem::PlaintextLength);
    };
    done.map_err(|_| Problem::PlaintextLength)?;
    Ok(data)
}

/// Decrypts what [`encrypt`] made.
pub(crate) fn decrypt(key: &[u8], nonce: &[u8], ciphertext: &[u8], padded: bool) -> Result<Vec<u8>> {
    let context = DecryptionContext::Iv128(vector(nonce)?);
    let key = aes::key(key)?;
    if !ciphertext.len().is_multiple_of(BLOCK) {
        return Err(Problem::CiphertextLength);
    }
    let mut data = ciphertext.to_vec();
    let plaintext = if padded {
        PaddedBlockDecryptingKey::cbc_pkcs7(key).and_then(|key| Ok(key.decrypt(&mut data, context)?.len()))
    } else {
        DecryptingKey::cbc(key).and_then(|key| Ok(key.decrypt(&mut data, context)?.len()))
    };
    data.truncate(plaintext.map_err(|_| Problem::Authentication)?);
    Ok(data)
}

/// CBC with a message authentication code; both keys, and the tag, are half as long as the key.
pub(crate) struct Authenticated {
    pub(crate) half: usize,
    pub(crate) code: hmac::Algorithm,
}

impl Authenticated {
    pub(crate) fn encrypt(&self, key: &[u8], request: &EncryptRequest) -> Result<Encrypted> {
        let (code_key, key) = self.split(key)?;
        let ciphertext = encrypt(key, &request.nonce, &request.plaintext, true)?;
        let mut tag = self.tag(code_key, &request.associated_data, &request.nonce, &ciphertext);
        tag.truncate(self.half);
        Ok(Encrypted { ciphertext: ciphertext.into(), tag: tag.into() })
    }

    pub(crate) fn decrypt(&self, key: &[u8], request: &DecryptRequest) -> Result<Vec<u8>> {
        let (code_key, key) = self.split(key)?;
        let DecryptRequest { nonce, tag, associated_data, ciphertext, .. } = request;
        vector(nonce)?;
        if tag.len() != self.half {
            return Err(Problem::Tag);
        }
        let expected = self.tag(code_key, associated_data, nonce, ciphertext);
        constant_time::verify_slices_are_equal(&expected[..self.half], tag).map_err(|_| Problem::Authentication)?;
        decrypt(key, nonce, ciphertext, true)
    }

    fn split<'a>(&self, key: &'a [u8]) -> Result<(&'a [u8], &'a [u8])> {
        if key.len() == 2 * self.half { Ok(key.split_at(self.half)) } else { Err(Problem::KeyType) }
    }

    fn tag(&self, key: &[u8], associated_data: &[u8], nonce: &[u8], ciphertext: &[u8]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&hmac::Key::new(self.code, key));
        let bits = 8 * associated_data.len() as u64;
        [associated_data, nonce, ciphertext, &bits.to_be_bytes()].iter().for_each(|part| context.update(part));
        context.sign().as_ref().to_vec()
    }
}

fn vector(nonce: &[u8]) -> Result<FixedLength<BLOCK>> {
    let nonce: [u8; BLOCK] = nonce.try_into().map_err(|_| Problem::Nonce)?;
    Ok(FixedLength::from(nonce))
}
