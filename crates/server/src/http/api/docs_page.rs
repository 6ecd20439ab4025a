//! Documentation page at `/api/`: three small files that render `/api/openapi.json`. Loads nothing
//! from other hosts.

use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};

/// Markup of the page.
const HTML: &str = include_str!("docs_page/index.html");
/// Script of the page.
const SCRIPT: &str = include_str!("docs_page/page.js");
/// Style sheet of the page.
const STYLE: &str = include_str!("docs_page/page.css");

/// `GET /api`.
pub async fn redirect() -> Redirect {
    Redirect::permanent("/api/")
}

/// `GET /api/`.
pub async fn html() -> Response {
    file("text/html; charset=utf-8", HTML)
}

/// `GET /api/page.js`.
pub async fn script() -> Response {
    file("text/javascript; charset=utf-8", SCRIPT)
}

/// `GET /api/page.css`.
pub async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, text).into_response()
}
