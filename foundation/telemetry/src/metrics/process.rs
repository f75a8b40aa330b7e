//! Metrics of the process itself, in the names of Prometheus' client libraries.
use super::error::MetricsError;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Counter, Gauge, Metric, MetricFamily, MetricType};
use std::collections::HashMap;
use std::fs;
use std::time::{Duration, SystemTime};

/// Reads the process' figures when asked for them.
pub(super) struct Process {
    descriptions: Vec<Desc>,
    started: f64,
}

struct Figure {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    value: f64,
}

const NAMES: [(&str, &str); 11] = [
    ("process_cpu_seconds_total", "User and system time spent, in seconds."),
    ("process_resident_memory_bytes", "Resident memory, in bytes."),
    ("process_virtual_memory_bytes", "Virtual memory, in bytes."),
    ("process_virtual_memory_max_bytes", "Virtual memory that the process may have, in bytes."),
    ("process_open_fds", "Open file descriptors."),
    ("process_max_fds", "File descriptors that may be open at once."),
    ("process_network_receive_bytes_total", "Bytes that came over the network of the process, in its namespace."),
    ("process_network_transmit_bytes_total", "Bytes that went over the network of the process, in its namespace."),
    ("process_threads", "Threads of the process."),
    ("process_start_time_seconds", "When the process started, in seconds since 1970."),
    ("go_goroutines", "Live tasks, under the name that dashboards made for Dapr read."),
];

impl Process {
    /// Figures of this process.
    ///
    /// # Errors
    /// None: the names are valid.
    pub(super) fn new() -> Result<Self, MetricsError> {
        let describe = |(name, help): (&str, &str)| {
            Desc::new(name.to_owned(), help.to_owned(), Vec::new(), HashMap::new())
                .map_err(|reason| MetricsError::Register { name: name.to_owned(), reason: Box::new(reason) })
        };
        let descriptions = NAMES.into_iter().map(describe).collect::<Result<_, _>>()?;
        let started = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
        Ok(Self { descriptions, started })
    }

    fn figures(&self) -> Vec<Figure> {
        let (status, limits, network) = (Table::read("status"), Table::read("limits"), Table::read("net/netstat"));
        let values = [
            cpu_time().map(|time| time.as_secs_f64()),
            status.bytes("VmRSS:"),
            status.bytes("VmSize:"),
            limits.limit("Max address space"),
            open_files(),
            limits.limit("Max open files"),
            network.column("IpExt:", "InOctets"),
            network.column("IpExt:", "OutOctets"),
            status.number("Threads:"),
            Some(self.started),
            live_tasks(),
        ];
        let named = NAMES.into_iter().zip(values);
        named.filter_map(|((name, help), value)| Some(Figure { name, help, kind: kind(name), value: value? })).collect()
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.figures().into_iter().map(Figure::family).collect()
    }
}

impl Figure {
    fn family(self) -> MetricFamily {
        let mut family = MetricFamily::default();
        family.set_name(self.name.to_owned());
        family.set_help(self.help.to_owned());
        family.set_field_type(self.kind);
        family.set_metric(vec![self.metric()]);
        family
    }

    fn metric(&self) -> Metric {
        let mut metric = Metric::default();
        if self.kind == MetricType::COUNTER {
            let mut counter = Counter::default();
            counter.set_value(self.value);
            metric.set_counter(counter);
        } else {
            let mut gauge = Gauge::default();
            gauge.set_value(self.value);
            metric.set_gauge(gauge);
        }
        metric
    }
}

fn kind(name: &str) -> MetricType {
    if name.ends_with("_total") { MetricType::COUNTER } else { MetricType::GAUGE }
}

/// A file below `/proc/self`; empty where there is none.
struct Table(String);

impl Table {
    fn read(name: &str) -> Self {
        Self(fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default())
    }

    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    fn number(&self, field: &str) -> Option<f64> {
        let rest = self.0.lines().find_map(|line| line.strip_prefix(field))?;
        let number: u64 = rest.split_whitespace().next()?.parse().ok()?;
        Some(number as f64)
    }

    /// A number; without limit it is the largest, as Go's library shows it.
    #[allow(clippy::cast_precision_loss)] // Then it is about as large.
    fn limit(&self, field: &str) -> Option<f64> {
        let rest = self.0.lines().find_map(|line| line.strip_prefix(field))?;
        self.number(field).or_else(|| rest.trim_start().starts_with("unlimited").then_some(u64::MAX as f64))
    }

    /// The number below a heading, of two lines that begin alike.
    #[allow(clippy::cast_precision_loss)] // Far below 2^53.
    fn column(&self, group: &str, heading: &str) -> Option<f64> {
        let mut lines = self.0.lines().filter(|line| line.starts_with(group)).map(str::split_whitespace);
        let (headings, numbers) = (lines.next()?, lines.next()?);
        let (_, number) = headings.zip(numbers).find(|(found, _)| *found == heading)?;
        Some(number.parse::<u64>().ok()? as f64)
    }

    fn bytes(&self, field: &str) -> Option<f64> {
        Some(self.number(field)? * 1024.0)
    }
}

/// User and system time from `/proc/self/stat`, whose fields 14 and 15 count hundredths of a second.
fn cpu_time() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    let ticks: u64 = after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks * 10))
}

#[allow(clippy::cast_precision_loss)] // Far below 2^53.
fn open_files() -> Option<f64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as f64)
}

#[allow(clippy::cast_precision_loss)] // Far below 2^53.
fn live_tasks() -> Option<f64> {
    let runtime = tokio::runtime::Handle::try_current().ok()?;
    Some(runtime.metrics().num_alive_tasks() as f64)
}
