//! The text at the beginning of a document: three lines, the last one being the signature of the others.
use super::{FileKey, Manifest, NAME, Pieces, Problem, SEGMENT};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;

const LINES: usize = 3;

/// The header of a document that is read, whose signature was not checked yet.
pub(crate) struct Header {
    pub(crate) manifest: Manifest,
    line: Bytes,
    signature: Bytes,
}

impl Header {
    /// The header of a new document.
    pub(crate) fn write(manifest: &Manifest, key: &FileKey) -> Result<Bytes, Problem> {
        let line = manifest.write()?;
        let signature = BASE64_STANDARD.encode(key.sign(&line));
        let header = [NAME.as_bytes(), b"\n", &line, b"\n", signature.as_bytes(), b"\n"].concat();
        if header.len() > SEGMENT { Err(Problem::HeaderTooLong) } else { Ok(header.into()) }
    }

    /// Checks that the header was signed with the key of the document.
    pub(crate) fn verify(&self, key: &FileKey) -> Result<(), Problem> {
        let signature = BASE64_STANDARD.decode(&self.signature).map_err(|_| Problem::Signature)?;
        key.verify(&self.line, &signature)
    }
}

/// Takes the header off a document; returns it with those bytes of the first segment that came with it.
pub(crate) async fn read(document: &mut Pieces) -> Result<(Header, BytesMut), Problem> {
    let mut text = BytesMut::new();
    while newlines(&text).count() < LINES && text.len() < SEGMENT {
        // A document that breaks off lacks a line, which is what is told of it.
        let Some(Ok(piece)) = document.next().await else { break };
        text.extend_from_slice(&piece);
    }
    let [name, line, signature] = lines(&mut text)?;
    if name != NAME {
        return Err(Problem::Scheme);
    }
    Ok((Header { manifest: Manifest::read(&line)?, line, signature }, text))
}

fn newlines(text: &[u8]) -> impl Iterator<Item = usize> {
    let found = text.iter().take(SEGMENT).enumerate().filter(|(_, byte)| **byte == b'\n');
    found.map(|(index, _)| index)
}

/// The lines of the header, which are taken off.
fn lines(text: &mut BytesMut) -> Result<[Bytes; LINES], Problem> {
    let mut line = |missing: Problem| {
        let end = newlines(text).next().ok_or(missing)?;
        let line = text.split_to(end + 1).freeze().slice(..end);
        if line.is_empty() { Err(Problem::Format) } else { Ok(line) }
    };
    Ok([line(Problem::NoScheme)?, line(Problem::NoManifest)?, line(Problem::NoCode)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, stream};
    use proptest::prelude::*;

    fn read_at_once(document: &[u8], piece: usize) -> Result<(Header, BytesMut), Problem> {
        let pieces: Vec<_> = document.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        read(&mut stream::iter(pieces).boxed()).now_or_never().unwrap()
    }

    proptest! {
        #[test]
        fn any_document_is_read_or_refused(text in "(dapr.io/enc/v1\n)?(\\PC|\n){0,60}", piece in 1..20_usize) {
            read_at_once(text.as_bytes(), piece).ok();
        }

        #[test]
        fn a_header_may_come_in_any_pieces(rest in prop::collection::vec(any::<u8>(), 0..40), piece in 1..80_usize) {
            let line = r#"{"kw":1,"wfk":"AAAA","cph":1,"np":"AAAAAAAAAA=="}"#;
            let document = [format!("{NAME}\n{line}\nAAAA\n").as_bytes(), &rest].concat();
            let (header, first) = read_at_once(&document, piece).unwrap();
            prop_assert_eq!(header.manifest.wrapped_key, [0; 3]);
            prop_assert!(rest.starts_with(&first));
        }
    }
}
