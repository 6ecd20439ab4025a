//! Headers that restrict what browsers do with responses: the page loads nothing from elsewhere, is shown in frames
//! of the configured origins only, and is opened by HTTPS only once it was.

use axum::extract::{Request, State};
use axum::http::header::InvalidHeaderValue;
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;

use super::site::SiteContext;
use super::site_folder::FolderFile;
use crate::config::Config;
use crate::origin::OriginPattern;

/// Content Security Policy of the page, but for `frame-ancestors`: everything is forbidden but files of this server
/// and connections to it. `'self'` includes WebSockets to the same host and port (CSP 3 §6.7.2.8). Video and audio
/// need no source, since they are played from objects. Inline scripts and styles, `eval` and markup from strings are
/// not allowed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; font-src 'self'; media-src 'self'; manifest-src 'self'; worker-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

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

/// Rule about the pages that may show ours in a frame.
#[derive(Debug, Clone)]
pub struct FramePolicy {
    /// Content Security Policy of our page, with the rule.
    page_policy: HeaderValue,
    /// Content Security Policy that has the rule alone, for pages of a site folder.
    frame_ancestors: HeaderValue,
    /// Whether no page may. `X-Frame-Options` says so to old browsers; it has no word for some origins.
    allows_none: bool,
}

impl FramePolicy {
    /// Allows the origins of `embed_origins`, which the configuration has checked.
    ///
    /// # Errors
    /// An origin has characters that headers cannot have.
    pub fn new(config: &Config) -> Result<Self, InvalidHeaderValue> {
        let origins = config.embed_origins.iter();
        let sources: Vec<_> = origins
            .filter_map(|it| it.parse::<OriginPattern>().ok()?.csp_source().ok())
            .collect();
        let allows_none = sources.is_empty();
        let allowed = match allows_none {
            true => "'none'".to_owned(),
            false => sources.join(" "),
        };
        let frame_ancestors = format!("frame-ancestors {allowed}");
        Ok(Self {
            page_policy: format!("{CONTENT_SECURITY_POLICY}; {frame_ancestors}").parse()?,
            frame_ancestors: frame_ancestors.parse()?,
            allows_none,
        })
    }
}

/// Middleware of every request: adds the headers to the response.
pub async fn add(State(site): State<SiteContext>, request: Request, next: Next) -> Response {
    let is_secure = site.is_secure(&request);
    let mut response = next.run(request).await;
    // The policy is made for our own page. An old client's page may have inline scripts.
    let is_foreign = response.extensions().get::<FolderFile>().is_some();
    let headers = response.headers_mut();
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let frames = &site.frame_policy;
    if !is_foreign {
        headers.insert(header::CONTENT_SECURITY_POLICY, frames.page_policy.clone());
    } else if !frames.allows_none {
        let policy = frames.frame_ancestors.clone();
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if frames.allows_none {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if is_secure {
        let value = HeaderValue::from_static(STRICT_TRANSPORT_SECURITY);
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    response
}
