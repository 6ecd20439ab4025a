//! Which pages may speak with us from a browser. It says in `Origin` whose page it runs; without
//! this check any page on the web could open a WebSocket in its visitor's name (CWE-1385), or read
//! what long-polling answers (Fetch §3.2, "CORS protocol").

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

/// How long a browser may remember the answer to a preflight. Chrome remembers for two hours.
const PREFLIGHT_AGE_S: &str = "7200";

/// What a page elsewhere may send.
const METHODS: &str = "GET, POST, OPTIONS";

/// The headers a page elsewhere may set.
const HEADERS: &str = "Content-Type, Authorization";

/// The pages that may speak with us besides our own.
#[derive(Debug, Clone, Default)]
pub struct AllowedOrigins {
    /// As browsers write them: `https://meet.example`, without a default port.
    listed: Vec<String>,
}

impl AllowedOrigins {
    /// Our own page, pages on this very machine, and these. A `*` stands for nobody: it must never
    /// come together with credentials.
    pub fn new(listed: &[String]) -> Self {
        let listed = listed.iter().map(|origin| normal(origin)).collect();
        Self { listed }
    }

    /// Whether the request may be answered: programs send no origin, our own page sends ours, and a
    /// page on this very machine (a development server) is trusted as its user is.
    pub fn allow(&self, headers: &HeaderMap) -> bool {
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

/// What is answered to a page that may not speak with us.
pub fn refusal() -> Response {
    (StatusCode::FORBIDDEN, "This page may not connect here\n").into_response()
}

/// Answers the question a browser asks before it sends a request for a page elsewhere.
pub fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_S),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Whether the request is that question.
pub fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Lets the page that asked read the answer, once it was allowed to ask.
pub fn share(response: &mut Response, origin: Option<HeaderValue>) {
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

/// An origin as somebody writes it into a file, as a browser writes it.
fn normal(origin: &str) -> String {
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

    fn asked(origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "meet.example:3000".parse().unwrap());
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        AllowedOrigins::new(&["https://Partner.example:443/".to_owned(), "*".to_owned()])
            .allow(&headers)
    }

    #[test]
    fn our_own_page_a_local_page_and_a_program_may_connect() {
        assert!(AllowedOrigins::default().allow(&HeaderMap::new()));
        for origin in [
            "http://meet.example:3000",
            "https://MEET.example:3000",
            "http://localhost:5173",
            "http://127.0.0.1:5173",
            "http://[::1]:5173",
            "https://partner.example",
        ] {
            assert!(asked(origin), "{origin}");
        }
    }

    #[test]
    fn nobody_elses_page_may() {
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
            assert!(!asked(origin), "{origin}");
        }
    }

    #[test]
    fn two_origins_are_one_too_many() {
        let mut headers = HeaderMap::new();
        headers.append(header::ORIGIN, "http://localhost".parse().unwrap());
        headers.append(header::ORIGIN, "http://localhost".parse().unwrap());
        assert!(!AllowedOrigins::default().allow(&headers));
    }
}
