//! What the front door counts: requests by path, method and answer, and credentials that were not
//! valid. Paths are those of the router, so that nobody makes us count for ever.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::SiteContext;

/// Where requests are counted that meet no path of ours: the web client's files, and nothing.
const OTHER: &str = "other";

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Kind {
    /// The method.
    method: &'static str,
    /// The path, with places for names.
    route: String,
    /// The status of the answer.
    status: u16,
}

/// What is counted.
#[derive(Debug, Default)]
pub struct RequestMetrics {
    /// Requests.
    requests: Family<Kind, Counter>,
    /// Tokens and keys that were not valid.
    auth_failures: AtomicU64,
}

impl RequestMetrics {
    /// Requests so far.
    pub fn requests(&self) -> Family<Kind, Counter> {
        self.requests.clone()
    }

    /// Tokens and keys so far that were not valid.
    pub fn auth_failures(&self) -> u64 {
        self.auth_failures.load(Ordering::Relaxed)
    }

    /// A token or a key was not valid.
    pub fn count_auth_failure(&self) {
        self.auth_failures.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts every request with its answer.
pub async fn count(State(site): State<SiteContext>, request: Request, next: Next) -> Response {
    let method = known(request.method());
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or(OTHER, MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let kind = Kind {
        method,
        route,
        status: response.status().as_u16(),
    };
    site.instruments.requests.get_or_create(&kind).inc();
    response
}

/// A method by name; all that nobody uses have one name.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}
