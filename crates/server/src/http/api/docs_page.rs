//! The page at `/api/` on which people read what programs can do: three small files that show
//! `/api/openapi.json`. Nothing is loaded from elsewhere.

use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};

/// The frame of the page.
const HTML: &str = include_str!("docs_page/index.html");
/// What fills it.
const SCRIPT: &str = include_str!("docs_page/page.js");
/// How it looks.
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
