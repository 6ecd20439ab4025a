//! Consumers: one producer's media forwarded to one peer. Selects the stream, renumbers its packets
//! and remembers which may be retransmitted.
//!
//! A consumer holds numbers, never bytes: a packet to send is described by a [`QueuedPacket`], and
//! written from the producer's packet cache when it is sent.

mod active_layers;
mod codecs;
mod counter_map;
mod format;
pub mod forward;
pub mod layer_limit;
mod layer_preference;
mod layer_selector;
pub mod layers;
mod left_layers;
mod packet;
pub mod queued_packet;
mod redundant_audio;
mod report;
pub mod resend;
mod retransmission;
pub mod rewrite;
mod rise;
mod scalable_selector;
pub mod screen;
mod selection;
mod simple_selector;
mod simulcast_selector;
mod told_state;
mod withdrawn_frames;
mod written_packets;

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::codec::Codec;
use watersmeet_wire::params::{MediaKind, RtpCodecParameters, RtpParameters};
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::{Bitrate, Mid, Pt, SeqNo, Ssrc, Time};

use crate::allocation::DegradationPreference;
use crate::consumer::counter_map::CounterMap;
use crate::consumer::format::ConsumerFormat;
use crate::consumer::layers::ConsumerLayers;
use crate::consumer::left_layers::LeftLayers;
use crate::consumer::queued_packet::{QueuedPacket, Transmission};
use crate::consumer::resend::SentPackets;
use crate::consumer::rewrite::{SequenceMap, TimestampMap, low_16_bits};
use crate::consumer::rise::RiseHold;
use crate::consumer::screen::ScreenSending;
use crate::consumer::told_state::ToldState;
use crate::consumer::written_packets::WrittenPackets;
use crate::ids::ConsumerId;
use crate::layer_structure::LayerStructure;
use crate::layers::Layers;
use crate::packet::{ClockReference, ExtensionIds};
use crate::rate::RateWindow;
use crate::redundancy::DistanceControl;
use crate::round_trip::RoundTripTime;
use crate::sample::SampledCounts;
use crate::slots::{ConsumerKey, ProducerKey, TransportKey};

/// Minimum interval between two keyframe requests of a peer that are passed on.
const KEYFRAME_REQUEST_SPACING: Duration = Duration::from_millis(500);

/// Time for which a keyframe request of a peer counts as waiting. A browser repeats it every few seconds
/// at the latest.
const KEYFRAME_WANTED_FOR: Duration = Duration::from_secs(10);

/// Number of sender reports remembered to measure the round-trip time.
const REPORTS_KEPT: usize = 4;

/// Retransmission (RTX) stream of a consumer.
#[derive(Debug)]
struct Retransmission {
    ssrc: Ssrc,
    /// Sequence number of the next retransmission.
    next_seq: u64,
}

impl Retransmission {
    fn new(ssrc: Ssrc) -> Self {
        Self {
            ssrc,
            next_seq: SeqNo::first(1).0,
        }
    }
}

/// Counters for `getStats` and sender reports.
#[derive(Debug, Default, Clone, Copy)]
#[repr(C)]
pub struct Counters {
    /// Media packets sent.
    pub packets: u64,
    /// Bytes of those packets.
    pub bytes: u64,
    /// Payload bytes of those packets.
    pub payload_bytes: u64,
    /// Retransmissions sent.
    pub retransmitted: u64,
    /// Packets that the peer reported lost.
    pub lost: u64,
    /// NACK packets received.
    pub nacks: u64,
    /// Packets requested in them.
    pub nacked_packets: u64,
    /// Picture loss indications received.
    pub plis: u64,
    /// Full intra requests received.
    pub firs: u64,
    /// Packets of a codec that the peer does not receive.
    pub unsupported: u64,
    /// Media packets that were sent with redundancy.
    pub redundant: u64,
}

/// Latest reception report of the peer.
#[derive(Debug, Clone, Copy)]
struct PeerReport {
    /// Fraction lost in the last interval, in 256ths.
    fraction_lost: u8,
    /// Packets lost so far.
    packets_lost: u32,
    /// Interarrival jitter in ticks of the RTP clock.
    jitter: u32,
}

/// One producer's media forwarded to one peer.
///
/// Fields are in memory order: those that every forwarded packet touches come first, in five cache
/// lines, which are fetched for each packet when there are many consumers.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Consumer {
    /// Producer it forwards.
    pub producer: ProducerKey,
    /// Transport on which it sends.
    pub transport: TransportKey,
    /// Its own key.
    pub key: ConsumerKey,
    /// Whether it is paused by command.
    pub paused: bool,
    /// Whether it is held back by command, which its client does not count as a pause.
    pub held: bool,
    /// Whether its transport can send media.
    connected: bool,
    /// Whether packets of any codec are sent again as they are, for want of a retransmission stream.
    repeats: bool,
    /// Whether the producer sends a codec that the peer does not receive.
    lacks_codec: bool,
    /// Whether the layers share one stream, so that those not sent leave gaps in it.
    has_shared_stream: bool,
    /// How many earlier payloads an audio packet repeats at most.
    distance: u8,
    /// Payload type of packets with redundancy; absent when the peer does not receive it.
    red_pt: Option<Pt>,
    /// Layer that is sent.
    pub layers: ConsumerLayers,
    /// Layers that were sent before.
    left_layers: LeftLayers,
    /// Codec of the media; absent when its payload is not parsed.
    codec: Option<Codec>,
    /// Maps VP8 picture ids.
    picture_ids: CounterMap,
    /// Maps VP8 TL0PICIDX values.
    tl0_pic_idxs: CounterMap,
    /// Maps RTP timestamps.
    timestamps: TimestampMap,
    /// Clock of the stream being sent.
    clock: Option<ClockReference>,
    /// Sent packets that may be retransmitted.
    sent: SentPackets,
    /// State of sending a shared screen; absent where its producer is none.
    pub screen: Option<Box<ScreenSending>>,
    /// Retransmission stream; absent when the peer does not support it.
    rtx: Option<Retransmission>,
    /// SSRC of its media.
    pub ssrc: Ssrc,
    /// Payload type of its media.
    pt: Pt,
    /// Ids of its header extensions.
    extension_ids: ExtensionIds,
    /// Whether its peer sends congestion control feedback (RFC 8888).
    has_congestion_feedback: bool,
    /// MID, unique on its transport.
    mid: Mid,
    /// Bytes sent in the last second.
    rate: RateWindow,
    /// Counters for `getStats` and sender reports.
    pub counters: Counters,
    /// Maps sequence numbers.
    sequence: SequenceMap,
    /// Fields of sent packets that may be repeated.
    written: WrittenPackets,
    /// Id that commands and events use.
    pub id: ConsumerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// RTP parameters sent to the peer.
    pub rtp: RtpParameters,
    /// Codecs that the peer receives.
    formats: Vec<ConsumerFormat>,
    /// Incoming sequence number of the first packet of the present codec.
    format_since: SeqNo,
    /// RTP clock rate in Hz.
    clock_rate: u32,
    /// Latest reception report of the peer.
    report: Option<PeerReport>,
    /// Round-trip time, measured by reports on this stream.
    round_trip: RoundTripTime,
    /// Latest sender reports: middle 32 bits of the NTP timestamp, and send time.
    reports_sent: ArrayVec<(u32, Time), REPORTS_KEPT>,
    /// Time at which a keyframe request of the peer was last passed on.
    keyframe_requested: Option<Time>,
    /// Outgoing sequence number of the last keyframe that was sent.
    keyframe_sent: Option<u64>,
    /// Importance among the consumers of its transport; more is more important.
    pub priority: u8,
    /// Whether frame rate or resolution is kept when the bandwidth does not suffice for both.
    pub degradation_preference: DegradationPreference,
    /// When it may rise to a better layer.
    pub rise: RiseHold,
    /// Its share of the bandwidth of its transport.
    pub share: BandwidthShare,
    /// Layers and score in the latest notices to its client.
    pub told: ToldState,
    /// How many earlier payloads the losses of the peer call for.
    distance_control: DistanceControl,
    /// Counters when it was sampled last.
    pub(crate) sampled: SampledCounts,
}

/// Share of a consumer in the bandwidth of its transport.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct BandwidthShare {
    /// Bitrate that it can be sent; `None` while that is not known.
    pub bitrate: Option<Bitrate>,
    /// Whether it would be sent a better spatial layer if there were more.
    pub is_limited: bool,
    /// Whether it would be sent more temporal layers if there were more.
    pub is_slowed: bool,
}

impl BandwidthShare {
    /// Returns whether it would be sent anything better if there were more.
    pub const fn is_less_than_wanted(&self) -> bool {
        self.is_limited || self.is_slowed
    }
}

/// Properties of a new consumer.
#[derive(Debug)]
pub struct ConsumerSetup {
    /// Id that commands and events use.
    pub id: ConsumerId,
    /// Its own key.
    pub key: ConsumerKey,
    /// Producer it forwards.
    pub producer: ProducerKey,
    /// Transport on which it sends.
    pub transport: TransportKey,
    /// Audio or video.
    pub kind: MediaKind,
    /// RTP parameters of the media that the peer receives.
    pub rtp: RtpParameters,
    /// Layers of the producer.
    pub layers: LayerStructure,
    /// Whether the producer is a shared screen.
    pub is_screen: bool,
    /// Preferred layers; absent means the highest.
    pub preferred_layers: Option<Layers>,
    /// Importance among the consumers of its transport.
    pub priority: u8,
    /// Whether frame rate or resolution is kept when the bandwidth does not suffice for both.
    pub degradation_preference: DegradationPreference,
    /// Whether it starts paused.
    pub paused: bool,
    /// Sequence number before that of its first packet.
    pub first_seq: u16,
}

impl Consumer {
    /// Creates a consumer that has sent nothing.
    pub fn new(setup: ConsumerSetup) -> Self {
        let ConsumerSetup {
            id,
            key,
            producer,
            transport,
            kind,
            rtp,
            ..
        } = setup;
        let encoding = rtp.encodings.first();
        let ssrc = encoding.and_then(|it| it.ssrc).unwrap_or_default();
        let rtx_ssrc = encoding.and_then(|it| Some(it.rtx?.ssrc));
        let formats = ConsumerFormat::all_of(&rtp.codecs, rtx_ssrc.is_some());
        let first = formats.first().copied();
        let codec = first.and_then(|format| format.codec);
        let needs_keyframe = kind == MediaKind::Video && codec.is_some();
        let has_rtx = formats.iter().any(|format| format.rtx_pt.is_some());
        Self {
            id,
            producer,
            transport,
            key,
            kind,
            ssrc,
            paused: setup.paused,
            held: false,
            connected: false,
            layers: ConsumerLayers::new(setup.layers, setup.preferred_layers, needs_keyframe),
            counters: Counters::default(),
            codec,
            pt: first.map_or(Pt::default(), |format| format.pt),
            clock_rate: first.map_or(90_000, |format| format.clock_rate),
            repeats: formats.iter().any(|format| format.repeats),
            formats,
            format_since: SeqNo::default(),
            lacks_codec: false,
            has_shared_stream: setup.layers.has_shared_stream(),
            distance: 0,
            red_pt: red_pt(&rtp).filter(|_| !has_rtx),
            rtx: rtx_ssrc.filter(|_| has_rtx).map(Retransmission::new),
            extension_ids: extension_ids(&rtp, setup.layers),
            has_congestion_feedback: has_congestion_feedback(&rtp.codecs),
            mid: rtp.mid.unwrap_or_default(),
            sequence: SequenceMap::new(SeqNo::first(setup.first_seq)),
            timestamps: TimestampMap::default(),
            picture_ids: CounterMap::default(),
            tl0_pic_idxs: CounterMap::default(),
            left_layers: LeftLayers::default(),
            clock: None,
            sent: SentPackets::default(),
            written: WrittenPackets::default(),
            rate: RateWindow::default(),
            report: None,
            round_trip: RoundTripTime::default(),
            reports_sent: ArrayVec::new(),
            keyframe_requested: None,
            keyframe_sent: None,
            screen: setup.is_screen.then(Box::default),
            priority: setup.priority,
            degradation_preference: setup.degradation_preference,
            rise: RiseHold::default(),
            share: BandwidthShare::default(),
            told: ToldState::default(),
            distance_control: DistanceControl::new(SeqNo::first(setup.first_seq).0),
            sampled: SampledCounts::default(),
            rtp,
        }
    }

    /// Returns whether packets are sent, as far as commands decide.
    const fn is_wanted(&self) -> bool {
        !self.paused && !self.held
    }

    /// Returns whether packets are sent, as far as commands and the transport decide.
    #[inline]
    const fn is_open(&self) -> bool {
        self.is_wanted() && self.connected
    }

    /// Returns whether packets of its producer are sent, as far as commands and the transport decide.
    pub const fn is_sending(&self) -> bool {
        self.is_open() && !self.lacks_codec
    }

    /// Returns the bitrate of the last second.
    pub fn bitrate(&self, now: Time) -> Bitrate {
        self.rate.bitrate(now)
    }

    /// Returns the ids of its header extensions.
    pub const fn extension_ids(&self) -> ExtensionIds {
        self.extension_ids
    }

    /// Forgets a queued packet that is not sent after all, and takes its number back.
    pub fn forget_sent(&mut self, packet: &QueuedPacket) {
        if packet.transmission != Transmission::First {
            return;
        }
        self.sent.withdraw(packet.seq);
        self.sequence.take_back(packet.seq);
        if self.keyframe_sent > Some(self.sequence.highest()) {
            self.keyframe_sent = None;
        }
    }

    /// Returns whether its peer reports when its packets arrive: because they carry transport-wide
    /// sequence numbers, or by congestion control feedback.
    pub fn has_arrival_feedback(&self) -> bool {
        let transport_seq = self.extension_ids.id(ExtensionKind::TransportWideCc);
        transport_seq.is_some() || self.has_congestion_feedback
    }

    /// Returns whether its peer sends congestion control feedback (RFC 8888).
    pub const fn has_congestion_feedback(&self) -> bool {
        self.has_congestion_feedback
    }

    /// Counts a packet that was sent; `len` includes the header.
    #[inline]
    pub fn record_sent(&mut self, now: Time, packet: &QueuedPacket, header_len: usize, len: usize) {
        self.rate.add(now, len as u64);
        if packet.transmission != Transmission::First {
            self.counters.retransmitted += 1;
            return;
        }
        if !packet.patch.redundancy.is_none() {
            self.counters.redundant += 1;
        }
        if let Some(screen) = &mut self.screen {
            screen.record_sent(now, packet, len);
            self.sent.record_sent(now, low_16_bits(packet.seq));
        }
        self.counters.packets += 1;
        self.counters.bytes += len as u64;
        self.counters.payload_bytes += (len - header_len) as u64;
    }

    /// Pauses or resumes. After a pause, sending starts with a keyframe.
    pub fn set_paused(&mut self, paused: bool) {
        if self.paused && !paused {
            self.layers.restart();
        }
        self.paused = paused;
    }

    /// Holds it back or lets it go on. Sending starts with a keyframe then.
    pub fn set_held(&mut self, held: bool) {
        self.layers.restart();
        self.held = held;
    }

    /// Continues with the packet `seq` of the stream being sent, after packets that were left out: the peer
    /// sees no gap.
    pub fn continue_at(&mut self, seq: SeqNo) {
        self.sequence.join(seq);
    }

    /// Sets whether its transport can send. When it can again, sending starts with a keyframe.
    pub fn set_connected(&mut self, connected: bool) {
        if connected && !self.connected {
            self.layers.restart();
        }
        self.connected = connected;
    }

    /// Returns the layer whose keyframe it waits for; `None` while it cannot send.
    pub fn awaited_keyframe(&self) -> Option<u8> {
        if !self.is_sending() {
            return None;
        }
        self.layers.awaited_keyframe()
    }

    /// Returns the highest of `count` layers that it wants, also before its transport is connected; `None`
    /// while it is paused or held back.
    pub fn wanted_layer(&self, count: u8) -> Option<u8> {
        if !self.is_wanted() || self.lacks_codec {
            return None;
        }
        self.layers.wanted(count, self.share.is_limited)
    }

    /// Returns the layer whose keyframe it waits for, or for which its peer has asked lately.
    pub fn wanted_keyframe(&self, now: Time) -> Option<u8> {
        let is_recent = |at| now.since(at) < KEYFRAME_WANTED_FOR;
        let has_asked = self.is_wanted() && self.keyframe_requested.is_some_and(is_recent);
        let current = || self.layers.current().filter(|_| has_asked);
        self.awaited_keyframe().or_else(current)
    }

    /// Returns whether the peer needs this packet to decode what follows: no later keyframe was sent.
    pub fn needs(&self, seq: u16) -> bool {
        // Whole numbers: the last keyframe may be more than half a wrap ago.
        let number = self.sequence.number_of(seq);
        let follows = |keyframe| number >= keyframe;
        self.kind == MediaKind::Video && self.keyframe_sent.is_some_and(follows)
    }

    /// Returns whether the peer needs a packet that can no longer be retransmitted.
    pub fn is_beyond_repair(&self, now: Time, seq: u16) -> bool {
        self.needs(seq) && self.sent.is_beyond_repair(now, seq)
    }

    /// Returns whether a packet was retransmitted as often as it may be.
    pub fn is_repair_exhausted(&self, seq: u16) -> bool {
        self.sent.is_exhausted(seq)
    }

    /// Returns the SSRCs it sends: media, and retransmissions if supported.
    pub fn ssrcs(&self) -> impl Iterator<Item = Ssrc> + use<> {
        [Some(self.ssrc), self.rtx.as_ref().map(|rtx| rtx.ssrc)]
            .into_iter()
            .flatten()
    }

    /// Counts a keyframe request of the peer. Returns whether to pass it on.
    pub fn accepts_keyframe_request(&mut self, now: Time, full_intra: bool) -> bool {
        if full_intra {
            self.counters.firs += 1;
        } else {
            self.counters.plis += 1;
        }
        let is_early = |last| now.since(last) < KEYFRAME_REQUEST_SPACING;
        if !self.is_wanted() || self.keyframe_requested.is_some_and(is_early) {
            return false;
        }
        self.keyframe_requested = Some(now);
        true
    }
}

/// Returns the payload type of packets with redundancy, if the peer receives it for its codec.
fn red_pt(rtp: &RtpParameters) -> Option<Pt> {
    let red = rtp.codecs.iter().find(|codec| codec.is_red())?;
    let primary = red.red_primary()?;
    let is_received = rtp.codecs.iter().any(|it| it.payload_type == primary);
    is_received.then_some(red.payload_type)
}

/// Returns whether a peer with these codecs sends congestion control feedback.
fn has_congestion_feedback(codecs: &[RtpCodecParameters]) -> bool {
    codecs.iter().any(|it| it.has_feedback("ack", "ccfb"))
}

/// Returns the ids of the header extensions of a consumer's packets.
fn extension_ids(rtp: &RtpParameters, layers: LayerStructure) -> ExtensionIds {
    let mut ids = ExtensionIds::default();
    ids.learn(&rtp.header_extensions);
    if !layers.is_one_stream() {
        // Each stream numbers its frames and describes its structure itself.
        ids.forget(ExtensionKind::DependencyDescriptor);
    }
    ids
}
