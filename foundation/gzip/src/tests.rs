//! Compressed bodies, whole and broken, in pieces of any size.
use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::channel::Channel;
use http_body_util::{BodyExt, Full};
use proptest::prelude::*;
use std::convert::Infallible;
use std::io::Write;
use tokio::runtime::Builder;

fn zipped(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn answer(bytes: &[u8], piece: usize) -> Response<impl Body<Data = Bytes, Error: std::fmt::Debug> + Unpin + use<>> {
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(bytes.len().max(1));
    for piece in bytes.chunks(piece) {
        sender.try_send(http_body::Frame::data(Bytes::copy_from_slice(piece))).unwrap();
    }
    gunzip(Response::builder().header(CONTENT_ENCODING, GZIP).header(CONTENT_LENGTH, 7).body(body).unwrap())
}

async fn read(bytes: &[u8], piece: usize) -> Option<Bytes> {
    Some(answer(bytes, piece).into_body().collect().await.ok()?.to_bytes())
}

#[tokio::test]
async fn what_inflates_hugely_comes_in_pieces() {
    let mut body = answer(&zipped(&vec![0; 64 << 20]), usize::MAX).into_body();
    let (mut all, mut largest) = (0, 0);
    while let Some(frame) = body.frame().await {
        let length = frame.unwrap().into_data().unwrap().len();
        (all, largest) = (all + length, largest.max(length));
    }
    assert_eq!(all, 64 << 20);
    assert!(largest <= 2 << 20, "{largest}");
}

#[tokio::test]
async fn a_body_without_a_byte_is_an_empty_one() {
    assert_eq!(read(b"", 1).await.as_deref(), Some(&b""[..]));
}

#[test]
fn headers_go_with_the_compression_only() {
    assert!(answer(&zipped(b"plain"), 100).headers().is_empty());
    let brotli = Response::builder().header(CONTENT_ENCODING, "br").body(Full::new(Bytes::from("x"))).unwrap();
    assert_eq!(gunzip(brotli).headers()[CONTENT_ENCODING], "br");
}

#[test]
fn who_has_an_opinion_is_not_asked() {
    let offered = |method, name: &'static str| {
        let mut headers = HeaderMap::from_iter([(http::HeaderName::from_static(name), HeaderValue::from_static("x"))]);
        offer_gzip(&method, &mut headers)
    };
    assert!(offered(Method::GET, "accept"));
    assert!(!offered(Method::GET, "accept-encoding") && !offered(Method::GET, "range"));
    assert!(!offered(Method::HEAD, "accept"));
}

proptest! {
    #[test]
    fn any_bytes_come_back_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 1..200), piece in 1..50_usize, cut in 0..20_usize) {
        let read = |bytes: &[u8]| Builder::new_current_thread().build().unwrap().block_on(read(bytes, piece));
        read(&bytes);
        let mut packed = zipped(&bytes);
        let unpacked = read(&packed);
        prop_assert_eq!(unpacked.as_deref(), Some(bytes.as_slice()));
        packed.truncate(packed.len() - cut);
        prop_assert_eq!(read(&packed).is_some(), cut == 0);
    }
}
