//! Answers that were compressed only because this sidecar asked for it.
pub use foundation_gzip::offer_gzip;

use axum::body::Body;
use http::Response;
use http_body_util::Either;

/// The answer without gzip. One that was never compressed stays the body it is.
pub fn gunzip(response: Response<Body>) -> Response<Body> {
    foundation_gzip::gunzip(response).map(|body| match body {
        Either::Left(body) => body,
        Either::Right(body) => Body::new(body),
    })
}
