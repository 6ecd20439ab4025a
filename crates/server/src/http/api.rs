//! The REST interface, `/api/`: rooms made and managed by programs, and what a page asks before
//! anybody connects. It decides who may ask and puts answers into words; what happens in rooms is
//! the conference's business.
//!
//! A room that only the invited may know of is answered for in the very words of one that is not
//! there, and whoever asks for many that are not there is held up (`JoinFailed`). No path here
//! ends in a file.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post, put};
use serde::de::DeserializeOwned;
use serde_json::Value;
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
use watersmeet_conference::dialect::json;
use watersmeet_conference::turn::IceServers;

use super::client_address::ClientAddress;
use super::json_response::ApiError;
use super::rate_limit::RateLimitedAction;
use super::{SiteContext, cors, request_body};
use crate::config::{Config, RoomCreation, Secret};

mod caller;
mod docs_page;
mod ice_servers;
mod openapi_doc;
mod participants;
mod rooms;
mod schemas;

pub use caller::Caller;

/// The largest body, in bytes: names and a few words.
const BODY_LEN_MAX: usize = 16 << 10;

/// What a page of another site may do here.
const METHODS: &str = "GET, POST, PUT, DELETE, OPTIONS";

/// What the REST interface needs to know of the configuration.
#[derive(Debug)]
pub struct ApiContext {
    /// What signs invitations and verifies tokens.
    keys: Arc<TokenKeys>,
    /// What operators' programs show.
    api_key: Option<Secret>,
    /// Where people find this server.
    base_url: Option<String>,
    /// Who makes rooms.
    room_creation: RoomCreation,
    /// STUN and TURN servers for clients.
    ice_servers: IceServers,
    /// What the REST interface says of itself.
    description: String,
}

impl ApiContext {
    /// What the operator decided.
    pub fn new(config: &Config, keys: Arc<TokenKeys>) -> Self {
        Self {
            keys,
            api_key: config.api_key.clone(),
            base_url: config.base_url.clone(),
            room_creation: config.room_creation,
            ice_servers: crate::conference_setup::ice_servers(config),
            description: openapi_doc::text(),
        }
    }
}

/// The paths of the REST interface.
pub fn routes(site: &SiteContext) -> Router<SiteContext> {
    let router = Router::new()
        .route("/api", get(docs_page::redirect))
        .route("/api/", get(docs_page::html))
        .route("/api/page.js", get(docs_page::script))
        .route("/api/page.css", get(docs_page::style))
        .route("/api/openapi.json", get(openapi_doc::document))
        .route("/api/rooms", get(rooms::list).post(rooms::create))
        .route("/api/rooms/{room}", get(rooms::show).delete(rooms::remove))
        .route("/api/rooms/{room}/policy", put(rooms::set_policy))
        .route("/api/rooms/{room}/invites", post(rooms::invite))
        .route("/api/rooms/{room}/participants", get(participants::list))
        .route(
            "/api/rooms/{room}/participants/{peer}",
            delete(participants::remove),
        )
        .route(
            "/api/rooms/{room}/participants/{peer}/mute",
            post(participants::mute),
        )
        .route("/api/ice-servers", get(ice_servers::servers))
        .route("/api/{*rest}", any(nothing));
    router
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(site.clone(), pages))
}

async fn nothing() -> ApiError {
    ApiError::NotFound
}

async fn wrong_method() -> ApiError {
    ApiError::MethodNotAllowed
}

/// Lets only pages ask that may, and lets those read the answer.
async fn pages(State(site): State<SiteContext>, request: Request, next: Next) -> Response {
    if !site.origins.allow(request.headers()) {
        return ApiError::ForeignPage.into_response();
    }
    let asked_by = request.headers().get(header::ORIGIN).cloned();
    let mut response = if cors::is_preflight(request.method(), request.headers()) {
        let mut response = cors::preflight();
        let methods = HeaderValue::from_static(METHODS);
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        response
    } else {
        next.run(request).await
    };
    cors::share(&mut response, asked_by);
    response
}

/// Asks the conference.
async fn ask(site: &SiteContext, inquiry: AdminRequest) -> Result<AdminResponse, ApiError> {
    let answer = site.hub.ask(inquiry).await.ok_or(ApiError::Unavailable)?;
    answer.map_err(ApiError::from)
}

/// Reads a body: strict JSON, one object of the right shape. An empty one is an empty object.
async fn read<T: DeserializeOwned>(request: Request) -> Result<T, ApiError> {
    let (parts, content) = request.into_parts();
    let bytes = request_body::collect(&parts.headers, content, BODY_LEN_MAX).await;
    let bytes = bytes.map_err(|refused| match refused.into_response().status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLong,
        StatusCode::REQUEST_TIMEOUT => ApiError::TooSlow,
        _ => ApiError::bad_request("the body cannot be read"),
    })?;
    if !bytes.is_empty() && !is_json(&parts.headers) {
        return Err(ApiError::NotJson);
    }
    shape(&bytes)
}

fn shape<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, ApiError> {
    let text = str::from_utf8(bytes).map_err(|_| ApiError::bad_request("the body is not UTF-8"))?;
    let text = if text.trim().is_empty() { "{}" } else { text };
    let value = json::parse(text).map_err(ApiError::bad_request)?;
    if !matches!(value, Value::Object(_)) {
        return Err(ApiError::bad_request("the body has to be one JSON object"));
    }
    serde_json::from_value(value).map_err(|error| ApiError::bad_request(error.to_string()))
}

/// Whether the body says to be JSON. A client that says nothing is believed to mean it.
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(header::CONTENT_TYPE).iter();
    let Some(kind) = kinds.next() else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kinds.next().is_none() && kind.eq_ignore_ascii_case("application/json")
}

/// Where people find this server: as configured, else as the one who asks finds it.
fn base_url(site: &SiteContext, request: &Request) -> Result<String, ApiError> {
    if let Some(base_url) = &site.terms.base_url {
        return Ok(base_url.trim_end_matches('/').to_owned());
    }
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let host = host.filter(|host| !host.as_str().contains('@') && !host.host().is_empty());
    let host = host.ok_or_else(|| ApiError::bad_request("the header Host is missing or wrong"))?;
    let scheme = if site.is_secure(request) {
        "https"
    } else {
        "http"
    };
    Ok(format!("{scheme}://{host}"))
}

/// Who asks, by address.
fn client_of(request: &Request) -> Result<ClientAddress, ApiError> {
    request
        .extensions()
        .get::<ClientAddress>()
        .copied()
        .ok_or(ApiError::Unavailable)
}

/// Counts a room that was asked for and is not there, or not for the one who asks.
fn note_missing(site: &SiteContext, client: ClientAddress, fault: ApiError) -> ApiError {
    match site.rates.count(RateLimitedAction::JoinFailed, client.0) {
        Ok(()) => fault,
        Err(too_often) => too_often.into(),
    }
}

#[cfg(test)]
mod tests;
