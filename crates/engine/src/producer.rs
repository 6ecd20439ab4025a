//! Producers: one media source that a peer sends. Accepts and caches its packets, requests missing
//! packets and keyframes.
//!
//! A producer does not know its consumers and never sends: it returns the feedback that its
//! publisher should get, and the worker sends it.

pub mod activity;
mod cached_arrivals;
pub mod demand;
mod frame_description;
pub mod keyframe;
mod layer_rates;
mod layers;
pub mod nack;
mod payload_format;
mod recovery;
mod repeatable_payloads;
pub mod stream;
mod temporal_shares;

use watersmeet_wire::params::{MediaKind, RtpCodecParameters, RtpParameters};
use watersmeet_wire::units::{Pt, Ssrc, Time};

use crate::ids::ProducerId;
use crate::layer_structure::{LayerStructure, tells_temporal_layers};
use crate::ortc::{NegotiatedProducer, RtpMapping};
use crate::packet::{Arrival, Incoming};
use crate::producer::activity::Activity;
use crate::producer::demand::{Demand, DemandReports, Want};
use crate::producer::keyframe::KeyframeRequests;
use crate::producer::layer_rates::LayerRate;
use crate::producer::nack::Gap;
use crate::producer::payload_format::PayloadFormat;
use crate::producer::stream::{Accepted, RetransmissionSupport, Stream};
use crate::producer::temporal_shares::TemporalShares;
use crate::publisher_clock::{PublisherClock, ReportClock};
use crate::score::{EncodingScore, is_notable};
use crate::shard_message::{ShardMessage, SharedPacket};
use crate::slots::{RouterKey, TransportKey};
use crate::stats::ProducerStats;
use crate::timers::Deadline;

pub use payload_format::SupportedFeedback;

/// Subscription of another shard to a producer.
#[derive(Debug, Clone, Copy)]
pub struct PipeSubscription {
    /// The shard.
    pub shard: u8,
    /// Streams whose keyframe it awaits, as a bit set.
    pub awaited: u8,
    /// Layer and bitrates that the consumers on that shard want.
    pub want: Want,
}

/// Keyframe request to send to the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyframeRequest {
    /// SSRC of the stream.
    pub ssrc: Ssrc,
    /// Sequence number of a FIR, for publishers that do not support PLI; absent for a PLI.
    pub fir: Option<u8>,
}

/// Source of a producer's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A peer sends them on this transport.
    Transport(TransportKey),
    /// They are piped from this shard, to which the peer sends them.
    Shard(u8),
}

/// One media source.
#[derive(Debug)]
pub struct Producer {
    /// Id that commands and events use.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// Consumable RTP parameters, with the router's payload types and SSRCs.
    pub consumable: RtpParameters,
    /// Streams of its encodings, lowest quality first.
    pub streams: Vec<Stream>,
    /// Whether it is paused by command.
    pub paused: bool,
    /// Router it belongs to.
    pub router: RouterKey,
    /// Source of its packets.
    pub origin: Origin,
    /// Subscriptions of other shards.
    pub pipes: Vec<PipeSubscription>,
    /// Deadline for repeating the subscription to its origin, for piped producers.
    pub pipe_deadline: Deadline,
    /// Deadline of the requests for missing packets.
    pub nack_deadline: Deadline,
    /// Deadline of the keyframe requests.
    pub keyframe_deadline: Deadline,
    /// Deadline of the next comparison of what is wanted with what its publisher was told.
    pub demand_deadline: Deadline,
    /// Reports of demand to its publisher, or to the shard it is piped from.
    demand: DemandReports,
    /// Feedback on bandwidth that its publisher supports for any codec, and of the rest what it supports
    /// for the first.
    pub feedback: SupportedFeedback,
    /// Tracks which streams are active.
    pub activity: Activity,
    /// Whether it is a shared screen.
    is_screen: bool,
    /// Whether its packets carry audio levels.
    pub has_levels: bool,
    /// Loudest of them since the last sample, in −dBov.
    pub loudest: Option<u8>,
    /// How its layers are carried.
    structure: LayerStructure,
    /// Whether its packets tell their temporal layer.
    tells_temporal_layers: bool,
    /// Bitrates of its layers.
    layer_rates: Vec<LayerRate>,
    /// Shares of the temporal layers in each of its layers.
    temporal_shares: Vec<TemporalShares>,
    /// Scores reported last.
    reported_scores: Vec<u8>,
    /// Codecs of its packets.
    formats: Vec<PayloadFormat>,
    /// Payload type whose payloads may be repeated to receivers of redundant audio, if any.
    repeatable_pt: Option<Pt>,
    /// Sequence number of the latest FIR.
    fir_seq: u8,
}

/// Result of accepting a packet.
#[derive(Debug, Default)]
pub struct Acceptance {
    /// The packet, if it is new.
    pub arrival: Option<Arrival>,
    /// Whether requests for missing packets or for a keyframe are due.
    pub found_gap: bool,
    /// Whether the stream's keyframe was requested in vain, and can be requested once more.
    pub is_keyframe_overdue: bool,
}

/// Creates the streams of these encodings.
fn new_streams(
    parameters: &RtpParameters,
    clock_rate: u32,
    retransmission: RetransmissionSupport,
) -> Vec<Stream> {
    let encodings = parameters.encodings.iter();
    encodings
        .map(|encoding| {
            let mut stream = Stream::new(clock_rate, retransmission);
            stream.ssrc = encoding.ssrc;
            stream.rtx_ssrc = encoding.rtx.map(|rtx| rtx.ssrc);
            stream.rid = encoding.rid;
            stream
        })
        .collect()
}

/// The codec of a packet was not negotiated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownPayloadType;

impl Producer {
    /// Creates a producer that has received nothing.
    pub fn new(
        id: ProducerId,
        kind: MediaKind,
        negotiated: NegotiatedProducer,
        router: RouterKey,
        origin: Origin,
    ) -> Self {
        let NegotiatedProducer {
            parameters,
            mapping,
            consumable,
        } = negotiated;
        let first = parameters.codecs.first();
        let any = |kind| parameters.codecs.iter().any(|it| it.has_feedback(kind, ""));
        let feedback = SupportedFeedback {
            transport_cc: any("transport-cc"),
            remb: any("goog-remb"),
            ..first.map(SupportedFeedback::of).unwrap_or_default()
        };
        let structure = LayerStructure::of(&parameters);
        let layer_count = usize::from(structure.count());
        let clock_rate = first.map_or(90_000, |codec| codec.clock_rate);
        let codecs = parameters.codecs.iter();
        let formats: Vec<_> = codecs
            .map(|codec| PayloadFormat::of(codec, &mapping))
            .collect();
        let retransmission = formats.first().map(|it| it.retransmission(&formats));
        let streams = new_streams(&parameters, clock_rate, retransmission.unwrap_or_default());
        Self {
            id,
            kind,
            repeatable_pt: consumable
                .codecs
                .iter()
                .find_map(RtpCodecParameters::red_primary),
            consumable,
            activity: Activity::new(layer_count),
            is_screen: false,
            has_levels: false,
            loudest: None,
            structure,
            tells_temporal_layers: tells_temporal_layers(&parameters),
            layer_rates: vec![LayerRate::default(); layer_count],
            temporal_shares: vec![TemporalShares::default(); layer_count],
            reported_scores: vec![0; streams.len()],
            streams,
            paused: false,
            router,
            origin,
            pipes: Vec::new(),
            pipe_deadline: Deadline::default(),
            nack_deadline: Deadline::default(),
            keyframe_deadline: Deadline::default(),
            demand_deadline: Deadline::default(),
            demand: DemandReports::new(u8::try_from(layer_count).unwrap_or(u8::MAX)),
            feedback,
            formats,
            fir_seq: 0,
        }
    }

    /// Creates a producer that is piped from shard `origin`.
    pub fn piped(
        id: ProducerId,
        kind: MediaKind,
        consumable: RtpParameters,
        router: RouterKey,
        origin: u8,
    ) -> Self {
        let negotiated = NegotiatedProducer {
            mapping: RtpMapping::identity(&consumable),
            parameters: consumable.clone(),
            consumable,
        };
        let mut producer = Self::new(id, kind, negotiated, router, Origin::Shard(origin));
        for stream in &mut producer.streams {
            // Its origin requests missing packets from the publisher.
            stream.nacks = None;
            stream.keyframes = KeyframeRequests::message();
        }
        producer
    }

    /// Returns whether its publisher sends to this shard.
    pub const fn is_local(&self) -> bool {
        matches!(self.origin, Origin::Transport(_))
    }

    /// Returns its state as a message for subscribed shards. `started` is a layer whose keyframe follows.
    pub fn state(&self, started: Option<u8>) -> ShardMessage {
        ShardMessage::State {
            producer: self.id,
            paused: self.paused,
            active: self.activity.active(),
            started,
        }
    }

    /// Caches a packet that was accepted on another shard.
    #[inline]
    pub fn cache(&mut self, now: Time, packet: &SharedPacket) {
        if let Some(stream) = self.streams.get_mut(usize::from(packet.arrival.stream)) {
            stream.cache_shared(now, packet);
        }
    }

    /// Accepts a packet of one of its streams, which arrived with `ssrc`.
    ///
    /// # Errors
    /// The codec of the packet was not negotiated.
    pub fn accept(
        &mut self,
        now: Time,
        index: u8,
        ssrc: Ssrc,
        incoming: Incoming,
        packet: &[u8],
        retransmission: bool,
    ) -> Result<Acceptance, UnknownPayloadType> {
        let found = self.media_of(index, ssrc, incoming, packet, retransmission)?;
        let stream = self.streams.get_mut(usize::from(index));
        let (Some((media_at, mapped)), Some(stream)) = (found, stream) else {
            return Ok(Acceptance::default());
        };
        let media = self.formats.get(usize::from(media_at));
        let media = media.ok_or(UnknownPayloadType)?;
        let is_other_ssrc = !retransmission && stream.record_ssrc(ssrc);
        let is_other_codec =
            media_at != stream.format && !retransmission && stream.is_newest(mapped.seq);
        if is_other_codec {
            let retransmission = media.retransmission(&self.formats);
            stream.set_format(media_at, media.clock_rate, retransmission);
        }
        let Accepted::New { seq, at, gap } = stream.accept(now, &mapped, packet) else {
            return Ok(Acceptance::default());
        };
        let mut descriptor = stream.describe(media.codec, &mapped, packet);
        if descriptor.keyframe {
            stream.record_keyframe(seq, mapped.timestamp);
        }
        let layer = self.structure.layer_of(index, &mut descriptor);
        // A receiver cannot decode another codec, or a stream after a large gap, without a keyframe.
        let has_changed = is_other_codec || is_other_ssrc;
        let is_undecodable = gap == Gap::TooLarge || has_changed && !descriptor.keyframe;
        if is_undecodable && self.kind == MediaKind::Video {
            stream.keyframes.request();
        }
        let arrival = Arrival {
            at,
            stream: index,
            pt: mapped.pt,
            layer,
            seq,
            timestamp: mapped.timestamp,
            has_payload: mapped.payload_len > 0,
            marker: mapped.marker,
            descriptor,
            clock: stream.clock_reference,
            redundancy: mapped.redundancy(),
        };
        Ok(Acceptance {
            arrival: Some(arrival),
            found_gap: gap != Gap::None || is_undecodable,
            is_keyframe_overdue: stream.keyframes.is_overdue(now),
        })
    }

    /// Returns the media in a packet, taken out of retransmissions and redundancy, with the router's payload
    /// type, and the index of its codec. `None` for padding of a retransmission stream, and for malformed
    /// redundancy, which is counted.
    fn media_of(
        &mut self,
        index: u8,
        ssrc: Ssrc,
        incoming: Incoming,
        packet: &[u8],
        retransmission: bool,
    ) -> Result<Option<(u8, Incoming)>, UnknownPayloadType> {
        let format = payload_format::of(&self.formats, incoming.pt).ok_or(UnknownPayloadType)?;
        if retransmission && format.apt.is_none() {
            return Err(UnknownPayloadType);
        }
        let Some(stream) = self.streams.get_mut(usize::from(index)) else {
            return Ok(None);
        };
        let pt = format.apt.unwrap_or(format.pt);
        let media = if retransmission {
            stream.rtx_ssrc = Some(ssrc);
            let Some(original) = incoming.unwrap_retransmission(packet, pt) else {
                return Ok(None);
            };
            original
        } else {
            Incoming { pt, ..incoming }
        };
        let Some(media) = payload_format::unwrap(&self.formats, media, packet) else {
            stream.counters.malformed += 1;
            return Ok(None);
        };
        let at = self.formats.iter().position(|it| it.pt == media.pt);
        let found = at.and_then(|at| {
            let pt = self.formats.get(at)?.mapped?;
            Some((u8::try_from(at).ok()?, Incoming { pt, ..media }))
        });
        found.map(Some).ok_or(UnknownPayloadType)
    }

    /// Requests a keyframe of one stream.
    pub fn request_keyframe(&mut self, index: u8) {
        if self.kind == MediaKind::Video
            && let Some(stream) = self.streams.get_mut(usize::from(index))
        {
            stream.keyframes.request();
        }
    }

    /// Returns the next keyframe request; `None` when none is due.
    pub fn take_keyframe_request(&mut self, now: Time) -> Option<KeyframeRequest> {
        let mut known = self
            .streams
            .iter_mut()
            .filter(|stream| stream.ssrc.is_some());
        let stream = known.find_map(|it| it.keyframes.take_due(now).then_some(it))?;
        let ssrc = stream.ssrc?;
        let feedback = self.formats.get(usize::from(stream.format))?.feedback;
        if feedback.pli {
            stream.counters.plis += 1;
            return Some(KeyframeRequest { ssrc, fir: None });
        }
        if !feedback.fir {
            return None;
        }
        stream.counters.firs += 1;
        self.fir_seq = self.fir_seq.wrapping_add(1);
        Some(KeyframeRequest {
            ssrc,
            fir: Some(self.fir_seq),
        })
    }

    /// Returns whether a keyframe of a stream was requested in vain, and can be requested once more.
    pub fn is_keyframe_overdue(&self, now: Time, index: u8) -> bool {
        let stream = self.streams.get(usize::from(index));
        stream.is_some_and(|stream| stream.keyframes.is_overdue(now))
    }

    /// Makes one more request for an overdue keyframe due, or ends the requests when nobody waits.
    pub fn repeat_keyframe_request(&mut self, index: u8, is_wanted: bool) {
        if let Some(stream) = self.streams.get_mut(usize::from(index)) {
            if is_wanted {
                stream.keyframes.repeat();
            } else {
                stream.keyframes.fulfil();
            }
        }
    }

    /// Returns the next stream for which a keyframe request to the origin shard is due, if any.
    pub fn take_piped_keyframe_request(&mut self, now: Time) -> Option<u8> {
        let mut streams = self.streams.iter_mut().zip(0..);
        streams.find_map(|(stream, index)| stream.keyframes.take_due(now).then_some(index))
    }

    /// Returns the streams whose keyframe is awaited, as a bit set.
    pub fn awaited_keyframes(&self) -> u8 {
        let streams = self.streams.iter().zip(0..);
        let awaited = streams.filter(|(stream, _)| stream.keyframes.is_awaited());
        awaited.fold(0, |bits, (_, index)| bits | activity::bit(index))
    }

    /// Renews the requests for keyframes that another shard still awaits, given as a bit set.
    pub fn renew_keyframe_requests(&mut self, awaited: u8) {
        for (stream, index) in self.streams.iter_mut().zip(0..) {
            if awaited & activity::bit(index) != 0 && self.kind == MediaKind::Video {
                stream.keyframes.renew();
            }
        }
    }

    /// Resets the known state of a piped producer after its last consumer has closed.
    pub fn reset_state(&mut self) {
        self.activity.set_active(0);
        for stream in &mut self.streams {
            stream.keyframes.fulfil();
        }
    }

    /// Returns when the next keyframe request is due.
    pub fn keyframe_timeout(&self) -> Time {
        let known = self.streams.iter().filter(|stream| stream.ssrc.is_some());
        let due = known.filter_map(|stream| stream.keyframes.poll_timeout());
        due.min().unwrap_or(Time::FAR_FUTURE)
    }

    /// Collects the sequence numbers to request of one stream into `out`. Returns its SSRC.
    pub fn collect_nacks(&mut self, now: Time, index: usize, out: &mut Vec<u16>) -> Option<Ssrc> {
        let stream = self.streams.get_mut(index)?;
        let abandoned = stream.nacks.as_mut()?.collect(now, out);
        if abandoned > 0 && self.kind == MediaKind::Video {
            stream.keyframes.request();
        }
        if !out.is_empty() {
            stream.counters.nacks += 1;
            stream.counters.nacked_packets += out.len() as u64;
        }
        stream.ssrc
    }

    /// Returns when the next requests for missing packets are due.
    pub fn nack_timeout(&self) -> Time {
        let nacks = self
            .streams
            .iter()
            .filter_map(|stream| stream.nacks.as_ref());
        nacks
            .filter_map(|nacks| nacks.poll_timeout())
            .min()
            .unwrap_or(Time::FAR_FUTURE)
    }

    /// Records a subscription of another shard, new or repeated.
    pub fn record_subscription(&mut self, subscription: PipeSubscription) {
        let mut pipes = self.pipes.iter_mut();
        match pipes.find(|pipe| pipe.shard == subscription.shard) {
            Some(pipe) => *pipe = subscription,
            None => self.pipes.push(subscription),
        }
    }

    /// Returns the highest layer that its publisher was told is wanted.
    pub fn told_layer(&self) -> Option<u8> {
        self.demand.told().layer
    }

    /// Returns whether a layer that is not active would be sent if it were wanted.
    pub fn would_start(&self, now: Time, layer: u8) -> bool {
        self.demand.would_start(now, layer)
    }

    /// Records what the shard from which it is piped was told of what is wanted.
    pub fn record_told(&mut self, now: Time, want: Want) {
        self.demand.record(now, want);
    }

    /// Compares what is wanted with what its publisher was told. Returns what to tell it, if that has
    /// changed.
    pub fn update_demand(&mut self, now: Time, want: Want) -> Option<Demand> {
        let former = self.told_layer();
        let demand = self.demand.update(now, want)?;
        let count = self.layer_count();
        for layer in (0..count).filter(|layer| Some(*layer) > former.min(demand.layer)) {
            self.activity.expect_start(layer);
            // Frames from before a pause are not shown after it.
            if let Some(stream) = self.streams.get_mut(usize::from(layer)) {
                stream.forget_keyframes();
            }
        }
        Some(demand)
    }

    /// Records a sender report of one of its streams. `clock` is the clock of its publisher,
    /// `wall_micros` ours.
    pub fn record_sender_report(
        &mut self,
        now: Time,
        wall_micros: u64,
        ssrc: Ssrc,
        report: ReportClock,
        clock: &mut PublisherClock,
    ) {
        let mut streams = self.streams.iter_mut();
        if let Some(stream) = streams.find(|stream| stream.ssrc == Some(ssrc)) {
            stream.record_sender_report(now, wall_micros, report, clock);
        }
    }

    /// Returns the scores of its streams that have started, if one changed notably since they were last
    /// returned.
    pub fn take_changed_scores(&mut self) -> Option<Vec<EncodingScore>> {
        let mut pairs = self.streams.iter().zip(&self.reported_scores);
        if !pairs.any(|(stream, reported)| is_notable(*reported, stream.score())) {
            return None;
        }
        self.reported_scores = self.streams.iter().map(Stream::score).collect();
        let started = self.streams.iter().zip(0..);
        let started = started.filter(|(stream, _)| stream.has_started());
        let scores = started.map(|(stream, encoding)| EncodingScore {
            encoding,
            ssrc: stream.ssrc.unwrap_or_default(),
            rid: stream.rid,
            score: stream.score(),
        });
        Some(scores.collect())
    }

    /// Returns the statistics of each stream that has received a packet.
    pub fn stats(&mut self, now: Time) -> Vec<ProducerStats> {
        let (kind, formats) = (self.kind, &self.formats);
        let mime_type = |stream: &Stream| {
            let format = formats.get(usize::from(stream.format));
            format.map(|it| it.mime_type.clone()).unwrap_or_default()
        };
        let known = self
            .streams
            .iter_mut()
            .filter(|stream| stream.ssrc.is_some());
        known
            .map(|stream| ProducerStats {
                stats_type: "inbound-rtp",
                timestamp: now.as_millis(),
                ssrc: stream.ssrc.unwrap_or_default().0,
                rtx_ssrc: stream.rtx_ssrc.map(|ssrc| ssrc.0),
                rid: stream.rid.map(|rid| rid.to_string()),
                kind,
                mime_type: mime_type(stream),
                packet_count: stream.counters.packets,
                byte_count: stream.counters.bytes,
                bitrate: stream.rate.bitrate(now).as_bps(),
                packets_lost: stream.packets_lost(),
                fraction_lost: stream.fraction_lost(),
                jitter: stream.jitter(),
                packets_repaired: stream.counters.repaired,
                packets_recovered: stream.counters.recovered,
                packets_retransmitted: stream.counters.retransmitted,
                nack_count: stream.counters.nacks,
                nack_packet_count: stream.counters.nacked_packets,
                pli_count: stream.counters.plis,
                fir_count: stream.counters.firs,
                score: stream.score(),
            })
            .collect()
    }
}
