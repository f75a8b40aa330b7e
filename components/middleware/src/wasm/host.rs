//! The functions that a guest may call: module `http_handler` of the http-wasm ABI.
//!
//! What the ABI forbids ends the call of the guest with an error.
mod memory;

use super::SCOPE;
use super::exchange::{BUFFER_REQUEST, BUFFER_RESPONSE, Content, Exchange};
use super::guest::State;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use memory::{listed, write_within};
pub(super) use memory::{read, text, write};
use wasmi::{Caller, Error, Linker};

const MODULE: &str = "http_handler";
const REQUEST: u32 = 0;
const RESPONSE: u32 = 1;
const REQUEST_TRAILERS: u32 = 2;
const RESPONSE_TRAILERS: u32 = 3;
/// In the upper half of a length: there is nothing behind it.
const END: u64 = 1 << 32;

type Guest<'a> = Caller<'a, State>;
type Outcome<T> = Result<T, Error>;

/// Makes the functions known.
pub(super) fn define(linker: &mut Linker<State>) -> Outcome<()> {
    linker.func_wrap(MODULE, "enable_features", enable_features)?;
    linker.func_wrap(MODULE, "get_config", get_config)?;
    linker.func_wrap(MODULE, "log_enabled", |level: u32| u32::from(is_logged(level)))?;
    linker.func_wrap(MODULE, "log", log)?;
    linker.func_wrap(MODULE, "get_method", get_method)?;
    linker.func_wrap(MODULE, "set_method", set_method)?;
    linker.func_wrap(MODULE, "get_uri", get_uri)?;
    linker.func_wrap(MODULE, "set_uri", set_uri)?;
    linker.func_wrap(MODULE, "get_protocol_version", get_protocol_version)?;
    linker.func_wrap(MODULE, "get_header_names", get_header_names)?;
    linker.func_wrap(MODULE, "get_header_values", get_header_values)?;
    linker.func_wrap(MODULE, "set_header_value", set_header_value)?;
    linker.func_wrap(MODULE, "add_header_value", add_header_value)?;
    linker.func_wrap(MODULE, "remove_header", remove_header)?;
    linker.func_wrap(MODULE, "read_body", read_body)?;
    linker.func_wrap(MODULE, "write_body", write_body)?;
    linker.func_wrap(MODULE, "get_status_code", get_status_code)?;
    linker.func_wrap(MODULE, "set_status_code", set_status_code)?;
    linker.func_wrap(MODULE, "get_source_addr", get_source_addr)?;
    Ok(())
}

/// Trailers are the one feature that is not there.
fn enable_features(mut guest: Guest<'_>, features: u32) -> u32 {
    let features = features & (BUFFER_REQUEST | BUFFER_RESPONSE);
    let state = guest.data_mut();
    match &mut state.exchange {
        Some(exchange) => {
            exchange.features |= features;
            exchange.features
        }
        None => {
            state.features |= features;
            state.features
        }
    }
}

fn get_config(mut guest: Guest<'_>, buffer: u32, limit: u32) -> Outcome<u32> {
    let config = guest.data().config.clone();
    write_within(&mut guest, buffer, limit, &config)
}

/// Levels from debug (-1) to error (2); 3 is none.
fn is_logged(level: u32) -> bool {
    match level.cast_signed() {
        -1 => tracing::enabled!(target: SCOPE, tracing::Level::DEBUG),
        0..=2 => true,
        _ => false,
    }
}

fn log(guest: Guest<'_>, level: u32, message: u32, length: u32) -> Outcome<()> {
    if !is_logged(level) {
        return Ok(());
    }
    let message = text(&guest, message, length)?;
    match level.cast_signed() {
        -1 => tracing::debug!(target: SCOPE, "{message}"),
        0 => tracing::info!(target: SCOPE, "{message}"),
        1 => tracing::warn!(target: SCOPE, "{message}"),
        _ => tracing::error!(target: SCOPE, "{message}"),
    }
    Ok(())
}

fn get_method(mut guest: Guest<'_>, buffer: u32, limit: u32) -> Outcome<u32> {
    let method = exchange(&mut guest)?.request.method.to_string();
    write_within(&mut guest, buffer, limit, method.as_bytes())
}

fn set_method(mut guest: Guest<'_>, method: u32, length: u32) -> Outcome<()> {
    let method = text(&guest, method, length)?;
    let method = Method::try_from(method.as_str()).map_err(|_| Error::new("this is no HTTP method"))?;
    before_next(&mut guest)?.request.method = method;
    Ok(())
}

fn get_uri(mut guest: Guest<'_>, buffer: u32, limit: u32) -> Outcome<u32> {
    let uri = exchange(&mut guest)?.request.uri.path_and_query().map_or_else(String::new, ToString::to_string);
    write_within(&mut guest, buffer, limit, uri.as_bytes())
}

fn set_uri(mut guest: Guest<'_>, uri: u32, length: u32) -> Outcome<()> {
    let uri = text(&guest, uri, length)?;
    let wrong = |_| Error::new("this is no URI");
    let path = if uri.is_empty() { "/" } else { uri.as_str() };
    let request = &mut before_next(&mut guest)?.request;
    let mut parts = request.uri.clone().into_parts();
    parts.path_and_query = Some(path.parse().map_err(wrong)?);
    request.uri = http::Uri::from_parts(parts).map_err(|_| Error::new("this is no URI"))?;
    Ok(())
}

fn get_protocol_version(mut guest: Guest<'_>, buffer: u32, limit: u32) -> Outcome<u32> {
    let version = match exchange(&mut guest)?.request.version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    };
    write_within(&mut guest, buffer, limit, version.as_bytes())
}

fn get_header_names(mut guest: Guest<'_>, kind: u32, buffer: u32, limit: u32) -> Outcome<u64> {
    let headers = headers(exchange(&mut guest)?, kind)?;
    let names: Vec<Vec<u8>> = headers.into_iter().flat_map(HeaderMap::keys).map(|name| name.as_str().into()).collect();
    listed(&mut guest, buffer, limit, &names)
}

fn get_header_values(mut guest: Guest<'_>, kind: u32, name: u32, length: u32, buffer: u32, limit: u32) -> Outcome<u64> {
    let name = header_name(&guest, name, length)?;
    let headers = headers(exchange(&mut guest)?, kind)?;
    let values = headers.into_iter().flat_map(|headers| headers.get_all(&name)).map(|value| value.as_bytes().to_vec());
    let values: Vec<Vec<u8>> = values.collect();
    listed(&mut guest, buffer, limit, &values)
}

fn set_header_value(mut guest: Guest<'_>, kind: u32, name: u32, length: u32, value: u32, size: u32) -> Outcome<()> {
    let (name, value) = (header_name(&guest, name, length)?, header_value(&guest, value, size)?);
    if let Some(headers) = headers_mut(&mut guest, kind)? {
        headers.insert(name, value);
    }
    Ok(())
}

fn add_header_value(mut guest: Guest<'_>, kind: u32, name: u32, length: u32, value: u32, size: u32) -> Outcome<()> {
    let (name, value) = (header_name(&guest, name, length)?, header_value(&guest, value, size)?);
    if let Some(headers) = headers_mut(&mut guest, kind)? {
        headers.append(name, value);
    }
    Ok(())
}

fn remove_header(mut guest: Guest<'_>, kind: u32, name: u32, length: u32) -> Outcome<()> {
    let name = header_name(&guest, name, length)?;
    if let Some(headers) = headers_mut(&mut guest, kind)? {
        headers.remove(name);
    }
    Ok(())
}

fn read_body(mut guest: Guest<'_>, kind: u32, buffer: u32, limit: u32) -> Outcome<u64> {
    if limit == 0 {
        return Err(Error::new("a body cannot be read into nothing"));
    }
    let body = match kind {
        REQUEST => &mut before_next_or(&mut guest, BUFFER_REQUEST)?.request_body,
        RESPONSE => &mut before_next_or(&mut guest, BUFFER_RESPONSE)?.response_body,
        _ => return Err(Error::new("there is no such body")),
    };
    let (bytes, is_end) = body.next(limit as usize);
    write(&mut guest, buffer, &bytes)?;
    Ok(bytes.len() as u64 | if is_end { END } else { 0 })
}

fn write_body(mut guest: Guest<'_>, kind: u32, body: u32, length: u32) -> Outcome<()> {
    let bytes = read(&guest, body, length)?;
    let content: &mut Content = match kind {
        REQUEST => &mut before_next(&mut guest)?.request_body,
        RESPONSE => &mut before_next_or(&mut guest, BUFFER_RESPONSE)?.response_body,
        _ => return Err(Error::new("there is no such body")),
    };
    content.write(&bytes).map_err(Error::new)
}

fn get_status_code(mut guest: Guest<'_>) -> Outcome<u32> {
    Ok(exchange(&mut guest)?.status.as_u16().into())
}

fn set_status_code(mut guest: Guest<'_>, status: u32) -> Outcome<()> {
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    before_next_or(&mut guest, BUFFER_RESPONSE)?.status = status.ok_or_else(|| Error::new("this is no status"))?;
    Ok(())
}

fn get_source_addr(mut guest: Guest<'_>, buffer: u32, limit: u32) -> Outcome<u32> {
    let address = exchange(&mut guest)?.source_address();
    write_within(&mut guest, buffer, limit, address.as_bytes())
}

fn exchange<'a>(guest: &'a mut Guest<'_>) -> Outcome<&'a mut Exchange> {
    guest.data_mut().exchange.as_mut().ok_or_else(|| Error::new("there is no request now"))
}

fn before_next<'a>(guest: &'a mut Guest<'_>) -> Outcome<&'a mut Exchange> {
    let exchange = exchange(guest)?;
    if exchange.after_next { Err(Error::new("it is too late to change the request")) } else { Ok(exchange) }
}

fn before_next_or<'a>(guest: &'a mut Guest<'_>, feature: u32) -> Outcome<&'a mut Exchange> {
    let exchange = exchange(guest)?;
    if exchange.after_next && exchange.features & feature == 0 {
        return Err(Error::new("this needs a buffer, which the guest has not enabled"));
    }
    Ok(exchange)
}

/// None for trailers, which are passed unseen.
fn headers(exchange: &Exchange, kind: u32) -> Outcome<Option<&HeaderMap>> {
    match kind {
        REQUEST => Ok(Some(&exchange.request.headers)),
        RESPONSE => Ok(Some(&exchange.headers)),
        REQUEST_TRAILERS | RESPONSE_TRAILERS => Ok(None),
        _ => Err(Error::new("there are no such headers")),
    }
}

fn headers_mut<'a>(guest: &'a mut Guest<'_>, kind: u32) -> Outcome<Option<&'a mut HeaderMap>> {
    match kind {
        REQUEST => Ok(Some(&mut before_next(guest)?.request.headers)),
        RESPONSE => Ok(Some(&mut before_next_or(guest, BUFFER_RESPONSE)?.headers)),
        REQUEST_TRAILERS | RESPONSE_TRAILERS => Ok(None),
        _ => Err(Error::new("there are no such headers")),
    }
}

fn header_name(guest: &Guest<'_>, at: u32, length: u32) -> Outcome<HeaderName> {
    HeaderName::from_bytes(&read(guest, at, length)?).map_err(|_| Error::new("this is no name of a header"))
}

fn header_value(guest: &Guest<'_>, at: u32, length: u32) -> Outcome<HeaderValue> {
    HeaderValue::from_bytes(&read(guest, at, length)?).map_err(|_| Error::new("this is no value of a header"))
}
