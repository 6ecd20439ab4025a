//! The hallway: the only place that sees every room of the engine. It finds the transport of a
//! datagram, the producer of a packet and the consumers of a producer, and hands results from one
//! to the next; it decides nothing that a room could decide.
//!
//! A packet walks: `handle_datagram` → `Demux::locate` → `Transport::receive` → `Producer::accept`
//! → `Router::consumers_of` → `Consumer::forward` → `TransportEntry::enqueue` → `SendQueue::enqueue_media`, and
//! at the end of the turn in `poll_transmit`: `GsoOrder::group` → `Consumer::write` →
//! `SrtpSender::protect_rtp` → `Egress::push_media`. A packet that is wanted on other shards is shared
//! by `forward_to_shards`, and goes on there from `handle_shard_message`.

mod close;
mod control;
mod feedback;
mod ingress;
mod metrics;
mod pipes;
mod report;
#[cfg(feature = "sim")]
mod sizes;
mod statistics;
mod transmit;
mod transport_entry;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use watersmeet_wire::stun::StunMessage;
use watersmeet_wire::units::{Map, Rng, Time};

use crate::command::{
    CloseReason, ConsumerId, Event, ListenAddress, Path, ProducerId, RouterId, TransportId,
};
use crate::consumer::Consumer;
use crate::demux::Demux;
use crate::egress::Egress;
use crate::egress::gso_order::GsoOrder;
use crate::egress::send_queue::SendQueue;
use crate::egress::window::EgressOptions;
use crate::producer::{Origin, Producer};
use crate::router::Router;

use crate::shard_message::{PacketPool, ShardMessage};
use crate::timers::{TimerKind, Timers};
use crate::transport::dtls::{DtlsCertificate, DtlsVersion};
use crate::transport::{Received, TransportEvent, TransportSettings};

use crate::slots::{ConsumerKey, ProducerKey, RouterKey, Slots, TransportKey};
use transport_entry::TransportEntry;

pub use crate::egress::{Batch, Transmit};
pub use metrics::{
    EgressMetrics, MediaKindMetrics, TrafficCounters, TransportStateCounts, WorkerMetrics,
    WorkerTotals,
};
pub use transport_entry::{CONTROL_MAX, PENDING_MAX};

/// The most events that wait. They are drained every turn of the loop, in which a datagram or a
/// command makes a few; a worker that is not drained forgets the newest.
pub const EVENTS_MAX: usize = 65_536;

/// The most alarms that ring in one turn of the loop; the rest ring in the next. A worker has a few
/// for each of its transports, and an alarm that set itself again for the same moment must not keep
/// packets waiting.
pub const TIMERS_PER_ITERATION_MAX: usize = 100_000;

/// The most datagrams of handshakes that are taken in one turn of the loop: each costs up to
/// 0.15 ms, and media waits behind them.
pub const HANDSHAKES_PER_ITERATION_MAX: usize = 4;

/// The most transports on one worker.
pub const TRANSPORTS_MAX: usize = 20_000;

/// The most routers on one worker.
pub const ROUTERS_MAX: usize = 10_000;

/// The most producers of other shards in one router.
pub const PIPES_PER_ROUTER_MAX: usize = 4_096;

/// The most values for other shards that wait. They are drained every turn of the loop, in which a
/// few hundred packets arrive; of more than this the newest are dropped.
pub const SHARD_MESSAGES_MAX: usize = 16_384;

/// The most producers on one transport.
pub const PRODUCERS_PER_TRANSPORT_MAX: usize = 32;

/// The most consumers on one transport.
pub const CONSUMERS_PER_TRANSPORT_MAX: usize = 1_024;

/// What a worker is made with.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Where peers can reach it, in order of preference.
    pub listen: Vec<ListenAddress>,
    /// What peers see in the handshake; made once per process.
    pub certificate: DtlsCertificate,
    /// Which DTLS is spoken.
    pub dtls_version: DtlsVersion,
    /// The `Instant` of `Time::ZERO`.
    pub epoch: Instant,
    /// The wall clock at `Time::ZERO`, since 1970.
    pub unix_epoch: Duration,
    /// Silence of a peer after which nothing is sent to it any more (RFC 7675).
    pub consent_timeout: Duration,
    /// Which shard it runs on; stands in the ufrags it draws.
    pub shard: u8,
    /// How media is gathered before it leaves.
    pub egress: EgressOptions,
}

/// How many objects a worker holds.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct ObjectCounts {
    /// Routers.
    pub routers: usize,
    /// Transports.
    pub transports: usize,
    /// Producers.
    pub producers: usize,
    /// Consumers.
    pub consumers: usize,
}

/// Every router, transport, producer and consumer of one shard.
pub struct Worker {
    /// What transports share.
    settings: Arc<TransportSettings>,
    /// The wall clock at `Time::ZERO`, in microseconds since 1970.
    unix_epoch_micros: u64,
    /// Which shard it runs on.
    shard: u8,
    /// The source of secrets and random numbers.
    rng: Rng,
    /// Which transport a datagram is for.
    demux: Demux,
    /// What is due when.
    timers: Timers,
    /// Routers, by place.
    routers: Slots<RouterKey, Router>,
    /// Transports with what hangs on them, by place.
    transports: Slots<TransportKey, TransportEntry>,
    /// Producers, by place.
    producers: Slots<ProducerKey, Producer>,
    /// Consumers, by place.
    consumers: Slots<ConsumerKey, Consumer>,
    /// The place of each router.
    router_keys: Map<RouterId, RouterKey>,
    /// The place of each transport.
    transport_keys: Map<TransportId, TransportKey>,
    /// The place of each producer.
    producer_keys: Map<ProducerId, ProducerKey>,
    /// The place of each consumer.
    consumer_keys: Map<ConsumerId, ConsumerKey>,
    /// What everything that was closed had counted.
    retired: WorkerTotals,
    /// What is reported unasked.
    events: VecDeque<Event>,
    /// What there is for other shards.
    shard_messages: VecDeque<(u8, ShardMessage)>,
    /// Packets that were shared with other shards, for use again.
    pool: PacketPool,
    /// Transports whose handshakes have datagrams waiting, each once, in the order of their turns.
    handshakes: VecDeque<TransportKey>,
    /// Which transport sends when.
    schedule: SendQueue,
    /// The packets of one transport, put in order.
    order: GsoOrder,
    /// The batch in the making.
    egress: Egress,
    /// Goodbyes of closed transports.
    close_datagrams: VecDeque<(Path, Vec<u8>)>,
    /// Scratch for packets asked for again.
    nack_buffer: Vec<u16>,
    /// Scratch for feedback.
    feedback_buffer: Vec<u8>,
}

impl Worker {
    /// A worker that holds nothing.
    pub fn new(config: WorkerConfig, rng: Rng) -> Self {
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
            rng,
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
            retired: WorkerTotals::default(),
            events: VecDeque::new(),
            shard_messages: VecDeque::new(),
            pool: PacketPool::default(),
            handshakes: VecDeque::new(),
            schedule: SendQueue::new(config.egress),
            order: GsoOrder::default(),
            egress: Egress::default(),
            close_datagrams: VecDeque::new(),
            nack_buffer: Vec::new(),
            feedback_buffer: Vec::new(),
        }
    }

    /// Takes one UDP datagram or one frame of a TCP connection.
    pub fn handle_datagram(&mut self, now: Time, path: Path, packet: &mut [u8]) {
        let known = self.demux.locate(path);
        let Some(key) = self.locate_ufrag(packet).or(known) else {
            return;
        };
        self.contain(now, key, |worker| worker.receive(now, key, path, packet));
    }

    /// The transport that an ICE check asks for by its ufrag, whatever path it comes on.
    fn locate_ufrag(&self, packet: &[u8]) -> Option<TransportKey> {
        if packet.first().is_none_or(|&first| first >= 4) {
            return None;
        }
        let message = StunMessage::parse(packet).ok()?;
        let (local, _) = message.ufrags()?;
        self.demux.locate_ufrag(local)
    }

    /// The connection behind a TCP path ended.
    pub fn handle_path_closed(&mut self, now: Time, path: Path) {
        let Some(key) = self.demux.locate(path) else {
            return;
        };
        if let Some(entry) = self.transports.get_mut(key) {
            entry.transport.handle_path_closed(now, path);
            self.settle(now, key);
        }
    }

    /// Does what is due, and a turn's worth of the handshakes that wait.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance_handshakes(now);
        for _ in 0..TIMERS_PER_ITERATION_MAX {
            let Some((at, reason)) = self.timers.pop_due(now) else {
                return;
            };
            match reason {
                TimerKind::Transport(key) | TimerKind::Report(key) | TimerKind::Feedback(key) => {
                    self.contain(now, key, |worker| worker.ring(now, at, reason));
                }
                TimerKind::Nack(key) | TimerKind::Keyframe(key) | TimerKind::Pipe(key) => {
                    match self.producers.get(key).map(|it| it.origin) {
                        Some(Origin::Transport(entry)) => {
                            self.contain(now, entry, |worker| worker.ring(now, at, reason));
                        }
                        Some(Origin::Shard(_)) => {
                            self.contain_pipe(key, |worker| worker.ring(now, at, reason));
                        }
                        None => {}
                    }
                }
            }
        }
    }

    /// When `handle_timeout` or `poll_transmit` has something to do.
    pub fn poll_timeout(&self) -> Time {
        if self.handshakes.is_empty() {
            self.timers.poll_timeout()
        } else {
            Time::ZERO
        }
    }

    /// How far apart the loop may look at its sockets now, so that packets meet.
    pub const fn window(&self) -> Duration {
        self.schedule.window()
    }

    /// The next event, until there is none.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Begins a transport where its handshakes end: `path` is nominated, `local` and `remote` are
    /// the SRTP master keys with their salts.
    ///
    /// # Errors
    /// There is no such transport, or the keys do not fit the profile.
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
        self.settle(now, key);
        Ok(())
    }

    /// How many objects it holds.
    pub fn object_counts(&self) -> ObjectCounts {
        ObjectCounts {
            routers: self.routers.len(),
            transports: self.transports.len(),
            producers: self.producers.len(),
            consumers: self.consumers.len(),
        }
    }

    /// Runs something on behalf of one transport. If its code fails, that transport is closed and
    /// nothing else is touched.
    fn contain(&mut self, now: Time, key: TransportKey, run: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| run(&mut *self))).is_err() {
            tracing::error!(transport = %key, "a fault in a transport; it is closed");
            self.close_transport(now, key, Some(CloseReason::Fault));
        }
    }

    /// Takes one datagram of each handshake whose turn it is.
    fn advance_handshakes(&mut self, now: Time) {
        for _ in 0..HANDSHAKES_PER_ITERATION_MAX {
            let Some(key) = self.handshakes.pop_front() else {
                return;
            };
            self.contain(now, key, |worker| {
                let entry = worker.transports.get_mut(key);
                if entry.is_some_and(|entry| entry.transport.advance(now)) {
                    worker.handshakes.push_back(key);
                }
                worker.settle(now, key);
            });
        }
    }

    /// One alarm of one object.
    fn ring(&mut self, now: Time, at: Time, reason: TimerKind) {
        match reason {
            TimerKind::Transport(key) => {
                let Some(entry) = self.transports.get_mut(key) else {
                    return;
                };
                if entry.transport_deadline.expires(at) {
                    entry.transport.handle_timeout(now);
                    self.settle(now, key);
                }
            }
            TimerKind::Report(key) => {
                let entry = self.transports.get_mut(key);
                if entry.is_some_and(|entry| entry.report_deadline.expires(at)) {
                    self.report(now, key);
                }
            }
            TimerKind::Feedback(key) => {
                let entry = self.transports.get_mut(key);
                if entry.is_some_and(|entry| entry.feedback_deadline.expires(at)) {
                    self.send_transport_feedback(now, key);
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
        }
    }

    /// One packet of one transport.
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
            Received::Nothing => self.settle(now, key),
            Received::Discarded(_) => {}
        }
    }

    /// Brings everything into line with what a transport has become.
    fn settle(&mut self, now: Time, key: TransportKey) {
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
                TransportEvent::HandshakePending => self.handshakes.push_back(key),
                TransportEvent::Closed(reason) => {
                    self.close_transport(now, key, Some(reason));
                    return;
                }
            }
        }
        self.update_path(now, key);
        self.enqueue_control(key);
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

    /// A path belongs to a transport now; whoever had it before has it no more.
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

    /// Notes which way a transport sends, and tells its consumers when it begins or ceases to.
    fn update_path(&mut self, now: Time, key: TransportKey) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let was_open = entry.is_open();
        entry.path = entry.transport.path();
        let is_open = entry.is_open();
        if was_open == is_open {
            return;
        }
        if is_open {
            let due = now + report::INTERVAL;
            self.timers
                .set(&mut entry.report_deadline, due, TimerKind::Report(key));
        }
        let consumers = entry.consumers.clone();
        for consumer in consumers {
            if let Some(consumer) = self.consumers.get_mut(consumer) {
                consumer.set_connected(is_open);
            }
            self.request_awaited_keyframe(now, consumer);
        }
    }

    /// Enters a transport in the list of those that may have something else than media to send.
    fn enqueue_control(&mut self, key: TransportKey) {
        if let Some(entry) = self.transports.get_mut(key) {
            self.schedule.enqueue_control(key, &mut entry.turn);
        }
    }

    fn report_event(&mut self, event: Event) {
        if self.events.len() < EVENTS_MAX {
            self.events.push_back(event);
        }
    }

    /// Our wall clock, in microseconds since 1970.
    fn wall_micros(&self, now: Time) -> u64 {
        self.unix_epoch_micros + now.as_micros()
    }
}
