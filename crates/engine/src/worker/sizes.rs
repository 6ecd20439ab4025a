//! How large the things are of which a worker has many; for the account of its memory.

use std::mem::size_of;

use super::{Worker, transport_entry::TransportEntry};
use crate::consumer::{Consumer, queued_packet::QueuedPacket, resend::Sent};
use crate::packet_cache::CachedPacket;
use crate::producer::{Producer, stream::Stream};
use crate::rate::RateWindow;
use crate::rtp_listener::RtpListener;
use crate::transport::{Transport, dtls::Dtls, ice::Ice};

impl Worker {
    /// Bytes of one of each, without what it points to.
    pub fn sizes() -> [(&'static str, usize); 13] {
        [
            (
                "transport with what hangs on it",
                size_of::<TransportEntry>(),
            ),
            ("  transport", size_of::<Transport>()),
            ("    ICE", size_of::<Ice>()),
            ("    DTLS", size_of::<Dtls>()),
            ("  endpoint of dimpl", size_of::<dimpl::Dtls>()),
            ("  listener", size_of::<RtpListener>()),
            ("  rate", size_of::<RateWindow>()),
            ("producer", size_of::<Producer>()),
            ("  stream", size_of::<Stream>()),
            ("    kept packet", size_of::<CachedPacket>()),
            ("consumer", size_of::<Consumer>()),
            ("  sent packet", size_of::<Sent>()),
            ("departure", size_of::<QueuedPacket>()),
        ]
    }
}
