//! Sends a run to an OpenTelemetry collector over HTTP, with the environment variables that OpenTelemetry defines.

use std::env;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message;

use super::hidden;
use super::problem::Problem;
use crate::analysis::Analysis;
use crate::failure::Secret;
use crate::plan::in_address;
use crate::record::Record;
use crate::report;
use crate::target::{self, Halt};

/// Where a collector listens by default.
const DEFAULT: &str = "http://localhost:4318";
/// How long a message may take, by OpenTelemetry's own default.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Sends the run to this address, or to that of `OTEL_EXPORTER_OTLP_ENDPOINT`.
pub(super) fn send(address: Option<&str>, record: &Record, analysis: &Analysis) -> Result<(), Problem> {
    let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let address = address.map(str::to_owned).or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"));
    let address = address.unwrap_or_else(|| DEFAULT.to_owned());
    let address = address.trim_end_matches('/');
    let headers = headers(&variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default());
    let secrets = headers.iter().map(|(_, value)| Secret::from(value.as_str())).chain(in_address(address));
    secrets.for_each(|secret| hidden::add(&secret));
    let time = variable("OTEL_EXPORTER_OTLP_TIMEOUT").and_then(|value| value.parse().ok());
    let time = time.map_or(TIMEOUT, Duration::from_millis);
    let agent = target::agent(ureq::Agent::config_builder().timeout_global(Some(time)), &Halt::never());
    let failed = |url: &str, error: &dyn std::fmt::Display| {
        Problem::could_not_run(format!("failed to send the run to the collector at `{url}`: {error}"))
            .help("send it again with `stress report RUN_DIR --report otlp=ADDRESS`")
    };
    let proxy = target::proxy(address).map_err(|problem| failed(address, &problem))?;
    for export in report::otlp(record, analysis) {
        let url = format!("{address}{}", export.path);
        let mut request = agent.post(&url).config().proxy(proxy.clone()).build();
        request = request.header("content-type", "application/x-protobuf");
        for (name, value) in &headers {
            request = request.header(name, value);
        }
        let answer = request.send(&export.body[..]).and_then(|mut answer| answer.body_mut().read_to_vec());
        let answer = answer.map_err(|error| failed(&url, &error))?;
        // Those of traces and metrics have the same shape.
        let refused = ExportTraceServiceResponse::decode(&answer[..]).ok().and_then(|answer| answer.partial_success);
        if let Some(refused) = refused.filter(|refused| refused.rejected_spans > 0) {
            let count = refused.rejected_spans;
            let message = format!("the collector at `{url}` refused {count} of them: {}", refused.error_message);
            return Err(Problem::could_not_run(message));
        }
    }
    Ok(())
}

/// `name=value,name=value`, the values encoded as in an address.
fn headers(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
        Some((name.trim().to_owned(), value))
    };
    text.split(',').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_opentelemetry_writes_them() {
        let pairs = headers("api-key=a%20b%3D, x = 1,nothing");
        assert_eq!(pairs, [("api-key".to_owned(), "a b=".to_owned()), ("x".to_owned(), "1".to_owned())]);
        assert!(headers("").is_empty());
    }
}
