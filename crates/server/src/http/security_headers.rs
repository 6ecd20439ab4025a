//! Headers that restrict what browsers do with responses: the page loads nothing from elsewhere, is shown in frames
//! of the configured origins only, and is opened by HTTPS only once it was.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::site::SiteContext;
use super::site_folder::FolderFile;

/// Headers of every response. `no-referrer` keeps room addresses out of `Referer`.
const SECURITY_HEADERS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(self), microphone=(self), display-capture=(self)",
    ),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// A year, in which browsers use HTTPS only (RFC 6797). They ignore it where the certificate is not trusted.
const STRICT_TRANSPORT_SECURITY: &str = "max-age=31536000";

/// Middleware of every request: adds the headers to the response.
pub async fn add(State(site): State<SiteContext>, request: Request, next: Next) -> Response {
    let is_secure = site.is_secure(&request);
    let mut response = next.run(request).await;
    let is_foreign = response.extensions().get::<FolderFile>().is_some();
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    site.frame_policy.add_headers(headers, is_foreign);
    if is_secure {
        let value = HeaderValue::from_static(STRICT_TRANSPORT_SECURITY);
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}
