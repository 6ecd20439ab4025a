//! Serves a folder instead of the web client (`--site`), so that the page of an old client can move
//! here without a reverse proxy. Hidden files and those with secrets of the server are never served.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use tokio::task::spawn_blocking;
use tower_http::services::fs::DefaultServeDirFallback;
use tower_http::services::{ServeDir, ServeFile};
use tower_service::Service;

use super::content_encoding::{ENCODINGS, accepts};
use crate::config::PrivateFiles;

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
    /// The folder.
    folder: PathBuf,
    /// Files that are not served.
    private: Arc<PrivateFiles>,
}

impl SiteFolder {
    /// Serves a folder without the private files in it.
    pub fn new(folder: &Path, private: PrivateFiles) -> Self {
        Self {
            folder: folder.to_owned(),
            private: Arc::new(private),
            files: ServeDir::new(folder)
                .precompressed_br()
                .precompressed_gzip(),
            page: ServeFile::new(folder.join(PAGE)),
        }
    }

    /// Serves a file. A path without a file, whose last part has no extension, is one of the page's.
    pub async fn serve(&self, request: Request) -> Response {
        let (parts, _) = request.into_parts();
        if has_hidden_part(parts.uri.path()) || self.is_private(parts.uri.path()).await {
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

    /// Returns whether the path of a URL leads to a private file. Blocks nobody while files are looked up.
    async fn is_private(&self, path: &str) -> bool {
        let bytes = percent_decode_str(path.trim_start_matches('/')).collect::<Vec<u8>>();
        let path = self.folder.join(OsStr::from_bytes(&bytes));
        let private = Arc::clone(&self.private);
        let found = spawn_blocking(move || private.contains(&path)).await;
        found.unwrap_or(true)
    }
}

fn request_for(method: Method, uri: Uri, headers: HeaderMap) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    // `ServeDir` does not know `*`.
    let accepted = ENCODINGS.into_iter();
    let accepted: Vec<_> = accepted
        .filter(|it| accepts(request.headers(), it))
        .collect();
    if let Ok(value) = HeaderValue::from_str(&accepted.join(", ")) {
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT_ENCODING, value);
    }
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
