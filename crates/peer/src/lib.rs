//! Scripted browser without I/O. It publishes media with a signature in every packet, receives
//! media like the jitter buffer of a browser, and verifies it. The simulator and the load generator
//! test the server with it. It shares no code with the engine except the `wire` crate.

pub mod browser;
pub mod negotiation;
pub mod ntp;
pub mod packet;
pub mod random;
pub mod receiver;
pub mod sender;
pub mod signature;
pub mod vp8;
