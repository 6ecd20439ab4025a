//! Path of the page behind a reverse proxy: `/meet` when `base_url` is `https://example.org/meet`. The
//! proxy may pass the path on or remove it; both work, since it is removed here where it is present.

use std::sync::Arc;

use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use url::Url;

/// Path before that of every request, without trailing slash; empty at the root.
#[derive(Debug, Clone, Default)]
pub struct BasePath(Arc<str>);

impl BasePath {
    /// Takes the path of a base URL.
    pub fn new(base_url: Option<&str>) -> Self {
        let url = base_url.and_then(|url| Url::parse(url).ok());
        let path = url
            .as_ref()
            .map_or("", |url| url.path().trim_end_matches('/'));
        Self(path.into())
    }

    /// Returns the path of a link to one of our paths.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Removes the base path from the path of a request, if it begins with it.
    ///
    /// # Errors
    /// A redirect to the page, where its path lacks the last slash: its relative links need it.
    #[expect(
        clippy::result_large_err,
        reason = "a response is the usual outcome of a refusal"
    )]
    pub fn strip<B>(&self, mut request: Request<B>) -> Result<Request<B>, Response> {
        let Some(rest) = self.rest(request.uri()) else {
            return Ok(request);
        };
        let is_page = rest.is_empty() || rest.starts_with('?');
        if is_page && !request.headers().contains_key(header::UPGRADE) {
            return Err(Redirect::permanent(&format!("{}/{rest}", self.0)).into_response());
        }
        let rest = match rest.starts_with('/') {
            true => rest.to_owned(),
            false => format!("/{rest}"),
        };
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(rest).ok();
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        Ok(request)
    }

    /// Returns the path and query after the base path; `None` when the path does not begin with it.
    fn rest<'a>(&self, uri: &'a Uri) -> Option<&'a str> {
        if self.0.is_empty() {
            return None;
        }
        let rest = uri.path_and_query()?.as_str().strip_prefix(&*self.0)?;
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strip(base_url: &str, uri: &str) -> Result<String, String> {
        let request = Request::builder().uri(uri).body(()).unwrap();
        match BasePath::new(Some(base_url)).strip(request) {
            Ok(request) => Ok(request.uri().to_string()),
            Err(response) => {
                let location = response.headers()[header::LOCATION].to_str();
                Err(location.unwrap().to_owned())
            }
        }
    }

    #[test]
    fn base_path_is_removed_where_it_is_present() {
        for (uri, stripped) in [
            ("/meet/", "/"),
            ("/meet/ws?token=a", "/ws?token=a"),
            ("/meet/room/standup", "/room/standup"),
            ("/ws", "/ws"),
            ("/", "/"),
            ("/meeting/ws", "/meeting/ws"),
        ] {
            for base_url in ["https://example.org/meet", "https://example.org/meet/"] {
                assert_eq!(strip(base_url, uri).as_deref(), Ok(stripped), "{uri}");
            }
        }
        assert_eq!(
            strip("https://example.org", "/meet/").as_deref(),
            Ok("/meet/")
        );
    }

    #[test]
    fn page_without_its_last_slash_is_redirected() {
        let base_url = "https://example.org/a/meet";
        assert_eq!(strip(base_url, "/a/meet").unwrap_err(), "/a/meet/");
        let error = strip(base_url, "/a/meet?room=x").unwrap_err();
        assert_eq!(error, "/a/meet/?room=x");
    }
}
