//! Codecs and layers of a producer's packets.

use watersmeet_wire::codec::{Codec, RedPayload};
use watersmeet_wire::params::RtpCodecParameters;
use watersmeet_wire::units::Pt;

use crate::ortc::RtpMapping;
use crate::packet::Incoming;
use crate::producer::stream::RetransmissionSupport;

/// Feedback that the publisher of a producer supports.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct SupportedFeedback {
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

/// One codec of a producer. Its packets may change between its codecs at any time.
#[derive(Debug)]
pub(super) struct PayloadFormat {
    /// Payload type that the publisher uses.
    pub pt: Pt,
    /// Payload type in the router.
    pub mapped: Option<Pt>,
    /// Codec by which the payload is parsed; absent when it is not parsed.
    pub codec: Option<Codec>,
    /// MIME type.
    pub mime_type: String,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
    /// Feedback that the publisher supports for it.
    pub feedback: SupportedFeedback,
    /// For RTX, the payload type of the media it retransmits.
    pub apt: Option<Pt>,
    /// Whether its payloads carry redundant audio (RFC 2198).
    pub is_red: bool,
}

impl SupportedFeedback {
    /// Returns the feedback for one codec.
    pub(super) fn of(codec: &RtpCodecParameters) -> Self {
        let has = |kind, parameter| codec.has_feedback(kind, parameter);
        Self {
            nack: has("nack", ""),
            pli: has("nack", "pli"),
            fir: has("ccm", "fir"),
            transport_cc: has("transport-cc", ""),
            remb: has("goog-remb", ""),
        }
    }
}

/// Returns the codec with a payload type of the publisher.
pub(super) fn of(formats: &[PayloadFormat], pt: Pt) -> Option<&PayloadFormat> {
    formats.iter().find(|format| format.pt == pt)
}

/// Returns the packet inside redundant audio, with the payload type of its primary payload, and any other
/// packet as it is. `None` when redundant audio is malformed, or its primary payload is not Opus.
pub(super) fn unwrap(
    formats: &[PayloadFormat],
    incoming: Incoming,
    packet: &[u8],
) -> Option<Incoming> {
    if of(formats, incoming.pt).is_none_or(|format| !format.is_red) {
        return Some(incoming);
    }
    let is_opus = |format: &&PayloadFormat| format.codec == Some(Codec::Opus);
    if incoming.payload_len == 0 {
        // Only padding.
        let pt = formats.iter().find(is_opus)?.pt;
        return Some(Incoming { pt, ..incoming });
    }
    let red = RedPayload::parse(incoming.payload(packet))?;
    let primary = of(formats, red.primary_pt).filter(is_opus)?;
    incoming.unwrap_redundancy(&red, primary.pt)
}

impl PayloadFormat {
    pub fn of(codec: &RtpCodecParameters, mapping: &RtpMapping) -> Self {
        Self {
            pt: codec.payload_type,
            mapped: mapping.payload_type(codec.payload_type),
            codec: Codec::of_mime_type(&codec.mime_type),
            mime_type: codec.mime_type.clone(),
            clock_rate: codec.clock_rate,
            feedback: SupportedFeedback::of(codec),
            apt: codec.apt(),
            is_red: codec.is_red(),
        }
    }

    /// Returns how the publisher can resend its packets. `all` are the codecs of the producer.
    pub fn retransmission(&self, all: &[Self]) -> RetransmissionSupport {
        RetransmissionSupport {
            nack: self.feedback.nack,
            rtx: all.iter().any(|other| other.apt == Some(self.pt)),
        }
    }
}
