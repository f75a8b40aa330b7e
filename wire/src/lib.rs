//! Dapr's wire contracts, and those among Trilby's own processes: messages and services generated from `proto/`.
//!
//! Modules follow the protobuf packages without the prefix `dapr.proto`: `dapr.proto.runtime.v1` is [`runtime::v1`].
//! Fields of type `bytes` are [`bytes::Bytes`]; well-known types are those of `prost_types`.

macro_rules! package {
    ($(#[$doc:meta])* $module:ident, $package:literal) => {
        $(#[$doc])*
        #[allow(missing_docs, unreachable_pub, unused_qualifications, clippy::all, clippy::redundant_clone)]
        pub mod $module {
            tonic::include_proto!($package);
        }
    };
}

/// Descriptors of every file and its imports, without source information, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Shared by the application API and the sidecar to sidecar API.
pub mod common {
    package!(v1, "dapr.proto.common.v1");
}

/// Pluggable components.
pub mod components {
    package!(v1, "dapr.proto.components.v1");
}

/// Sidecar to sidecar.
pub mod internals {
    package!(v1, "dapr.proto.internals.v1");
}

/// The Kubernetes operator.
pub mod operator {
    package!(v1, "dapr.proto.operator.v1");
}

/// The placement service.
pub mod placement {
    package!(v1, "dapr.proto.placement.v1");
}

/// The API for applications, and what a gRPC application serves.
pub mod runtime {
    package!(v1, "dapr.proto.runtime.v1");
}

/// The scheduler service.
pub mod scheduler {
    package!(v1, "dapr.proto.scheduler.v1");
}

/// The certificate authority.
pub mod sentry {
    package!(v1, "dapr.proto.sentry.v1");
}

/// Payloads of workflows that run around MCP calls.
pub mod workflows {
    package!(v1, "dapr.proto.workflows.v1");
}

/// The API of etcd, and what schedulers keep there.
pub mod etcd {
    package!(cron, "cron");
    package!(etcdserverpb, "etcdserverpb");
    package!(mvccpb, "mvccpb");
}

// Where generated code looks for a package of one word.
use etcd::etcdserverpb;

/// What Trilby's own processes say to each other.
pub mod trilby {
    package!(placement, "trilby.placement.v1");

    /// Among the members of a replicated store.
    pub mod replication {
        package!(v1, "trilby.replication.v1");
    }
}

/// Google's error model for gRPC.
pub mod google {
    package!(rpc, "google.rpc");
}

#[cfg(test)]
mod tests;
