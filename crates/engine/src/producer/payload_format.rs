//! Codecs and layers of a producer's packets.

use watersmeet_wire::codec::Codec;
use watersmeet_wire::params::RtpCodecParameters;
use watersmeet_wire::units::Pt;

use crate::ortc::RtpMapping;
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
