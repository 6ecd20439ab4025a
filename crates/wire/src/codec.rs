//! Payload headers of the codecs a router inspects without decoding: where a receiver can start,
//! where frames start and end, and which layer a packet belongs to.
//!
//! Parsing allocates nothing and reads a few leading bytes only. A payload that violates its format
//! yields `None`; the engine forwards it all the same, but starts no receiver with it. Nothing here
//! keeps state between packets.

pub mod av1;
pub mod h264;
pub mod layer_filter;
pub mod opus;
mod payload_descriptor;
mod picture_id;
pub mod red;
pub mod vp8;
pub mod vp9;

pub use layer_filter::{InterLayerPrediction, LayerFilter};
pub use payload_descriptor::PayloadDescriptor;
pub use picture_id::PictureId;
pub use red::RedPayload;
pub use vp8::Vp8Descriptor;
pub use vp9::Vp9Descriptor;

/// Payload formats that [`parse_payload`] reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// RFC 7741.
    Vp8,
    /// RFC 9628.
    Vp9,
    /// RFC 6184.
    H264,
    /// RTP payload format for AV1 (AOMedia).
    Av1,
    /// RFC 7587.
    Opus,
}

impl Codec {
    /// Returns the codec with this MIME type, compared without case; `None` for codecs whose
    /// payloads are not inspected.
    pub fn of_mime_type(mime_type: &str) -> Option<Self> {
        [
            ("video/VP8", Self::Vp8),
            ("video/VP9", Self::Vp9),
            ("video/H264", Self::H264),
            ("video/AV1", Self::Av1),
            ("audio/opus", Self::Opus),
        ]
        .into_iter()
        .find_map(|(name, codec)| name.eq_ignore_ascii_case(mime_type).then_some(codec))
    }
}

/// Reads the properties of `payload`; `None` when it violates the format of `codec`.
pub fn parse_payload(codec: Codec, payload: &[u8]) -> Option<PayloadDescriptor> {
    match codec {
        Codec::Vp8 => {
            Vp8Descriptor::parse(payload).map(|descriptor| descriptor.payload_descriptor())
        }
        Codec::Vp9 => {
            Vp9Descriptor::parse(payload).map(|descriptor| descriptor.payload_descriptor())
        }
        Codec::H264 => h264::parse(payload),
        Codec::Av1 => av1::parse(payload),
        Codec::Opus => opus::parse(payload),
    }
}

#[cfg(test)]
mod tests;
