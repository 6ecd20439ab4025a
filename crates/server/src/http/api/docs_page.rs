//! Documentation page at `/api/`: three small files that render `/api/openapi.json`. Loads nothing
//! from other hosts.

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};

use super::super::site::SiteContext;

/// Markup of the page.
const HTML: &str = include_str!("docs_page/index.html");
/// Beginning of a link in the page to a path of this server.
const ROOT_LINK: &str = "=\"/";
/// Script of the page.
const SCRIPT: &str = include_str!("docs_page/page.js");
/// Style sheet of the page.
const STYLE: &str = include_str!("docs_page/page.css");

/// `GET /api`.
pub async fn redirect(State(site): State<SiteContext>) -> Redirect {
    Redirect::permanent(&site.base_path.link("/api/"))
}

/// `GET /api/`.
pub async fn html(State(site): State<SiteContext>) -> Response {
    let links = format!("=\"{}", site.base_path.link("/"));
    file("text/html; charset=utf-8", HTML.replace(ROOT_LINK, &links))
}

/// `GET /api/page.js`.
pub async fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT)
}

/// `GET /api/page.css`.
pub async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

fn file(kind: &'static str, text: impl Into<Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text.into()).into_response()
}
