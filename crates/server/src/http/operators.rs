//! The operators' page and its interface `/api/operators/`, on listeners of their own. Every request of the
//! interface needs the API key as `Authorization: Bearer`, and comes from a program or from this page: pages of
//! other origins are refused, whatever `cors_origins` says. The page keeps the key in its `sessionStorage`. There
//! are no cookies, which browsers would send to every port of the host and on behalf of other pages
//! (`docs/decisions/0054-operators-page.md`).
//!
//! No public listener has a route of `/api/operators/`. Health checks, metrics and the history of calls are on both kinds
//! of listeners.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, put};

use super::api::history as api_history;
use super::api::openapi_doc::StoredDocument;
use super::assets;
use super::caller::Caller;
use super::health;
use super::json_response::ApiError;
use super::metrics;
use super::request_host::RequestHost;
use super::site::SiteContext;
use crate::config::Mount;
use crate::origin::Origin;

mod description;
mod drain;
mod figures;
mod line_quality;
mod log;
mod rooms;
mod schemas;
mod status;

/// Values of `Sec-Fetch-Site` (Fetch Metadata) for requests of the page itself, and for addresses that a person enters.
const OWN_SITES: [&str; 2] = ["same-origin", "none"];

/// Returns the routes of a listener for operators.
pub fn routes(site: &SiteContext) -> Router<SiteContext> {
    let mut router = Router::new().merge(health::routes());
    if site.serves(Mount::Metrics) {
        router = router.merge(metrics::routes());
    }
    router
        .nest("/api/operators", interface(site))
        .nest("/api/history", history(site))
        .fallback(get(page))
}

/// Returns the routes of the interface, all of which need the key.
fn interface(site: &SiteContext) -> Router<SiteContext> {
    let openapi = Arc::new(StoredDocument::new(description::generate()));
    let router = Router::new()
        .route(
            "/openapi.json",
            get(async move |headers: HeaderMap| openapi.response(&headers)),
        )
        .route("/status", get(status::show))
        .route("/rooms", get(rooms::list))
        .route("/rooms/{room}", get(rooms::show).delete(rooms::close))
        .route(
            "/rooms/{room}/participants/{peer}",
            delete(rooms::remove_participant),
        )
        .route("/log", get(log::show))
        .route(
            "/log/filter",
            put(log::set_filter).delete(log::reset_filter),
        )
        .route("/drain", put(drain::begin).delete(drain::end))
        .fallback(any(not_found))
        .method_not_allowed_fallback(method_not_allowed);
    router.layer(middleware::from_fn_with_state(site.clone(), check_caller))
}

/// Returns the routes of the history of calls, which public listeners have too.
fn history(site: &SiteContext) -> Router<SiteContext> {
    let router = Router::new()
        .route("/", get(api_history::list).delete(api_history::remove_name))
        .route(
            "/{call}",
            get(api_history::show).delete(api_history::remove),
        )
        .route(
            "/{call}/participants/{participant}",
            delete(api_history::remove_participant),
        )
        .fallback(any(not_found))
        .method_not_allowed_fallback(method_not_allowed);
    router.layer(middleware::from_fn_with_state(site.clone(), check_caller))
}

async fn not_found() -> ApiError {
    ApiError::NotFound
}

async fn method_not_allowed() -> ApiError {
    ApiError::MethodNotAllowed
}

/// A file of the page.
async fn page(request: Request) -> Response {
    assets::operators_file(request.uri(), request.headers())
}

/// Middleware of the interface: refuses other pages, and callers without the key.
async fn check_caller(State(site): State<SiteContext>, request: Request, next: Next) -> Response {
    if !is_own_page(&request) {
        return ApiError::ForeignPage.into_response();
    }
    match authenticate(&site, &request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    }
}

/// Requires the key in the header: addresses are stored in histories and logs of proxies.
fn authenticate(site: &SiteContext, request: &Request) -> Result<(), ApiError> {
    let query = request.uri().query().unwrap_or_default();
    if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "token") {
        return Err(ApiError::bad_request(
            "the key belongs into the header Authorization, not into the address",
        ));
    }
    Caller::authenticate(site, request)?.require_operator()
}

/// Returns whether a request comes from the operators' page of this listener, or from a program.
fn is_own_page(request: &Request) -> bool {
    let headers = request.headers();
    let mut sites = headers.get_all("sec-fetch-site").iter();
    if sites.any(|site| !OWN_SITES.iter().any(|own| site == own)) {
        return false;
    }
    let host = request.extensions().get::<RequestHost>();
    let authority = host.and_then(|host| host.authority.as_ref());
    let mut origins = headers.get_all(header::ORIGIN).iter();
    origins.all(|origin| {
        let origin = origin.to_str().ok().and_then(Origin::parse);
        origin.is_some_and(|origin| authority.is_some_and(|own| origin.is_of(own)))
    })
}
