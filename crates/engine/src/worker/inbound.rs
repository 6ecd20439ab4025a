//! Receiving half of a transport: state of the media that comes from the peer.

use crate::arrival_log::ArrivalLog;
use crate::publisher_clock::PublisherClock;
use crate::remb::ReceiveEstimate;
use crate::rtp_listener::RtpListener;
use crate::slots::ProducerKey;
use crate::timers::Deadline;

/// Receiving half of a transport.
pub struct Inbound {
    /// Maps SSRC, MID and RID to producers.
    pub rtp_listener: RtpListener,
    /// Arrival times for transport-wide feedback.
    pub arrival_log: ArrivalLog,
    /// Deadline of transport-wide feedback.
    pub feedback_deadline: Deadline,
    /// Receive-side estimate, for publishers that take REMB only.
    pub estimate: Option<ReceiveEstimate>,
    /// Producers whose media arrives on the transport.
    pub producers: Vec<ProducerKey>,
    /// CNAME of the peer's streams.
    pub cname: String,
    /// Relation of the peer's wall clock to ours.
    pub clock: PublisherClock,
    /// RTP bytes received, after decryption.
    pub rtp_bytes: u64,
    /// RTP bytes that are accepted in total.
    pub rtp_bytes_max: u64,
    /// RTP packets beyond that.
    pub packets_over_limit: u64,
    /// RTP packets that belong to no producer.
    pub packets_unrouted: u64,
    /// RTP packets of producers with a payload type that was not negotiated.
    pub packets_of_unknown_type: u64,
}

impl Inbound {
    /// Creates the receiving half of a transport on which nothing has arrived. `cname` is used until
    /// a producer brings its own. `rtp_bytes_max` bounds the RTP bytes that are accepted in total.
    pub fn new(cname: String, rtp_bytes_max: u64) -> Self {
        Self {
            rtp_listener: RtpListener::default(),
            arrival_log: ArrivalLog::default(),
            feedback_deadline: Deadline::default(),
            estimate: None,
            producers: Vec::new(),
            cname,
            clock: PublisherClock::default(),
            rtp_bytes: 0,
            rtp_bytes_max,
            packets_over_limit: 0,
            packets_unrouted: 0,
            packets_of_unknown_type: 0,
        }
    }
}
