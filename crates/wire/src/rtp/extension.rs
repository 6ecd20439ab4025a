//! The header extensions this server speaks: their names in negotiation and their values in
//! packets. Ids are negotiated per transport and are none of this file's business.
//!
//! RFC 8843 (MID), RFC 8852 (RID), RFC 6464 (audio level), RFC 5450 (transmission offset), 3GPP
//! TS 26.114 §7.4.5 (orientation); abs-send-time, abs-capture-time and playout-delay as libwebrtc
//! documents them; draft-holmer-rmcat-transport-wide-cc-extensions-01.

use arrayvec::{ArrayString, ArrayVec};

/// What a header extension means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtensionKind {
    /// Media identification (`Mid`).
    Mid,
    /// Name of a simulcast encoding (`Rid`).
    Rid,
    /// Name of the simulcast encoding that a retransmission stream repairs (`Rid`).
    RepairedRid,
    /// When the packet left its sender (`AbsSendTime`).
    AbsSendTime,
    /// Number of the packet on its transport (`parse_transport_seq`).
    TransportWideCc,
    /// Loudness of the packet's audio (`AudioLevel`).
    AudioLevel,
    /// AV1's description of the frame and what it depends on; `codec` reads it.
    DependencyDescriptor,
    /// How to turn the picture (`VideoOrientation`).
    VideoOrientation,
    /// How much later than its timestamp a packet was sent (`parse_transmission_offset`).
    TransmissionOffset,
    /// When the media was captured (`AbsCaptureTime`).
    AbsCaptureTime,
    /// How long a receiver may hold a frame (`PlayoutDelay`).
    PlayoutDelay,
}

impl ExtensionKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Mid,
        Self::Rid,
        Self::RepairedRid,
        Self::AbsSendTime,
        Self::TransportWideCc,
        Self::AudioLevel,
        Self::DependencyDescriptor,
        Self::VideoOrientation,
        Self::TransmissionOffset,
        Self::AbsCaptureTime,
        Self::PlayoutDelay,
    ];

    /// Its name in SDP and in RTP parameters.
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Self::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Self::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Self::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Self::TransportWideCc => {
                "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            }
            Self::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Self::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
            Self::VideoOrientation => "urn:3gpp:video-orientation",
            Self::TransmissionOffset => "urn:ietf:params:rtp-hdrext:toffset",
            Self::AbsCaptureTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time",
            Self::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
        }
    }

    /// The kind with this name.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// Reads a MID or a RID. A zero byte ends it, as in libwebrtc; anything but visible ASCII, an
/// empty name or one longer than `CAP` is refused.
pub fn parse_sdes_item<const CAP: usize>(value: &[u8]) -> Option<ArrayString<CAP>> {
    let name = value.split(|byte| *byte == 0).next()?;
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    ArrayString::from(std::str::from_utf8(name).ok()?).ok()
}

/// Reads the number of a packet on its transport.
pub fn parse_transport_seq(value: &[u8]) -> Option<u16> {
    <[u8; 2]>::try_from(value).ok().map(u16::from_be_bytes)
}

/// Writes the number of a packet on its transport.
pub const fn write_transport_seq(seq: u16) -> [u8; 2] {
    seq.to_be_bytes()
}

/// Reads how much later than its timestamp a packet was sent, in ticks of the media clock.
pub fn parse_transmission_offset(value: &[u8]) -> Option<i32> {
    let [a, b, c] = <[u8; 3]>::try_from(value).ok()?;
    Some(i32::from_be_bytes([a, b, c, 0]) >> 8)
}

/// Writes how much later than its timestamp a packet was sent; 24 bits of it.
pub const fn write_transmission_offset(ticks: i32) -> [u8; 3] {
    let [_, a, b, c] = ticks.to_be_bytes();
    [a, b, c]
}

/// When a packet left its sender: seconds in 6.18 fixed point, which wrap every 64 s.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AbsSendTime(u32);

impl AbsSendTime {
    /// How long until it wraps.
    pub const WRAP_MICROS: u64 = 64_000_000;

    /// The moment `micros` microseconds after some origin.
    pub const fn from_micros(micros: u64) -> Self {
        let wrapped = micros % Self::WRAP_MICROS;
        // Rounded to the nearest 3.8 µs, not down: a time must survive being read and written.
        let ticks = ((wrapped << 18) + 500_000) / 1_000_000;
        #[expect(clippy::cast_possible_truncation, reason = "the value has 24 bits")]
        Self(ticks as u32 & 0x00ff_ffff)
    }

    /// Microseconds since the last wrap.
    pub const fn as_micros(self) -> u64 {
        (self.0 as u64 * 1_000_000 + (1 << 17)) >> 18
    }

    /// Microseconds from `earlier` to this, over a wrap if that is nearer; negative when this is
    /// the earlier one.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        // Sign extension of the 24-bit difference by moving it to the top.
        let ticks = (self.0.wrapping_sub(earlier.0) << 8).cast_signed() >> 8;
        (ticks as i64 * 1_000_000) >> 18
    }

    /// Reads it.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let [a, b, c] = <[u8; 3]>::try_from(value).ok()?;
        Some(Self(u32::from_be_bytes([0, a, b, c])))
    }

    /// Writes it.
    pub const fn write(self) -> [u8; 3] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }
}

/// Loudness of the audio in one packet (RFC 6464 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioLevel {
    /// Decibels below the loudest possible, 0 to 127; 127 is silence.
    pub level: u8,
    /// Whether the sender believes it is speech.
    pub voice: bool,
}

impl AudioLevel {
    /// Reads it; the two-byte form may fill it up behind.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let byte = *value.first()?;
        Some(Self {
            level: byte & 0x7f,
            voice: byte & 0x80 != 0,
        })
    }

    /// Writes it.
    pub const fn write(self) -> [u8; 1] {
        [(self.voice as u8) << 7 | self.level & 0x7f]
    }
}

/// How a receiver must turn the picture.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoOrientation {
    /// Whether the back camera took it.
    pub back_camera: bool,
    /// Whether it must be mirrored.
    pub flip: bool,
    /// Clockwise quarter turns, 0 to 3.
    pub quarter_turns: u8,
}

impl VideoOrientation {
    /// Reads it.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let byte = *value.first()?;
        Some(Self {
            back_camera: byte & 0x08 != 0,
            flip: byte & 0x04 != 0,
            quarter_turns: byte & 0x03,
        })
    }

    /// Writes it.
    pub const fn write(self) -> [u8; 1] {
        [(self.back_camera as u8) << 3 | (self.flip as u8) << 2 | self.quarter_turns & 0x03]
    }
}

/// How long a receiver should hold frames for smoothness, in steps of 10 ms up to 40.95 s.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlayoutDelay {
    /// At least this many milliseconds.
    pub min_ms: u16,
    /// At most this many milliseconds.
    pub max_ms: u16,
}

impl PlayoutDelay {
    const STEP_MS: u16 = 10;
    const STEPS_MAX: u16 = 0x0fff;

    /// Reads it; a minimum above the maximum is refused.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let [a, b, c] = <[u8; 3]>::try_from(value).ok()?;
        let min = u16::from_be_bytes([a, b]) >> 4;
        let max = u16::from_be_bytes([b, c]) & Self::STEPS_MAX;
        (min <= max).then_some(Self {
            min_ms: min * Self::STEP_MS,
            max_ms: max * Self::STEP_MS,
        })
    }

    /// Writes it, rounded down to whole steps and cut to the longest delay.
    pub fn write(self) -> [u8; 3] {
        let min = u32::from((self.min_ms / Self::STEP_MS).min(Self::STEPS_MAX));
        let max = u32::from((self.max_ms / Self::STEP_MS).min(Self::STEPS_MAX));
        let [_, a, b, c] = (min << 12 | max).to_be_bytes();
        [a, b, c]
    }
}

/// When the media of a packet was captured, by the clock of the machine that captured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AbsCaptureTime {
    /// NTP time of the capture: seconds in 32.32 fixed point.
    pub capture_ntp: u64,
    /// What to add to it to get this sender's NTP clock, in the same fixed point, when it is known.
    pub clock_offset: Option<i64>,
}

impl AbsCaptureTime {
    /// Reads it: 8 bytes, or 16 with the offset.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (capture, rest) = value.split_first_chunk::<8>()?;
        let clock_offset = match rest {
            [] => None,
            _ => Some(i64::from_be_bytes(rest.try_into().ok()?)),
        };
        Some(Self {
            capture_ntp: u64::from_be_bytes(*capture),
            clock_offset,
        })
    }

    /// Writes it: 8 bytes, or 16 with the offset.
    pub fn write(self) -> ArrayVec<u8, 16> {
        let capture = self.capture_ntp.to_be_bytes();
        let offset = self.clock_offset.map(i64::to_be_bytes);
        capture
            .into_iter()
            .chain(offset.into_iter().flatten())
            .collect()
    }
}
