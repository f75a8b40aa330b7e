//! The status of a call, in trailers or in the head of an answer.
use http::{HeaderMap, Response, StatusCode};
use tonic::{Code, Status};

/// The trailers that tell a status.
pub fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(3);
    // A text that is no header is left out by then, but never the code.
    status.add_header(&mut trailers).ok();
    trailers
}

/// The answer, if it is gRPC's and its head tells no error.
///
/// # Errors
/// The status in its head, or that of what is no gRPC.
pub fn accepted<B>(response: Response<B>) -> Result<Response<B>, Status> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() != Code::Ok => Err(status),
        _ if response.status() != StatusCode::OK => Err(of_http(response.status())),
        _ => Ok(response),
    }
}

/// An error in the trailers of a call.
pub(crate) fn failure(trailers: &HeaderMap) -> Option<Status> {
    Status::from_header_map(trailers).filter(|status| status.code() != Code::Ok)
}

/// gRPC's own table for answers that are not gRPC's.
fn of_http(status: StatusCode) -> Status {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502..=504 => Code::Unavailable,
        _ => Code::Unknown,
    };
    Status::new(code, format!("unexpected HTTP status code received from server: {}", status.as_u16()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_is_none_of_grpc_tells_why() {
        let of =
            |status: u16| accepted(Response::builder().status(status).body(()).unwrap()).map_err(|error| error.code());
        assert!(of(200).is_ok());
        assert_eq!(of(404).unwrap_err(), Code::Unimplemented);
        assert_eq!(of(503).unwrap_err(), Code::Unavailable);
        assert_eq!(of(418).unwrap_err(), Code::Unknown);
    }

    #[test]
    fn a_status_in_the_head_counts_before_that_of_http() {
        let response = Response::builder().status(500).header("grpc-status", "5").header("grpc-message", "none");
        let status = accepted(response.body(()).unwrap()).unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::NotFound, "none"));
    }
}
