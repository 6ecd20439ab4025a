//! Metrics of HTTP requests: requests by route, method and status, and failed authentications.
//! Routes are those of the router, so that clients cannot create new label values.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// Route label of requests for files of the web client or unknown paths; also the label of unusual
/// methods.
const OTHER: &str = "other";

/// Labels of a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// HTTP method.
    method: &'static str,
    /// Route with placeholders, as `/api/rooms/{room}`.
    route: String,
    /// Status of the response.
    status: u16,
}

/// Metrics of HTTP requests.
#[derive(Debug, Default)]
pub struct RequestMetrics {
    /// Requests by labels.
    requests: Family<RequestLabels, Counter>,
    /// Invalid tokens and API keys.
    auth_failures: AtomicU64,
}

impl RequestMetrics {
    /// Requests so far, by labels.
    pub fn requests(&self) -> Family<RequestLabels, Counter> {
        self.requests.clone()
    }

    /// Returns the number of invalid tokens and API keys so far.
    pub fn auth_failures(&self) -> u64 {
        self.auth_failures.load(Ordering::Relaxed)
    }

    /// Counts an invalid token or API key.
    pub fn record_auth_failure(&self) {
        self.auth_failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// Middleware that counts every request with its response.
pub async fn record(
    State(metrics): State<Arc<RequestMetrics>>,
    request: Request,
    next: Next,
) -> Response {
    let method = method_label(request.method());
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or(OTHER, MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let labels = RequestLabels {
        method,
        route,
        status: response.status().as_u16(),
    };
    metrics.requests.get_or_create(&labels).inc();
    response
}

/// Returns the name of a method; unusual methods share one.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}
