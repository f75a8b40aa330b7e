//! Takes what the app exports.
use crate::error::Error;
use foundation_telemetry::{Exporter, Metrics};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;

/// The attribute that tells the app id.
const APP_ID: &str = "dapr.app_id";
const SERVICE_NAME: &str = "service.name";
/// What SDKs call a service that was given no name.
const UNKNOWN: &str = "unknown_service";

/// The receiver.
#[derive(Debug)]
pub struct Service {
    app_id: String,
    metrics: Metrics,
    exporter: Exporter,
}

impl Service {
    /// Metrics go to `metrics`, traces and logs to `exporter`.
    pub fn new(app_id: String, metrics: Metrics, exporter: Exporter) -> Self {
        Self { app_id, metrics, exporter }
    }

    /// Takes traces. Without an exporter they end here.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn traces(&self, mut request: ExportTraceServiceRequest) -> Result<ExportTraceServiceResponse, Error> {
        request.resource_spans.iter_mut().for_each(|spans| self.stamp(&mut spans.resource));
        let taken = self.exporter.traces(request.resource_spans);
        taken.then(ExportTraceServiceResponse::default).ok_or(Error::Busy)
    }

    /// Takes logs. Without an exporter that takes logs they end here.
    ///
    /// # Errors
    /// [`Error::Busy`]
    pub fn logs(&self, mut request: ExportLogsServiceRequest) -> Result<ExportLogsServiceResponse, Error> {
        request.resource_logs.iter_mut().for_each(|logs| self.stamp(&mut logs.resource));
        let taken = self.exporter.logs(request.resource_logs);
        taken.then(ExportLogsServiceResponse::default).ok_or(Error::Busy)
    }

    /// Takes metrics; the answer tells how many data points were not taken.
    ///
    /// # Errors
    /// None: the form is that of the other two.
    pub fn metrics(&self, mut request: ExportMetricsServiceRequest) -> Result<ExportMetricsServiceResponse, Error> {
        request.resource_metrics.iter_mut().for_each(|metrics| self.name(&mut metrics.resource));
        let rejected = self.metrics.app_metrics(&request.resource_metrics);
        let partial_success = (rejected.points > 0).then(|| ExportMetricsPartialSuccess {
            rejected_data_points: i64::try_from(rejected.points).unwrap_or(i64::MAX),
            error_message: rejected.reason.to_owned(),
        });
        Ok(ExportMetricsServiceResponse { partial_success })
    }

    /// Says which app it is.
    fn stamp(&self, resource: &mut Option<Resource>) {
        self.name(resource);
        let attributes = &mut resource.get_or_insert_default().attributes;
        attributes.retain(|attribute| attribute.key != APP_ID);
        attributes.push(self.attribute(APP_ID));
    }

    /// A service without a name has that of the app. Metrics need no more, as each series has the label `app_id`.
    fn name(&self, resource: &mut Option<Resource>) {
        let attributes = &mut resource.get_or_insert_default().attributes;
        attributes.retain(|attribute| attribute.key != SERVICE_NAME || !is_unknown(attribute));
        if !attributes.iter().any(|attribute| attribute.key == SERVICE_NAME) {
            attributes.push(self.attribute(SERVICE_NAME));
        }
    }

    fn attribute(&self, name: &str) -> KeyValue {
        let value = AnyValue { value: Some(Value::StringValue(self.app_id.clone())) };
        KeyValue { key: name.to_owned(), value: Some(value), ..KeyValue::default() }
    }
}

fn is_unknown(name: &KeyValue) -> bool {
    match name.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(name)) => name.is_empty() || name.starts_with(UNKNOWN),
        _ => true,
    }
}
