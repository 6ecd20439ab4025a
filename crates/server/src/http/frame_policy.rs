//! Content Security Policy of the page, with the rule about the pages of other sites that may show it in a frame.

use axum::http::header::InvalidHeaderValue;
use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Config;
use crate::origin::OriginPattern;

/// Content Security Policy of the page, but for `frame-ancestors`: everything is forbidden but files of this server
/// and connections to it. `'self'` includes WebSockets to the same host and port (CSP 3 §6.7.2.8). Video and audio
/// need no source, since they are played from objects. Inline scripts and styles, `eval` and markup from strings are
/// not allowed. WebAssembly may be compiled, and one policy of Trusted Types may start a worker: the page changes
/// backgrounds so.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; \
    img-src 'self'; font-src 'self'; media-src 'self'; manifest-src 'self'; worker-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; \
    require-trusted-types-for 'script'; trusted-types background-worker";

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

    /// Allows no page.
    pub fn forbidding() -> Self {
        const FORBIDDEN: &str = "frame-ancestors 'none'";
        let page_policy = format!("{CONTENT_SECURITY_POLICY}; {FORBIDDEN}");
        Self {
            page_policy: HeaderValue::try_from(page_policy)
                .unwrap_or(HeaderValue::from_static(FORBIDDEN)),
            frame_ancestors: HeaderValue::from_static(FORBIDDEN),
            allows_none: true,
        }
    }

    /// Adds the headers that state the rule, and the policy of our own page. Pages of a site folder are foreign: they
    /// may have inline scripts.
    pub fn add_headers(&self, headers: &mut HeaderMap, is_foreign: bool) {
        if !is_foreign {
            headers.insert(header::CONTENT_SECURITY_POLICY, self.page_policy.clone());
        } else if !self.allows_none {
            let policy = self.frame_ancestors.clone();
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        if self.allows_none {
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
    }
}
