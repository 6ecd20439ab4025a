//! Headers that restrict what browsers do with responses: the page loads nothing from elsewhere, is shown in no
//! frame, and is opened by HTTPS only once it was.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::site::SiteContext;
use super::site_folder::FolderFile;

/// Content Security Policy of the page: everything is forbidden but files of this server and connections to it.
/// `'self'` includes WebSockets to the same host and port (CSP 3 §6.7.2.8). Video and audio need no source, since
/// they are played from objects. Inline scripts and styles, `eval` and markup from strings are not allowed.
/// WebAssembly may be compiled, and one policy of Trusted Types may start a worker: the page changes backgrounds so.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self'; font-src 'self'; media-src 'self'; manifest-src 'self'; worker-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types background-worker";

/// Headers of every response. `no-referrer` keeps room addresses out of `Referer`.
const SECURITY_HEADERS: [(HeaderName, &str); 7] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
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
    // The policy is made for our own page. An old client's page may have inline scripts.
    let is_foreign = response.extensions().get::<FolderFile>().is_some();
    for (name, value) in SECURITY_HEADERS {
        if is_foreign && name == header::CONTENT_SECURITY_POLICY {
            continue;
        }
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    if is_secure {
        let value = HeaderValue::from_static(STRICT_TRANSPORT_SECURITY);
        let headers = response.headers_mut();
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}
