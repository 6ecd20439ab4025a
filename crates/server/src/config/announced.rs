//! An entry of `announced_ips`: an address under which browsers reach media, or a host name that is
//! resolved at start and again while the program runs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest host name, in bytes (RFC 1035 §2.3.4, without the root's dot).
const NAME_LEN_MAX: usize = 253;

/// Longest label of a host name, in bytes (RFC 1035 §2.3.4).
const LABEL_LEN_MAX: usize = 63;

/// An address or host name announced to browsers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AnnouncedAddress {
    /// An IP address.
    Ip(IpAddr),
    /// A host name.
    Name(String),
}

impl AnnouncedAddress {
    /// Returns the address, unless it is a name.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

/// Returns whether an address cannot be the one of a single machine, so that no packet to it arrives:
/// "this network" 0.0.0.0/8 (RFC 6890), multicast, reserved and broadcast addresses from 240.0.0.0 on
/// (RFC 1112 §4), and link-local IPv6 addresses, which need a zone that candidates cannot carry.
pub fn is_unreachable(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            first == 0 || ip.is_multicast() || first >= 240
        }
        IpAddr::V6(ip) => ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local(),
    }
}

/// Returns whether an address is reserved for examples (RFC 5737, RFC 3849, RFC 9637).
pub fn is_documentation(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => matches!(
            ip.octets(),
            [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _]
        ),
        IpAddr::V6(ip) => match ip.segments() {
            [0x2001, 0x0db8, ..] => true,
            [first, second, ..] => first == 0x3fff && second < 0x1000,
        },
    }
}

impl From<IpAddr> for AnnouncedAddress {
    fn from(ip: IpAddr) -> Self {
        Self::Ip(ip)
    }
}

impl From<AnnouncedAddress> for String {
    fn from(address: AnnouncedAddress) -> Self {
        address.to_string()
    }
}

impl fmt::Display for AnnouncedAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl FromStr for AnnouncedAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(Self::Ip(ip.to_canonical()));
        }
        let is_label = |label: &str| {
            let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !label.is_empty()
                && label.len() <= LABEL_LEN_MAX
                && label.bytes().all(is_inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let name = text.strip_suffix('.').unwrap_or(text);
        let last = name.rsplit('.').next().unwrap_or_default();
        // A last label of digits is a misspelt IPv4 address, as in the URL standard.
        let is_number = last.bytes().all(|byte| byte.is_ascii_digit());
        if name.len() > NAME_LEN_MAX || is_number || !name.split('.').all(is_label) {
            return Err(format!(
                "`{text}` is neither an IP address nor a host name, such as 203.0.113.7 or \
                 media.example.org, without a port"
            ));
        }
        Ok(Self::Name(name.to_ascii_lowercase()))
    }
}

impl TryFrom<String> for AnnouncedAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_packet_reaches_and_examples_are_told_apart() {
        for text in [
            "0.0.0.0",
            "0.0.0.1",
            "::ffff:0.0.0.0",
            "::",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::ffff:255.255.255.255",
            "fe80::1",
            "febf::1",
            "ff02::1",
        ] {
            assert!(is_unreachable(text.parse().unwrap()), "{text}");
        }
        for text in [
            "192.0.2.1",
            "198.51.100.255",
            "203.0.113.7",
            "::ffff:203.0.113.7",
            "2001:db8::1",
            "3fff:fff::1",
        ] {
            let ip = text.parse().unwrap();
            assert!(is_documentation(ip) && !is_unreachable(ip), "{text}");
        }
        for text in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.1.1",
            "198.18.0.1",
            "223.255.255.255",
            "1.0.0.1",
            "::1",
            "fec0::1",
            "2001:db9::1",
            "3fff:1000::1",
        ] {
            let ip = text.parse().unwrap();
            assert!(!is_documentation(ip) && !is_unreachable(ip), "{text}");
        }
    }

    #[test]
    fn mapped_addresses_are_those_of_ipv4() {
        let address: AnnouncedAddress = "::ffff:198.18.0.1".parse().unwrap();
        assert_eq!(address.ip(), Some([198, 18, 0, 1].into()));
    }
}
