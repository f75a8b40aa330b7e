//! The flags.
use foundation_flags::Kind::{Bool, Int, List, Text};
use foundation_flags::Standing::{Absent, Current};
use foundation_flags::{Flag, Standing, flag_of as flag};

const NO_LOG: Standing = Absent("the log of several schedulers is kept as long as they need it; a single one has none");
const NO_TICKS: Standing = Absent("elections have one timing");

pub(super) const FLAGS: &[Flag] = &[
    flag("port", Int, "50006", Current, "Port that sidecars connect to"),
    flag("listen-address", Text, "", Current, "Address that sidecars connect to"),
    flag("override-broadcast-host-port", Text, "", Current, "host:port under which sidecars reach this scheduler"),
    flag("id", Text, "dapr-scheduler-server-0", Current, "Name of this scheduler"),
    flag("workers", Int, "2048", Current, "Jobs that are started at once"),
    flag("mode", Text, "standalone", Current, "standalone or kubernetes"),
    flag("kubeconfig", Text, "", Current, "How to reach Kubernetes; as a pod when empty"),
    flag("tls-enabled", Bool, "false", Current, "Only let sidecars in that have an identity"),
    flag("trust-domain", Text, "localhost", Current, "Trust domain of the control plane"),
    flag("trust-anchors-file", Text, "/var/run/secrets/dapr.io/tls/ca.crt", Current, "Certificates to trust"),
    flag("sentry-address", Text, "", Current, "Where sentry is"),
    flag(
        "identity-directory-write",
        Text,
        "",
        Current,
        "Folder for copies of certificate, key and roots; none when empty",
    ),
    flag("etcd-embed", Bool, "true", Current, "Keep jobs in a file, and serve etcd's API from it"),
    flag("etcd-data-dir", Text, "./data", Current, "Folder of the file"),
    flag("etcd-client-port", Int, "2379", Current, "Port of etcd's API"),
    flag("etcd-client-listen-address", Text, "localhost", Current, "Address of etcd's API"),
    flag("etcd-space-quota", Text, "9.2E", Current, "Most bytes of keys and values, such as 8Gi"),
    flag("etcd-max-txn-ops", Int, "10000", Current, "Most operations of one transaction"),
    flag("etcd-compaction-mode", Text, "revision", Absent("the past is kept by revisions, in memory"), "Has no effect"),
    flag(
        "etcd-compaction-retention",
        Text,
        "1000000",
        Current,
        "Most revisions of the past that can be read and watched",
    ),
    flag(
        "etcd-experimental-bootstrap-defrag-threshold-megabytes",
        Int,
        "100",
        Current,
        "Megabytes to be gained before the file is made smaller",
    ),
    flag(
        "etcd-initial-cluster",
        List,
        "dapr-scheduler-server-0=http://localhost:2380",
        Current,
        "All schedulers as name=http://host:port, where they reach each other; several keep jobs together",
    ),
    flag("etcd-client-endpoints", List, "", Current, "host:port of an etcd, with --etcd-embed=false"),
    flag("etcd-client-username", Text, "", Current, "Who this scheduler is to that etcd"),
    flag("etcd-client-password", Text, "", Current, "Its password there"),
    flag("etcd-snapshot-count", Int, "100000", NO_LOG, "Has no effect"),
    flag("etcd-max-snapshots", Int, "10", NO_LOG, "Has no effect"),
    flag("etcd-max-wals", Int, "10", NO_LOG, "Has no effect"),
    flag("etcd-backend-batch-limit", Int, "10000", NO_LOG, "Has no effect"),
    flag("etcd-backend-batch-interval", Text, "100ms", NO_LOG, "Has no effect"),
    flag("etcd-initial-election-tick-advance", Bool, "false", NO_TICKS, "Has no effect"),
    flag("etcd-metrics", Text, "basic", Absent("there is one level of detail"), "Has no effect"),
];
