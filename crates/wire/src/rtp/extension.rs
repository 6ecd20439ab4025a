//! Supported header extensions: their URIs in negotiation and their values in packets. Ids are
//! negotiated per transport and not handled here.
//!
//! RFC 8843 (MID), RFC 8852 (RID), RFC 6464 (audio level), RFC 5450 (transmission offset), 3GPP
//! TS 26.114 §7.4.5 (orientation); abs-send-time, abs-capture-time and playout-delay as libwebrtc
//! documents them; draft-holmer-rmcat-transport-wide-cc-extensions-01.

use arrayvec::{ArrayString, ArrayVec};

/// Meaning of a header extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExtensionKind {
    /// Media identification; a [`Mid`](crate::units::Mid).
    Mid,
    /// Name of a simulcast encoding; a [`Rid`](crate::units::Rid).
    Rid,
    /// Name of the simulcast encoding that a retransmission stream repairs; a
    /// [`Rid`](crate::units::Rid).
    RepairedRid,
    /// Time at which the packet was sent; an [`AbsSendTime`].
    AbsSendTime,
    /// Transport-wide sequence number; see [`parse_transport_seq`].
    TransportWideCc,
    /// Volume of the audio in the packet; an [`AudioLevel`].
    AudioLevel,
    /// Layers and references of a frame; a
    /// [`DependencyDescriptor`](super::dependency_descriptor::DependencyDescriptor).
    DependencyDescriptor,
    /// Rotation of the picture; a [`VideoOrientation`].
    VideoOrientation,
    /// Delay between RTP timestamp and sending; see [`parse_transmission_offset`].
    TransmissionOffset,
    /// Time at which the media was captured; an [`AbsCaptureTime`].
    AbsCaptureTime,
    /// Bounds of the delay that a receiver may add; a [`PlayoutDelay`].
    PlayoutDelay,
}

impl ExtensionKind {
    /// All kinds.
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

    /// Returns the URI in SDP and in RTP parameters.
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

    /// Returns the kind with this URI.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.uri() == uri)
    }
}

/// Parses a MID or a RID, which ends at a zero byte as in libwebrtc. Returns `None` when it is
/// empty, longer than `CAP` bytes, or has characters other than visible ASCII.
pub fn parse_sdes_item<const CAP: usize>(value: &[u8]) -> Option<ArrayString<CAP>> {
    let name = value.split(|byte| *byte == 0).next()?;
    if name.is_empty() || !name.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    ArrayString::from(std::str::from_utf8(name).ok()?).ok()
}

/// Parses a transport-wide sequence number.
pub fn parse_transport_seq(value: &[u8]) -> Option<u16> {
    <[u8; 2]>::try_from(value).ok().map(u16::from_be_bytes)
}

/// Returns the wire form of a transport-wide sequence number.
pub const fn write_transport_seq(seq: u16) -> [u8; 2] {
    seq.to_be_bytes()
}

/// Parses the delay between RTP timestamp and sending, in ticks of the RTP clock.
pub fn parse_transmission_offset(value: &[u8]) -> Option<i32> {
    let [a, b, c] = <[u8; 3]>::try_from(value).ok()?;
    Some(i32::from_be_bytes([a, b, c, 0]) >> 8)
}

/// Returns the wire form of the delay between RTP timestamp and sending; the low 24 bits are kept.
pub const fn write_transmission_offset(ticks: i32) -> [u8; 3] {
    let [_, a, b, c] = ticks.to_be_bytes();
    [a, b, c]
}

/// Time at which a packet was sent: seconds in 6.18 fixed point, which wrap every 64 s.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AbsSendTime(u32);

impl AbsSendTime {
    /// Period after which the time wraps, in microseconds.
    pub const WRAP_MICROS: u64 = 64_000_000;

    /// Converts a time in microseconds since any origin.
    pub const fn from_micros(micros: u64) -> Self {
        let wrapped = micros % Self::WRAP_MICROS;
        // Rounded to the nearest step of 3.8 µs, so that a time reads back equal after conversion.
        let ticks = ((wrapped << 18) + 500_000) / 1_000_000;
        #[expect(clippy::cast_possible_truncation, reason = "the value has 24 bits")]
        Self(ticks as u32 & 0x00ff_ffff)
    }

    /// Returns the microseconds since the last wrap.
    pub const fn as_micros(self) -> u64 {
        (self.0 as u64 * 1_000_000 + (1 << 17)) >> 18
    }

    /// Returns the microseconds since `earlier`, across a wrap if that is nearer; negative when
    /// this time is earlier.
    pub const fn micros_since(self, earlier: Self) -> i64 {
        // Shifting left and right extends the sign of the 24-bit difference.
        let ticks = (self.0.wrapping_sub(earlier.0) << 8).cast_signed() >> 8;
        (ticks as i64 * 1_000_000) >> 18
    }

    /// Parses the value of the extension.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let [a, b, c] = <[u8; 3]>::try_from(value).ok()?;
        Some(Self(u32::from_be_bytes([0, a, b, c])))
    }

    /// Returns the wire form.
    pub const fn write(self) -> [u8; 3] {
        let [_, a, b, c] = self.0.to_be_bytes();
        [a, b, c]
    }
}

/// Volume of the audio in one packet (RFC 6464 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AudioLevel {
    /// Decibels below the maximum (-dBov), 0 to 127; 127 is silence.
    pub level: u8,
    /// Whether the sender detected speech.
    pub voice: bool,
}

impl AudioLevel {
    /// Parses the value; padding after the first byte is ignored.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let byte = *value.first()?;
        Some(Self {
            level: byte & 0x7f,
            voice: byte & 0x80 != 0,
        })
    }

    /// Returns the wire form.
    pub const fn write(self) -> [u8; 1] {
        [(self.voice as u8) << 7 | self.level & 0x7f]
    }
}

/// Rotation that a receiver applies to the picture.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct VideoOrientation {
    /// Whether the back camera captured it.
    pub back_camera: bool,
    /// Whether the receiver mirrors it horizontally.
    pub flip: bool,
    /// Rotation in clockwise quarter turns, 0 to 3.
    pub quarter_turns: u8,
}

impl VideoOrientation {
    /// Parses the value of the extension.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let byte = *value.first()?;
        Some(Self {
            back_camera: byte & 0x08 != 0,
            flip: byte & 0x04 != 0,
            quarter_turns: byte & 0x03,
        })
    }

    /// Returns the wire form.
    pub const fn write(self) -> [u8; 1] {
        [(self.back_camera as u8) << 3 | (self.flip as u8) << 2 | self.quarter_turns & 0x03]
    }
}

/// Bounds of the playout delay at the receiver, in steps of 10 ms up to 40.95 s.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlayoutDelay {
    /// Minimum, in milliseconds.
    pub min_ms: u16,
    /// Maximum, in milliseconds.
    pub max_ms: u16,
}

impl PlayoutDelay {
    const STEP_MS: u16 = 10;
    const STEPS_MAX: u16 = 0x0fff;

    /// Parses the value; `None` when the minimum is above the maximum.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let [a, b, c] = <[u8; 3]>::try_from(value).ok()?;
        let min = u16::from_be_bytes([a, b]) >> 4;
        let max = u16::from_be_bytes([b, c]) & Self::STEPS_MAX;
        (min <= max).then_some(Self {
            min_ms: min * Self::STEP_MS,
            max_ms: max * Self::STEP_MS,
        })
    }

    /// Returns the wire form, rounded down to whole steps and limited to the longest delay.
    pub fn write(self) -> [u8; 3] {
        let min = u32::from((self.min_ms / Self::STEP_MS).min(Self::STEPS_MAX));
        let max = u32::from((self.max_ms / Self::STEP_MS).min(Self::STEPS_MAX));
        let [_, a, b, c] = (min << 12 | max).to_be_bytes();
        [a, b, c]
    }
}

/// Time at which the media of a packet was captured, by the clock of the capturing device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AbsCaptureTime {
    /// NTP time of the capture: seconds since 1900 in 32.32 fixed point.
    pub capture_ntp: u64,
    /// Offset that converts the capture time to the NTP clock of the sender, in the same fixed
    /// point; absent when unknown.
    pub clock_offset: Option<i64>,
}

impl AbsCaptureTime {
    /// Parses the value: 8 bytes, or 16 with the offset.
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

    /// Returns the wire form: 8 bytes, or 16 with the offset.
    pub fn write(self) -> ArrayVec<u8, 16> {
        let capture = self.capture_ntp.to_be_bytes();
        let offset = self.clock_offset.map(i64::to_be_bytes);
        capture
            .into_iter()
            .chain(offset.into_iter().flatten())
            .collect()
    }
}
