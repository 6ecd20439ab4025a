//! Encodings of a response that a client accepts (RFC 9110 §12.5.3).

use axum::http::{HeaderMap, header};

/// Encodings in which files are stored besides the plain one, best first.
pub const ENCODINGS: [&str; 2] = ["br", "gzip"];

/// Returns whether a client accepts an encoding. `*` stands for those that are not named.
pub fn accepts(request: &HeaderMap, encoding: &str) -> bool {
    let values = request.get_all(header::ACCEPT_ENCODING).iter();
    let codings = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let codings = codings.map(|coding| coding.split_once(';').unwrap_or((coding, "")));
    let mut by_wildcard = false;
    for (coding, parameters) in codings {
        let quality = parameters.trim().strip_prefix("q=");
        let is_wanted = quality.is_none_or(|it| it.trim().parse() != Ok(0.0_f32));
        let coding = coding.trim();
        if coding.eq_ignore_ascii_case(encoding) {
            return is_wanted;
        }
        by_wildcard |= coding == "*" && is_wanted;
    }
    by_wildcard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_is_chosen_only_when_the_client_accepts_it() {
        let accepts_gzip = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            accepts(&headers, "gzip")
        };
        for value in [
            "gzip",
            "br, GZIP;q=0.5",
            "*",
            "br;q=1, *;q=0.5",
            "*;q=0, gzip",
        ] {
            assert!(accepts_gzip(value), "{value}");
        }
        for value in [
            "br",
            "gzip;q=0",
            "gzip;q=0.0",
            "*;q=0",
            "*, gzip;q=0",
            "identity",
        ] {
            assert!(!accepts_gzip(value), "{value}");
        }
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }
}
