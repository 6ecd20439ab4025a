//! Dispatches packets and commands between transports, producers and consumers. The only module
//! that knows all of them; policy lives in the modules it calls.
//!
//! Path of a packet: `handle_datagram` → `Demux::locate` → `Transport::receive` →
//! `Producer::accept` → `Router::consumers_of` → `Consumer::forward` → `Outbound::enqueue` →
//! `SendQueue::enqueue_media`, and at the end of the loop iteration in `poll_transmit`:
//! `GsoOrder::group` → `Consumer::write` → `SrtpSender::protect_rtp` → `Egress::push_media`. A
//! packet that other shards consume is shared by `forward_to_shards` and continues there in
//! `handle_shard_message`.

mod allocate;
mod bandwidth;
mod cache_start;
mod candidates;
mod close;
mod control;
mod demand;
mod feedback;
mod handshake_admission;
mod handshakes;
mod inbound;
mod ingress;
mod layer_reports;
mod metrics;
mod metrics_collection;
mod moved_peer_search;
mod moved_peers;
mod network_limit;
mod outbound;
mod pipes;
mod redundancy;
mod report;
mod screens;
#[cfg(feature = "sim")]
mod sizes;
mod speakers;
mod statistics;
mod transmit;
mod transport_entry;
mod voices;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use watersmeet_wire::stun::StunMessage;
use watersmeet_wire::units::{Map, Rng, Time};

use crate::command::Event;
use crate::consumer::Consumer;
use crate::demux::Demux;
use crate::egress::Egress;
use crate::egress::gso_order::GsoOrder;
use crate::egress::send_queue::SendQueue;
use crate::egress::window::EgressOptions;
use crate::ids::{ConsumerId, ProducerId, RouterId, TransportId};
use crate::path::{ListenAddress, Path};
use crate::producer::{Origin, Producer};
use crate::router::Router;
use crate::shard_message::{PacketPool, ShardMessage};
use crate::slots::{ConsumerKey, ProducerKey, RouterKey, Slots, TransportKey};
use crate::timers::{TimerKind, Timers};
use crate::transport::discard::DiscardReason;
use crate::transport::dtls::{DtlsCertificate, DtlsVersion};
use crate::transport::{Received, TransportEvent, TransportSettings};
use crate::transport_state::CloseReason;
use handshakes::HandshakeQueue;
use moved_peer_search::MovedPeerSearch;
use network_limit::NetworkLimit;
use transport_entry::{REPORT_INTERVAL, TransportEntry};

pub use crate::egress::{Batch, Contents, Transmit};
pub use handshakes::{HANDSHAKE_STALL, HANDSHAKES_MAX, HANDSHAKES_PER_ITERATION_MAX};
pub use metrics::{
    EgressMetrics, MediaKindMetrics, TrafficCounters, TransportStateCounts, WorkerMetrics,
    WorkerTotals,
};
pub use outbound::{CONTROL_MAX, QUEUED_PACKETS_MAX};

/// Capacity of the event queue. It is drained in every loop iteration, in which a datagram or a
/// command causes a few events; when it is full, new events are dropped.
pub const EVENTS_MAX: usize = 65_536;

/// Upper bound of the timers handled in one loop iteration; the rest follow in the next. A worker has a
/// few per transport, and a timer that set itself again for the same moment must not delay packets.
pub const TIMERS_PER_ITERATION_MAX: usize = 100_000;

/// Upper bound of the transports of a worker.
pub const TRANSPORTS_MAX: usize = 20_000;

/// Upper bound of the routers of a worker.
pub const ROUTERS_MAX: usize = 10_000;

/// Upper bound of the piped producers of a router.
pub const PIPES_PER_ROUTER_MAX: usize = 4_096;

/// Capacity of the queue of messages to other shards. It is drained in every loop iteration, in
/// which a few hundred packets arrive; when it is full, new messages are dropped.
pub const SHARD_MESSAGES_MAX: usize = 16_384;

/// Upper bound of the producers of a transport.
pub const PRODUCERS_PER_TRANSPORT_MAX: usize = 32;

/// Upper bound of the consumers of a transport.
pub const CONSUMERS_PER_TRANSPORT_MAX: usize = 1_024;

/// Configuration of a worker.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Addresses at which peers can reach the worker, in order of preference.
    pub listen: Vec<ListenAddress>,
    /// Certificate presented in DTLS handshakes, one per process.
    pub certificate: DtlsCertificate,
    /// DTLS versions that are accepted.
    pub dtls_version: DtlsVersion,
    /// `Instant` that corresponds to `Time::ZERO`.
    pub epoch: Instant,
    /// Wall clock at `Time::ZERO`, since 1970.
    pub unix_epoch: Duration,
    /// Time without a packet from a peer after which nothing is sent to it any more (RFC 7675).
    pub consent_timeout: Duration,
    /// Shard the worker runs on; part of the ufrags it generates.
    pub shard: u8,
    /// Options for collecting media before it is sent.
    pub egress: EgressOptions,
}

/// Number of objects in a worker.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ObjectCounts {
    /// Routers.
    pub routers: usize,
    /// Transports.
    pub transports: usize,
    /// Producers, piped ones included.
    pub producers: usize,
    /// Consumers.
    pub consumers: usize,
}

/// Routers, transports, producers and consumers of one shard.
pub struct Worker {
    /// Settings shared by all transports.
    settings: Arc<TransportSettings>,
    /// Wall clock at `Time::ZERO`, in microseconds since 1970.
    unix_epoch_micros: u64,
    /// Shard the worker runs on.
    shard: u8,
    /// Generator of secrets and random numbers.
    rng: Rng,
    /// Finds the transport of a datagram.
    demux: Demux,
    /// Pending timers.
    timers: Timers,
    routers: Slots<RouterKey, Router>,
    transports: Slots<TransportKey, TransportEntry>,
    producers: Slots<ProducerKey, Producer>,
    consumers: Slots<ConsumerKey, Consumer>,
    router_keys: Map<RouterId, RouterKey>,
    transport_keys: Map<TransportId, TransportKey>,
    producer_keys: Map<ProducerId, ProducerKey>,
    consumer_keys: Map<ConsumerId, ConsumerKey>,
    /// Totals of closed objects, and of datagrams that belong to no object.
    closed_totals: WorkerTotals,
    /// Events to report, oldest first.
    events: VecDeque<Event>,
    /// Messages to other shards, each with its destination, oldest first.
    shard_messages: VecDeque<(u8, ShardMessage)>,
    /// Packets shared with other shards, for reuse.
    pool: PacketPool,
    /// Transports with handshakes.
    handshakes: HandshakeQueue,
    /// Limits datagrams to unproven addresses.
    network_limit: NetworkLimit,
    /// Searches for transports of peers with another address.
    moved_peers: MovedPeerSearch,
    /// Transports with something to send.
    send_queue: SendQueue,
    /// Orders the packets of one transport.
    order: GsoOrder,
    /// Batch under construction.
    egress: Egress,
    /// Last datagrams of closed transports: DTLS close alerts.
    close_datagrams: VecDeque<(Path, Vec<u8>)>,
    /// Scratch buffer for sequence numbers to request again.
    nack_buffer: Vec<u16>,
    /// Scratch buffer for transport-wide feedback.
    feedback_buffer: Vec<u8>,
    /// Arrival time of the datagram that is being handled.
    arrived: Time,
}

impl Worker {
    /// Replaces the addresses at which peers can reach the worker. Existing transports keep theirs.
    pub fn set_listen_addresses(&mut self, listen: Vec<ListenAddress>) {
        Arc::make_mut(&mut self.settings).listen = listen;
    }

    /// Creates an empty worker.
    pub fn new(config: WorkerConfig, mut rng: Rng) -> Self {
        let settings = TransportSettings {
            certificate: config.certificate,
            dtls_version: config.dtls_version,
            epoch: config.epoch,
            listen: config.listen,
            consent_timeout: config.consent_timeout,
        };
        Self {
            settings: Arc::new(settings),
            unix_epoch_micros: u64::try_from(config.unix_epoch.as_micros()).unwrap_or(0),
            shard: config.shard,
            demux: Demux::default(),
            timers: Timers::default(),
            routers: Slots::default(),
            transports: Slots::default(),
            producers: Slots::default(),
            consumers: Slots::default(),
            router_keys: Map::new(),
            transport_keys: Map::new(),
            producer_keys: Map::new(),
            consumer_keys: Map::new(),
            closed_totals: WorkerTotals::default(),
            events: VecDeque::new(),
            shard_messages: VecDeque::new(),
            pool: PacketPool::default(),
            handshakes: HandshakeQueue::default(),
            network_limit: NetworkLimit::new(&mut rng),
            moved_peers: MovedPeerSearch::default(),
            send_queue: SendQueue::new(config.egress),
            order: GsoOrder::default(),
            egress: Egress::default(),
            close_datagrams: VecDeque::new(),
            nack_buffer: Vec::new(),
            feedback_buffer: Vec::new(),
            arrived: Time::ZERO,
            rng,
        }
    }

    /// Handles one UDP datagram or one frame of a TCP connection. The packet is decrypted in place.
    pub fn handle_datagram(&mut self, now: Time, path: Path, packet: &mut [u8]) {
        self.handle_arrival(now, now, path, packet);
    }

    /// Handles a datagram as [`Self::handle_datagram`] does. `arrived` is when it reached this machine, by
    /// which the publisher's path is judged: until `now` it may have waited for the worker.
    pub fn handle_arrival(&mut self, now: Time, arrived: Time, path: Path, packet: &mut [u8]) {
        self.arrived = arrived;
        let by_path = self.demux.locate(path);
        if let Some(key) = self.locate_by_ufrag(packet).or(by_path) {
            self.contain_fault(now, key, |worker| worker.receive(now, key, path, packet));
        } else if let Some(key) = self.find_moved_peer(now, path, packet) {
            self.contain_fault(now, key, |worker| {
                worker.receive_from_moved_peer(now, key, path, packet);
            });
        } else {
            self.record_discards(DiscardReason::UnknownAddress, 1);
        }
    }

    /// Counts datagrams that were discarded before they reached a transport.
    pub fn record_discards(&mut self, reason: DiscardReason, count: u64) {
        self.closed_totals.record_discards(reason, count);
    }

    /// Returns the transport whose ufrag an ICE check contains, on any path.
    fn locate_by_ufrag(&self, packet: &[u8]) -> Option<TransportKey> {
        if packet.first().is_none_or(|&first| first >= 4) {
            return None;
        }
        let message = StunMessage::parse(packet).ok()?;
        let (local, _) = message.ufrags()?;
        self.demux.locate_ufrag(local)
    }

    /// Handles the end of a TCP path's connection.
    pub fn handle_path_closed(&mut self, now: Time, path: Path) {
        let Some(key) = self.demux.locate(path) else {
            return;
        };
        if let Some(entry) = self.transports.get_mut(key) {
            entry.transport.handle_path_closed(now, path);
            self.apply_transport_events(now, key);
        }
    }

    /// Runs the timers that are due, and processes some of the waiting handshake datagrams.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance_handshakes(now);
        for _ in 0..TIMERS_PER_ITERATION_MAX {
            let Some((at, kind)) = self.timers.pop_due(now) else {
                return;
            };
            match kind {
                TimerKind::Transport(key)
                | TimerKind::Report(key)
                | TimerKind::Feedback(key)
                | TimerKind::Bandwidth(key) => {
                    self.contain_fault(now, key, |worker| worker.handle_timer(now, at, kind));
                }
                TimerKind::Nack(key)
                | TimerKind::Keyframe(key)
                | TimerKind::Pipe(key)
                | TimerKind::Demand(key) => {
                    match self.producers.get(key).map(|producer| producer.origin) {
                        Some(Origin::Transport(transport)) => {
                            self.contain_fault(now, transport, |worker| {
                                worker.handle_timer(now, at, kind);
                            });
                        }
                        Some(Origin::Shard(_)) => {
                            self.contain_pipe_fault(now, key, |worker| {
                                worker.handle_timer(now, at, kind);
                            });
                        }
                        None => {}
                    }
                }
                TimerKind::Speaker(_) => self.handle_timer(now, at, kind),
            }
        }
    }

    /// Returns when `handle_timeout` or `poll_transmit` is next due. What can be sent at once does not
    /// count: `poll_transmit` is called after every input.
    pub fn poll_timeout(&self) -> Time {
        let timers = self
            .timers
            .poll_timeout()
            .min(self.send_queue.poll_timeout());
        timers.min(self.handshakes.poll_timeout())
    }

    /// Returns how long the loop may wait before it reads its sockets again, so that packets to one
    /// destination can be sent together.
    pub const fn window(&self) -> Duration {
        self.send_queue.window()
    }

    /// Returns the next event; `None` when all were reported.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Puts a transport into the connected state without handshakes: `path` is nominated, `local`
    /// and `remote` are the SRTP master keys with their salts.
    ///
    /// # Errors
    /// `TransportNotFound`, or `BadParameters` when the keys do not fit the profile.
    #[cfg(feature = "sim")]
    pub fn assume_connected(
        &mut self,
        now: Time,
        transport: TransportId,
        path: Path,
        profile: crate::transport::srtp::SrtpProfile,
        local: &[u8],
        remote: &[u8],
    ) -> Result<(), crate::command::Refusal> {
        use crate::command::Refusal;
        let key = self
            .transport_keys
            .get(&transport)
            .copied()
            .ok_or(Refusal::TransportNotFound)?;
        let entry = self
            .transports
            .get_mut(key)
            .ok_or(Refusal::TransportNotFound)?;
        if !entry
            .transport
            .assume_connected(now, path, profile, local, remote)
        {
            return Err(Refusal::BadParameters("keys of another length".to_owned()));
        }
        self.apply_transport_events(now, key);
        Ok(())
    }

    /// Returns how many objects the worker holds.
    pub fn object_counts(&self) -> ObjectCounts {
        ObjectCounts {
            routers: self.routers.len(),
            transports: self.transports.len(),
            producers: self.producers.len(),
            consumers: self.consumers.len(),
        }
    }

    /// Runs `work` for one transport. A panic in it closes that transport and nothing else.
    fn contain_fault(&mut self, now: Time, key: TransportKey, work: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| work(&mut *self))).is_err() {
            tracing::error!(transport = %key, "transport closed: its code panicked");
            self.close_transport(now, key, Some(CloseReason::Fault));
        }
    }

    /// Handles one timer that was set for `at`, unless its owner has set it again since.
    fn handle_timer(&mut self, now: Time, at: Time, kind: TimerKind) {
        match kind {
            TimerKind::Transport(key) => {
                let Some(entry) = self.transports.get_mut(key) else {
                    return;
                };
                if entry.transport_deadline.expires(at) {
                    entry.transport.handle_timeout(now);
                    self.apply_transport_events(now, key);
                }
            }
            TimerKind::Report(key) => {
                let entry = self.transports.get_mut(key);
                if entry.is_some_and(|entry| entry.report_deadline.expires(at)) {
                    self.send_reports(now, key);
                }
            }
            TimerKind::Feedback(key) => {
                let entry = self.transports.get_mut(key);
                if entry.is_some_and(|entry| entry.inbound.feedback_deadline.expires(at)) {
                    self.send_transport_feedback(now, key);
                }
            }
            TimerKind::Bandwidth(key) => {
                let entry = self.transports.get_mut(key);
                let bandwidth = entry.and_then(|entry| entry.outbound.bandwidth.as_mut());
                if bandwidth.is_some_and(|bandwidth| bandwidth.deadline.expires(at)) {
                    self.update_bandwidth(now, key);
                }
            }
            TimerKind::Nack(key) => {
                let producer = self.producers.get_mut(key);
                if producer.is_some_and(|producer| producer.nack_deadline.expires(at)) {
                    self.request_retransmissions(now, key);
                }
            }
            TimerKind::Keyframe(key) => {
                let producer = self.producers.get_mut(key);
                if producer.is_some_and(|producer| producer.keyframe_deadline.expires(at)) {
                    self.send_keyframe_requests(now, key);
                }
            }
            TimerKind::Pipe(key) => {
                let producer = self.producers.get_mut(key);
                if producer.is_some_and(|producer| producer.pipe_deadline.expires(at)) {
                    self.subscribe(now, key);
                }
            }
            TimerKind::Demand(key) => {
                let producer = self.producers.get_mut(key);
                if producer.is_some_and(|producer| producer.demand_deadline.expires(at)) {
                    self.update_demand(now, key);
                }
            }
            TimerKind::Speaker(key) => {
                let router = self.routers.get_mut(key);
                if router.is_some_and(|router| router.speaker_deadline.expires(at)) {
                    self.update_speaker(now, key);
                }
            }
        }
    }

    /// Decrypts one packet of a transport and routes it.
    fn receive(&mut self, now: Time, key: TransportKey, path: Path, packet: &mut [u8]) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        match entry.transport.receive(now, path, packet) {
            Received::Rtp { header, len } => {
                let packet = packet.get(..len).unwrap_or_default();
                self.accept_rtp(now, key, &header, packet);
            }
            Received::Rtcp { len } => {
                let packet = packet.get(..len).unwrap_or_default();
                self.accept_rtcp(now, key, packet);
            }
            Received::Nothing => self.apply_transport_events(now, key),
            Received::Discarded(_) => {}
        }
    }

    /// Handles a transport's events, then updates its path, its timer and the send queue.
    fn apply_transport_events(&mut self, now: Time, key: TransportKey) {
        while let Some(event) = self.next_transport_event(key) {
            match event {
                TransportEvent::IceStateChanged(state) => {
                    if let Some(transport) = self.transport_id(key) {
                        self.report_event(Event::IceStateChanged { transport, state });
                    }
                }
                TransportEvent::DtlsStateChanged(state) => {
                    if let Some(transport) = self.transport_id(key) {
                        self.report_event(Event::DtlsStateChanged { transport, state });
                    }
                }
                TransportEvent::PathAdded(path) => self.add_path(now, path, key),
                TransportEvent::PathRemoved(path) => self.demux.remove_path(path, key),
                TransportEvent::UfragRetired(ufrag) => self.demux.remove_ufrag(&ufrag),
                TransportEvent::HandshakePending => self.enqueue_handshake(now, key),
                TransportEvent::Closed(reason) => {
                    self.close_transport(now, key, Some(reason));
                    return;
                }
            }
        }
        self.update_path(now, key);
        self.enqueue_control(now, key);
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let due = entry.transport.poll_timeout();
        self.timers.set(
            &mut entry.transport_deadline,
            due,
            TimerKind::Transport(key),
        );
    }

    fn next_transport_event(&mut self, key: TransportKey) -> Option<TransportEvent> {
        self.transports.get_mut(key)?.transport.poll_event()
    }

    fn transport_id(&self, key: TransportKey) -> Option<TransportId> {
        self.transports.get(key).map(|entry| entry.id)
    }

    /// Assigns a path to a transport and takes it from the transport that had it before.
    fn add_path(&mut self, now: Time, path: Path, key: TransportKey) {
        let former = self.demux.locate(path).filter(|former| *former != key);
        self.demux.add_path(path, key);
        if let Some(former) = former
            && let Some(entry) = self.transports.get_mut(former)
        {
            entry.transport.handle_path_closed(now, path);
            self.update_path(now, former);
        }
    }

    /// Updates the path for media, and notifies the consumers when sending starts or stops.
    fn update_path(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let path = entry.transport.path();
        let former = std::mem::replace(&mut entry.outbound.path, path);
        if former == path {
            return;
        }
        let is_open = path.is_some();
        if former.is_some() == is_open {
            if let Some(bandwidth) = &mut entry.outbound.bandwidth {
                bandwidth.estimator.path_changed();
            }
            self.request_keyframes_on(now, key);
            return;
        }
        if is_open {
            let due = now + REPORT_INTERVAL;
            self.timers
                .set(&mut entry.report_deadline, due, TimerKind::Report(key));
        }
        let consumers = entry.outbound.consumers.clone();
        let producers = entry.inbound.producers.clone();
        for &consumer in &consumers {
            if let Some(consumer) = self.consumers.get_mut(consumer) {
                consumer.set_connected(is_open);
            }
        }
        self.allocate_bandwidth(now, key);
        for consumer in consumers {
            self.request_awaited_keyframe(now, consumer);
        }
        for producer in producers {
            self.send_keyframe_requests(now, producer);
        }
    }

    /// Queues a transport because it may have STUN, DTLS or RTCP datagrams to send.
    fn enqueue_control(&mut self, now: Time, key: TransportKey) {
        if let Some(entry) = self.transports.get_mut(key) {
            self.send_queue
                .enqueue_control(now, key, &mut entry.outbound.queue_entry);
        }
    }

    fn report_event(&mut self, event: Event) {
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
        }
    }

    /// Returns our wall clock, in microseconds since 1970.
    fn wall_micros(&self, now: Time) -> u64 {
        self.unix_epoch_micros + now.as_micros()
    }
}

#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;
