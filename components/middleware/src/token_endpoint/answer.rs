//! What a token endpoint answers, in all the forms that Go's library takes.
use super::Token;
use form_urlencoded::parse;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::{Map, Value};
use std::time::Duration;

/// No server means it when it says more.
const LONGEST_LIFETIME: i64 = i32::MAX as i64;
/// Codes are words; whatever else comes in their place is not shown.
const LONGEST_CODE: usize = 64;

/// Why an answer brings no token. Nothing else of the answer is told, as it may hold secrets.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the authorization server refuses with status {status} and error {code}")]
    Refused { status: u16, code: String },
    #[error("the authorization server refuses with status {status}; check tokenURL and the client's id and secret")]
    Unexplained { status: u16 },
    #[error("the authorization server's answer with status {status} is no token, as {problem}; check tokenURL")]
    NoToken { status: u16, problem: &'static str },
}

/// Reads the token of an answer.
pub(super) fn read(response: &Response<impl AsRef<[u8]>>) -> Result<Token, Refusal> {
    let status = response.status();
    let no_token = |problem| Refusal::NoToken { status: status.as_u16(), problem };
    let members = members(response.headers(), response.body().as_ref());
    check(status, members.as_ref())?;
    let members = members.ok_or(no_token("it is neither a JSON object nor a form"))?;
    token(&members).map_err(no_token)
}

fn members(headers: &HeaderMap, body: &[u8]) -> Option<Map<String, Value>> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/x-www-form-urlencoded" | "text/plain" => Some(of_form(body)),
        _ => serde_json::from_slice(body).ok(),
    }
}

/// The first of several values counts.
fn of_form(body: &[u8]) -> Map<String, Value> {
    let mut members = Map::new();
    for (name, value) in parse(body).into_owned() {
        members.entry(name).or_insert(value.into());
    }
    // A form has no numbers: one that is none counts as not said.
    let is_number = |value: &Value| value.as_str().is_some_and(|text| text.parse::<i64>().is_ok());
    if !members.get("expires_in").is_some_and(is_number) {
        members.remove("expires_in");
    }
    members
}

/// Some servers refuse with a status of success.
fn check(status: StatusCode, members: Option<&Map<String, Value>>) -> Result<(), Refusal> {
    let error = members.and_then(|members| members.get("error")).filter(|error| !is_empty(error));
    if status.is_success() && error.is_none() {
        return Ok(());
    }
    let status = status.as_u16();
    let code = error.and_then(Value::as_str).filter(|code| is_word(code));
    Err(code.map_or(Refusal::Unexplained { status }, |code| Refusal::Refused { status, code: code.to_owned() }))
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value == ""
}

fn is_word(code: &str) -> bool {
    code.len() <= LONGEST_CODE && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}

fn token(members: &Map<String, Value>) -> Result<Token, &'static str> {
    let secret = text(members, "access_token").ok_or("its access_token is no text")?;
    if secret.is_empty() {
        return Err("it has no access_token");
    }
    let kind = kind(text(members, "token_type").ok_or("its token_type is no text")?);
    let mut authorization =
        HeaderValue::from_str(&format!("{kind} {secret}")).map_err(|_| "it cannot be sent in a header")?;
    authorization.set_sensitive(true);
    Ok(Token { authorization, lifetime: lifetime(members.get("expires_in"))? })
}

/// Empty if it is not there; none if it is something else.
fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    match members.get(name) {
        None | Some(Value::Null) => Some(""),
        Some(value) => value.as_str(),
    }
}

/// As it is written in a header.
fn kind(given: &str) -> &str {
    let known = ["Bearer", "MAC", "Basic"].into_iter().find(|known| known.eq_ignore_ascii_case(given));
    known.unwrap_or(if given.is_empty() { "Bearer" } else { given })
}

/// A number, which some servers write as a text; zero says nothing.
fn lifetime(expires_in: Option<&Value>) -> Result<Option<Duration>, &'static str> {
    let Some(value) = expires_in.filter(|value| !value.is_null()) else { return Ok(None) };
    let seconds = value.as_i64().or_else(|| value.as_str()?.parse().ok());
    let seconds = seconds.ok_or("its expires_in is no whole number")?.min(LONGEST_LIFETIME);
    Ok((seconds != 0).then(|| Duration::from_secs(seconds.try_into().unwrap_or_default())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, content_type: &str, body: &str) -> Result<(String, Option<u64>), String> {
        let response = Response::builder().status(status).header(CONTENT_TYPE, content_type);
        let token = read(&response.body(body.to_owned()).unwrap()).map_err(|error| error.to_string())?;
        Ok((token.authorization.to_str().unwrap().to_owned(), token.lifetime.map(|lifetime| lifetime.as_secs())))
    }

    #[test]
    fn tokens_come_in_many_forms() {
        const JSON: &str = "application/json";
        for (status, content_type, body, wanted) in [
            (200, JSON, r#"{"access_token":"t","token_type":"bearer","expires_in":60}"#, ("Bearer t", Some(60))),
            (201, JSON, r#"{"access_token":"t","token_type":"mac","expires_in":"60"}"#, ("MAC t", Some(60))),
            (200, "", r#"{"access_token":"t","scope":["a",1],"expires_in":null}"#, ("Bearer t", None)),
            (200, JSON, r#"{"access_token":"t","scope":7,"error":"","expires_in":0}"#, ("Bearer t", None)),
            (200, JSON, r#"{"access_token":"t","token_type":"Own","expires_in":-1}"#, ("Own t", Some(0))),
            (200, "text/plain; charset=utf-8", "access_token=t%2B&expires_in=60", ("Bearer t+", Some(60))),
            (200, "Application/X-WWW-form-urlencoded", "access_token=t&expires_in=soon", ("Bearer t", None)),
        ] {
            assert_eq!(of(status, content_type, body), Ok((wanted.0.to_owned(), wanted.1)), "{body}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_what_the_answer_holds() {
        for (status, body, wanted) in [
            (
                400,
                r#"{"error":"invalid_grant","access_token":"secret"}"#,
                "refuses with status 400 and error invalid_grant",
            ),
            (200, r#"{"error":"invalid_client"}"#, "refuses with status 200 and error invalid_client"),
            (401, r#"{"error":"the secret is wrong"}"#, "refuses with status 401; check tokenURL"),
            (302, "secret", "refuses with status 302; check tokenURL"),
            (200, "secret", "with status 200 is no token, as it is neither a JSON object nor a form"),
            (200, "{}", "as it has no access_token"),
            (200, r#"{"access_token":["secret"]}"#, "as its access_token is no text"),
            (200, r#"{"access_token":"secret","token_type":1}"#, "as its token_type is no text"),
            (200, r#"{"access_token":"secret","expires_in":"soon"}"#, "as its expires_in is no whole number"),
            (200, r#"{"access_token":"secret\n"}"#, "as it cannot be sent in a header"),
        ] {
            let told = of(status, "application/json", body).unwrap_err();
            assert!(told.contains(wanted) && !told.replace("id and secret", "").contains("secret"), "{told}");
        }
    }
}
