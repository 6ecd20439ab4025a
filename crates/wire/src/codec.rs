//! What a router must know of a payload without decoding it: whether a receiver may begin here,
//! where frames start and end, and which layer a packet belongs to.
//!
//! Reading allocates nothing and looks at a few leading bytes only. A payload that contradicts its
//! own format answers with nothing; it is forwarded all the same, and no receiver begins with it.
//! Nothing here judges media, and nothing here remembers the packet before.

pub mod h264;
pub mod opus;
pub mod vp8;
pub mod vp9;

pub use vp8::Vp8Descriptor;
pub use vp9::Vp9Descriptor;

/// The formats that can be peeked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RFC 7587.
    Opus,
}

impl Codec {
    /// The codec with this MIME type, in any case; none for those that are routed unseen.
    pub fn of_mime_type(mime_type: &str) -> Option<Self> {
        [
            ("video/VP8", Self::Vp8),
            ("video/VP9", Self::Vp9),
            ("video/H264", Self::H264),
            ("audio/opus", Self::Opus),
        ]
        .into_iter()
        .find_map(|(name, codec)| name.eq_ignore_ascii_case(mime_type).then_some(codec))
    }
}

/// What one payload says of itself.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct PayloadDescriptor {
    /// A receiver that has nothing may begin with this packet: a keyframe starts here, or it is
    /// audio. Later packets of the same keyframe do not say so.
    pub keyframe: bool,
    /// A frame (with VP9: one spatial layer of it) starts here. In H.264 it may seem to start
    /// twice, at its parameter sets and at its first slice.
    pub starts_frame: bool,
    /// The payload itself says that the frame (with VP9: one spatial layer of it) ends here. Other
    /// codecs than VP9 and Opus leave that to the RTP marker.
    pub ends_frame: bool,
    /// Spatial layer, from 0.
    pub spatial_layer: u8,
    /// Temporal layer, from 0.
    pub temporal_layer: u8,
    /// A receiver of fewer temporal layers may begin to take this one here.
    pub layer_sync: bool,
    /// The picture's number, of 7 or 15 bits.
    pub picture_id: Option<PictureId>,
    /// The number of the picture in temporal layer 0 that this one builds on.
    pub tl0_pic_idx: Option<u8>,
    /// The packet stands for silence, and may be left out.
    pub dtx: bool,
}

/// Reads what `payload` says of itself; none when it cannot be read.
pub fn parse_payload(codec: Codec, payload: &[u8]) -> Option<PayloadDescriptor> {
    match codec {
        Codec::Vp8 => {
            Vp8Descriptor::parse(payload).map(|descriptor| descriptor.payload_descriptor())
        }
        Codec::Vp9 => {
            Vp9Descriptor::parse(payload).map(|descriptor| descriptor.payload_descriptor())
        }
        Codec::H264 => h264::parse(payload),
        Codec::Opus => opus::parse(payload),
    }
}

/// A picture's number, which wraps within the width that its encoder chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PictureId {
    /// The number.
    value: u16,
    /// Whether it is 15 bits wide; else 7.
    extended: bool,
}

impl PictureId {
    /// The number `value` in 15 bits.
    pub const fn extended(value: u16) -> Self {
        Self {
            value: value & 0x7fff,
            extended: true,
        }
    }

    /// The number `value` in 7 bits.
    pub const fn short(value: u16) -> Self {
        Self {
            value: value & 0x7f,
            extended: false,
        }
    }

    /// The number.
    pub const fn value(self) -> u16 {
        self.value
    }

    /// Whether it is 15 bits wide; else 7.
    pub const fn is_extended(self) -> bool {
        self.extended
    }

    /// Another number in the same width.
    #[must_use]
    pub const fn with_value(self, value: u16) -> Self {
        if self.extended {
            Self::extended(value)
        } else {
            Self::short(value)
        }
    }

    /// Reads the number that begins with the byte at `at`, whose top bit tells its width. Moves
    /// `at` behind it.
    fn parse(payload: &[u8], at: &mut usize) -> Option<Self> {
        let first = *payload.get(*at)?;
        if first & 0x80 == 0 {
            *at += 1;
            return Some(Self::short(u16::from(first)));
        }
        let second = *payload.get(*at + 1)?;
        *at += 2;
        Some(Self::extended(u16::from_be_bytes([first, second])))
    }

    /// Writes the number at `at`, if there is room.
    fn write(self, payload: &mut [u8], at: usize) {
        let [high, low] = self.value.to_be_bytes();
        let rest = payload.get_mut(at..).unwrap_or_default();
        match (self.extended, rest) {
            (true, [first, second, ..]) => {
                *first = 0x80 | high;
                *second = low;
            }
            (false, [first, ..]) => *first = low,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
