//! Sending half of a transport: queued media and control packets, their outgoing numbers, and
//! totals of the traffic.

use std::time::Duration;

use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Bitrate, Map, Mid, Ssrc, Time};

use super::bandwidth::TransportBandwidth;
use crate::consumer::queued_packet::{QueuedPacket, SendPriority};
use crate::egress::send_queue::SendQueueEntry;
use crate::packet::ExtensionIds;
use crate::path::Path;
use crate::probation::{self, Probation};
use crate::rate::RateWindow;
use crate::retransmission_budget::{Importance, MediaSent, RetransmissionBudget, SHARE_PERMILLE};
use crate::retransmissions_in_flight::MediaPacket;
use crate::round_trip::{RoundTripTime, ShortestRoundTrip};
use crate::slots::ConsumerKey;
use crate::ssrc_allocator::SsrcAllocator;

/// Capacity of a transport's queue of media packets. It is emptied within 2 ms, so that more than
/// this is a flood, of which the newest packets are dropped.
pub const QUEUED_PACKETS_MAX: usize = 4_096;

/// Number of sent packets from which on the queue is moved up while others wait.
const SENT_KEPT_MAX: usize = 128;

/// Time for which video may be held back; then it is dropped, and the picture begins anew.
const HOLD_MAX: Duration = Duration::from_millis(500);

/// Capacity of a transport's queue of control datagrams; newer ones are dropped.
pub const CONTROL_MAX: usize = 64;

/// Sending half of a transport.
///
/// Fields are in memory order: those that every sent packet touches come first. Hundreds of packets
/// to other destinations are sent between two packets to one, so that each cache line is fetched
/// again.
#[repr(C)]
pub struct Outbound {
    /// Media packets to send, oldest first.
    packets: Vec<QueuedPacket>,
    /// Number of those that were sent in earlier batches.
    sent: usize,
    /// Path for media; absent while media cannot be sent.
    pub path: Option<Path>,
    /// Transport-wide sequence number of the next packet.
    pub transport_seq: u16,
    /// State in the worker's send queue.
    pub queue_entry: SendQueueEntry,
    /// Bytes and packets sent.
    pub traffic: SentTraffic,
    /// Bandwidth of the path; absent while no video is sent whose arrival is reported.
    pub bandwidth: Option<Box<TransportBandwidth>>,
    /// Bitrate that the peer reports it can receive (REMB).
    pub remote_estimate: Option<Bitrate>,
    /// Consumers whose media is sent on the transport.
    pub consumers: Vec<ConsumerKey>,
    /// Consumers by the SSRCs they send, retransmissions included.
    pub streams: Map<Ssrc, ConsumerKey>,
    /// SSRC of our RTCP packets.
    pub control_ssrc: Ssrc,
    /// Allocates the SSRCs of consumers.
    pub ssrcs: SsrcAllocator,
    /// RTCP datagrams to send.
    pub control: ControlQueue,
    /// Number of MIDs given to consumers.
    mids: u32,
    /// Round-trip time of the path.
    pub round_trip: RoundTripTime,
    /// Shortest round-trip time of the path.
    pub shortest_round_trip: ShortestRoundTrip,
    /// Budget of retransmissions.
    retransmissions: RetransmissionBudget,
    /// Screens that continue with a keyframe when their packets that wait have been sent.
    restarting: Vec<ConsumerKey>,
}

/// Fields of a transport that sending a packet updates.
pub struct SendingState<'a> {
    /// Transport-wide sequence number of the next packet.
    pub transport_seq: &'a mut u16,
    /// Totals.
    pub traffic: &'a mut SentTraffic,
    /// Bandwidth of the path.
    pub bandwidth: Option<&'a mut TransportBandwidth>,
}

/// Totals of the traffic sent on a transport.
#[derive(Debug, Default)]
#[repr(C)]
pub struct SentTraffic {
    /// Bytes of all datagrams.
    pub bytes: u64,
    /// Bytes of RTP packets, before encryption.
    pub rtp_bytes: u64,
    /// Bytes of padding, added so that packets have equal lengths, or to probe for bandwidth.
    pub padding_bytes: u64,
    /// Bytes of all datagrams in the last second.
    pub rate: RateWindow,
    /// Bytes of retransmissions, before encryption.
    pub rtx_bytes: u64,
    /// Bytes of retransmissions in the last second.
    pub rtx_rate: RateWindow,
    /// Media packets that could not be sent or did not fit the queue.
    pub packets_discarded: u64,
    /// Media packets longer than [`DATAGRAM_LEN_MAX`](crate::egress::DATAGRAM_LEN_MAX).
    pub packets_too_long: u64,
    /// Requested retransmissions that were above the budget.
    pub retransmissions_refused: u64,
}

/// RTCP datagrams of a transport, not yet encrypted, in one buffer.
#[derive(Debug, Default)]
pub struct ControlQueue {
    /// The datagrams, one after the other.
    bytes: Vec<u8>,
    /// Offset at which each of them ends.
    ends: Vec<usize>,
}

/// How bitrates are distributed on a path.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Bitrate to reserve for a layer, in percent of its own: enough for retransmissions of the inherent
    /// loss, and for these to stay within their budget.
    pub cost_percent: u64,
    /// Whether nothing has shown yet that the path carries no more than the estimate.
    pub is_guess: bool,
}

impl Outbound {
    /// Creates the sending half of a transport on which nothing was sent.
    pub fn new(mut ssrcs: SsrcAllocator) -> Self {
        // A new allocator never lacks SSRCs.
        let control_ssrc = ssrcs.allocate_pair().unwrap_or_default();
        Self {
            packets: Vec::new(),
            sent: 0,
            path: None,
            transport_seq: 0,
            queue_entry: SendQueueEntry::default(),
            traffic: SentTraffic::default(),
            bandwidth: None,
            remote_estimate: None,
            consumers: Vec::new(),
            streams: Map::new(),
            control_ssrc,
            ssrcs,
            control: ControlQueue::default(),
            mids: 0,
            round_trip: RoundTripTime::default(),
            shortest_round_trip: ShortestRoundTrip::default(),
            retransmissions: RetransmissionBudget::default(),
            restarting: Vec::new(),
        }
    }

    /// Returns whether media can be sent now.
    pub const fn is_open(&self) -> bool {
        self.path.is_some()
    }

    /// Queues a media packet, or counts it as discarded when the queue is full.
    #[inline]
    pub fn enqueue(&mut self, packet: QueuedPacket) {
        if self.unsent().len() >= QUEUED_PACKETS_MAX {
            self.traffic.packets_discarded += 1;
            return;
        }
        if self.packets.len() > self.sent
            && let Some(last) = self.packets.last()
            && packet.priority < last.priority
        {
            // Others wait already: it goes before those of lower priority.
            let waiting = self.packets.get(self.sent..).unwrap_or_default();
            let before = waiting.partition_point(|it| it.priority <= packet.priority);
            self.packets.insert(self.sent + before, packet);
            return;
        }
        self.packets.push(packet);
    }

    /// Estimates the bandwidth from now on. `extension_ids` are those of padding packets.
    pub fn estimate_bandwidth(&mut self, start: Bitrate, extension_ids: ExtensionIds) {
        self.bandwidth.get_or_insert_with(|| {
            let probation = Probation::new(extension_ids);
            Box::new(TransportBandwidth::new(start, probation))
        });
    }

    /// Returns the bitrate that the path carries, by our estimate or the peer's; `None` when neither is
    /// known.
    pub fn available_bitrate(&self, now: Time) -> Option<Bitrate> {
        let bandwidth = self.bandwidth.as_ref();
        let own = bandwidth.and_then(|it| it.estimator.estimate(now));
        own.or(self.remote_estimate)
    }

    /// Returns whether media or padding waits to be sent.
    pub fn has_more_to_send(&self) -> bool {
        let bandwidth = self.bandwidth.as_ref();
        !self.unsent().is_empty() || bandwidth.is_some_and(|it| it.estimator.wants_padding())
    }

    /// Returns when sending may go on, if something waits that can be sent.
    pub fn next_due(&mut self, now: Time) -> Option<Time> {
        let has_more = self.path.is_some() && self.has_more_to_send();
        let bandwidth = self.bandwidth.as_mut().filter(|_| has_more)?;
        Some(bandwidth.ready_at(now))
    }

    /// Counts a padding packet as sent. `seq` is its number, and `len` its length in bytes.
    pub fn record_padding(&mut self, now: Time, departure: Time, seq: u16, len: usize) {
        let transport_seq = self.transport_seq;
        self.transport_seq = transport_seq.wrapping_add(1);
        if let Some(bandwidth) = &mut self.bandwidth {
            let ssrc = probation::SSRC;
            bandwidth.record_sent(
                now,
                departure,
                transport_seq,
                MediaPacket { ssrc, seq },
                len,
            );
        }
        self.traffic.record(now, len);
        self.traffic.padding_bytes += len as u64;
    }

    /// Returns the consumer of video that has waited for too long, if there is one. Screens may wait for
    /// longer.
    pub fn late_consumer(
        &self,
        now: Time,
        is_screen: impl Fn(ConsumerKey) -> bool,
    ) -> Option<ConsumerKey> {
        let is_late = |packet: &&QueuedPacket| {
            packet.priority != SendPriority::Audio
                && packet.waited(now) > HOLD_MAX
                && !is_screen(packet.consumer)
        };
        self.unsent().iter().find(is_late).map(|it| it.consumer)
    }

    /// Returns the screen that is sent next, while one waits.
    pub fn waiting_screen(&self) -> Option<ConsumerKey> {
        let unsent = self.unsent();
        let first = unsent.partition_point(|it| it.priority < SendPriority::Screen);
        let first = unsent.get(first)?;
        (first.priority == SendPriority::Screen).then_some(first.consumer)
    }

    /// Lets a consumer continue with a keyframe when its packets that wait have been sent. Returns false when
    /// there are none.
    pub fn restart_after_sending(&mut self, consumer: ConsumerKey) -> bool {
        let is_waiting = self.unsent().iter().any(|it| it.consumer == consumer);
        if is_waiting && !self.restarting.contains(&consumer) {
            self.restarting.push(consumer);
        }
        is_waiting
    }

    /// Returns the consumers whose packets have been sent, and that continue with a keyframe.
    pub fn take_restarting(&mut self) -> Vec<ConsumerKey> {
        if self.restarting.is_empty() {
            return Vec::new();
        }
        let restarting = std::mem::take(&mut self.restarting);
        let unsent = || self.unsent().iter();
        let is_waiting = |key: &ConsumerKey| unsent().any(|it| it.consumer == *key);
        let (waiting, sent) = restarting.into_iter().partition(is_waiting);
        self.restarting = waiting;
        sent
    }

    /// Returns how bitrates are distributed on this path.
    pub fn terms(&self) -> Terms {
        let bandwidth = self.bandwidth.as_ref();
        let lost = bandwidth
            .map_or(0, |it| it.estimator.inherent_loss())
            .min(900);
        let repeated = lost * 1_000 / (1_000 - lost);
        Terms {
            cost_percent: (100 + repeated / 10).max(repeated * 100 / SHARE_PERMILLE),
            is_guess: self.remote_estimate.is_none()
                && bandwidth.is_some_and(|it| it.estimator.is_guess()),
        }
    }

    /// Takes a packet of `len` bytes from the budget of retransmissions. Returns false when that does
    /// not suffice, or the packet would come too late.
    pub fn grants_retransmission(&mut self, now: Time, importance: Importance, len: usize) -> bool {
        let traffic = &mut self.traffic;
        let bandwidth = self.bandwidth.as_mut();
        let has_long_queue = bandwidth
            .as_ref()
            .is_some_and(|it| it.estimator.has_long_queue());
        if importance == Importance::Audio && has_long_queue {
            traffic.retransmissions_refused += 1;
            return false;
        }
        let estimated = bandwidth.and_then(|it| Some((it.estimator.estimate(now)?, it)));
        let sent = match estimated {
            Some((estimate, bandwidth)) => MediaSent {
                bytes: bandwidth.carried(now, estimate),
                last_second: estimate.as_bps() / 8,
            },
            None => MediaSent {
                bytes: traffic.rtp_bytes - traffic.rtx_bytes,
                last_second: traffic.rate.bitrate(now).as_bps() / 8,
            },
        };
        let is_granted = self.retransmissions.take(sent, len as u64, importance);
        traffic.retransmissions_refused += u64::from(!is_granted);
        is_granted
    }

    /// Returns the media packets that were not sent yet, oldest first.
    #[inline]
    pub fn unsent(&self) -> &[QueuedPacket] {
        self.packets.get(self.sent..).unwrap_or_default()
    }

    /// Splits into the first `count` unsent packets and what sending them changes.
    #[inline]
    pub fn next_packets(&mut self, count: usize) -> (&[QueuedPacket], SendingState<'_>) {
        let packets = self.packets.get(self.sent..self.sent + count);
        let state = SendingState {
            transport_seq: &mut self.transport_seq,
            traffic: &mut self.traffic,
            bandwidth: self.bandwidth.as_deref_mut(),
        };
        (packets.unwrap_or_default(), state)
    }

    /// Marks the first `count` unsent packets as sent; the queue's memory is reused when it is empty.
    #[inline]
    pub fn mark_sent(&mut self, count: usize) {
        self.sent += count;
        if self.sent >= self.packets.len() {
            self.packets.clear();
            self.sent = 0;
        } else if self.sent >= SENT_KEPT_MAX {
            self.packets.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Removes the queued packets for which `is_removed` holds.
    pub fn remove_packets_if(&mut self, is_removed: impl Fn(&QueuedPacket) -> bool) {
        let is_kept = |packet: &QueuedPacket| !is_removed(packet);
        let sent = self.packets.iter().take(self.sent);
        let sent_and_kept = sent.filter(|it| is_kept(it)).count();
        self.packets.retain(is_kept);
        self.sent = sent_and_kept;
    }

    /// Removes all queued packets.
    pub fn clear_packets(&mut self) {
        self.packets.clear();
        self.sent = 0;
    }

    /// Queues the RTCP datagram that `write` produces, if it produces one and the transport is open.
    pub fn write_control(&mut self, write: impl FnOnce(&mut CompoundWriter<'_>)) {
        if self.is_open() {
            self.control.push_with(write);
        }
    }

    /// Queues a complete RTCP datagram, if the transport is open.
    pub fn push_control(&mut self, datagram: &[u8]) {
        if self.is_open() {
            self.control.push(datagram);
        }
    }

    /// Allocates the MID of a new consumer. None on this transport has had it before.
    pub fn allocate_mid(&mut self) -> Mid {
        let mid = self.mids.to_string();
        self.mids += 1;
        Mid::from(&mid).unwrap_or_default()
    }
}

impl SendingState<'_> {
    /// Remembers that the next packet whose arrival is reported repeats `packet`.
    pub fn record_retransmission(&mut self, packet: MediaPacket) {
        if let Some(bandwidth) = &mut self.bandwidth {
            bandwidth
                .retransmissions
                .record(*self.transport_seq, packet);
        }
    }

    /// Records a packet whose arrival is reported, of `len` bytes as sent.
    #[inline]
    pub fn record_sent(&mut self, now: Time, departure: Time, packet: MediaPacket, len: usize) {
        let transport_seq = *self.transport_seq;
        *self.transport_seq = transport_seq.wrapping_add(1);
        if let Some(bandwidth) = &mut self.bandwidth {
            bandwidth.record_sent(now, departure, transport_seq, packet, len);
        }
    }
}

impl SentTraffic {
    /// Counts a datagram.
    #[inline]
    pub fn record(&mut self, now: Time, len: usize) {
        self.bytes += len as u64;
        self.rate.add(now, len as u64);
    }
}

impl ControlQueue {
    /// Appends the datagram that `write` produces, if it produces one and there is room.
    fn push_with(&mut self, write: impl FnOnce(&mut CompoundWriter<'_>)) {
        if self.ends.len() >= CONTROL_MAX {
            return;
        }
        let start = self.bytes.len();
        write(&mut CompoundWriter::new(&mut self.bytes));
        if self.bytes.len() > start {
            self.ends.push(self.bytes.len());
        }
    }

    /// Appends a datagram, if there is room.
    fn push(&mut self, datagram: &[u8]) {
        if self.ends.len() < CONTROL_MAX {
            self.bytes.extend_from_slice(datagram);
            self.ends.push(self.bytes.len());
        }
    }

    /// Passes each datagram to `send` until one is refused. Returns whether all were accepted.
    pub fn drain(&mut self, mut send: impl FnMut(&[u8]) -> bool) -> bool {
        let mut start = 0;
        let mut sent = 0;
        for &end in &self.ends {
            if !send(self.bytes.get(start..end).unwrap_or_default()) {
                break;
            }
            start = end;
            sent += 1;
        }
        let all = sent == self.ends.len();
        self.bytes.drain(..start);
        self.ends.drain(..sent);
        for end in &mut self.ends {
            *end -= start;
        }
        all
    }
}
