//! REST interface `/api/`: manages rooms for other programs and tells pages what they need before they
//! connect. Checks permissions and formats responses; rooms are the conference's business.
//!
//! An invite-only room responds to strangers exactly like one that does not exist, and requests for
//! many missing rooms are rate limited (`JoinFailed`). No path here serves a file.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, post, put};

use super::cors;
use super::json_response::ApiError;
use super::site::SiteContext;
use openapi_doc::StoredDocument;

mod docs_page;
pub mod error_responses;
pub mod history;
mod history_schemas;
mod ice_servers;
pub mod json_body;
pub mod openapi_doc;
mod participants;
pub mod request_context;
pub mod rooms;
pub mod schemas;
#[cfg(test)]
mod tests;

/// Methods that pages of other origins may use.
const METHODS: &str = "GET, POST, PUT, DELETE, OPTIONS";

/// Returns the routes of the REST interface.
pub fn routes(site: &SiteContext) -> Router<SiteContext> {
    let openapi = Arc::new(StoredDocument::new(openapi_doc::generate()));
    let router = Router::new()
        .route("/api", get(docs_page::redirect))
        .route("/api/", get(docs_page::html))
        .route("/api/page.js", get(docs_page::script))
        .route("/api/page.css", get(docs_page::style))
        .route(
            "/api/openapi.json",
            get(async move |headers: HeaderMap| openapi.response(&headers)),
        )
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
        .route(
            "/api/history",
            get(history::list).delete(history::remove_name),
        )
        .route(
            "/api/history/{call}",
            get(history::show).delete(history::remove),
        )
        .route(
            "/api/history/{call}/participants/{participant}",
            delete(history::remove_participant),
        )
        .route("/api/ice-servers", get(ice_servers::servers))
        .route("/api/{*rest}", any(not_found));
    router
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(site.clone(), check_origin))
}

async fn not_found() -> ApiError {
    ApiError::NotFound
}

async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

/// Middleware that refuses pages of other origins unless allowed, and adds CORS headers for allowed
/// ones.
async fn check_origin(State(site): State<SiteContext>, request: Request, next: Next) -> Response {
    if !site.allows_origin(&request) {
        return ApiError::ForeignPage.into_response();
    }
    let origin = request.headers().get(header::ORIGIN).cloned();
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
    cors::add_headers(&mut response, origin);
    response
}
