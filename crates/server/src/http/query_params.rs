//! What the address of a signalling request says: the room somebody wants, the name he gives
//! himself, his token, and how he wants to speak. It reads words and trusts none of them.

use axum::http::{HeaderMap, Uri, header};
use form_urlencoded::parse;

/// The most words in an address.
const WORDS_MAX: usize = 32;

/// Longest name of a room or of a person, in bytes; the conference has the same bound.
const NAME_LEN_MAX: usize = 256;

/// Longest token, in bytes.
const TOKEN_LEN_MAX: usize = 4 << 10;

/// What a token stands behind in a header (RFC 6750 §2.1).
const BEARER: &str = "bearer ";

/// The words we know. An empty one is none.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct QueryParams {
    /// `room`, or `roomId` as protoo's client writes it.
    pub room: Option<String>,
    /// `peerId`.
    pub peer: Option<String>,
    /// `token`, or what stands in the header `Authorization`.
    pub token: Option<String>,
    /// `sid`: the Engine.IO session.
    pub sid: Option<String>,
    /// `transport`: how Engine.IO shall be carried.
    pub transport: Option<String>,
    /// `EIO`: which Engine.IO it is.
    pub eio: Option<String>,
}

impl QueryParams {
    /// Reads an address and the header that came with it. None when there are too many words, or
    /// one we know stands there twice or is too long: two readers could understand it in two ways.
    pub fn read(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let mut query = Self::default();
        for (n, (name, value)) in parse(uri.query().unwrap_or_default().as_bytes()).enumerate() {
            let (word, len_max) = match &*name {
                "room" | "roomId" => (&mut query.room, NAME_LEN_MAX),
                "peerId" => (&mut query.peer, NAME_LEN_MAX),
                "token" => (&mut query.token, TOKEN_LEN_MAX),
                "sid" => (&mut query.sid, NAME_LEN_MAX),
                "transport" => (&mut query.transport, NAME_LEN_MAX),
                "EIO" => (&mut query.eio, NAME_LEN_MAX),
                _ if n < WORDS_MAX => continue,
                _ => return None,
            };
            if n >= WORDS_MAX || word.is_some() || value.len() > len_max {
                return None;
            }
            *word = Some(value.into_owned());
        }
        for word in [&mut query.room, &mut query.peer, &mut query.token] {
            word.take_if(|word| word.is_empty());
        }
        query.token = query.token.or_else(|| bearer(headers));
        Some(query)
    }
}

/// Tokens are never printed, and names are nobody's business.
impl std::fmt::Debug for QueryParams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QueryParams").finish_non_exhaustive()
    }
}

/// The token in the header, if it is one of the right kind and length.
fn bearer(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (kind, token) = value.split_at_checked(BEARER.len())?;
    let token = token.trim();
    let fits = !token.is_empty() && token.len() <= TOKEN_LEN_MAX;
    (fits && kind.eq_ignore_ascii_case(BEARER)).then(|| token.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Option<QueryParams> {
        QueryParams::read(&uri.parse().unwrap(), &HeaderMap::new())
    }

    #[test]
    fn the_words_we_know_are_read_and_decoded() {
        let query = read("/?roomId=a%20b&peerId=ana&token=x.y&EIO=4&t=1&transport=polling&sid=q");
        let query = query.unwrap();
        assert_eq!(query.room.as_deref(), Some("a b"));
        assert_eq!(query.peer.as_deref(), Some("ana"));
        assert_eq!(query.token.as_deref(), Some("x.y"));
        assert_eq!(query.transport.as_deref(), Some("polling"));
        assert_eq!(query.sid.as_deref(), Some("q"));
        assert_eq!(query.eio.as_deref(), Some("4"));
        assert!(read("/") == Some(QueryParams::default()));
        assert!(read("/?room=&token=") == Some(QueryParams::default()));
    }

    #[test]
    fn what_is_said_twice_or_too_long_or_too_often_is_not_read() {
        let long = format!("/?room={}", "x".repeat(NAME_LEN_MAX + 1));
        let many = format!("/?{}room=a", "a&".repeat(WORDS_MAX));
        for uri in [
            "/?room=a&room=b",
            "/?room=a&roomId=a",
            "/?sid=a&sid=b",
            &long,
            &many,
        ] {
            assert!(read(uri).is_none(), "{uri:.40}");
        }
    }

    #[test]
    fn a_token_may_stand_in_the_header_and_the_address_comes_first() {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "bearer abc".parse().unwrap());
        let token = |uri: &str, headers: &HeaderMap| {
            QueryParams::read(&uri.parse().unwrap(), headers)
                .unwrap()
                .token
        };
        assert_eq!(token("/", &headers).as_deref(), Some("abc"));
        assert_eq!(token("/?token=x", &headers).as_deref(), Some("x"));
        for other in ["Basic abc", "Bearer", "Bearer ", "é"] {
            headers.insert(
                header::AUTHORIZATION,
                axum::http::HeaderValue::from_bytes(other.as_bytes()).unwrap(),
            );
            assert_eq!(token("/", &headers), None, "{other}");
        }
    }
}
