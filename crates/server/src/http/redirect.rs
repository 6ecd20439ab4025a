//! The port of plain HTTP, 80 unless another is set: answers validations of a certificate authority
//! (HTTP-01, RFC 8555 §8.3) and redirects everything else to HTTPS. Serves nothing of the site.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::server::https_redirect;
use crate::acme::PendingChallenges;
use crate::origin::Authority;

/// Port of HTTPS, which URLs need not name.
const HTTPS_PORT: u16 = 443;

/// Returns the router of the port of plain HTTP. `https_port` is that of the page.
pub fn router(challenges: Arc<PendingChallenges>, https_port: u16) -> Router {
    Router::new()
        .route("/.well-known/acme-challenge/{token}", get(validation))
        .fallback(move |request: Request| async move { redirect(&request, https_port) })
        .with_state(challenges)
}

/// Answers a validation: the key authorisation of a token.
async fn validation(
    State(challenges): State<Arc<PendingChallenges>>,
    Path(token): Path<String>,
) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    match challenges.key_authorization(&token) {
        Some(text) => (headers, text).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Redirects to the same page by HTTPS.
fn redirect(request: &Request, https_port: u16) -> Response {
    https_redirect(request, |authority| {
        let host = Authority::parse(authority).map(|it| it.host.to_string());
        let host = host.unwrap_or_default();
        match https_port {
            HTTPS_PORT => host,
            port => format!("{host}:{port}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn location(host: &str, https_port: u16) -> String {
        let request = Request::builder()
            .uri("/room/standup?a=b")
            .header(header::HOST, host)
            .body(Body::empty())
            .unwrap();
        let response = redirect(&request, https_port);
        assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
        let location = response.headers().get(header::LOCATION).unwrap();
        location.to_str().unwrap().to_owned()
    }

    #[test]
    fn requests_are_redirected_to_the_port_of_the_page() {
        let page = "/room/standup?a=b";
        for (host, port, there) in [
            ("meet.example.org", 443, "meet.example.org"),
            ("meet.example.org:80", 443, "meet.example.org"),
            ("meet.example.org:8080", 8_443, "meet.example.org:8443"),
            ("[2001:db8::1]:80", 443, "[2001:db8::1]"),
        ] {
            assert_eq!(location(host, port), format!("https://{there}{page}"));
        }
    }
}
