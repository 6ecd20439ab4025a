//! Query parameters of signalling requests: room, peer id, token and Engine.IO transport. They are
//! parsed and bounded, not checked.

use axum::http::{HeaderMap, Uri, header};
use form_urlencoded::parse as parse_pairs;

/// Upper bound of query parameters.
const PARAMS_MAX: usize = 32;

/// Longest room or peer name, in bytes; the conference has the same bound.
const NAME_LEN_MAX: usize = 256;

/// Longest token, in bytes.
const TOKEN_LEN_MAX: usize = 4 << 10;

/// Scheme of a token in `Authorization` (RFC 6750 §2.1).
const BEARER: &str = "bearer";

/// Known query parameters. Empty ones count as missing.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct QueryParams {
    /// `room`, or `roomId` as protoo's client names it.
    pub room: Option<String>,
    /// `peerId`.
    pub peer: Option<String>,
    /// `token`, or the bearer token of the header `Authorization`.
    pub token: Option<String>,
    /// Whether `Authorization` has a credential of another kind, such as `Basic`. It may be meant for a
    /// proxy in front.
    pub has_other_credential: bool,
    /// `sid`: id of the Engine.IO session.
    pub sid: Option<String>,
    /// `transport`: Engine.IO transport, `polling` or `websocket`.
    pub transport: Option<String>,
    /// `EIO`: version of the Engine.IO protocol.
    pub eio: Option<String>,
}

impl QueryParams {
    /// Parses the URI and header of a request. Returns `None` when there are too many parameters,
    /// a known one is repeated or too long, or a bearer token cannot be read: two parsers could
    /// disagree about it, and a token that was ignored would make its bearer somebody else.
    pub fn parse(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let mut query = Self::default();
        for (n, (name, value)) in
            parse_pairs(uri.query().unwrap_or_default().as_bytes()).enumerate()
        {
            let (param, len_max) = match &*name {
                "room" | "roomId" => (&mut query.room, NAME_LEN_MAX),
                "peerId" => (&mut query.peer, NAME_LEN_MAX),
                "token" => (&mut query.token, TOKEN_LEN_MAX),
                "sid" => (&mut query.sid, NAME_LEN_MAX),
                "transport" => (&mut query.transport, NAME_LEN_MAX),
                "EIO" => (&mut query.eio, NAME_LEN_MAX),
                _ if n < PARAMS_MAX => continue,
                _ => return None,
            };
            if n >= PARAMS_MAX || param.is_some() || value.len() > len_max {
                return None;
            }
            *param = Some(value.into_owned());
        }
        for param in [&mut query.room, &mut query.peer, &mut query.token] {
            param.take_if(|param| param.is_empty());
        }
        match credential(headers).ok()? {
            Credential::None => {}
            Credential::Bearer(token) => query.token = query.token.or(Some(token)),
            Credential::Other => query.has_other_credential = true,
        }
        Some(query)
    }
}

/// Prints no fields: tokens and names must not reach the log.
impl std::fmt::Debug for QueryParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryParams").finish_non_exhaustive()
    }
}

/// Credential in the header `Authorization`.
enum Credential {
    /// There is none.
    None,
    /// A bearer token.
    Bearer(String),
    /// One of another scheme.
    Other,
}

/// A bearer token that is empty, too long or no text, or one of several credentials.
#[derive(Debug, PartialEq, Eq)]
struct UnreadableToken;

/// Returns the credential of the header.
///
/// # Errors
/// There are several credentials, or the token is empty, too long or no text.
fn credential(headers: &HeaderMap) -> Result<Credential, UnreadableToken> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(Credential::None);
    };
    if values.next().is_some() {
        return Err(UnreadableToken);
    }
    let bytes = value.as_bytes();
    let (scheme, rest) = bytes.split_at_checked(BEARER.len()).unwrap_or((bytes, &[]));
    let is_bearer = scheme.eq_ignore_ascii_case(BEARER.as_bytes());
    if !is_bearer || rest.first().is_some_and(|first| *first != b' ') {
        return Ok(Credential::Other);
    }
    let token = str::from_utf8(rest).map_err(|_| UnreadableToken)?.trim();
    if token.is_empty() || token.len() > TOKEN_LEN_MAX || !token.is_ascii() {
        return Err(UnreadableToken);
    }
    Ok(Credential::Bearer(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(uri: &str) -> Option<QueryParams> {
        QueryParams::parse(&uri.parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn known_parameters_are_parsed_and_decoded() {
        let query = parse("/?roomId=a%20b&peerId=ana&token=x.y&EIO=4&t=1&transport=polling&sid=q");
        let query = query.unwrap();
        assert_eq!(query.room.as_deref(), Some("a b"));
        assert_eq!(query.peer.as_deref(), Some("ana"));
        assert_eq!(query.token.as_deref(), Some("x.y"));
        assert_eq!(query.transport.as_deref(), Some("polling"));
        assert_eq!(query.sid.as_deref(), Some("q"));
        assert_eq!(query.eio.as_deref(), Some("4"));
        assert!(parse("/") == Some(QueryParams::default()));
        assert!(parse("/?room=&token=") == Some(QueryParams::default()));
    }

    #[test]
    fn query_is_refused_when_a_parameter_is_repeated_or_too_long_or_there_are_too_many() {
        let long = format!("/?room={}", "x".repeat(NAME_LEN_MAX + 1));
        let many = format!("/?{}room=a", "a&".repeat(PARAMS_MAX));
        for uri in [
            "/?room=a&room=b",
            "/?room=a&roomId=a",
            "/?sid=a&sid=b",
            &long,
            &many,
        ] {
            assert!(parse(uri).is_none(), "{uri:.40}");
        }
    }

    #[test]
    fn bearer_token_that_cannot_be_read_is_refused() {
        let parse = |values: &[Vec<u8>]| {
            let mut headers = HeaderMap::new();
            for value in values {
                let value = axum::http::HeaderValue::from_bytes(value).unwrap();
                headers.append(header::AUTHORIZATION, value);
            }
            QueryParams::parse(&"/?token=x".parse().unwrap(), &headers)
        };
        let of_len = |len| format!("Bearer {}", "a".repeat(len)).into_bytes();
        assert!(parse(&[of_len(TOKEN_LEN_MAX)]).is_some());
        for values in [
            &[of_len(TOKEN_LEN_MAX + 1)][..],
            &[of_len(5 << 10)],
            &[of_len(1), of_len(1)],
            &[b"Basic abc".to_vec(), of_len(1)],
            &["Bearer \u{e9}".as_bytes().to_vec()],
            &[b"Bearer".to_vec()],
            &[b"bearer ".to_vec()],
            &[b"Bearer    ".to_vec()],
        ] {
            assert!(parse(values).is_none());
        }
    }

    #[test]
    fn token_may_be_in_the_header_and_the_query_takes_precedence() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "bearer abc".parse().unwrap());
        let token = |uri: &str, headers: &HeaderMap| {
            QueryParams::parse(&uri.parse().unwrap(), headers)
                .unwrap()
                .token
        };
        assert_eq!(token("/", &headers).as_deref(), Some("abc"));
        assert_eq!(token("/?token=x", &headers).as_deref(), Some("x"));
        for other in ["Basic abc", "Bearers abc", "é"] {
            headers.insert(
                header::AUTHORIZATION,
                axum::http::HeaderValue::from_bytes(other.as_bytes()).unwrap(),
            );
            assert_eq!(token("/", &headers), None, "{other}");
        }
    }
}
