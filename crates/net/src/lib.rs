//! Network I/O for a media thread: UDP datagrams in batches, framed TCP, and one poller for both.
//! Knows nothing of media: bytes and addresses come in and go out.
//!
//! This is the only crate with unsafe code, and only around system calls. Nothing blocks except
//! [`Poller::wait`], and every buffer, map and loop has a named bound.

pub mod packet_egress;
mod poller;
#[cfg(target_os = "linux")]
mod socket_option;
pub mod tcp;
mod transmit;
pub mod udp;
mod udp_stats;

pub use poller::{Poller, Ready, SocketId, Waker};
