//! Errors of a process, as component errors.
use component_api::{Answer, Error, Kind};
use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};
use wire::google::rpc::{self, BadRequest, ErrorInfo};

/// Marks an error whose codes are meant for the caller of the API.
const FOR_CALLER: &str = "kit_error";

/// The error of a call.
pub(crate) fn error(status: &Status) -> Error {
    let code = status.code() as i32;
    let error = match answer(status) {
        Some(answer) => {
            let message = format!("api error: code = {} desc = {}", name(status.code()), status.message());
            Error::new(kind(status.code()), message).with_answer(answer)
        }
        None => Error::new(kind(status.code()), text(status)),
    };
    error.with_grpc_code(code)
}

/// The error of a write, which may be about an ETag.
pub(crate) fn of_write(status: &Status) -> Error {
    let kind = match status.code() {
        Code::FailedPrecondition => Kind::EtagMismatch,
        Code::InvalidArgument => Kind::EtagInvalid,
        _ => return error(status),
    };
    match etag_violation(status) {
        Some(description) => Error::new(kind, description),
        None => error(status),
    }
}

/// The error of a deletion in bulk, which may have found fewer entries than it was to delete.
pub(crate) fn of_bulk_delete(status: &Status) -> Error {
    let counts = Some(status).filter(|status| status.code() == Code::Internal).and_then(only_detail::<ErrorInfo>);
    let counts =
        counts.and_then(|info| Some((info.metadata.get("expected")?.clone(), info.metadata.get("affected")?.clone())));
    match counts {
        Some((expected, affected)) => {
            Error::other(format!("delete affected only {affected} rows, expected {expected}"))
        }
        None => of_write(status),
    }
}

/// A status as Go prints it.
fn text(status: &Status) -> String {
    format!("rpc error: code = {} desc = {}", name(status.code()), status.message())
}

/// The name of a code in Go, which spells one of them differently.
fn name(code: Code) -> String {
    if code == Code::Cancelled { "Canceled".to_owned() } else { format!("{code:?}") }
}

fn kind(code: Code) -> Kind {
    match code {
        Code::NotFound => Kind::NotFound,
        Code::InvalidArgument | Code::OutOfRange => Kind::Invalid,
        Code::Unimplemented => Kind::Unsupported,
        Code::PermissionDenied | Code::Unauthenticated => Kind::Denied,
        Code::ResourceExhausted => Kind::RateLimited,
        Code::Unavailable => Kind::Unavailable,
        Code::DeadlineExceeded => Kind::Timeout,
        _ => Kind::Other,
    }
}

fn answer(status: &Status) -> Option<Answer> {
    let ErrorInfo { reason, domain, metadata } = only_detail(status)?;
    if metadata.get(FOR_CALLER)? != "true" {
        return None;
    }
    Some(Answer {
        http: metadata.get("http_code")?.parse().ok()?,
        grpc: status.code() as i32,
        message: status.message().to_owned(),
        tag: metadata.get("tag").cloned().unwrap_or_default(),
        reason,
        domain,
    })
}

fn etag_violation(status: &Status) -> Option<String> {
    let request: BadRequest = only_detail(status)?;
    let [violation] = &request.field_violations[..] else { return None };
    (violation.field == "etag").then(|| violation.description.clone())
}

/// The one detail of a status, if it is of that type.
fn only_detail<T: Message + Default + Named>(status: &Status) -> Option<T> {
    let whole = rpc::Status::decode(status.details()).ok()?;
    let [Any { type_url, value }] = &whole.details[..] else { return None };
    (type_url.rsplit('/').next() == Some(T::NAME)).then(|| T::decode(value.as_slice()).ok())?
}

/// A message with the name of its type.
trait Named {
    const NAME: &'static str;
}

impl Named for ErrorInfo {
    const NAME: &'static str = "google.rpc.ErrorInfo";
}

impl Named for BadRequest {
    const NAME: &'static str = "google.rpc.BadRequest";
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::google::rpc::bad_request::FieldViolation;

    fn status(code: Code, name: &str, detail: &impl Message) -> Status {
        let type_url = format!("type.googleapis.com/{name}");
        let details = vec![Any { type_url, value: detail.encode_to_vec() }];
        let whole = rpc::Status { code: code as i32, message: "no".to_owned(), details };
        Status::with_details(code, "no", whole.encode_to_vec().into())
    }

    fn info(metadata: &[(&str, &str)]) -> ErrorInfo {
        let metadata = metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ErrorInfo { reason: "reason".to_owned(), domain: "domain".to_owned(), metadata }
    }

    #[test]
    fn codes_become_kinds() {
        let error = error(&Status::cancelled("no"));
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Other, "rpc error: code = Canceled desc = no"));
        assert_eq!(of_write(&Status::failed_precondition("no")).kind(), Kind::Other);
    }

    #[test]
    fn an_etag_is_told_by_its_field() {
        let violation = FieldViolation { field: "etag".to_owned(), description: "it is 2".to_owned() };
        let request = BadRequest { field_violations: vec![violation] };
        for (code, kind) in [(Code::FailedPrecondition, Kind::EtagMismatch), (Code::InvalidArgument, Kind::EtagInvalid)]
        {
            let error = of_write(&status(code, BadRequest::NAME, &request));
            assert_eq!((error.kind(), error.to_string().as_str()), (kind, "it is 2"));
        }
    }

    #[test]
    fn codes_for_the_caller_are_kept() {
        let info = info(&[("kit_error", "true"), ("http_code", "506"), ("tag", "TAG")]);
        let error = error(&status(Code::DataLoss, ErrorInfo::NAME, &info));
        assert_eq!(error.to_string(), "api error: code = DataLoss desc = no");
        let answer = error.answer().unwrap();
        assert_eq!((answer.http, answer.grpc, answer.tag.as_str()), (506, Code::DataLoss as i32, "TAG"));
        assert_eq!((answer.reason.as_str(), answer.domain.as_str()), ("reason", "domain"));
    }

    #[test]
    fn missing_rows_are_counted() {
        let info = info(&[("expected", "3"), ("affected", "1")]);
        let error = of_bulk_delete(&status(Code::Internal, ErrorInfo::NAME, &info));
        assert_eq!(error.to_string(), "delete affected only 1 rows, expected 3");
    }
}
