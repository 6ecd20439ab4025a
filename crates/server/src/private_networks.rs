//! Addresses of networks that are not part of the internet, and where the program may send requests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns whether an address is of a private network, a carrier's shared one, or link-local
/// (RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291). Loopback is none of them.
pub fn is_private(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let shared_space = u32::from(Ipv4Addr::new(100, 64, 0, 0)) >> 22;
            ip.is_private() || ip.is_link_local() || u32::from(ip) >> 22 == shared_space
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Addresses to which requests of the program may go, where a setting or a name server decides the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetRule {
    /// Only hosts of the internet.
    Public,
    /// Also this machine and private networks. Link-local addresses stay excluded: clouds hand out
    /// credentials there.
    Private,
    /// Any address: the operator has named the host for exactly this purpose.
    Any,
}

impl TargetRule {
    /// Returns whether requests may go to an address.
    pub fn allows(self, ip: IpAddr) -> bool {
        match self {
            Self::Any => true,
            Self::Public => is_global(ip),
            Self::Private => is_global(ip) || is_own_network(ip),
        }
    }
}

/// Networks of IPv4 that are not part of the internet: first address and length of the prefix (RFC 6890 and the
/// registry of special-purpose addresses of IANA).
const SPECIAL_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks of IPv6 inside 2000::/3 that are not part of the internet, or that contain an IPv4 address: protocol
/// assignments with Teredo, documentation, and 6to4.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Network of all unicast addresses of the internet (RFC 4291 §2.4).
const GLOBAL_UNICAST: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Network whose last 32 bits are an IPv4 address that a gateway reaches (NAT64, RFC 6052).
const NAT64: (Ipv6Addr, u32) = (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Returns whether an address is that of a host of the internet. Forms of IPv6 that contain an IPv4 address
/// count as that address, or as none.
fn is_global(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_global_v4(ip),
        IpAddr::V6(ip) if is_in_v6(ip, NAT64) => {
            let [.., high, low] = ip.segments();
            is_global_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
        }
        IpAddr::V6(ip) => {
            let is_special = SPECIAL_V6.iter().any(|it| is_in_v6(ip, *it));
            is_in_v6(ip, GLOBAL_UNICAST) && !is_special
        }
    }
}

fn is_global_v4(ip: Ipv4Addr) -> bool {
    let is_in = |(network, prefix): &(Ipv4Addr, u32)| {
        (u32::from(ip) ^ u32::from(*network)).leading_zeros() >= *prefix
    };
    !SPECIAL_V4.iter().any(is_in)
}

fn is_in_v6(ip: Ipv6Addr, (network, prefix): (Ipv6Addr, u32)) -> bool {
    (u128::from(ip) ^ u128::from(network)).leading_zeros() >= prefix
}

/// Returns whether an address is of this machine or a private network, without link-local ones.
fn is_own_network(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    let is_link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    ip.is_loopback() || (is_private(ip) && !is_link_local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Addresses at the edges of special ranges, and in every form of IPv6 that contains them.
    const SPECIAL: [&str; 64] = [
        "0.0.0.0",
        "0.0.0.1",
        "0.255.255.255",
        "10.0.0.0",
        "10.1.2.3",
        "10.255.255.255",
        "100.64.0.0",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.255",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.0",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "192.168.255.255",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:0.0.0.0",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:192.168.0.1",
        "::ffff:255.255.255.255",
        "::127.0.0.1",
        "::10.0.0.1",
        "::8.8.8.8",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b::0.0.0.0",
        "64:ff9b:1::1",
        "64:ff9b:1::8.8.8.8",
        "100::1",
        "2001::1",
        "2001:0:7f00:1::",
        "2001:2::1",
        "2001:10::1",
        "2001:1ff:ffff::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "2002:a00:1::1",
        "2002:808:808::1",
        "3fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "ffff::1",
    ];

    #[test]
    fn special_addresses_are_no_targets_by_default() {
        for text in SPECIAL {
            assert!(!TargetRule::Public.allows(ip(text)), "{text}");
            assert!(TargetRule::Any.allows(ip(text)), "{text}");
        }
    }

    #[test]
    fn hosts_of_the_internet_are_targets() {
        for text in [
            "1.0.0.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2001:200::1",
            "2606:4700:4700::1111",
            "2a00:1450::1",
        ] {
            assert!(TargetRule::Public.allows(ip(text)), "{text}");
        }
    }

    #[test]
    fn private_targets_are_own_networks_without_link_local_addresses() {
        for text in [
            "127.0.0.1",
            "::1",
            "10.1.2.3",
            "100.64.0.1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(TargetRule::Private.allows(ip(text)), "{text}");
        }
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "2002:7f00:1::1",
        ] {
            assert!(!TargetRule::Private.allows(ip(text)), "{text}");
        }
    }
}
