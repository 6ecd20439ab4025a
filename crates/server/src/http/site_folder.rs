//! Serves a folder instead of the web client (`--site`), so that the page of an old client can move
//! here without a reverse proxy. Hidden files are never served.

use std::path::Path;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use tower_http::services::fs::DefaultServeDirFallback;
use tower_http::services::{ServeDir, ServeFile};
use tower_service::Service;

/// Page of a folder.
const PAGE: &str = "index.html";

/// Hidden folder that is public (RFC 8615).
const WELL_KNOWN: &str = ".well-known";

/// Marks the response of a file in the folder.
#[derive(Debug, Clone, Copy)]
pub struct FolderFile;

/// A folder that is served as the site.
#[derive(Debug, Clone)]
pub struct SiteFolder {
    /// Serves its files.
    files: ServeDir<DefaultServeDirFallback>,
    /// Serves its page for paths of its own, such as `/room/standup`.
    page: ServeFile,
}

impl SiteFolder {
    /// Serves a folder.
    pub fn new(folder: &Path) -> Self {
        Self {
            files: ServeDir::new(folder)
                .precompressed_br()
                .precompressed_gzip(),
            page: ServeFile::new(folder.join(PAGE)),
        }
    }

    /// Serves a file. A path without a file, whose last part has no extension, is one of the page's.
    pub async fn serve(&self, request: Request) -> Response {
        let (parts, _) = request.into_parts();
        if has_hidden_part(parts.uri.path()) {
            return not_found();
        }
        let found = self.files.clone().call(request_for(
            parts.method.clone(),
            parts.uri.clone(),
            parts.headers.clone(),
        ));
        let Ok(response) = found.await;
        let last = parts.uri.path().rsplit('/').next().unwrap_or_default();
        let mut response = if response.status() == StatusCode::NOT_FOUND && !last.contains('.') {
            let page = request_for(parts.method, parts.uri, parts.headers);
            match self.page.clone().call(page).await {
                Ok(response) => response.map(Body::new),
            }
        } else {
            response.map(Body::new)
        };
        if response.status() == StatusCode::NOT_FOUND {
            return not_found();
        }
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        response.extensions_mut().insert(FolderFile);
        response
    }
}

fn request_for(method: Method, uri: Uri, headers: HeaderMap) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}

fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "Not found\n").into_response()
}

/// Returns whether a part of a path begins with a dot, also where it is encoded.
fn has_hidden_part(path: &str) -> bool {
    let decoded = path
        .to_ascii_lowercase()
        .replace("%2e", ".")
        .replace("%2f", "/")
        .replace("%5c", "/");
    let mut parts = decoded.split(['/', '\\']);
    parts.any(|part| part.starts_with('.') && part != WELL_KNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_are_recognised_however_they_are_encoded() {
        for path in [
            "/.env",
            "/.git/config",
            "/a/.env",
            "/%2eenv",
            "/a%2F.env",
            "/..",
            "/a/%2E%2e/b",
        ] {
            assert!(has_hidden_part(path), "{path}");
        }
        for path in ["/", "/a.js", "/a/b.min.js", "/.well-known/acme-challenge/x"] {
            assert!(!has_hidden_part(path), "{path}");
        }
    }
}
