//! A transport with the state that belongs to it: identity, timers, and its two directions.

use std::time::Duration;

use watersmeet_wire::params::MediaKind;

use super::handshakes::HandshakePlace;
use super::inbound::Inbound;
use super::outbound::Outbound;
use crate::consumer::Consumer;
use crate::ids::TransportId;
use crate::slots::RouterKey;
use crate::ticket_queue::Ticket;
use crate::timers::Deadline;
use crate::transport::Transport;

/// Interval between the reports of a transport.
pub const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// A transport and its state in the worker.
///
/// Fields are in memory order: [`Outbound`], which every sent packet touches, comes first.
#[repr(C, align(64))]
pub struct TransportEntry {
    /// Media and control packets on their way to the peer.
    pub outbound: Outbound,
    /// Id that commands and events use.
    pub id: TransportId,
    /// Router it belongs to.
    pub router: RouterKey,
    /// Its place in the router's list of transports.
    pub router_ticket: Ticket,
    /// Its places in the queue of handshakes.
    pub handshake: HandshakePlace,
    /// ICE, DTLS and SRTP.
    pub transport: Transport,
    /// Media that comes from the peer.
    pub inbound: Inbound,
    /// Deadline of ICE or DTLS.
    pub transport_deadline: Deadline,
    /// Deadline of sender and receiver reports.
    pub report_deadline: Deadline,
}

impl TransportEntry {
    /// Creates the entry of a transport without producers and consumers.
    pub fn new(
        id: TransportId,
        router: RouterKey,
        router_ticket: Ticket,
        transport: Transport,
        inbound: Inbound,
        outbound: Outbound,
    ) -> Self {
        Self {
            outbound,
            id,
            router,
            router_ticket,
            handshake: HandshakePlace::default(),
            transport,
            inbound,
            transport_deadline: Deadline::default(),
            report_deadline: Deadline::default(),
        }
    }

    /// Adds a consumer to those that send on the transport. The bandwidth is estimated from the first one
    /// of video whose arrival is reported on.
    pub fn add_consumer(&mut self, consumer: &Consumer) {
        let options = self.transport.options();
        let outbound = &mut self.outbound;
        if options.adapts_to_bandwidth
            && consumer.kind == MediaKind::Video
            && consumer.has_arrival_feedback()
        {
            let start = options.initial_outgoing_bitrate;
            outbound.estimate_bandwidth(start, consumer.extension_ids());
        }
        if consumer.has_congestion_feedback()
            && let Some(bandwidth) = &mut outbound.bandwidth
        {
            bandwidth.numbered_packets.get_or_insert_default();
        }
        outbound.consumers.push(consumer.key);
        let ssrcs = consumer.ssrcs().map(|ssrc| (ssrc, consumer.key));
        outbound.streams.extend(ssrcs);
    }
}
