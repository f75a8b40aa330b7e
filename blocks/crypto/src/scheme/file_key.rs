//! The key of a document, and those derived from it: one signs the header, one encrypts the segments.
use super::{Cipher, KEY, NAME, NONCE_PREFIX, Problem};
use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac, rand};
use zeroize::Zeroizing;

type Result<T> = std::result::Result<T, Problem>;

/// The keys of one document.
pub(crate) struct FileKey {
    key: Zeroizing<[u8; KEY]>,
    nonce_prefix: [u8; NONCE_PREFIX],
    header: hmac::Key,
    payload: LessSafeKey,
}

impl FileKey {
    /// Fresh keys.
    pub(crate) fn generate(cipher: Cipher) -> Result<Self> {
        let (mut key, mut nonce_prefix) = ([0; KEY], [0; NONCE_PREFIX]);
        rand::fill(&mut key).map_err(|_| Problem::Library)?;
        rand::fill(&mut nonce_prefix).map_err(|_| Problem::Library)?;
        Self::import(key, nonce_prefix, cipher)
    }

    /// The keys of a document whose key was unwrapped.
    pub(crate) fn import(key: [u8; KEY], nonce_prefix: [u8; NONCE_PREFIX], cipher: Cipher) -> Result<Self> {
        let key = Zeroizing::new(key);
        let header = derive(&key, b"header", &[])?;
        let payload = derive(&key, b"payload", &nonce_prefix)?;
        let algorithm = match cipher {
            Cipher::AesGcm => &AES_256_GCM,
            Cipher::ChaCha20Poly1305 => &CHACHA20_POLY1305,
        };
        let payload = UnboundKey::new(algorithm, &*payload).map_err(|_| Problem::Library)?;
        let header = hmac::Key::new(hmac::HMAC_SHA256, &*header);
        Ok(Self { key, nonce_prefix, header, payload: LessSafeKey::new(payload) })
    }

    /// The key itself, to be wrapped.
    pub(crate) fn bytes(&self) -> &[u8; KEY] {
        &self.key
    }

    pub(crate) fn nonce_prefix(&self) -> [u8; NONCE_PREFIX] {
        self.nonce_prefix
    }

    /// Signature of the header with this manifest.
    pub(crate) fn sign(&self, manifest: &[u8]) -> Vec<u8> {
        hmac::sign(&self.header, &signed(manifest)).as_ref().to_vec()
    }

    /// Checks the signature of a header, in constant time.
    pub(crate) fn verify(&self, manifest: &[u8], signature: &[u8]) -> Result<()> {
        hmac::verify(&self.header, &signed(manifest), signature).map_err(|_| Problem::Signature)
    }

    /// Encrypts a segment in place and adds its tag.
    pub(crate) fn seal(&self, segment: &mut Vec<u8>, number: u32, last: bool) -> Result<()> {
        let nonce = self.nonce(number, last);
        self.payload.seal_in_place_append_tag(nonce, Aad::empty(), segment).map_err(|_| Problem::Library)
    }

    /// Decrypts a segment in place and takes off its tag.
    pub(crate) fn open(&self, segment: &mut Vec<u8>, number: u32, last: bool) -> Result<()> {
        let nonce = self.nonce(number, last);
        let opened = self.payload.open_in_place(nonce, Aad::empty(), segment);
        let length = opened.map_err(|_| Problem::Segment)?.len();
        segment.truncate(length);
        Ok(())
    }

    /// Unique in a document: the number of the segment, and whether it is the last one.
    fn nonce(&self, number: u32, last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[..NONCE_PREFIX].copy_from_slice(&self.nonce_prefix);
        nonce[NONCE_PREFIX..NONCE_LEN - 1].copy_from_slice(&number.to_be_bytes());
        nonce[NONCE_LEN - 1] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

/// The first two lines of a document.
fn signed(manifest: &[u8]) -> Vec<u8> {
    [NAME.as_bytes(), b"\n", manifest, b"\n"].concat()
}

fn derive(key: &[u8; KEY], purpose: &[u8], salt: &[u8]) -> Result<Zeroizing<[u8; KEY]>> {
    let mut out = Zeroizing::new([0; KEY]);
    let prk = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(key);
    let purposes = [purpose];
    let derived = prk.expand(&purposes, hkdf::HKDF_SHA256).and_then(|okm| okm.fill(&mut *out));
    derived.map_err(|_| Problem::Library)?;
    Ok(out)
}
