//! One producer on its way to one peer: which of its streams, under which numbers, and what may
//! be sent again.
//!
//! It holds numbers, never bytes: a packet that is to leave is named by a `QueuedPacket`, and
//! written from the producer's history when its turn comes.

pub mod layers;
mod packet;
pub mod queued_packet;
pub mod resend;
pub mod rewrite;

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::codec::{Codec, PayloadDescriptor};
use watersmeet_wire::params::{MediaKind, RtpParameters};
use watersmeet_wire::rtcp::report::ReportBlock;
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::{Mid, Pt, SeqNo, Ssrc, Time};

use crate::consumer::layers::{Choice, LayerChoice};
use crate::consumer::queued_packet::{DescriptorPatch, QueuedPacket};
use crate::consumer::resend::SentPackets;
use crate::consumer::rewrite::{CounterMap, SequenceMap, TimestampMap, media_time};
use crate::ids::ConsumerId;
use crate::layers::Layers;
use crate::packet::{Arrival, ClockReference, ExtensionIds};
use crate::rate::RateWindow;
use crate::slots::{ConsumerKey, ProducerKey, TransportKey};
use crate::stats::ConsumerStats;

/// The shortest time between two keyframe requests of one peer that are listened to.
const KEYFRAME_REQUEST_SPACING: Duration = Duration::from_millis(500);

/// The round trip assumed before the peer's first report.
const RTT_DEFAULT: Duration = Duration::from_millis(100);

/// Sender reports whose time of sending is remembered, to measure the round trip by.
const REPORTS_KEPT: usize = 4;

/// The retransmission stream of a consumer.
#[derive(Debug)]
struct Retransmission {
    ssrc: Ssrc,
    pt: Pt,
    /// The next number of the stream.
    next_seq: u64,
}

/// WorkerMetrics that `getStats` shows, and the sender reports need.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C)]
pub struct Counters {
    /// Media packets sent.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of their payloads.
    pub payload_bytes: u64,
    /// Retransmissions sent.
    pub retransmitted: u64,
    /// Packets that were missing when the peer reported.
    pub lost: u64,
    /// NACK packets received.
    pub nacks: u64,
    /// Packets asked for in them.
    pub nacked_packets: u64,
    /// Picture loss indications received.
    pub plis: u64,
    /// Full intra requests received.
    pub firs: u64,
}

/// What the peer's latest report says.
#[derive(Debug, Clone, Copy)]
struct PeerReport {
    fraction_lost: u8,
    packets_lost: u32,
    rtt: Duration,
}

/// What a sender report says besides the wall clock (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderReportFields {
    /// The stream.
    pub ssrc: Ssrc,
    /// The media time at the moment of the report.
    pub timestamp: u32,
    /// Packets sent, modulo 2^32.
    pub packets: u32,
    /// Payload bytes sent, modulo 2^32.
    pub payload_bytes: u32,
}

/// A producer on its way to a peer. In the order of memory: what each forwarded packet touches
/// comes first, in five cache lines, of which each is fetched anew where consumers are many.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Consumer {
    /// Its producer's place in the worker.
    pub producer: ProducerKey,
    /// Its transport's place in the worker.
    pub transport: TransportKey,
    /// Its own place in the worker.
    pub key: ConsumerKey,
    /// Whether it was paused by command.
    pub paused: bool,
    /// Whether its transport can send.
    connected: bool,
    /// Which stream is sent.
    pub layers: LayerChoice,
    /// What is sent as media; absent when it cannot be looked into.
    codec: Option<Codec>,
    /// VP8's picture ids.
    picture_ids: CounterMap,
    /// VP8's TL0PICIDX.
    tl0_pic_idxs: CounterMap,
    /// Media time.
    timestamps: TimestampMap,
    /// The clock of the stream being sent.
    clock: Option<ClockReference>,
    /// What may be sent again.
    sent: SentPackets,
    /// Its retransmissions; absent when the peer takes none.
    rtx: Option<Retransmission>,
    /// The SSRC of its media.
    pub ssrc: Ssrc,
    /// Its payload type.
    pt: Pt,
    /// The ids of its extensions.
    extension_ids: ExtensionIds,
    /// Its MID.
    mid: Mid,
    /// Bits sent over the last second.
    rate: RateWindow,
    /// WorkerMetrics.
    pub counters: Counters,
    /// Numbering.
    sequence: SequenceMap,
    /// Its id.
    pub id: ConsumerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What the peer was told.
    pub rtp: RtpParameters,
    /// RTP clock in Hz.
    clock_rate: u32,
    /// What the peer reports.
    report: Option<PeerReport>,
    /// The latest sender reports: middle of the NTP time, and when it was sent.
    reports_sent: ArrayVec<(u32, Time), REPORTS_KEPT>,
    /// When the peer's request for a keyframe was last listened to.
    keyframe_heard: Option<Time>,
}

/// What a new consumer is made from.
#[derive(Debug)]
pub struct ConsumerSetup {
    /// Its id.
    pub id: ConsumerId,
    /// Its own place in the worker.
    pub key: ConsumerKey,
    /// Its producer's place in the worker.
    pub producer: ProducerKey,
    /// Its transport's place in the worker.
    pub transport: TransportKey,
    /// Audio or video.
    pub kind: MediaKind,
    /// What the peer receives.
    pub rtp: RtpParameters,
    /// How many streams the producer has.
    pub streams: u8,
    /// The layer wished for.
    pub preferred_layers: Option<Layers>,
    /// Whether it begins paused.
    pub paused: bool,
    /// Where its numbering begins.
    pub first_seq: u16,
}

impl Consumer {
    /// A consumer that nothing has gone to.
    pub fn new(setup: ConsumerSetup) -> Self {
        let ConsumerSetup {
            id,
            key,
            producer,
            transport,
            kind,
            rtp,
            paused,
            ..
        } = setup;
        let media = rtp.codecs.first();
        let codec = media.and_then(|codec| Codec::of_mime_type(&codec.mime_type));
        let rtx_pt = rtp
            .codecs
            .iter()
            .find(|codec| codec.is_rtx())
            .map(|it| it.payload_type);
        let encoding = rtp.encodings.first();
        let rtx_ssrc = encoding
            .and_then(|encoding| encoding.rtx)
            .map(|rtx| rtx.ssrc);
        let mut extension_ids = ExtensionIds::default();
        extension_ids.learn(&rtp.header_extensions);
        let needs_keyframe = kind == MediaKind::Video && codec.is_some();
        Self {
            id,
            producer,
            transport,
            key,
            kind,
            ssrc: encoding
                .and_then(|encoding| encoding.ssrc)
                .unwrap_or_default(),
            paused,
            connected: false,
            layers: LayerChoice::new(setup.streams, setup.preferred_layers, needs_keyframe),
            counters: Counters::default(),
            codec,
            pt: media.map_or(Pt::default(), |codec| codec.payload_type),
            clock_rate: media.map_or(90_000, |codec| codec.clock_rate),
            rtx: rtx_pt.zip(rtx_ssrc).map(|(pt, ssrc)| Retransmission {
                ssrc,
                pt,
                next_seq: SeqNo::first(1).0,
            }),
            extension_ids,
            mid: rtp.mid.unwrap_or_default(),
            sequence: SequenceMap::new(SeqNo::first(setup.first_seq)),
            timestamps: TimestampMap::default(),
            picture_ids: CounterMap::default(),
            tl0_pic_idxs: CounterMap::default(),
            clock: None,
            sent: SentPackets::default(),
            rate: RateWindow::default(),
            report: None,
            reports_sent: ArrayVec::new(),
            keyframe_heard: None,
            rtp,
        }
    }

    /// Decides about a packet of the producer: what leaves, if anything does. Says also whether
    /// the stream that is sent changed with it.
    #[inline]
    pub fn forward(&mut self, now: Time, arrival: &Arrival) -> Option<(QueuedPacket, bool)> {
        if self.paused || !self.connected {
            return None;
        }
        let choice = self
            .layers
            .choose(arrival.stream, arrival.descriptor.keyframe);
        match choice {
            Choice::Skip => return None,
            Choice::Switch => self.switch_to(now, arrival),
            Choice::Forward => {}
        }
        if !arrival.has_payload {
            self.sequence.hold_back(arrival.seq);
            return None;
        }
        let seq = self.sequence.map(arrival.seq)?;
        let timestamp = self.timestamps.map(now, arrival.timestamp);
        let patch = self.patch(&arrival.descriptor);
        self.clock = arrival.clock;
        if self.rtx.is_some() {
            self.sent
                .insert(now, seq, arrival.stream, arrival.seq, timestamp, patch);
        }
        let departure = QueuedPacket {
            consumer: self.key,
            stream: arrival.stream,
            origin: arrival.seq,
            seq,
            repeats: None,
            timestamp,
            patch,
        };
        Some((departure, choice == Choice::Switch))
    }

    /// Goes on with another stream from this packet on.
    fn switch_to(&mut self, now: Time, arrival: &Arrival) {
        let reference = self.same_moment(arrival);
        self.sequence.join(arrival.seq);
        self.timestamps
            .join(now, arrival.timestamp, self.clock_rate, reference);
        if let Some(picture_id) = arrival.descriptor.picture_id {
            self.picture_ids.join(picture_id.value());
        }
        if let Some(index) = arrival.descriptor.tl0_pic_idx {
            self.tl0_pic_idxs.join(u16::from(index));
        }
        self.layers.switched_to(arrival.stream);
    }

    /// The outgoing media time of the moment at which `arrival` was captured, by the clock of the
    /// stream sent so far; nothing if one of the clocks is unknown.
    fn same_moment(&self, arrival: &Arrival) -> Option<u32> {
        let wall = arrival.clock?.wall_at(arrival.timestamp, self.clock_rate);
        let timestamp = self.clock?.timestamp_at(wall, self.clock_rate);
        Some(timestamp.wrapping_add(self.timestamps.offset()))
    }

    /// What to write over the payload header so that the picture counters go on.
    fn patch(&mut self, descriptor: &PayloadDescriptor) -> DescriptorPatch {
        if self.codec != Some(Codec::Vp8) {
            return DescriptorPatch::default();
        }
        let picture_id = descriptor.picture_id.and_then(|id| {
            let mapped = self
                .picture_ids
                .map(id.value(), if id.is_extended() { 15 } else { 7 });
            (mapped != id.value()).then_some(mapped)
        });
        let tl0_pic_idx = descriptor.tl0_pic_idx.and_then(|index| {
            let mapped = self.tl0_pic_idxs.map(u16::from(index), 8);
            u8::try_from(mapped).ok().filter(|mapped| *mapped != index)
        });
        DescriptorPatch {
            picture_id,
            tl0_pic_idx,
        }
    }

    /// The packet with this number once more, if the peer may have it now.
    pub fn resend(&mut self, now: Time, wanted: u16) -> Option<QueuedPacket> {
        let rtt = self.rtt();
        let rtx = self.rtx.as_mut()?;
        let sent = self.sent.take_due(now, wanted, rtt)?;
        let seq = rtx.next_seq;
        rtx.next_seq += 1;
        Some(QueuedPacket {
            consumer: self.key,
            stream: sent.stream,
            origin: sent.origin,
            seq,
            repeats: Some(wanted),
            timestamp: sent.timestamp,
            patch: sent.patch,
        })
    }

    /// Payload type and SSRC under which a departure leaves.
    #[inline]
    pub fn outgoing_stream(&self, departure: &QueuedPacket) -> (Pt, Ssrc) {
        match (&self.rtx, departure.repeats) {
            (Some(rtx), Some(_)) => (rtx.pt, rtx.ssrc),
            _ => (self.pt, self.ssrc),
        }
    }

    /// Whether its packets carry the transport's numbers.
    pub fn uses_transport_seq(&self) -> bool {
        self.extension_ids
            .id(ExtensionKind::TransportWideCc)
            .is_some()
    }

    /// Counts a packet that left.
    #[inline]
    pub fn record_sent(
        &mut self,
        now: Time,
        departure: &QueuedPacket,
        header_len: usize,
        len: usize,
    ) {
        self.rate.add(now, len as u64);
        if departure.repeats.is_some() {
            self.counters.retransmitted += 1;
            return;
        }
        self.counters.packets += 1;
        self.counters.bytes += len as u64;
        self.counters.payload_bytes += (len - header_len) as u64;
    }

    /// Stops or goes on. Nothing is sent after a pause before the next keyframe.
    pub fn set_paused(&mut self, paused: bool) {
        if self.paused && !paused {
            self.layers.restart();
        }
        self.paused = paused;
    }

    /// Tells whether its transport can send. What begins anew begins with a keyframe.
    pub fn set_connected(&mut self, connected: bool) {
        if connected && !self.connected {
            self.layers.restart();
        }
        self.connected = connected;
    }

    /// The stream whose keyframe it waits for, if it could send it.
    pub fn awaited_keyframe(&self) -> Option<u8> {
        if self.paused || !self.connected {
            return None;
        }
        self.layers.awaited_keyframe()
    }

    /// The SSRCs under which it sends: media, and retransmissions if there are any.
    pub fn ssrcs(&self) -> impl Iterator<Item = Ssrc> + use<> {
        [Some(self.ssrc), self.rtx.as_ref().map(|rtx| rtx.ssrc)]
            .into_iter()
            .flatten()
    }

    /// Whether a keyframe request of the peer is to be listened to.
    pub fn accepts_keyframe_request(&mut self, now: Time, full_intra: bool) -> bool {
        if full_intra {
            self.counters.firs += 1;
        } else {
            self.counters.plis += 1;
        }
        let early = |heard| now.since(heard) < KEYFRAME_REQUEST_SPACING;
        if self.paused || self.keyframe_heard.is_some_and(early) {
            return false;
        }
        self.keyframe_heard = Some(now);
        true
    }

    /// Takes in the peer's report on the stream.
    pub fn record_report(&mut self, now: Time, block: &ReportBlock) {
        let echoed = |sent: &&(u32, Time)| block.last_sr != 0 && sent.0 == block.last_sr;
        let rtt = self.reports_sent.iter().find(echoed).map(|(_, at)| {
            let held_micros = u64::from(block.delay_since_last_sr) * 1_000_000 / 65_536;
            now.since(*at)
                .saturating_sub(Duration::from_micros(held_micros))
        });
        let packets_lost = u32::try_from(block.cumulative_lost).unwrap_or(0);
        let lost_before = self.report.map_or(0, |report| report.packets_lost);
        self.counters.lost += u64::from(packets_lost.saturating_sub(lost_before));
        self.report = Some(PeerReport {
            fraction_lost: block.fraction_lost,
            packets_lost,
            rtt: rtt.unwrap_or_else(|| self.rtt()),
        });
    }

    /// The round trip to the peer.
    pub fn rtt(&self) -> Duration {
        self.report.map_or(RTT_DEFAULT, |report| report.rtt)
    }

    /// The round trip to the peer, once the peer has reported.
    pub fn measured_rtt(&self) -> Option<Duration> {
        self.report.map(|report| report.rtt)
    }

    /// What a sender report should say at this moment; nothing before the first packet.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the report counts modulo 2^32"
    )]
    pub fn sender_report(&self, now: Time, wall_micros: u64) -> Option<SenderReportFields> {
        let (latest, sent) = self.timestamps.latest()?;
        let timestamp = match self.clock {
            Some(clock) => clock
                .timestamp_at(wall_micros, self.clock_rate)
                .wrapping_add(self.timestamps.offset()),
            None => latest.wrapping_add(media_time(now.since(sent), self.clock_rate)),
        };
        Some(SenderReportFields {
            ssrc: self.ssrc,
            timestamp,
            packets: self.counters.packets as u32,
            payload_bytes: self.counters.payload_bytes as u32,
        })
    }

    /// Remembers a sender report that left.
    pub fn record_report_sent(&mut self, now: Time, compact_ntp: u32) {
        if self.reports_sent.is_full() {
            self.reports_sent.remove(0);
        }
        self.reports_sent.push((compact_ntp, now));
    }

    /// What `getStats` tells.
    pub fn stats(&mut self, now: Time) -> ConsumerStats {
        let report = self.report;
        let current = self.layers.current();
        ConsumerStats {
            stats_type: "outbound-rtp",
            timestamp: now.as_millis(),
            ssrc: self.ssrc.0,
            rtx_ssrc: self.rtx.as_ref().map(|rtx| rtx.ssrc.0),
            kind: self.kind,
            mime_type: self
                .rtp
                .codecs
                .first()
                .map(|it| it.mime_type.clone())
                .unwrap_or_default(),
            packet_count: self.counters.packets,
            byte_count: self.counters.bytes,
            bitrate: self.rate.bitrate(now).as_bps(),
            packets_lost: report.map_or(0, |report| u64::from(report.packets_lost)),
            fraction_lost: report.map_or(0, |report| report.fraction_lost),
            round_trip_time: report.map_or(0.0, |report| report.rtt.as_secs_f64() * 1_000.0),
            packets_retransmitted: self.counters.retransmitted,
            nack_count: self.counters.nacks,
            nack_packet_count: self.counters.nacked_packets,
            pli_count: self.counters.plis,
            fir_count: self.counters.firs,
            current_layers: current.map(|spatial_layer| Layers {
                spatial_layer,
                temporal_layer: None,
            }),
        }
    }
}

/// The 16 bits of a number that stand in a packet.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the low 16 bits are what is asked for"
)]
pub const fn raw(seq: u64) -> u16 {
    seq as u16
}
