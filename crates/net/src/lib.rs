//! The machine's network, as a media thread wants it: datagrams in batches, frames over TCP, and
//! one place to wait for either. Knows nothing of media: bytes and addresses come in and go out.
//!
//! This is the only crate with unsafe code, and only around system calls. Nothing here blocks,
//! except [`Poller::wait`]; nothing here grows without a named bound.

pub mod packet_egress;
mod poller;
#[cfg(target_os = "linux")]
mod socket_option;
pub mod tcp;
pub mod udp;

pub use poller::{Poller, Ready, SocketId, Waker};
