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

/// Returns whether an address cannot be the one of a single machine, so that no packet to it arrives.
pub fn is_unreachable(ip: IpAddr) -> bool {
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    ip.is_unspecified() || ip.is_multicast() || is_broadcast
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
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
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
