//! Files of the web client. Release builds embed them; debug builds read them from `web/dist` on
//! every request.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// Files built from `web`. The program builds without them; the page then responds with 503.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct WebClient;

/// The page; its script evaluates the path.
const PAGE: &str = "index.html";

/// Paths that serve the page, besides everything below `/room/`.
const PAGE_PATHS: [&str; 4] = ["", "join", "call", "index.html"];

/// Folder of files with their hash in the name, which never change.
const HASHED: &str = "assets/";

/// Serves a file of the web client, its page, or 404.
pub async fn file(uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if is_page(path) { PAGE } else { path };
    match WebClient::get(path).or_else(|| folder_page(path)) {
        Some(file) => file_response(path, file, &headers),
        None if path == PAGE => (
            StatusCode::SERVICE_UNAVAILABLE,
            "This build has no web client. `make build` includes it.\n",
        )
            .into_response(),
        None => (StatusCode::NOT_FOUND, "Not found\n").into_response(),
    }
}

/// Returns the page of a folder, with or without trailing slash.
fn folder_page(path: &str) -> Option<EmbeddedFile> {
    WebClient::get(&format!("{}/{PAGE}", path.trim_end_matches('/')))
}

fn is_page(path: &str) -> bool {
    PAGE_PATHS.contains(&path) || path.starts_with("room/")
}

fn file_response(path: &str, file: EmbeddedFile, request: &HeaderMap) -> Response {
    let etag = etag(&file.metadata.sha256_hash());
    let unchanged = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|tag| tag.trim() == etag));
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Body::from(file.data).into_response()
    };
    let headers = response.headers_mut();
    let caching = if path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        headers.insert(header::ETAG, value);
    }
    if let Ok(value) = HeaderValue::from_str(&content_type(file.metadata.mimetype())) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    response
}

/// Returns the entity tag: a quarter of the hash, enough to distinguish builds.
fn etag(hash: &[u8; 32]) -> String {
    let mut tag = String::from("\"");
    for byte in hash.iter().take(8) {
        // Writing into a String cannot fail.
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

fn content_type(guess: &str) -> String {
    if guess.starts_with("text/") {
        format!("{guess}; charset=utf-8")
    } else {
        guess.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_is_served_for_its_own_paths_only() {
        assert!(["", "join", "call", "room/a b"].into_iter().all(is_page));
        assert!(
            !["rooms", "joining", "assets/index.js"]
                .into_iter()
                .any(is_page)
        );
    }

    #[test]
    fn entity_tag_is_quoted_and_short() {
        assert_eq!(etag(&[0xab; 32]), "\"abababababababab\"");
    }

    #[tokio::test]
    async fn unknown_path_responds_with_404() {
        let response = file(Uri::from_static("/../Cargo.toml"), HeaderMap::new()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}
