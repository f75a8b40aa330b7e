//! Bodies of answers that end with the time that a policy gives to the whole call.
use axum::body::Body;
use foundation_grpc::{End, exceeded, last_frame, timed};
use foundation_resiliency::Policy;
use tokio::time::Instant;

/// The body of an answer to an attempt that began at `start`: it breaks off when the time is up, so that the caller does
/// not take what came for the whole.
pub(crate) fn within(policy: &Policy, start: Instant, body: Body) -> Body {
    limited(policy, start, body, || Err(axum::Error::new(exceeded())))
}

/// The same for the body of a gRPC answer: its trailers say that the time is up.
pub(crate) fn within_grpc(policy: &Policy, start: Instant, body: Body) -> Body {
    limited(policy, start, body, || Ok(last_frame(&exceeded())))
}

fn limited(policy: &Policy, start: Instant, body: Body, end: End) -> Body {
    match policy.timeout() {
        Some(longest) => timed(body, start + longest, end),
        None => body,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use foundation_resiliency::{Policies, Resiliency};
    use foundation_telemetry::Metrics;
    use http_body_util::BodyExt;
    use serde_json::json;
    use std::time::Duration;

    fn policy() -> Policy {
        let resource = json!({"metadata": {"name": "r"}, "spec": {
            "policies": {"timeouts": {"t": "1s"}}, "targets": {"apps": {"a": {"timeout": "t"}}},
        }});
        let resource = serde_json::from_value(resource).unwrap();
        Resiliency::new(Policies::load([&resource], &Metrics::disabled())).app("a", format_args!(""))
    }

    fn slow() -> Body {
        let chunk = |number: u64| async move {
            tokio::time::sleep(Duration::from_millis(600)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"x")), number + 1))
        };
        Body::from_stream(futures_util::stream::unfold(0, chunk))
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_breaks_off_when_the_time_is_up() {
        let mut body = within(&policy(), Instant::now(), slow());
        assert!(body.frame().await.unwrap().is_ok());
        assert!(body.frame().await.unwrap().unwrap_err().to_string().contains(exceeded().message()));
        assert!(body.frame().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn trailers_of_grpc_tell_that_the_time_is_up() {
        let mut body = within_grpc(&policy(), Instant::now(), slow());
        assert!(body.frame().await.unwrap().unwrap().is_data());
        let trailers = body.frame().await.unwrap().unwrap().into_trailers().unwrap();
        assert_eq!(tonic::Status::from_header_map(&trailers).unwrap().code(), tonic::Code::DeadlineExceeded);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_timeout_a_body_takes_its_time() {
        let mut body = within(&Policy::default(), Instant::now(), slow());
        for _ in 0..5 {
            assert!(body.frame().await.unwrap().is_ok());
        }
    }
}
