//! Until when the caller of a gRPC call waits for it: taken from its metadata, kept, and handed on (`grpc-timeout`).
use crate::timed::{last_frame, timed};
use axum::body::Body;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Digits of a timeout.
const MOST_DIGITS: usize = 8;
const HOUR: u64 = 3_600 * 1_000_000_000;
/// Units and their nanoseconds, the finest first.
const UNITS: [(char, u64); 6] =
    [('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', HOUR / 60), ('H', HOUR)];

/// Until when a call is worth an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Instant);

impl Deadline {
    /// From now on.
    pub fn within(time: Duration) -> Option<Self> {
        Instant::now().checked_add(time).map(Self)
    }

    /// Takes the deadline out of the metadata of a call that has just come in; most have none.
    ///
    /// # Errors
    /// In Go's words, what is wrong with it.
    pub fn take(headers: &mut HeaderMap) -> Result<Option<Self>, Status> {
        let Some(value) = headers.remove(&TIMEOUT) else { return Ok(None) };
        let text = String::from_utf8_lossy(value.as_bytes());
        let time = parse(&text).map_err(|error| Status::internal(format!("malformed grpc-timeout: {error}")))?;
        Ok(Self::within(time))
    }

    /// Tells the next server what is left of the time.
    pub fn hand_on(self, headers: &mut HeaderMap) {
        let left = self.0.saturating_duration_since(Instant::now());
        if let Ok(value) = HeaderValue::try_from(written(left)) {
            headers.insert(TIMEOUT, value);
        }
    }

    /// Drops work that is not done in time.
    ///
    /// # Errors
    /// DEADLINE_EXCEEDED; work that comes too late is not begun.
    pub async fn limit<F: Future>(self, work: F) -> Result<F::Output, Status> {
        if self.0 <= Instant::now() {
            return Err(exceeded());
        }
        timeout_at(self.0, work).await.map_err(|_| exceeded())
    }

    /// The body of an answer, whose trailers say that the time is up when it has not ended by then.
    pub fn end(self, body: Body) -> Body {
        timed(body, self.0, || Ok(last_frame(&exceeded())))
    }
}

/// The status of a call that has taken too long, in Go's words.
pub fn exceeded() -> Status {
    Status::deadline_exceeded("context deadline exceeded")
}

fn parse(text: &str) -> Result<Duration, String> {
    let Some((at, unit)) = text.char_indices().last().filter(|(at, _)| *at > 0) else {
        return Err(format!("transport: timeout string is too short: {text:?}"));
    };
    if text.len() > MOST_DIGITS + 1 {
        return Err(format!("transport: timeout string is too long: {text:?}"));
    }
    let Some((_, nanoseconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("transport: timeout unit is not recognized: {text:?}"));
    };
    let digits = &text[..at];
    let number = digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()));
    let number: u64 = number.ok_or_else(|| format!("strconv.ParseUint: parsing {digits:?}: invalid syntax"))?;
    Ok(Duration::from_nanos(nanoseconds.saturating_mul(number)))
}

/// In the finest unit that has room for it, and never more than it is.
fn written(time: Duration) -> String {
    let most = 10_u128.pow(8);
    let fits = |(_, unit): &&(char, u64)| time.as_nanos() / u128::from(*unit) < most;
    let (name, unit) = UNITS.iter().find(fits).unwrap_or(&UNITS[UNITS.len() - 1]);
    format!("{}{name}", time.as_nanos() / u128::from(*unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use proptest::prelude::*;
    use std::future::pending;
    use std::sync::Arc;

    fn told(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(TIMEOUT, HeaderValue::from_static(text))])
    }

    #[test]
    fn timeouts_are_read_as_go_reads_them() {
        for (text, milliseconds) in
            [("5m", 5), ("99999999u", 99_999), ("2S", 2_000), ("1M", 60_000), ("00000001H", 3_600_000), ("0n", 0)]
        {
            assert_eq!(parse(text).map(|time| time.as_millis()), Ok(milliseconds), "{text}");
        }
        for (text, wrong) in [
            ("", "transport: timeout string is too short: \"\""),
            ("S", "transport: timeout string is too short: \"S\""),
            ("123456789S", "transport: timeout string is too long: \"123456789S\""),
            ("5s", "transport: timeout unit is not recognized: \"5s\""),
            ("+5S", "strconv.ParseUint: parsing \"+5\": invalid syntax"),
        ] {
            assert_eq!(parse(text), Err(wrong.to_owned()));
        }
        let refused = Deadline::take(&mut told("later")).unwrap_err();
        assert_eq!(
            (refused.code(), refused.message()),
            (tonic::Code::Internal, "malformed grpc-timeout: transport: timeout unit is not recognized: \"later\"")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_handed_on() {
        let mut headers = told("2S");
        let deadline = Deadline::take(&mut headers).unwrap().unwrap();
        assert!(headers.is_empty());
        tokio::time::advance(Duration::from_millis(1_950)).await;
        deadline.hand_on(&mut headers);
        assert_eq!(headers[TIMEOUT], "50000000n");
        tokio::time::advance(Duration::from_secs(1)).await;
        deadline.hand_on(&mut headers);
        assert_eq!(headers[TIMEOUT], "0n");
        assert_eq!(Deadline::take(&mut HeaderMap::new()).unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_dropped_when_its_time_is_up() {
        let kept = Arc::new(());
        let held = Arc::clone(&kept);
        let deadline = Deadline::within(Duration::from_secs(1)).unwrap();
        let work = async move {
            pending::<()>().await;
            drop(held);
        };
        assert_eq!(deadline.limit(work).await.unwrap_err().code(), tonic::Code::DeadlineExceeded);
        assert_eq!(Arc::strong_count(&kept), 1);
        let late = deadline.limit(async { unreachable!("it is too late to begin") }).await;
        assert_eq!(late.map(|(): ()| ()).unwrap_err().message(), "context deadline exceeded");
        assert_eq!(Deadline::within(Duration::from_secs(1)).unwrap().limit(async { 1 }).await.unwrap(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_end_is_ended() {
        let endless = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
        let mut body = Deadline::within(Duration::from_secs(1)).unwrap().end(Body::from_stream(endless));
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(
            (&trailers["grpc-status"], &trailers["grpc-message"]),
            (&HeaderValue::from_static("4"), &HeaderValue::from_static("context%20deadline%20exceeded"))
        );
        assert!(body.frame().await.is_none());
    }

    proptest! {
        #[test]
        fn any_timeout_is_handled(text in "\\PC{0,12}|[0-9]{0,9}[numSMH]") {
            parse(&text).ok();
        }

        #[test]
        fn what_is_written_is_read_and_no_longer(nanoseconds in any::<u64>(), shift in 0..64) {
            let time = Duration::from_nanos(nanoseconds >> shift);
            let read = parse(&written(time)).unwrap();
            prop_assert!(read <= time && time - read <= time / 100_000 + Duration::from_nanos(1));
        }
    }
}
