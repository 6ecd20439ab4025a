//! Which pages may open a WebSocket here. A browser says in `Origin` whose page it runs; without
//! this check any page on the web could speak in its visitor's name (CWE-1385).

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};

/// Whether the request may be upgraded: programs send no origin, our own page sends ours, and a
/// page on this very machine (a development server) is trusted as its user is.
pub fn allowed(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else {
        return true;
    };
    if origins.next().is_some() {
        return false;
    }
    let Some(origin) = origin
        .to_str()
        .ok()
        .and_then(|text| text.parse::<Uri>().ok())
    else {
        return false;
    };
    if !matches!(origin.scheme_str(), Some("http" | "https")) || origin.path() != "/" {
        return false;
    }
    let Some(authority) = origin.authority() else {
        return false;
    };
    is_loopback(authority) || is_host(authority, headers)
}

fn is_host(authority: &Authority, headers: &HeaderMap) -> bool {
    headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .is_some_and(|host| host.eq_ignore_ascii_case(authority.as_str()))
}

fn is_loopback(authority: &Authority) -> bool {
    matches!(authority.host(), "localhost" | "127.0.0.1" | "[::1]")
        && !authority.as_str().contains('@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(origin: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, "meet.example:3000".parse().unwrap());
        headers.insert(header::ORIGIN, origin.parse().unwrap());
        allowed(&headers)
    }

    #[test]
    fn our_own_page_a_local_page_and_a_program_may_connect() {
        assert!(allowed(&HeaderMap::new()));
        for origin in [
            "http://meet.example:3000",
            "https://MEET.example:3000",
            "http://localhost:5173",
            "http://127.0.0.1:5173",
            "http://[::1]:5173",
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
        assert!(!allowed(&headers));
    }
}
