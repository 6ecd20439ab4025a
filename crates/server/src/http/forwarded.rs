//! Addresses that proxies report, in `X-Forwarded-For` and `Forwarded` (RFC 7239): the client and
//! the proxies behind it, the nearest last. Reads every spelling in use: with a port, brackets,
//! quotes or a zone.

use std::net::IpAddr;

use axum::http::HeaderMap;

/// Header that nearly all proxies write.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// Header of RFC 7239.
const FORWARDED: &str = "forwarded";

/// Headers in which a proxy reports its client.
const CLIENT_HEADERS: [&str; 3] = [FORWARDED, X_FORWARDED_FOR, "x-real-ip"];

/// Headers that only proxies write, besides those (RFC 9110 §7.6.3).
const PROXY_HEADERS: [&str; 4] = [
    "via",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// Upper bound of entries that are read of each header.
const ENTRIES_MAX: usize = 8;

/// One report of a proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Text of the report.
    pub text: &'a str,
    /// Address in it; `None` when there is none that can be read.
    pub ip: Option<IpAddr>,
}

/// Returns whether a request has a report about its client.
pub fn has_report(headers: &HeaderMap) -> bool {
    CLIENT_HEADERS
        .iter()
        .any(|name| headers.contains_key(*name))
}

/// Returns whether a request shows that it came through a proxy.
pub fn is_forwarded(headers: &HeaderMap) -> bool {
    has_report(headers) || PROXY_HEADERS.iter().any(|name| headers.contains_key(*name))
}

/// Returns the reports in `X-Forwarded-For`, the nearest proxy's first.
pub fn x_forwarded_for(headers: &HeaderMap) -> Vec<Entry<'_>> {
    last_elements(headers, X_FORWARDED_FOR)
        .into_iter()
        .map(|text| Entry {
            text,
            ip: address(text),
        })
        .collect()
}

/// Returns the reports in `Forwarded`, the nearest proxy's first.
pub fn forwarded(headers: &HeaderMap) -> Vec<Entry<'_>> {
    last_elements(headers, FORWARDED)
        .into_iter()
        .map(|text| Entry {
            text,
            ip: parameter(text, "for").and_then(address),
        })
        .collect()
}

/// Returns the scheme that the client used, as the first proxy reports it in `X-Forwarded-Proto` or
/// `Forwarded`.
pub fn scheme(headers: &HeaderMap) -> Option<&str> {
    let x_forwarded = headers
        .get("x-forwarded-proto")
        .and_then(|it| it.to_str().ok());
    let first = x_forwarded.and_then(|value| value.split(',').next());
    let rfc = || {
        let value = headers.get(FORWARDED)?.to_str().ok()?;
        parameter(elements(value, ',').first()?, "proto")
    };
    first
        .map(|scheme| scheme.trim().trim_matches('"'))
        .or_else(rfc)
}

/// Returns the last elements of a header's list, the last first. A value that is no text counts as
/// one element that cannot be read.
fn last_elements<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let values = headers.get_all(name).iter().rev();
    let mut last = Vec::new();
    for value in values {
        let value = value.to_str().unwrap_or("?");
        let elements = elements(value, ',').into_iter().rev();
        last.extend(elements.filter(|element| !element.is_empty()));
        if last.len() >= ENTRIES_MAX {
            break;
        }
    }
    last.truncate(ENTRIES_MAX);
    last
}

/// Splits a text at a separator outside quotes, and trims the parts.
fn elements(text: &str, separator: char) -> Vec<&str> {
    let mut is_quoted = false;
    let mut is_escaped = false;
    let parts = text.split(move |it| {
        let is_end = it == separator && !is_quoted;
        if it == '"' && !is_escaped {
            is_quoted = !is_quoted;
        }
        is_escaped = it == '\\' && is_quoted && !is_escaped;
        is_end
    });
    parts.map(str::trim).collect()
}

/// Returns a parameter of an element of `Forwarded`, without its quotes.
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    elements(element, ';').into_iter().find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.trim().trim_matches('"');
        key.trim().eq_ignore_ascii_case(name).then_some(value)
    })
}

/// Returns the address in a report: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`,
/// each also in quotes and with a zone.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    let text = match text.strip_prefix('[') {
        Some(rest) => {
            let (ip, after) = rest.split_once(']')?;
            let is_port = after.is_empty() || after.starts_with(':');
            is_port.then_some(ip)?
        }
        None => match text.split_once(':') {
            Some((ip, port)) if !port.contains(':') => ip,
            _ => text,
        },
    };
    let without_zone = text.split('%').next()?;
    without_zone
        .parse::<IpAddr>()
        .ok()
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address_is_read() {
        for (text, ip) in [
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1:4711", "192.0.2.1"),
            ("\"192.0.2.1:4711\"", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("\"[2001:db8::1]:_port\"", "2001:db8::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
        ] {
            assert_eq!(address(text), Some(ip.parse().unwrap()), "{text}");
        }
        for text in [
            "",
            "unknown",
            "_hidden",
            "192.0.2",
            "[::1",
            "[::1]x",
            "a.example",
        ] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn elements_of_both_headers_are_read_from_the_last_on() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, "192.0.2.1, 192.0.2.2:80,".parse().unwrap());
        headers.append(X_FORWARDED_FOR, "192.0.2.3".parse().unwrap());
        let last = ["192.0.2.3", "192.0.2.2", "192.0.2.1"];
        let ips = |entries: Vec<Entry<'_>>| -> Vec<String> {
            let ips = entries.iter().filter_map(|entry| entry.ip);
            ips.map(|ip| ip.to_string()).collect()
        };
        assert_eq!(ips(x_forwarded_for(&headers)), last);
        let value = "For=\"192.0.2.1\";by=\"a,b\\\",c\";proto=https, for=192.0.2.2;for=x, \
            host=a;for=\"192.0.2.3:80\"";
        headers.insert(FORWARDED, value.parse().unwrap());
        assert_eq!(ips(forwarded(&headers)), last);
        assert_eq!(scheme(&headers), Some("https"));
        headers.insert("x-forwarded-proto", "http, https".parse().unwrap());
        assert_eq!(scheme(&headers), Some("http"));
    }

    #[test]
    fn list_of_any_length_is_read_up_to_the_bound() {
        let mut headers = HeaderMap::new();
        headers.insert(X_FORWARDED_FOR, "192.0.2.1,".repeat(500).parse().unwrap());
        assert_eq!(x_forwarded_for(&headers).len(), ENTRIES_MAX);
    }
}
