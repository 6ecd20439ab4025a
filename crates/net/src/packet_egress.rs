//! Sends UDP past the kernel's network stack: an alternative send path for a
//! [`UdpSocket`](crate::udp::UdpSocket). It writes Ethernet, IP and UDP headers itself and hands
//! frames to the network device's driver through a ring of shared memory (AF_PACKET, packet(7)).
//! The cost is the same for any mix of destinations, where the stack is cheap only for runs to one.
//!
//! Only the simple case takes this path: a unicast route over Ethernet to a neighbour whose address
//! the kernel knows. Everything else takes the stack as before, counted by [`FallbackReason`], so no
//! datagram is lost because this path is unavailable. Packets that bypass the stack bypass its
//! packet filter and IPsec too; a host that needs those for outgoing UDP must not use it.
//!
//! Requires Linux and the feature `packet-egress`; otherwise [`probe`] returns an error.

#[cfg(all(target_os = "linux", feature = "packet-egress"))]
mod frame;
#[cfg(all(target_os = "linux", feature = "packet-egress"))]
mod frame_ring;
#[cfg(all(target_os = "linux", feature = "packet-egress"))]
mod kernel_tables;
#[cfg(all(target_os = "linux", feature = "packet-egress"))]
mod netlink;
#[cfg(all(target_os = "linux", feature = "packet-egress"))]
mod next_hops;
mod options;
#[cfg(all(target_os = "linux", feature = "packet-egress"))]
mod sender;
mod stats;
#[cfg(all(target_os = "linux", feature = "packet-egress"))]
mod tx_ring;

use std::io;

pub use self::options::PacketEgressOptions;
#[cfg(all(target_os = "linux", feature = "packet-egress"))]
pub(crate) use self::sender::{FallbackSender, PacketSender};
pub use self::stats::{FallbackReason, PacketEgressStats};

/// Checks whether this process may send packets past the network stack.
///
/// # Errors
/// `Unsupported` unless this is Linux and the feature `packet-egress` is compiled in,
/// `PermissionDenied` without the capability `CAP_NET_RAW`, and others of the operating system.
pub fn probe() -> io::Result<()> {
    #[cfg(all(target_os = "linux", feature = "packet-egress"))]
    {
        tx_ring::open_socket().map(drop)
    }
    #[cfg(not(all(target_os = "linux", feature = "packet-egress")))]
    {
        let reason = if cfg!(target_os = "linux") {
            "this program was built without the feature packet-egress"
        } else {
            "packets can be sent past the network stack on Linux only"
        };
        Err(io::Error::new(io::ErrorKind::Unsupported, reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probe_is_unsupported_exactly_when_the_options_say_so() {
        let is_unsupported = probe().is_err_and(|error| error.kind() == io::ErrorKind::Unsupported);
        assert_eq!(is_unsupported, !PacketEgressOptions::AVAILABLE);
    }
}
