//! Files of the web client. Release builds embed them; debug builds read them from `web/dist` on
//! every request.

use std::fmt::Write as _;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::base_path::BasePath;
use super::content_encoding::{ENCODINGS, accepts};

/// Files built from `web`. The program builds without them; the page then responds with 503.
#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct WebClient;

/// The page; its script evaluates the path.
const PAGE: &str = "index.html";

/// Paths that serve the page, besides everything below `/room/`.
const PAGE_PATHS: [&str; 4] = ["", "join", "call", "index.html"];

/// Folder of the operators' page, which has a listener of its own.
const OPERATORS: &str = "operators/";

/// Folder of files with their hash in the name, which never change.
const HASHED: &str = "assets/";

/// Ends of the names of files that the build has stored in [`ENCODINGS`].
const ENCODED_ENDS: [&str; 2] = [".br", ".gz"];

/// Beginning of a link in the page, relative to the folder of the web client.
const RELATIVE_LINK: &str = "=\"./";

/// Beginning of a link in the page that other programs follow: they need the whole address.
const LINK_OF_PREVIEW: &str = "content=\"./";

/// Serves a file of the web client, its page, or 404: as the page, where a person looks at it. `origin` is that of
/// the page's links for other programs.
pub fn file(uri: &Uri, headers: &HeaderMap, base_path: &BasePath, origin: &str) -> Response {
    let path = uri.path().trim_start_matches('/');
    if is_page(path)
        && let Some(page) = page(base_path, origin)
    {
        return file_response(PAGE, page, None, headers);
    }
    if path.starts_with(OPERATORS) || path == OPERATORS.trim_end_matches('/') {
        return not_found(headers, base_path, origin);
    }
    let is_folder = path.is_empty() || path.ends_with('/');
    match (WebClient::get(path), folder_page(path)) {
        (Some(file), _) => stored_file(path, path, file, headers),
        (None, Some(page)) if is_folder => file_response(path, page, None, headers),
        // Links of the page are relative to its folder.
        (None, Some(_)) => {
            let last = path.rsplit('/').next().unwrap_or_default();
            Redirect::permanent(&format!("{last}/")).into_response()
        }
        (None, None) if is_page(path) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "This build has no web client. `make build` includes it.\n",
        )
            .into_response(),
        (None, None) => not_found(headers, base_path, origin),
    }
}

/// Serves a file of the operators' page, or 404.
pub fn operators_file(uri: &Uri, headers: &HeaderMap) -> Response {
    let path = match uri.path().trim_start_matches('/') {
        "" => PAGE,
        path => path,
    };
    let stored = format!("{OPERATORS}{path}");
    let Some(file) = WebClient::get(&stored) else {
        return (StatusCode::NOT_FOUND, "Not found\n").into_response();
    };
    stored_file(path, &stored, file, headers)
}

/// Responds with a file of a path, in an encoding that the client accepts. `stored` is its name in the build.
fn stored_file(path: &str, stored: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    match encoded(stored, headers) {
        Some((encoding, encoded)) => {
            let kind = file.metadata.mimetype().to_owned();
            let mut response = file_response(path, encoded, Some(encoding), headers);
            set_content_type(&mut response, &kind);
            response
        }
        None => file_response(path, file, None, headers),
    }
}

/// Returns the page with its links completed.
fn page(base_path: &BasePath, origin: &str) -> Option<EmbeddedFile> {
    let mut page = WebClient::get(PAGE)?;
    let text = String::from_utf8_lossy(&page.data);
    page.data = with_absolute_links(&text, base_path, origin)
        .into_bytes()
        .into();
    Some(page)
}

/// Responds with 404. The page recognises that it has no content for the path.
fn not_found(headers: &HeaderMap, base_path: &BasePath, origin: &str) -> Response {
    let accepted = headers.get(header::ACCEPT);
    let wants_page = accepted.is_some_and(|value| {
        let value = String::from_utf8_lossy(value.as_bytes());
        value.contains("text/html")
    });
    match page(base_path, origin).filter(|_| wants_page) {
        Some(page) => {
            let mut response = file_response(PAGE, page, None, &HeaderMap::new());
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
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

/// Returns the page with absolute links: it is also served as `/room/NAME`, and a proxy may serve it
/// below a path.
fn with_absolute_links(page: &str, base_path: &BasePath, origin: &str) -> String {
    let folder = base_path.link("/");
    page.replace(LINK_OF_PREVIEW, &format!("content=\"{origin}{folder}"))
        .replace(RELATIVE_LINK, &format!("=\"{folder}"))
}

/// Returns a file in the best encoding that the client accepts and the build has.
fn encoded(path: &str, request: &HeaderMap) -> Option<(&'static str, EmbeddedFile)> {
    let stored = ENCODINGS.into_iter().zip(ENCODED_ENDS);
    let mut accepted = stored.filter(|(encoding, _)| accepts(request, encoding));
    accepted.find_map(|(encoding, end)| {
        let file = WebClient::get(&format!("{path}{end}"))?;
        Some((encoding, file))
    })
}

fn file_response(
    path: &str,
    file: EmbeddedFile,
    encoding: Option<&'static str>,
    request: &HeaderMap,
) -> Response {
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
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if let Some(encoding) = encoding {
        let encoding = HeaderValue::from_static(encoding);
        headers.insert(header::CONTENT_ENCODING, encoding);
    }
    set_content_type(&mut response, file.metadata.mimetype());
    response
}

fn set_content_type(response: &mut Response, guess: &str) {
    if let Ok(value) = HeaderValue::from_str(&content_type(guess)) {
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
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

    #[test]
    fn page_links_to_its_files_below_the_base_path() {
        let links = |base_url| {
            let page = "<a src=\"./assets/a.js\"><meta content=\"./a.png\">";
            let base_path = BasePath::new(Some(base_url));
            with_absolute_links(page, &base_path, "https://example.org")
        };
        assert_eq!(
            links("https://example.org"),
            "<a src=\"/assets/a.js\"><meta content=\"https://example.org/a.png\">"
        );
        assert_eq!(
            links("https://example.org/meet/"),
            "<a src=\"/meet/assets/a.js\"><meta content=\"https://example.org/meet/a.png\">"
        );
    }

    #[test]
    fn unknown_path_responds_with_404() {
        let response = file(
            &Uri::from_static("/../Cargo.toml"),
            &HeaderMap::new(),
            &BasePath::default(),
            "",
        );
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}
