//! One source that a peer sends: its encodings as streams, its numbers mapped to the router's,
//! its losses asked for again, its keyframes asked for in moderation.
//!
//! Never knows who consumes it, and never sends anything: it says what its publisher should be
//! sent, and the worker sends it.

pub mod activity;
pub mod keyframe;
pub mod nack;
pub mod stream;

use watersmeet_wire::codec::{Codec, parse_payload};
use watersmeet_wire::params::{MediaKind, RtpCodecParameters, RtpParameters};
use watersmeet_wire::units::{Pt, SeqNo, Ssrc, Time};

use crate::ids::ProducerId;
use crate::ortc::{NegotiatedProducer, RtpMapping};
use crate::packet::{Arrival, ClockReference, Incoming};
use crate::packet_cache::{CachedPacket, SLOTS_MAX};
use crate::producer::activity::Activity;
use crate::producer::keyframe::KeyframeRequests;
use crate::producer::nack::Gap;
use crate::producer::stream::{Accepted, Stream};
use crate::shard_message::{ShardMessage, SharedPacket};
use crate::slots::{RouterKey, TransportKey};
use crate::stats::ProducerStats;
use crate::timers::Deadline;

/// Feedback that the publisher of a producer takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feedback {
    /// Generic NACK.
    pub nack: bool,
    /// Picture loss indication.
    pub pli: bool,
    /// Full intra request.
    pub fir: bool,
    /// Transport-wide congestion control.
    pub transport_cc: bool,
    /// Receiver estimated maximum bitrate.
    pub remb: bool,
}

/// One codec that packets of the producer may have.
#[derive(Debug, Clone, Copy)]
struct PayloadFormat {
    /// The publisher's payload type.
    pt: Pt,
    /// The router's.
    mapped: Option<Pt>,
    /// What to look for in the payload; absent when it cannot be looked into.
    codec: Option<Codec>,
    /// The payload type a retransmission stands for.
    apt: Option<Pt>,
}

/// A request for a keyframe, to be sent to the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyframeRequest {
    /// The stream's SSRC.
    pub ssrc: Ssrc,
    /// Whether to ask by FIR, because the publisher takes no PLI; carries its number.
    pub fir: Option<u8>,
}

/// Where the media of a producer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A peer sends it over the transport at this place in the worker.
    Transport(TransportKey),
    /// The worker of this shard, where the peer sends it, hands it over.
    Shard(u8),
}

/// A source of media.
#[derive(Debug)]
pub struct Producer {
    /// Its id.
    pub id: ProducerId,
    /// Audio or video.
    pub kind: MediaKind,
    /// What can be consumed of it, in the router's numbers.
    pub consumable: RtpParameters,
    /// Its encodings, lowest quality first.
    pub streams: Vec<Stream>,
    /// Whether it was paused by command.
    pub paused: bool,
    /// Its router's place in the worker.
    pub router: RouterKey,
    /// Where its media comes from.
    pub origin: Origin,
    /// The shards that it is handed to.
    pub pipes: Vec<u8>,
    /// When the shard it comes from is to be told again that it is wanted.
    pub pipe_deadline: Deadline,
    /// When missing packets are due.
    pub nack_deadline: Deadline,
    /// When keyframe requests are due.
    pub keyframe_deadline: Deadline,
    /// Feedback that its publisher takes.
    pub feedback: Feedback,
    /// Which streams bring packets.
    pub activity: Activity,
    /// The scores told last.
    reported_scores: Vec<u8>,
    /// Its codecs.
    formats: Vec<PayloadFormat>,
    /// The name of the first codec.
    mime_type: String,
    /// The number of the next full intra request.
    fir_seq: u8,
}

/// What a packet brought.
#[derive(Debug)]
pub struct Acceptance {
    /// The packet, if it is new and consumers may want it.
    pub arrival: Option<Arrival>,
    /// Whether missing packets should be asked for.
    pub found_gap: bool,
}

impl Producer {
    /// A producer that nothing has come from.
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
        let has = |kind, parameter| first.is_some_and(|it| it.has_feedback(kind, parameter));
        let feedback = Feedback {
            nack: has("nack", ""),
            pli: has("nack", "pli"),
            fir: has("ccm", "fir"),
            transport_cc: has("transport-cc", ""),
            remb: has("goog-remb", ""),
        };
        let clock_rate = first.map_or(90_000, |codec| codec.clock_rate);
        let streams: Vec<_> = parameters
            .encodings
            .iter()
            .map(|encoding| {
                let mut stream = Stream::new(clock_rate, feedback.nack);
                stream.ssrc = encoding.ssrc;
                stream.rtx_ssrc = encoding.rtx.map(|rtx| rtx.ssrc);
                stream.rid = encoding.rid;
                stream
            })
            .collect();
        Self {
            id,
            kind,
            consumable,
            activity: Activity::new(streams.len()),
            reported_scores: vec![0; streams.len()],
            streams,
            paused: false,
            router,
            origin,
            pipes: Vec::new(),
            pipe_deadline: Deadline::default(),
            nack_deadline: Deadline::default(),
            keyframe_deadline: Deadline::default(),
            feedback,
            formats: parameters
                .codecs
                .iter()
                .map(|codec| PayloadFormat::of(codec, &mapping))
                .collect(),
            mime_type: first
                .map(|codec| codec.mime_type.clone())
                .unwrap_or_default(),
            fir_seq: 0,
        }
    }

    /// A producer whose media another shard hands over, known by what can be consumed of it.
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
            // What is missing is asked for where it should have come from.
            stream.nacks = None;
            stream.keyframes = KeyframeRequests::message();
        }
        producer
    }

    /// Whether its publisher is on this shard.
    pub const fn is_local(&self) -> bool {
        matches!(self.origin, Origin::Transport(_))
    }

    /// How it stands, for another shard.
    pub fn state(&self) -> ShardMessage {
        ShardMessage::State {
            producer: self.id,
            paused: self.paused,
            active: self.activity.active(),
        }
    }

    /// Takes in a packet that another shard hands over: it was accepted there.
    #[inline]
    pub fn cache(&mut self, now: Time, packet: &SharedPacket) {
        let arrival = &packet.arrival;
        let Some(stream) = self.streams.get_mut(usize::from(arrival.stream)) else {
            return;
        };
        stream.cache_shared(now, packet);
        if arrival.descriptor.keyframe {
            stream.keyframes.fulfil();
        }
    }

    /// A packet that has arrived, as it is kept; nothing if it was only padding.
    #[inline]
    pub fn cached(&self, arrival: &Arrival) -> Option<&CachedPacket> {
        let stream = self.streams.get(usize::from(arrival.stream))?;
        stream.cache.get(arrival.seq)
    }

    /// Takes in a packet of one of its streams. `ssrc` is the one it came with.
    pub fn accept(
        &mut self,
        now: Time,
        index: u8,
        ssrc: Ssrc,
        incoming: Incoming,
        packet: &[u8],
        retransmission: bool,
    ) -> Option<Acceptance> {
        let format = *self
            .formats
            .iter()
            .find(|format| format.pt == incoming.pt)?;
        let stream = self.streams.get_mut(usize::from(index))?;
        let incoming = if retransmission {
            stream.rtx_ssrc = Some(ssrc);
            incoming.unwrap_retransmission(packet, format.apt?)?
        } else {
            stream.ssrc = Some(ssrc);
            incoming
        };
        let media_pt = format.apt.unwrap_or(format.pt);
        let media = self.formats.iter().find(|media| media.pt == media_pt)?;
        let codec = media.codec;
        let mapped = Incoming {
            pt: media.mapped?,
            ..incoming
        };
        let Accepted::New { seq, gap } = stream.accept(now, &mapped, packet) else {
            return Some(Acceptance {
                arrival: None,
                found_gap: false,
            });
        };
        let descriptor = codec
            .and_then(|codec| parse_payload(codec, mapped.payload(packet)))
            .unwrap_or_default();
        if descriptor.keyframe {
            stream.keyframes.fulfil();
        }
        if gap == Gap::TooLarge && self.kind == MediaKind::Video {
            stream.keyframes.request();
        }
        let arrival = Arrival {
            stream: index,
            seq,
            timestamp: mapped.timestamp,
            has_payload: mapped.payload_len > 0,
            descriptor,
            clock: stream.clock_reference,
        };
        Some(Acceptance {
            arrival: Some(arrival),
            found_gap: gap != Gap::None,
        })
    }

    /// Somebody needs a keyframe of one stream.
    pub fn request_keyframe(&mut self, index: u8) {
        if self.kind == MediaKind::Video
            && let Some(stream) = self.streams.get_mut(usize::from(index))
        {
            stream.keyframes.request();
        }
    }

    /// The next keyframe request that is due, until there is none.
    pub fn take_keyframe_request(&mut self, now: Time) -> Option<KeyframeRequest> {
        let feedback = self.feedback;
        let mut known = self
            .streams
            .iter_mut()
            .filter(|stream| stream.ssrc.is_some());
        let stream = known.find_map(|it| it.keyframes.take_due(now).then_some(it))?;
        let ssrc = stream.ssrc?;
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

    /// The next stream of which the shard it comes from is to ask for a keyframe, until there is
    /// none.
    pub fn take_piped_keyframe_request(&mut self, now: Time) -> Option<u8> {
        let mut streams = self.streams.iter_mut().zip(0..);
        streams.find_map(|(stream, index)| stream.keyframes.take_due(now).then_some(index))
    }

    /// The streams of which somebody waits for a keyframe, as a set of bits.
    pub fn awaited_keyframes(&self) -> u8 {
        let streams = self.streams.iter().zip(0..);
        let wanted = streams.filter(|(stream, _)| stream.keyframes.is_wanted());
        wanted.fold(0, |bits, (_, index)| bits | activity::bit(index))
    }

    /// Another shard still waits for keyframes of these streams.
    pub fn renew_keyframe_requests(&mut self, awaited: u8) {
        for (stream, index) in self.streams.iter_mut().zip(0..) {
            if awaited & activity::bit(index) != 0 && self.kind == MediaKind::Video {
                stream.keyframes.renew();
            }
        }
    }

    /// Nobody listens any more: what is known of its present state is forgotten.
    pub fn reset_state(&mut self) {
        self.activity.set_active(0);
        for stream in &mut self.streams {
            stream.keyframes.fulfil();
        }
    }

    /// When a keyframe request is due.
    pub fn keyframe_timeout(&self) -> Time {
        let known = self.streams.iter().filter(|stream| stream.ssrc.is_some());
        let due = known.filter_map(|stream| stream.keyframes.poll_timeout());
        due.min().unwrap_or(Time::FAR_FUTURE)
    }

    /// Collects the packets to ask for of one stream into `out`, with its SSRC.
    pub fn collect_nacks(&mut self, now: Time, index: usize, out: &mut Vec<u16>) -> Option<Ssrc> {
        let stream = self.streams.get_mut(index)?;
        let given_up = stream.nacks.as_mut()?.collect(now, out);
        if given_up > 0 && self.kind == MediaKind::Video {
            stream.keyframes.request();
        }
        if !out.is_empty() {
            stream.counters.nacks += 1;
            stream.counters.nacked_packets += out.len() as u64;
        }
        stream.ssrc
    }

    /// When missing packets are due.
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

    /// What came of a packet's stream after it and is still kept, in order: what nobody could be
    /// sent as long as the packet was missing.
    pub fn cached_after(&self, arrival: &Arrival) -> impl Iterator<Item = Arrival> + '_ {
        let index = arrival.stream;
        let highest = self
            .streams
            .get(usize::from(index))
            .map_or(0, |stream| stream.highest().0);
        let later = (arrival.seq.0 + 1..=highest).take(SLOTS_MAX);
        later.filter_map(move |seq| self.cached_arrival(index, SeqNo(seq)))
    }

    /// A packet that is still kept, as it was when it came.
    fn cached_arrival(&self, index: u8, seq: SeqNo) -> Option<Arrival> {
        let stream = self.streams.get(usize::from(index))?;
        let stored = stream.cache.get(seq)?;
        let incoming = stored.incoming()?;
        let format = self
            .formats
            .iter()
            .find(|format| format.mapped == Some(incoming.pt))?;
        let descriptor = format
            .codec
            .and_then(|codec| parse_payload(codec, stored.payload()))
            .unwrap_or_default();
        Some(Arrival {
            stream: index,
            seq,
            timestamp: incoming.timestamp,
            has_payload: incoming.payload_len > 0,
            descriptor,
            clock: stream.clock_reference,
        })
    }

    /// Notes a sender report of one of its streams.
    pub fn record_sender_report(
        &mut self,
        now: Time,
        ssrc: Ssrc,
        compact_ntp: u32,
        reference: ClockReference,
    ) {
        let mut streams = self.streams.iter_mut();
        if let Some(stream) = streams.find(|stream| stream.ssrc == Some(ssrc)) {
            stream.record_sender_report(now, compact_ntp, reference);
        }
    }

    /// The scores, if they changed since they were told.
    pub fn take_changed_scores(&mut self) -> Option<Vec<u8>> {
        let scores: Vec<u8> = self.streams.iter().map(Stream::score).collect();
        if scores == self.reported_scores {
            return None;
        }
        self.reported_scores.clone_from(&scores);
        Some(scores)
    }

    /// What `getStats` tells, one per stream that brought a packet.
    pub fn stats(&mut self, now: Time) -> Vec<ProducerStats> {
        let (kind, mime_type) = (self.kind, &self.mime_type);
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
                mime_type: mime_type.clone(),
                packet_count: stream.counters.packets,
                byte_count: stream.counters.bytes,
                bitrate: stream.rate.bitrate(now).as_bps(),
                packets_lost: stream.packets_lost(),
                fraction_lost: stream.fraction_lost(),
                jitter: stream.jitter(),
                packets_repaired: stream.counters.repaired,
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

impl PayloadFormat {
    fn of(codec: &RtpCodecParameters, mapping: &RtpMapping) -> Self {
        Self {
            pt: codec.payload_type,
            mapped: mapping.payload_type(codec.payload_type),
            codec: Codec::of_mime_type(&codec.mime_type),
            apt: codec.apt(),
        }
    }
}
