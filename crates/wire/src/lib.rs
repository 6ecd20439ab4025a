//! Bytes to typed packets and back. Stateless: nothing here remembers a packet, and nothing here
//! does I/O. Every parser takes an attacker's bytes and answers with a value or a refusal; none
//! may panic, allocate without bound or loop past its input.

pub mod codec;
pub mod params;
pub mod rtcp;
pub mod rtp;
pub mod stun;
pub mod units;
