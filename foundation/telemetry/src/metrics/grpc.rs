//! Calls over gRPC: to the API, and to the app.
use super::error::MetricsError;
use super::instruments::{Counter, Distribution};
use super::{Metrics, Registry};
use std::time::Duration;

/// Names of codes, by their number (as Go's gRPC writes them).
const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

/// A flag and the length before each message.
const FRAME_HEADER: u64 = 5;

pub(super) struct Grpc {
    server: Calls,
    client: Calls,
    probe_latency: Distribution,
    probes: Counter,
}

/// One side of calls.
struct Calls {
    received_bytes: Distribution,
    sent_bytes: Distribution,
    latency: Distribution,
    completed: Counter,
}

/// Sizes of the messages of a unary call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GrpcBytes {
    pub received: u64,
    pub sent: u64,
}

impl GrpcBytes {
    /// Sizes of one message each way, from the bytes of their frames.
    pub fn of_frames(received: u64, sent: u64) -> Self {
        Self { received: received.saturating_sub(FRAME_HEADER), sent: sent.saturating_sub(FRAME_HEADER) }
    }
}

/// The name of a gRPC code in labels and logs.
pub fn grpc_code_name(code: i32) -> &'static str {
    usize::try_from(code).ok().and_then(|code| CODES.get(code)).copied().unwrap_or("Unknown")
}

impl Grpc {
    pub(super) fn new(registry: &Registry) -> Result<Self, MetricsError> {
        const SERVER: &[&str] = &["grpc_server_method", "grpc_server_status"];
        const CLIENT: &[&str] = &["grpc_client_method", "grpc_client_status"];
        let size = |name, help, labels| registry.size(name, help, labels);
        let server = Calls {
            received_bytes: size(
                "grpc_io_server_received_bytes_per_rpc",
                "Sizes of requests to the API.",
                &SERVER[..1],
            )?,
            sent_bytes: size("grpc_io_server_sent_bytes_per_rpc", "Sizes of answers of the API.", &SERVER[..1])?,
            latency: registry.latency("grpc_io_server_server_latency", "Latency of the API.", SERVER)?,
            completed: registry.counter("grpc_io_server_completed_rpcs", "Calls of the API.", SERVER)?,
        };
        let client = Calls {
            received_bytes: size(
                "grpc_io_client_received_bytes_per_rpc",
                "Sizes of answers of the app.",
                &CLIENT[..1],
            )?,
            sent_bytes: size("grpc_io_client_sent_bytes_per_rpc", "Sizes of requests to the app.", &CLIENT[..1])?,
            latency: registry.latency("grpc_io_client_roundtrip_latency", "Latency of the app.", CLIENT)?,
            completed: registry.counter("grpc_io_client_completed_rpcs", "Calls of the app.", CLIENT)?,
        };
        let probe = &CLIENT[1..];
        Ok(Self {
            server,
            client,
            probe_latency: registry.latency(
                "grpc_io_healthprobes_roundtrip_latency",
                "Latency of health probes of the app.",
                probe,
            )?,
            probes: registry.counter("grpc_io_healthprobes_completed_count", "Health probes of the app.", probe)?,
        })
    }
}

impl Calls {
    fn record(&self, method: &str, code: i32, bytes: Option<GrpcBytes>, elapsed: Duration) {
        let values = [method, grpc_code_name(code)];
        self.completed.increment(&values);
        self.latency.observe_latency(&values, elapsed);
        if let Some(bytes) = bytes {
            self.received_bytes.observe_bytes(&[method], bytes.received);
            self.sent_bytes.observe_bytes(&[method], bytes.sent);
        }
    }
}

impl Metrics {
    /// `dapr_grpc_io_server_*`: the API answered a call. Streams have no sizes.
    pub fn grpc_served(&self, method: &str, code: i32, bytes: Option<GrpcBytes>, elapsed: Duration) {
        if let Some(groups) = &self.groups {
            groups.grpc.server.record(method, code, bytes, elapsed);
        }
    }

    /// `dapr_grpc_io_client_*`: the app, or another process, answered a call. Streams have no sizes.
    pub fn grpc_client_completed(&self, method: &str, code: i32, bytes: Option<GrpcBytes>, elapsed: Duration) {
        if let Some(groups) = &self.groups {
            groups.grpc.client.record(method, code, bytes, elapsed);
        }
    }

    /// `dapr_grpc_io_healthprobes_*`: a health probe of the app ended.
    pub fn grpc_health_probe(&self, code: i32, elapsed: Duration) {
        let Some(groups) = &self.groups else { return };
        let values = [grpc_code_name(code)];
        groups.grpc.probes.increment(&values);
        groups.grpc.probe_latency.observe_latency(&values, elapsed);
    }
}
