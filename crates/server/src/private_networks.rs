//! Addresses of networks that are not part of the internet.

use std::net::{IpAddr, Ipv4Addr};

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
