//! Checks the host that a request names. A request with two hosts, with none or with an unreadable
//! one is malformed (RFC 9112 §3.2). A page of another site can let its own name point to this
//! server's address ("DNS rebinding"): then its `Host` and `Origin` agree, so that the name itself has
//! to be known.

use axum::extract::Request;
use axum::http::{StatusCode, Version, header};
use axum::response::{IntoResponse, Response};

use super::client_address::{IsTls, PeerAddress};
use super::json_response::ApiError;
use super::request_host::RequestHost;
use super::site::SiteContext;
use crate::origin::Authority;

/// Paths that programs ask under any name.
const HEALTH_PATHS: [&str; 3] = ["/health", "/livez", "/readyz"];

/// Error of a request that does not name one host.
#[derive(Debug, Clone, Copy)]
pub struct MalformedHost;

impl IntoResponse for MalformedHost {
    fn into_response(self) -> Response {
        let text = "The request must name one host\n";
        (StatusCode::BAD_REQUEST, text).into_response()
    }
}

/// Determines the host of a request.
///
/// # Errors
/// The request is malformed.
pub fn parse(site: &SiteContext, request: &Request) -> Result<RequestHost, MalformedHost> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok().and_then(Authority::parse),
        (None, _) if request.version() == Version::HTTP_10 => {
            return Ok(RequestHost {
                authority: None,
                is_known: true,
            });
        }
        _ => None,
    };
    // An address in the request line replaces `Host`.
    let host = match request.uri().authority() {
        Some(authority) => host.and_then(|_| Authority::parse(authority.as_str())),
        None => host,
    };
    let authority = host.ok_or(MalformedHost)?;
    let authority = match site.proxy_scheme(request) {
        Some(_) => authority.without_default_port(),
        None => authority,
    };
    let is_known = is_verified(site, request) || site.names.contains(&authority.host);
    Ok(RequestHost {
        authority: Some(authority),
        is_known,
    })
}

/// Returns whether somebody else has checked the name: the browser, by our certificate, or a trusted
/// proxy, which a page of another site cannot be on the wrong side of.
fn is_verified(site: &SiteContext, request: &Request) -> bool {
    let extensions = request.extensions();
    let is_tls = extensions.get::<IsTls>().is_some_and(|it| it.0);
    let peer = extensions.get::<PeerAddress>();
    is_tls || peer.is_some_and(|peer| site.is_trusted_proxy(peer.0))
}

/// Returns the response to a request under an unknown name that may come from a page of another site;
/// `None` when the request may be served.
pub fn refusal(site: &SiteContext, host: &RequestHost, request: &Request) -> Option<Response> {
    let path = request.uri().path();
    let headers = request.headers();
    let is_program = !headers.contains_key(header::ORIGIN)
        && (headers.contains_key(header::UPGRADE) || headers.contains_key(header::AUTHORIZATION));
    if host.is_known || is_program || HEALTH_PATHS.contains(&path) {
        return None;
    }
    if headers.contains_key(header::ORIGIN) && site.origins.allows(headers, host) {
        return None;
    }
    let name = host.authority.as_ref().map(|it| it.host.to_string());
    let name = name.unwrap_or_default();
    if site.refused_names.is_first(&name) {
        tracing::warn!(
            name,
            "request refused: this server is not known under that name. If it is one of its names, \
             set `base_url` or list it in `host_names`"
        );
    }
    if path.starts_with("/api/") {
        return Some(ApiError::ForeignPage.into_response());
    }
    let text = format!(
        "This server is not known as {name}. Its operator can set `base_url` or list the name in \
         `host_names`.\n"
    );
    Some((StatusCode::FORBIDDEN, text).into_response())
}
