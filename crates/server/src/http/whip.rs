//! WHIP (RFC 9725): programs and pages that publish with one HTTP request, such as OBS, GStreamer and
//! ffmpeg. `POST /whip/{room}` with an SDP offer makes a participant of the room; the URL in `Location`
//! updates its ICE (`PATCH`) and ends it (`DELETE`).
//!
//! A publisher is a session of the native dialect whose frames are written and read here, so that tokens,
//! permissions, limits and rules of rooms hold as they do for everybody else. Decides nothing about them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{patch, post};
use tokio::sync::oneshot;
use watersmeet_conference::{ConnectRequest, DialectKind};
use watersmeet_wire::sdp::{IceFragment, Offer, SDP_LEN_MAX};

use super::abuse::AbuseTracker;
use super::connection_limit::ConnectionPermit;
use super::cors;
use super::query_params::QueryParams;
use super::request_body;
use super::site::SiteContext;
use error::WhipError;
use publisher::{Created, Publication};
use sessions::{Command, IceUpdate, Updated};

mod error;
mod link_header;
mod negotiation;
mod publisher;
pub mod sessions;
mod signalling;

/// Content type of offers and answers (RFC 8866 §8.1).
const SDP: &str = "application/sdp";

/// Content type of updates of ICE (RFC 8840 §9).
const SDP_FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Methods that pages of other origins may use.
const METHODS: &str = "POST, PATCH, DELETE, OPTIONS";

/// Headers that pages of other origins may set.
const REQUEST_HEADERS: &str = "Authorization, Content-Type, If-Match";

/// Headers of responses that pages of other origins may read.
const RESPONSE_HEADERS: &str = "Location, ETag, Link, Accept-Post, Accept-Patch, Retry-After";

/// Longest query parameter `name`, in bytes; the conference has the same bound.
const NAME_LEN_MAX: usize = 256;

/// Returns the routes of WHIP.
pub fn routes(site: &SiteContext) -> Router<SiteContext> {
    Router::new()
        .route("/whip/{room}", post(publish).options(describe_endpoint))
        .route(
            "/whip/{room}/{session}",
            patch(update).delete(end).options(describe_session),
        )
        .layer(middleware::from_fn_with_state(site.clone(), check_origin))
}

/// Middleware that refuses pages of other origins unless allowed, and adds CORS headers for allowed ones.
async fn check_origin(State(site): State<SiteContext>, request: Request, next: Next) -> Response {
    if !site.allows_origin(&request) {
        return cors::refusal();
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
    let is_preflight = cors::is_preflight(request.method(), request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if is_preflight {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if origin.is_some() {
        let exposed = HeaderValue::from_static(RESPONSE_HEADERS);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    cors::add_headers(&mut response, origin);
    response
}

/// `OPTIONS /whip/{room}`
async fn describe_endpoint() -> Response {
    (StatusCode::NO_CONTENT, [("accept-post", SDP)]).into_response()
}

/// `OPTIONS /whip/{room}/{session}`
async fn describe_session() -> Response {
    (StatusCode::NO_CONTENT, [("accept-patch", SDP_FRAGMENT)]).into_response()
}

/// `POST /whip/{room}`: publishes what the offer in the body describes.
async fn publish(
    State(site): State<SiteContext>,
    Path(room): Path<String>,
    mut request: Request,
) -> Result<Response, WhipError> {
    require_content_type(request.headers(), SDP)?;
    let query = QueryParams::parse(request.uri(), request.headers());
    let query = query.ok_or(WhipError::MALFORMED_PARAMETERS)?;
    if query.token.is_none() && query.has_other_credential {
        return Err(WhipError::unauthorized());
    }
    let display_name = display_name(&request)?;
    let abuse = AbuseTracker::for_request(&site, &request).ok_or(WhipError::UNAVAILABLE)?;
    abuse.record_connection()?;
    let permit = request.extensions_mut().remove::<Arc<ConnectionPermit>>();
    let resource = request.uri().path().trim_end_matches('/').to_owned();
    let offer = Offer::parse(&read_text(request).await?)?;
    let slot = site
        .whip
        .reserve(permit)
        .ok_or(WhipError::TOO_MANY_SESSIONS)?;
    let location = site.base_path.link(&format!("{resource}/{}", slot.id()));
    let connect = ConnectRequest {
        token: query.token,
        token_required: site.token_required,
        client: abuse.client_key(),
        ..ConnectRequest::new(DialectKind::Native)
    };
    let publication = Publication {
        hub: site.hub.clone(),
        abuse,
        connect,
        room,
        display_name,
        offer,
    };
    let (sender, created) = oneshot::channel();
    // A task of its own, so that a client which disconnects leaves no half of a session behind.
    tokio::spawn(publication.run(slot, sender));
    let created = created.await.map_err(|_| WhipError::UNAVAILABLE)??;
    Ok(created_response(created, &location))
}

/// Returns the response with the answer (RFC 9725 §4.2).
fn created_response(created: Created, location: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, SDP),
        (header::LOCATION, location),
        (header::ETAG, &created.etag),
    ];
    let mut response = (StatusCode::CREATED, headers, created.answer).into_response();
    let accepted = HeaderValue::from_static(SDP_FRAGMENT);
    response.headers_mut().insert("accept-patch", accepted);
    for link in created.links {
        if let Ok(link) = HeaderValue::from_str(&link) {
            response.headers_mut().append(header::LINK, link);
        }
    }
    response
}

/// `PATCH /whip/{room}/{session}`: further candidates, or a restart of ICE.
async fn update(
    State(site): State<SiteContext>,
    Path((_, session)): Path<(String, String)>,
    request: Request,
) -> Result<Response, WhipError> {
    require_content_type(request.headers(), SDP_FRAGMENT)?;
    let commands = site.whip.find(&session).ok_or(WhipError::NOT_FOUND)?;
    let if_match = request.headers().get(header::IF_MATCH);
    let if_match = if_match.ok_or(WhipError::PRECONDITION_REQUIRED)?;
    let if_match = if_match.to_str().unwrap_or_default().to_owned();
    let fragment = IceFragment::parse(&read_text(request).await?)?;
    let (response_sender, updated) = oneshot::channel();
    let update = IceUpdate {
        if_match,
        fragment,
        response_sender,
    };
    let sent = commands.send(Command::UpdateIce(update)).await;
    sent.map_err(|_| WhipError::NOT_FOUND)?;
    match updated.await.map_err(|_| WhipError::NOT_FOUND)?? {
        Updated::Candidates => Ok(StatusCode::NO_CONTENT.into_response()),
        Updated::Restarted { etag, fragment } => {
            let headers = [(header::CONTENT_TYPE, SDP_FRAGMENT), (header::ETAG, &etag)];
            Ok((StatusCode::OK, headers, fragment).into_response())
        }
    }
}

/// `DELETE /whip/{room}/{session}`: the publisher leaves.
async fn end(
    State(site): State<SiteContext>,
    Path((_, session)): Path<(String, String)>,
) -> Result<Response, WhipError> {
    let commands = site.whip.find(&session).ok_or(WhipError::NOT_FOUND)?;
    let (response_sender, ended) = oneshot::channel();
    let sent = commands.send(Command::End { response_sender }).await;
    sent.map_err(|_| WhipError::NOT_FOUND)?;
    ended.await.map_err(|_| WhipError::NOT_FOUND)?;
    Ok(StatusCode::OK.into_response())
}

/// Requires a content type; its parameters do not matter.
fn require_content_type(headers: &HeaderMap, expected: &'static str) -> Result<(), WhipError> {
    let declared = headers.get(header::CONTENT_TYPE);
    let declared = declared.and_then(|it| it.to_str().ok()).unwrap_or_default();
    let essence = declared.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case(expected) {
        true => Ok(()),
        false => Err(WhipError::content_type(expected)),
    }
}

/// Reads the query parameter `name`.
fn display_name(request: &Request) -> Result<Option<String>, WhipError> {
    let query = request.uri().query().unwrap_or_default();
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let name = pairs.find(|(name, _)| name == "name").map(|it| it.1);
    match name.as_ref().is_some_and(|it| it.len() > NAME_LEN_MAX) {
        true => Err(WhipError::MALFORMED_PARAMETERS),
        false => Ok(name.map(|it| it.into_owned()).filter(|it| !it.is_empty())),
    }
}

/// Reads the body of a request as text.
async fn read_text(request: Request) -> Result<String, WhipError> {
    let (parts, body) = request.into_parts();
    let body = request_body::collect(&parts.headers, body, SDP_LEN_MAX).await?;
    String::from_utf8(body.into()).map_err(|_| WhipError::bad_request("the body is no UTF-8"))
}
