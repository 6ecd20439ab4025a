//! Checks the `Origin` of browser requests and writes CORS headers (Fetch §3.2, "CORS protocol").
//! Without the check any page on the web could open a WebSocket on behalf of its visitor (CWE-1385)
//! or read long-polling responses. Why `tower-http` is not used: `docs/decisions/0015-cors.md`.

use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::log_once::LogOnce;
use super::request_host::RequestHost;
use crate::config::Config;
use crate::origin::{Origin, OriginPattern};

/// Time in seconds that a browser may cache a preflight response. Chrome caches for two hours.
const PREFLIGHT_MAX_AGE_S: &str = "7200";

/// Methods that pages of other origins may use.
const METHODS: &str = "GET, POST, OPTIONS";

/// Headers that pages of other origins may set.
const HEADERS: &str = "Content-Type, Authorization";

/// Origins that may use this server.
#[derive(Debug, Default)]
pub struct AllowedOrigins {
    /// Listed origins, and that of `base_url`.
    listed: Vec<OriginPattern>,
    /// Whether pages on private networks may use this server, as in development.
    private_networks: bool,
    /// Origins whose refusal was logged.
    refused: LogOnce,
}

impl AllowedOrigins {
    /// Allows the server's own origin, loopback origins, listed ones, and in development those on
    /// private networks. The configuration was checked, so that every entry can be parsed.
    pub fn new(config: &Config) -> Self {
        let listed = config.cors_origins.iter().filter_map(|it| it.parse().ok());
        let own = config.base_url.as_deref().and_then(|url| {
            let url = url::Url::parse(url).ok()?;
            url.origin().ascii_serialization().parse().ok()
        });
        Self {
            listed: listed.chain(own).collect(),
            private_networks: config.dev,
            refused: LogOnce::default(),
        }
    }

    /// Returns whether a request may be served. Programs send no origin; a page on loopback (a
    /// development server) is trusted like the user who runs it.
    pub fn allows(&self, headers: &HeaderMap, host: &RequestHost) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return true;
        };
        let origin = origin.to_str().ok().and_then(Origin::parse);
        let (Some(origin), None) = (origin, origins.next()) else {
            return false;
        };
        let own = host.authority.as_ref().filter(|_| host.is_known);
        let is_allowed = own.is_some_and(|own| origin.is_of(own))
            || origin.is_loopback()
            || self.listed.iter().any(|listed| listed.matches(&origin))
            || (self.private_networks && origin.is_private());
        if !is_allowed {
            self.log_refusal(&origin);
        }
        is_allowed
    }

    /// Says what to list, once for each origin.
    fn log_refusal(&self, origin: &Origin) {
        let origin = origin.to_string();
        if self.refused.is_first(&origin) {
            tracing::warn!(
                origin,
                "page of another origin refused: to allow it, list it in `cors_origins` \
                 (CORS_ORIGINS); `--dev` allows pages on private networks. If it is this server's own \
                 page, a proxy changes `Host`: set `base_url`"
            );
        }
    }
}

/// Returns the response to a page whose origin is not allowed.
pub fn refusal() -> Response {
    (StatusCode::FORBIDDEN, "This page may not connect here\n").into_response()
}

/// Returns the response to a preflight request.
pub fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_S),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Returns whether a request is a CORS preflight.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Adds the headers that let an allowed page read the response.
pub fn add_headers(response: &mut Response, origin: Option<HeaderValue>) {
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::Authority;

    fn config(origins: &[&str]) -> Config {
        Config {
            cors_origins: origins.iter().map(|&it| it.to_owned()).collect(),
            base_url: Some("https://base.example/meet".to_owned()),
            ..Config::default()
        }
    }

    fn host(is_known: bool) -> RequestHost {
        RequestHost {
            authority: Authority::parse("meet.example:3000"),
            is_known,
        }
    }

    fn is_allowed(origin: &str, config: &Config, host: &RequestHost) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        AllowedOrigins::new(config).allows(&headers, host)
    }

    #[test]
    fn own_origin_loopback_listed_origins_and_programs_are_allowed() {
        assert!(AllowedOrigins::default().allows(&HeaderMap::new(), &host(false)));
        let config = config(&[
            "https://Partner.example:443/",
            "https://*.example.org",
            "capacitor://localhost",
            "null",
        ]);
        for origin in [
            "http://meet.example:3000",
            "https://MEET.example.:3000/",
            "http://localhost:5173",
            "http://127.0.0.1:5173",
            "http://[::1]:5173",
            "https://tauri.localhost",
            "https://partner.example",
            "https://partner.example:443",
            "https://a.example.org",
            "https://base.example",
            "capacitor://localhost",
            "null",
        ] {
            assert!(is_allowed(origin, &config, &host(true)), "{origin}");
        }
    }

    #[test]
    fn other_origins_are_refused() {
        let config = config(&["https://partner.example", "https://*.example.org"]);
        for origin in [
            "null",
            "http://meet.example",
            "http://meet.example:3001",
            "http://meet.example:3000.evil.example",
            "http://127.0.0.1:24100.evil.example",
            "http://evil-meet.example:3000",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "http://evil@localhost",
            "file://",
            "http://meet.example:3000/path",
            "http://meet.example:3000, http://evil.example",
            "http://xn--mt-bja.example:3000",
            "http://partner.example",
            "https://partner.example:444",
            "https://a.partner.example",
            "https://example.org",
            "https://evil@partner.example",
            "ws://meet.example:3000",
            "capacitor://localhost",
            "tauri://localhost",
            "http://192.168.1.5:5173",
            "*",
            "",
        ] {
            assert!(!is_allowed(origin, &config, &host(true)), "{origin}");
        }
    }

    #[test]
    fn own_origin_is_refused_under_an_unknown_name() {
        let origin = "http://meet.example:3000";
        assert!(!is_allowed(origin, &config(&[]), &host(false)));
        assert!(is_allowed(
            "http://localhost:5173",
            &config(&[]),
            &host(false)
        ));
    }

    #[test]
    fn private_networks_are_allowed_in_development_only() {
        let origin = "http://192.168.1.5:5173";
        let mut config = config(&[]);
        assert!(!is_allowed(origin, &config, &host(true)));
        config.dev = true;
        assert!(is_allowed(origin, &config, &host(true)));
        assert!(!is_allowed("http://192.0.2.5:5173", &config, &host(true)));
    }

    #[test]
    fn request_with_two_origins_is_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, "http://localhost".parse().unwrap());
        headers.append(header::ORIGIN, "http://localhost".parse().unwrap());
        assert!(!AllowedOrigins::default().allows(&headers, &host(true)));
    }
}
