//! Origins and host names, parsed as browsers parse them (URL standard §4.7, RFC 6454): one origin
//! has one form, however it is spelt. Compares; decides nothing.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::private_networks::is_private;

/// Characters that no origin and no `Host` has. Parsers disagree about them.
const FORBIDDEN: [char; 7] = ['\\', '@', '%', '?', '#', '*', ','];

/// Ends of names that the public DNS does not have, so that no page of the internet can have such a
/// name (RFC 6761, RFC 6762, RFC 8375; `.internal` is reserved, `.lan` is not delegated).
const LOCAL_SUFFIXES: [&str; 5] = [".localhost", ".local", ".internal", ".home.arpa", ".lan"];

/// Labels of a domain whose subdomains may be listed with `*.`. Everybody can have a name below a
/// single label.
const WILDCARD_LABELS_MIN: usize = 2;

/// Origin of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// `null`: a sandboxed frame, or a page from a file.
    Opaque,
    /// Scheme, host and port.
    Tuple {
        /// Scheme in lower case.
        scheme: String,
        /// Host without final dot. Of a scheme of an app, such as `capacitor`, everything after it.
        host: Host,
        /// Port; `None` for schemes of apps.
        port: Option<u16>,
    },
}

/// Host and port that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Host without final dot.
    pub host: Host,
    /// Port, if it is named.
    pub port: Option<u16>,
}

impl Origin {
    /// Parses an origin; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "null" {
            return Some(Self::Opaque);
        }
        let (scheme, rest) = text.split_once("://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains('/') || has_forbidden(rest) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) {
            return None;
        }
        if !matches!(&*scheme, "http" | "https") {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
            return rest.bytes().all(is_plain).then(|| Self::Tuple {
                scheme,
                host: Host::Domain(rest.to_ascii_lowercase()),
                port: None,
            });
        }
        let url = Url::parse(&format!("{scheme}://{rest}")).ok()?;
        let host = normalise(url.host()?)?;
        let port = url.port_or_known_default();
        Some(Self::Tuple { scheme, host, port })
    }

    /// Returns whether this is the origin of a page that was loaded from `authority`. The scheme is
    /// not compared, since a proxy may add TLS.
    pub fn is_of(&self, authority: &Authority) -> bool {
        match self {
            Self::Opaque | Self::Tuple { port: None, .. } => false,
            Self::Tuple { scheme, host, port } => {
                let default = if scheme == "https" { 443 } else { 80 };
                *host == authority.host && *port == Some(authority.port.unwrap_or(default))
            }
        }
    }

    /// Returns whether the page was loaded from the machine of its user by HTTP.
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Tuple {
                host,
                port: Some(_),
                ..
            } => is_loopback(host),
            _ => false,
        }
    }

    /// Returns whether the page was loaded from a private network by HTTP: an address of RFC 1918,
    /// 3927, 4193, 4291 or 6598, or a name of multicast DNS.
    pub fn is_private(&self) -> bool {
        let Self::Tuple {
            host,
            port: Some(_),
            ..
        } = self
        else {
            return false;
        };
        match host {
            Host::Domain(name) => name.ends_with(".local"),
            Host::Ipv4(ip) => is_private((*ip).into()),
            Host::Ipv6(ip) => is_private((*ip).into()),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Tuple { scheme, host, port } = self else {
            return f.write_str("null");
        };
        write!(f, "{scheme}://{host}")?;
        match (port, &**scheme) {
            (Some(443), "https") | (Some(80), "http") | (None, _) => Ok(()),
            (Some(port), _) => write!(f, ":{port}"),
        }
    }
}

impl Authority {
    /// Returns the authority without a default port. Behind a proxy that adds TLS, the port may be that of
    /// either scheme.
    pub fn without_default_port(self) -> Self {
        let port = self.port.filter(|port| ![80, 443].contains(port));
        Self { port, ..self }
    }

    /// Parses the value of `Host`; `None` when it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || text.contains('/') || has_forbidden(text) {
            return None;
        }
        let http = Url::parse(&format!("http://{text}")).ok()?;
        let https = Url::parse(&format!("https://{text}")).ok()?;
        Some(Self {
            host: normalise(http.host()?)?,
            // A URL hides the default port of its own scheme only.
            port: http.port().or(https.port()),
        })
    }
}

/// An entry of a list of origins: one origin, or all subdomains of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OriginPattern {
    /// The origin, without `*.`.
    origin: Origin,
    /// Whether the subdomains are meant, and not the domain itself.
    is_wildcard: bool,
}

impl OriginPattern {
    /// Returns whether an origin is meant.
    pub fn matches(&self, other: &Origin) -> bool {
        if !self.is_wildcard {
            return self.origin == *other;
        }
        match (&self.origin, other) {
            (
                Origin::Tuple { scheme, host, port },
                Origin::Tuple {
                    scheme: other_scheme,
                    host: other_host,
                    port: other_port,
                },
            ) => scheme == other_scheme && port == other_port && is_below(host, other_host),
            _ => false,
        }
    }

    /// Returns the pattern as a source of a Content Security Policy (CSP 3 §2.3.1), which names pages of the web
    /// by a host or an IPv4 address.
    ///
    /// # Errors
    /// A policy cannot name the origin.
    pub fn csp_source(&self) -> Result<String, String> {
        let Origin::Tuple {
            scheme,
            host: Host::Domain(_) | Host::Ipv4(_),
            port: Some(_),
        } = &self.origin
        else {
            return Err(format!(
                "pages of `{}` cannot embed ours: browsers allow that only to origins such as \
                 `https://app.example.org`",
                self.origin
            ));
        };
        let origin = self.origin.to_string();
        Ok(match self.is_wildcard {
            true => origin.replacen(&format!("{scheme}://"), &format!("{scheme}://*."), 1),
            false => origin,
        })
    }

    /// Returns the pattern of the host.
    pub fn host(&self) -> Option<HostPattern> {
        match &self.origin {
            Origin::Tuple {
                host,
                port: Some(_),
                ..
            } => Some(HostPattern {
                host: host.clone(),
                is_wildcard: self.is_wildcard,
            }),
            _ => None,
        }
    }
}

impl FromStr for OriginPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let error = || {
            format!(
                "`{text}` is no origin such as `https://app.example.org`, \
                 `https://*.example.org`, `capacitor://localhost` or `null`"
            )
        };
        let (origin, is_wildcard) = match text.split_once("://*.") {
            Some((scheme, rest)) => (format!("{scheme}://{rest}"), true),
            None => (text.to_owned(), false),
        };
        let origin = Origin::parse(&origin).ok_or_else(error)?;
        if is_wildcard && !has_subdomains(&origin) {
            return Err(error());
        }
        Ok(Self {
            origin,
            is_wildcard,
        })
    }
}

/// An entry of a list of host names: one name, or all subdomains of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPattern {
    /// The name, without `*.`.
    host: Host,
    /// Whether the subdomains are meant, and not the domain itself.
    is_wildcard: bool,
}

impl HostPattern {
    /// Returns whether a host is meant.
    pub fn matches(&self, other: &Host) -> bool {
        match self.is_wildcard {
            true => is_below(&self.host, other),
            false => self.host == *other,
        }
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pattern: Result<OriginPattern, _> = format!("http://{}", text.trim()).parse();
        let pattern = pattern.ok().filter(|pattern| {
            matches!(pattern.origin, Origin::Tuple { port: Some(80), .. }) && !text.contains(":80")
        });
        pattern.and_then(|pattern| pattern.host()).ok_or_else(|| {
            format!(
                "`{text}` is no host name such as `meet.example.org` or `*.example.org`, without \
                 scheme and port"
            )
        })
    }
}

/// Returns whether a host is the machine of its user.
pub fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => std::net::IpAddr::V6(*ip).to_canonical().is_loopback(),
    }
}

/// Returns whether no page of the internet can have this host: an address, a name of one label, or a
/// name that the public DNS does not have.
pub fn is_never_foreign(host: &Host) -> bool {
    match host {
        Host::Domain(name) => {
            !name.contains('.') || LOCAL_SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
        }
        Host::Ipv4(_) | Host::Ipv6(_) => true,
    }
}

fn has_forbidden(text: &str) -> bool {
    text.contains(|it: char| it.is_whitespace() || it.is_control() || FORBIDDEN.contains(&it))
}

fn is_scheme(text: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(is_inner)
}

/// Returns a host without its final dot.
fn normalise(host: Host<&str>) -> Option<Host> {
    let Host::Domain(name) = host else {
        return Some(host.to_owned());
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_name = !name.is_empty() && !name.split('.').any(str::is_empty);
    is_name.then(|| Host::Domain(name.to_owned()))
}

fn has_subdomains(origin: &Origin) -> bool {
    matches!(
        origin,
        Origin::Tuple { host: Host::Domain(name), port: Some(_), .. }
            if name.split('.').count() >= WILDCARD_LABELS_MIN
    )
}

/// Returns whether `other` is a subdomain of `domain`.
fn is_below(domain: &Host, other: &Host) -> bool {
    match (domain, other) {
        (Host::Domain(domain), Host::Domain(other)) => other
            .strip_suffix(&**domain)
            .is_some_and(|rest| rest.ends_with('.')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        Origin::parse(text).map(|origin| origin.to_string())
    }

    #[test]
    fn one_origin_has_one_form() {
        for (text, form) in [
            ("https://meet.example", "https://meet.example"),
            ("HTTPS://Meet.Example:443/", "https://meet.example"),
            ("https://meet.example.", "https://meet.example"),
            ("http://meet.example:80", "http://meet.example"),
            ("http://meet.example:443", "http://meet.example:443"),
            ("http://127.1", "http://127.0.0.1"),
            ("http://[0:0::1]:3000", "http://[::1]:3000"),
            ("https://zürich.example", "https://xn--zrich-kva.example"),
            ("capacitor://localhost", "capacitor://localhost"),
            ("file://", "file://"),
            ("null", "null"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(form), "{text}");
        }
    }

    #[test]
    fn texts_that_parsers_disagree_about_are_no_origins() {
        for text in [
            "",
            "*",
            "meet.example",
            "http:meet.example",
            "http:\\\\meet.example",
            "http://127.0.0.1:24100.evil.example",
            "http://meet.example:99999",
            "http://meet.example/path",
            "http://meet.example//",
            "http://meet.example?",
            "http://a@meet.example",
            "http://meet.example http://evil.example",
            "http://meet.example,http://evil.example",
            "http://%6deet.example",
            "http://meet..example",
            "http://.",
            "http://[::1",
            "http://",
            "1http://meet.example",
            "http://*.example.org",
        ] {
            assert_eq!(shown(text), None, "{text}");
        }
    }

    #[test]
    fn own_origin_is_recognised_in_every_spelling_of_the_host() {
        let is_of = |origin: &str, host: &str| {
            Origin::parse(origin)
                .unwrap()
                .is_of(&Authority::parse(host).unwrap())
        };
        for (origin, host) in [
            ("https://meet.example", "meet.example"),
            ("https://meet.example", "MEET.example:443"),
            ("http://meet.example", "meet.example.:80"),
            ("http://meet.example.:3000/", "meet.example:3000"),
            ("https://meet.example:3000", "meet.example:3000"),
            ("http://[::1]:3000", "[0::1]:3000"),
        ] {
            assert!(is_of(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("http://meet.example", "meet.example:443"),
            ("https://meet.example", "meet.example:80"),
            ("http://meet.example:3001", "meet.example:3000"),
            ("http://a.meet.example", "meet.example"),
            ("null", "meet.example"),
            ("capacitor://meet.example", "meet.example"),
        ] {
            assert!(!is_of(origin, host), "{origin} {host}");
        }
    }

    #[test]
    fn wildcard_matches_subdomains_only() {
        let pattern: OriginPattern = "https://*.Example.org".parse().unwrap();
        let matches = |text: &str| pattern.matches(&Origin::parse(text).unwrap());
        assert!(matches("https://a.example.org") && matches("https://a.b.example.org:443"));
        for other in [
            "https://example.org",
            "http://a.example.org",
            "https://a.example.org:444",
            "https://evilexample.org",
            "https://a.example.org.evil.example",
        ] {
            assert!(!matches(other), "{other}");
        }
    }

    #[test]
    fn patterns_that_match_nobody_or_everybody_are_refused() {
        for text in [
            "*",
            "https://*",
            "https://*.org",
            "https://a.*.example.org",
            "https://*a.example.org",
            "https://example.org:*",
            "*://example.org",
            "capacitor://*.example.org",
            "https://a.example/path",
            "a.example",
        ] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
        for text in [
            "http://a.example",
            "a.example:3000",
            "a.example:80",
            "*",
            "a/b",
            "",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
        let pattern: HostPattern = "*.example.org".parse().unwrap();
        assert!(pattern.matches(&Host::Domain("a.example.org".to_owned())));
        assert!(!pattern.matches(&Host::Domain("example.org".to_owned())));
    }

    #[test]
    fn addresses_and_local_names_are_never_foreign() {
        let host = |text: &str| Authority::parse(text).unwrap().host;
        for local in [
            "192.168.1.5:3000",
            "[fe80::1]",
            "localhost",
            "watersmeet:3000",
            "a.local",
        ] {
            assert!(is_never_foreign(&host(local)), "{local}");
        }
        for foreign in [
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
        ] {
            assert!(!is_never_foreign(&host(foreign)), "{foreign}");
        }
        let is_private = |text: &str| Origin::parse(text).unwrap().is_private();
        assert!(is_private("http://192.168.1.5:5173") && is_private("http://[fd00::1]:5173"));
        assert!(is_private("http://mac.local:5173") && !is_private("http://192.0.2.1:5173"));
        assert!(!is_private("http://192.168.1.5.evil.example"));
    }
}
