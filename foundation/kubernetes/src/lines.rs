//! An answer that comes in lines, for as long as the server wants.
use crate::{Error, LARGEST};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

/// Lines of a body.
pub(crate) struct Lines<B = hyper::body::Incoming> {
    body: B,
    read: BytesMut,
    /// Of what was read, what is known to have no end of a line.
    searched: usize,
}

impl<B: Body<Data = Bytes> + Unpin> Lines<B>
where
    B::Error: std::fmt::Display,
{
    pub(crate) fn new(body: B) -> Self {
        Self { body, read: BytesMut::new(), searched: 0 }
    }

    /// The next line without its end; none when the body has ended. The last one needs no end: a body that is cut off is an error.
    ///
    /// # Errors
    /// A body that breaks off, and a line of more than 1 MiB.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            if let Some(end) = self.read[self.searched..].iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(self.searched + end + 1).freeze();
                self.searched = 0;
                return Ok(Some(line.slice(..line.len() - 1)));
            }
            self.searched = self.read.len();
            if self.searched > LARGEST {
                return Err(Error::Broken("a line is longer than 1 MiB".to_owned()));
            }
            let Some(frame) = self.body.frame().await else {
                self.searched = 0;
                return Ok(Some(self.read.split().freeze()).filter(|rest| !rest.is_empty()));
            };
            let frame = frame.map_err(|error| Error::Broken(error.to_string()))?;
            self.read.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    async fn lines(text: &str) -> Vec<String> {
        let (mut lines, mut all) = (Lines::new(Full::new(Bytes::copy_from_slice(text.as_bytes()))), Vec::new());
        while let Some(line) = lines.next().await.unwrap() {
            all.push(String::from_utf8(line.to_vec()).unwrap());
        }
        all
    }

    #[tokio::test]
    async fn a_body_is_its_lines() {
        assert_eq!(lines("one\n\nthree\nlast").await, ["one", "", "three", "last"]);
        assert!(lines("").await.is_empty());
    }

    #[tokio::test]
    async fn a_line_has_a_bound() {
        let endless = Full::new(Bytes::from(vec![b'x'; LARGEST + 1]));
        assert!(Lines::new(endless).next().await.is_err());
    }
}
