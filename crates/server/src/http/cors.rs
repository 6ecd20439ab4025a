//! Checks the `Origin` of browser requests and writes CORS headers (Fetch §3.2, "CORS protocol").
//! Without the check any page on the web could open a WebSocket on behalf of its visitor (CWE-1385)
//! or read long-polling responses. Why `tower-http` is not used: `docs/decisions/0015-cors.md`.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

/// Time in seconds that a browser may cache a preflight response. Chrome caches for two hours.
const PREFLIGHT_MAX_AGE_S: &str = "7200";

/// Methods that pages of other origins may use.
const METHODS: &str = "GET, POST, OPTIONS";

/// Headers that pages of other origins may set.
const HEADERS: &str = "Content-Type, Authorization";

/// Origins that may use this server besides its own.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins {
    /// Normalised origins, as browsers send them: `https://meet.example`, without a default port.
    listed: Vec<String>,
}

impl AllowedOrigins {
    /// Allows the server's own origin, loopback origins and `listed`. An entry `*` allows nobody: a
    /// wildcard must not be combined with credentials.
    pub fn new(listed: &[String]) -> Self {
        let listed = listed.iter().map(|origin| normalise(origin)).collect();
        Self { listed }
    }

    /// Returns whether a request may be served. Programs send no origin; a page on loopback (a
    /// development server) is trusted like the user who runs it.
    pub fn allows(&self, headers: &HeaderMap) -> bool {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return true;
        };
        if origins.next().is_some() {
            return false;
        }
        let Ok(text) = origin.to_str() else {
            return false;
        };
        let Ok(origin) = text.parse::<Uri>() else {
            return false;
        };
        if !matches!(origin.scheme_str(), Some("http" | "https"))
            || origin.path_and_query().is_some_and(|path| path != "/")
            || text.ends_with('/')
        {
            return false;
        }
        let Some(authority) = origin.authority() else {
            return false;
        };
        !authority.as_str().contains('@')
            && (is_loopback(authority)
                || is_host(authority, headers)
                || self.listed.contains(&text.to_ascii_lowercase()))
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

/// Returns a configured origin in the form that browsers send.
fn normalise(origin: &str) -> String {
    let origin = origin.trim().trim_end_matches('/').to_ascii_lowercase();
    let port = match origin.split_once("://") {
        Some(("https", _)) => ":443",
        Some(("http", _)) => ":80",
        _ => "",
    };
    origin.strip_suffix(port).unwrap_or(&origin).to_owned()
}

fn is_host(authority: &Authority, headers: &HeaderMap) -> bool {
    headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .is_some_and(|host| host.eq_ignore_ascii_case(authority.as_str()))
}

fn is_loopback(authority: &Authority) -> bool {
    matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "meet.example:3000".parse().unwrap());
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        AllowedOrigins::new(&["https://Partner.example:443/".to_owned(), "*".to_owned()])
            .allows(&headers)
    }

    #[test]
    fn own_origin_loopback_listed_origins_and_programs_are_allowed() {
        assert!(AllowedOrigins::default().allows(&HeaderMap::new()));
        for origin in [
            "http://meet.example:3000",
            "https://MEET.example:3000",
            "http://localhost:5173",
            "http://127.0.0.1:5173",
            "http://[::1]:5173",
            "https://partner.example",
        ] {
            assert!(is_allowed(origin), "{origin}");
        }
    }

    #[test]
    fn other_origins_are_refused() {
        for origin in [
            "null",
            "http://meet.example",
            "http://meet.example:3001",
            "http://meet.example:3000.evil.example",
            "http://evil-meet.example:3000",
            "http://localhost.evil.example",
            "http://localhost@evil.example",
            "http://evil@localhost",
            "file:///",
            "http://meet.example:3000/path",
            "http://meet.example:3000, http://evil.example",
            "http://meet.example.:3000",
            "http://xn--mt-bja.example:3000",
            "http://partner.example",
            "https://partner.example/",
            "https://partner.example:444",
            "https://a.partner.example",
            "https://evil@partner.example",
            "ws://meet.example:3000",
            "*",
            "",
        ] {
            assert!(!is_allowed(origin), "{origin}");
        }
    }

    #[test]
    fn request_with_two_origins_is_refused() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, "http://localhost".parse().unwrap());
        headers.append(header::ORIGIN, "http://localhost".parse().unwrap());
        assert!(!AllowedOrigins::default().allows(&headers));
    }
}
