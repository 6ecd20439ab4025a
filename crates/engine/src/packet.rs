//! A received packet as the media rooms see it: decrypted, parsed once, its extensions found.
//!
//! Everything is a place in the packet's bytes, so that a packet may be kept, shared by every
//! consumer and written again with another header without being parsed again.

use std::ops::Range;

use watersmeet_wire::codec::PayloadDescriptor;
use watersmeet_wire::params::RtpHeaderExtensionParameters;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::ExtensionKind;
use watersmeet_wire::units::{Pt, SeqNo};

/// How many kinds of header extension are known.
const KINDS: usize = ExtensionKind::ALL.len();

/// Ids above this need the two-byte form (RFC 8285 §4.3), which no browser chooses for them.
const ID_MAX: usize = 15;

/// Which id stands for which kind of extension on one transport or in one consumer.
#[derive(Debug, Default, Clone, Copy)]
pub struct ExtensionIds {
    /// The id of each kind; zero where it is not in use.
    ids: [u8; KINDS],
}

impl ExtensionIds {
    /// Adds the extensions that some parameters announce.
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

    /// The id of a kind, when it is in use.
    #[inline]
    pub fn id(&self, kind: ExtensionKind) -> Option<u8> {
        self.ids.get(kind as usize).copied().filter(|&id| id != 0)
    }

    /// Finds every known extension of a packet.
    #[inline]
    pub fn locate(&self, header: &RtpHeader, packet: &[u8]) -> ExtensionPlaces {
        let mut places = ExtensionPlaces::default();
        for (id, range) in header.extension_ranges(packet) {
            if usize::from(id) > ID_MAX {
                continue;
            }
            let Some(kind) = self.ids.iter().position(|&known| known == id) else {
                continue;
            };
            if let Some(place) = places.0.get_mut(kind) {
                *place = Place::of(range);
            }
        }
        places
    }
}

/// A short run of bytes in a packet; empty where there is none.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    start: u16,
    len: u16,
}

impl Place {
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

/// Where the value of each kind of extension lies in one packet.
#[derive(Debug, Default, Clone, Copy)]
pub struct ExtensionPlaces([Place; KINDS]);

impl ExtensionPlaces {
    /// The value of an extension in the packet it was located in.
    #[inline]
    pub fn value<'a>(&self, kind: ExtensionKind, packet: &'a [u8]) -> Option<&'a [u8]> {
        let place = self.0.get(kind as usize).filter(|place| place.len > 0)?;
        packet.get(place.range())
    }
}

/// One media packet of a producer, retransmitted or not, ready to be accepted.
#[derive(Debug, Clone, Copy)]
pub struct Incoming {
    /// Sequence number in the media stream, also when a retransmission brought it.
    pub seq: u16,
    /// Media time.
    pub timestamp: u32,
    /// Whether it ends a frame.
    pub marker: bool,
    /// The media payload type, also when a retransmission brought it.
    pub pt: Pt,
    /// Where the payload starts in the bytes.
    pub payload_start: u16,
    /// Length of the payload, without padding; zero for a packet that is only padding.
    pub payload_len: u16,
    /// Where its extensions lie.
    pub extensions: ExtensionPlaces,
    /// Whether it came as a retransmission.
    pub retransmitted: bool,
}

impl Incoming {
    /// Describes a decrypted packet; `None` when its padding is nonsense.
    #[inline]
    pub fn new(header: &RtpHeader, packet: &[u8], extensions: ExtensionPlaces) -> Option<Self> {
        let payload = header.payload(packet).ok()?;
        Some(Self {
            seq: header.seq,
            timestamp: header.timestamp,
            marker: header.marker,
            pt: header.pt,
            payload_start: u16::try_from(header.header_len).ok()?,
            payload_len: u16::try_from(payload.len()).ok()?,
            extensions,
            retransmitted: false,
        })
    }

    /// The media packet inside a retransmission (RFC 4588 §4): its number stands in the first two
    /// bytes of the payload. `None` for a retransmission that is only padding.
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

    /// The media bytes.
    #[inline]
    pub fn payload<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.payload_start);
        packet
            .get(start..start + usize::from(self.payload_len))
            .unwrap_or_default()
    }
}

/// The map from one stream's media time to the clock that all streams of its publisher share
/// (RFC 3550 §6.4.1), moved to our own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReference {
    /// The moment, in microseconds of our wall clock.
    pub wall_micros: u64,
    /// The media time at that moment.
    pub timestamp: u32,
}

impl ClockReference {
    /// The media time at another moment.
    #[expect(clippy::cast_possible_truncation, reason = "media time is modulo 2^32")]
    pub fn timestamp_at(&self, wall_micros: u64, clock_rate: u32) -> u32 {
        let ahead = i128::from(wall_micros) - i128::from(self.wall_micros);
        let ticks = ahead * i128::from(clock_rate) / 1_000_000;
        self.timestamp.wrapping_add(ticks as u32)
    }

    /// The moment of a media time within half a wrap of the reference.
    pub fn wall_at(&self, timestamp: u32, clock_rate: u32) -> u64 {
        let ticks = i64::from(timestamp.wrapping_sub(self.timestamp).cast_signed());
        let micros = ticks
            .saturating_mul(1_000_000)
            .checked_div(i64::from(clock_rate));
        self.wall_micros.saturating_add_signed(micros.unwrap_or(0))
    }
}

/// A packet that its producer has accepted: what consumers decide by.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The index of the encoding it belongs to.
    pub stream: u8,
    /// Its number in that stream.
    pub seq: SeqNo,
    /// Its media time.
    pub timestamp: u32,
    /// Whether it carries media; a packet that is only padding goes to nobody.
    pub has_payload: bool,
    /// What its payload header says.
    pub descriptor: PayloadDescriptor,
    /// The clock of its stream.
    pub clock: Option<ClockReference>,
}
