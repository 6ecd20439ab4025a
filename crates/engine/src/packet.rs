//! A received packet after decryption and parsing, as producers and consumers use it.
//!
//! It consists of positions in the packet's bytes, so that a packet can be cached, shared by all
//! consumers and written with another header without being parsed again.

use std::ops::Range;

use watersmeet_wire::codec::{PayloadDescriptor, RedPayload};
use watersmeet_wire::params::RtpHeaderExtensionParameters;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::{Pt, SeqNo, Time};

use crate::redundancy::Redundancy;

/// Number of supported header extensions.
const KINDS: usize = ExtensionKind::ALL.len();

/// Header extension ids of one producer or consumer.
#[derive(Debug, Default, Clone, Copy)]
pub struct ExtensionIds {
    /// Id of each kind; zero where it is not in use.
    ids: [u8; KINDS],
}

impl ExtensionIds {
    /// Adds the extensions of RTP parameters.
    pub fn learn(&mut self, extensions: &[RtpHeaderExtensionParameters]) {
        for extension in extensions {
            let Some(kind) = ExtensionKind::from_uri(&extension.uri) else {
                continue;
            };
            if let Some(id) = self.ids.get_mut(kind as usize) {
                *id = extension.id;
            }
        }
    }

    /// Leaves a kind out of use.
    pub fn forget(&mut self, kind: ExtensionKind) {
        if let Some(id) = self.ids.get_mut(kind as usize) {
            *id = 0;
        }
    }

    /// Returns the id of a kind, when it is in use.
    #[inline]
    pub fn id(&self, kind: ExtensionKind) -> Option<u8> {
        self.ids.get(kind as usize).copied().filter(|&id| id != 0)
    }

    /// Finds all known extensions of a packet.
    #[inline]
    pub fn locate(&self, header: &RtpHeader, packet: &[u8]) -> ExtensionSpans {
        let mut spans = ExtensionSpans::default();
        for (id, range) in header.extension_ranges(packet) {
            let Some(kind) = self.ids.iter().position(|&known| known == id) else {
                continue;
            };
            if let Some(span) = spans.0.get_mut(kind) {
                *span = Span::of(range);
            }
        }
        spans
    }
}

/// Position of bytes in a packet; empty when absent.
#[derive(Debug, Default, Clone, Copy)]
struct Span {
    start: u16,
    len: u16,
}

impl Span {
    fn of(range: Range<usize>) -> Self {
        match (u16::try_from(range.start), u16::try_from(range.len())) {
            (Ok(start), Ok(len)) => Self { start, len },
            _ => Self::default(),
        }
    }

    fn range(self) -> Range<usize> {
        let start = usize::from(self.start);
        start..start + usize::from(self.len)
    }
}

/// Positions of the extension values in one packet.
#[derive(Debug, Default, Clone, Copy)]
pub struct ExtensionSpans([Span; KINDS]);

impl ExtensionSpans {
    /// Returns the value of an extension in the packet it was located in.
    #[inline]
    pub fn value<'a>(&self, kind: ExtensionKind, packet: &'a [u8]) -> Option<&'a [u8]> {
        let span = self.0.get(kind as usize).filter(|span| span.len > 0)?;
        packet.get(span.range())
    }
}

/// Parsed header of a media packet, received directly or in a retransmission.
#[derive(Debug, Clone, Copy)]
pub struct Incoming {
    /// Sequence number in the media stream, also for a retransmission.
    pub seq: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Marker bit; for video, the end of a frame.
    pub marker: bool,
    /// Payload type of the media, also for a retransmission.
    pub pt: Pt,
    /// Offset of the payload in the packet.
    pub payload_start: u16,
    /// Length of the payload without padding; zero for a packet that is only padding.
    pub payload_len: u16,
    /// Length of the redundancy before the payload, with all block headers (RFC 2198); zero where the
    /// packet arrived without.
    pub redundancy_len: u16,
    /// Positions of its header extensions.
    pub extensions: ExtensionSpans,
    /// Whether it arrived as a retransmission.
    pub retransmitted: bool,
}

impl Incoming {
    /// Creates the description of a decrypted packet; `None` when its padding is invalid.
    #[inline]
    pub fn new(header: &RtpHeader, packet: &[u8], extensions: ExtensionSpans) -> Option<Self> {
        let payload = header.payload(packet).ok()?;
        Some(Self {
            seq: header.seq,
            timestamp: header.timestamp,
            marker: header.marker,
            pt: header.pt,
            payload_start: u16::try_from(header.header_len).ok()?,
            payload_len: u16::try_from(payload.len()).ok()?,
            redundancy_len: 0,
            extensions,
            retransmitted: false,
        })
    }

    /// Returns the media packet inside a retransmission (RFC 4588 §4), whose sequence number is in the
    /// first two bytes of the payload. `None` for a retransmission that is only padding.
    #[inline]
    pub fn unwrap_retransmission(self, packet: &[u8], media_pt: Pt) -> Option<Self> {
        let (seq, rest) = watersmeet_wire::rtp::split_osn(self.payload(packet))?;
        let payload_len = u16::try_from(rest.len()).ok()?;
        Some(Self {
            seq,
            pt: media_pt,
            payload_start: self.payload_start + (self.payload_len - payload_len),
            payload_len,
            retransmitted: true,
            ..self
        })
    }

    /// Returns the packet inside redundant audio (RFC 2198), whose payload is the primary one. `red` is
    /// its parsed payload, and `media_pt` the payload type of the primary one.
    ///
    /// The redundancy is kept only if all of it has the codec of the primary payload.
    #[inline]
    pub fn unwrap_redundancy(self, red: &RedPayload<'_>, media_pt: Pt) -> Option<Self> {
        let payload_len = u16::try_from(red.primary.len()).ok()?;
        let redundancy_len = self.payload_len.checked_sub(payload_len)?;
        let mut blocks = red.redundant.iter();
        let is_one_codec = blocks.all(|block| block.pt == red.primary_pt);
        Some(Self {
            pt: media_pt,
            payload_start: self.payload_start + redundancy_len,
            payload_len,
            redundancy_len: if is_one_codec { redundancy_len } else { 0 },
            ..self
        })
    }

    /// Returns the redundancy with which it arrived.
    #[inline]
    pub const fn redundancy(&self) -> Redundancy {
        match self.redundancy_len {
            0 => Redundancy::NONE,
            _ => Redundancy::OF_PUBLISHER,
        }
    }

    /// Returns the payload with the redundancy before it.
    pub fn redundant_payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        packet.get(self.redundant_range()).unwrap_or_default()
    }

    /// Returns the position of the payload with the redundancy before it.
    pub fn redundant_range(&self) -> Range<usize> {
        let end = usize::from(self.payload_start) + usize::from(self.payload_len);
        usize::from(self.payload_start - self.redundancy_len)..end
    }

    /// Returns the payload.
    #[inline]
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.payload_start);
        packet
            .get(start..start + usize::from(self.payload_len))
            .unwrap_or_default()
    }
}

/// Maps the RTP timestamps of a stream to our wall clock, by the sender reports of its publisher
/// (RFC 3550 §6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReference {
    /// A time, in microseconds of our wall clock.
    pub wall_micros: u64,
    /// RTP timestamp at that time.
    pub timestamp: u32,
}

impl ClockReference {
    /// Returns the RTP timestamp at another time.
    #[expect(clippy::cast_possible_truncation, reason = "media time is modulo 2^32")]
    pub fn timestamp_at(&self, wall_micros: u64, clock_rate: u32) -> u32 {
        let ahead = i128::from(wall_micros) - i128::from(self.wall_micros);
        let ticks = ahead * i128::from(clock_rate) / 1_000_000;
        self.timestamp.wrapping_add(ticks as u32)
    }

    /// Returns the time of an RTP timestamp within half a wrap of the reference.
    pub fn wall_at(&self, timestamp: u32, clock_rate: u32) -> u64 {
        let ticks = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        let micros = ticks
            .saturating_mul(1_000_000)
            .checked_div(i64::from(clock_rate));
        self.wall_micros.saturating_add_signed(micros.unwrap_or(0))
    }
}

/// Properties of an accepted packet by which consumers decide whether to send it.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// When it arrived: before now for a packet from the cache, and for one that came late.
    pub at: Time,
    /// Index of the encoding it belongs to.
    pub stream: u8,
    /// Payload type of its codec in the router.
    pub pt: Pt,
    /// Layer that it belongs to, among those of which a consumer is sent one: index of the simulcast
    /// encoding, or of the spatial layer where these are independent of one another.
    pub layer: u8,
    /// Sequence number in that stream.
    pub seq: SeqNo,
    /// RTP timestamp.
    pub timestamp: u32,
    /// Whether it has a payload; a packet that is only padding is not forwarded.
    pub has_payload: bool,
    /// Its marker bit.
    pub marker: bool,
    /// Its parsed payload header.
    pub descriptor: PayloadDescriptor,
    /// Clock of its stream.
    pub clock: Option<ClockReference>,
    /// Redundancy that it can be sent with, for audio.
    pub redundancy: Redundancy,
}
