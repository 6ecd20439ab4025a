//! A scripted browser, sans-IO: it publishes media that is signed packet by packet, receives media
//! as a browser's jitter buffer would, and judges it. It is how the server is doubted, in the
//! simulator and under load; it shares no code with the engine beyond the bytes on the wire, and
//! never looks inside it.

pub mod browser;
pub mod chance;
pub mod clock;
pub mod negotiation;
pub mod packet;
pub mod receiver;
pub mod sender;
pub mod tag;
pub mod vp8;
