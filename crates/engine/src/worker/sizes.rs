//! Sizes of the types of which a worker has many values, for the memory benchmark.

use std::mem::size_of;

use super::{Worker, transport_entry::TransportEntry};
use crate::consumer::{Consumer, queued_packet::QueuedPacket, resend::Sent};
use crate::packet_cache::CachedPacket;
use crate::producer::{Producer, stream::Stream};
use crate::rate::RateWindow;
use crate::rtp_listener::RtpListener;
use crate::transport::{Transport, dtls::DtlsSession, ice::IceAgent};

impl Worker {
    /// Returns names and sizes in bytes, without memory that the values point to.
    pub fn sizes() -> [(&'static str, usize); 13] {
        [
            ("transport entry", size_of::<TransportEntry>()),
            ("  transport", size_of::<Transport>()),
            ("    ICE", size_of::<IceAgent>()),
            ("    DTLS", size_of::<DtlsSession>()),
            ("  endpoint of dimpl", size_of::<dimpl::Dtls>()),
            ("  RTP listener", size_of::<RtpListener>()),
            ("  rate", size_of::<RateWindow>()),
            ("producer", size_of::<Producer>()),
            ("  stream", size_of::<Stream>()),
            ("    cached packet", size_of::<CachedPacket>()),
            ("consumer", size_of::<Consumer>()),
            ("  sent packet", size_of::<Sent>()),
            ("queued packet", size_of::<QueuedPacket>()),
        ]
    }
}
