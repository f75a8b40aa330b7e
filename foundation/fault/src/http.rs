//! An error as an HTTP answer: `{errorCode, message}`, and `details` in the rich form.
use crate::{Detail, Fault};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value, json};

const DOMAIN: &str = "dapr.io";

/// Its members go out in this order, as Dapr's do.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    error_code: String,
    message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

impl IntoResponse for Fault {
    /// The answer carries the code as an extension, for metrics.
    fn into_response(self) -> Response {
        let mut response = (self.http(), self.body()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response.extensions_mut().insert(self.code);
        response
    }
}

impl Fault {
    fn body(&self) -> String {
        let details = self.details.iter().map(detail).collect();
        let body = Body { error_code: self.error_code(), message: &self.message, details };
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// Legacy tag, else reason, else the status text.
    fn error_code(&self) -> String {
        let status_text = self.http().canonical_reason().unwrap_or_default();
        let chosen = self.chosen.as_ref().and_then(|chosen| chosen.tag.as_deref()).unwrap_or_default();
        let names = [chosen, self.code.tag, self.code.reason, status_text];
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default().to_owned()
    }
}

fn detail(detail: &Detail) -> Value {
    match detail {
        Detail::ErrorInfo { reason, metadata, http_only_metadata } => {
            let all: Map<_, _> = metadata
                .iter()
                .chain(http_only_metadata)
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect();
            let all = if all.is_empty() { Value::Null } else { Value::Object(all) };
            json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": DOMAIN, "metadata": all})
        }
        Detail::ErrorInfoObject { reason, metadata } => {
            let all: Map<_, _> = metadata.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
            json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": DOMAIN, "metadata": all})
        }
        Detail::ForeignErrorInfo { reason, domain } => {
            json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": domain, "metadata": null})
        }
        Detail::ResourceInfo { kind, name, owner, description } => json!({
            "@type": "type.googleapis.com/google.rpc.ResourceInfo",
            "resource_type": kind, "resource_name": name, "owner": owner, "description": description}),
        Detail::BadRequest { violations } => {
            let violations: Vec<_> =
                violations.iter().map(|(field, text)| given(&[("field", field), ("description", text)])).collect();
            json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "field_violations": violations})
        }
        Detail::Help { links } => {
            let links: Vec<_> = links.iter().map(|(url, text)| given(&[("description", text), ("url", url)])).collect();
            json!({"@type": "type.googleapis.com/google.rpc.Help", "links": links})
        }
    }
}

/// An object without its empty members, as Go writes protobuf messages.
fn given(members: &[(&str, &str)]) -> Value {
    let given = members.iter().filter(|(_, text)| !text.is_empty());
    Value::Object(given.map(|(name, text)| ((*name).to_owned(), (*text).into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Category, Chosen, Code};
    use axum::http::StatusCode;

    static PLAIN: Code =
        Code::new(StatusCode::BAD_REQUEST, tonic::Code::InvalidArgument, "ERR_BAD_REQUEST", Category::Common);
    static RICH: Code = Code::rich(StatusCode::NOT_FOUND, tonic::Code::NotFound, "ERR_X", "DAPR_X", Category::Common);

    #[test]
    fn the_plain_form_has_no_details() {
        assert_eq!(Fault::new(&PLAIN, "no").body(), r#"{"errorCode":"ERR_BAD_REQUEST","message":"no"}"#);
    }

    #[test]
    fn a_component_may_choose_the_codes() {
        let chosen = Chosen { http: StatusCode::IM_A_TEAPOT, grpc: tonic::Code::DataLoss, tag: Some("TAG".to_owned()) };
        let detail = Detail::ForeignErrorInfo { reason: "r".to_owned(), domain: "d".to_owned() };
        let fault = Fault::new(&PLAIN, "no").choosing(chosen).with(detail);
        let body: Value = serde_json::from_str(&fault.body()).unwrap();
        assert_eq!((&body["errorCode"], &body["details"][0]["domain"]), (&json!("TAG"), &json!("d")));
        assert_eq!(tonic::Status::from(fault.clone()).code(), tonic::Code::DataLoss);
        assert_eq!(fault.into_response().status(), StatusCode::IM_A_TEAPOT);
    }

    #[test]
    fn the_rich_form_names_the_reason() {
        let body = Fault::new(&RICH, "no").with_reason().body();
        let detail = r#"{"@type":"type.googleapis.com/google.rpc.ErrorInfo","domain":"dapr.io","metadata":null,"reason":"DAPR_X"}"#;
        assert_eq!(body, format!(r#"{{"errorCode":"ERR_X","message":"no","details":[{detail}]}}"#));
    }
}
