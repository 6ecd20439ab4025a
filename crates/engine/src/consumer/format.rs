//! A codec of a consumer, with the payload types under which it is sent.

use watersmeet_wire::codec::Codec;
use watersmeet_wire::params::RtpCodecParameters;
use watersmeet_wire::units::Pt;

/// One codec that the peer receives.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerFormat {
    /// Payload type, which is the router's.
    pub pt: Pt,
    /// Codec by which the payload is parsed; absent when it is not parsed.
    pub codec: Option<Codec>,
    /// RTP clock rate in Hz.
    pub clock_rate: u32,
    /// Payload type of its retransmissions, if supported.
    pub rtx_pt: Option<Pt>,
    /// Whether packets are sent again as they are: the peer requests them, and supports no
    /// retransmissions of this codec on a stream of their own.
    pub repeats: bool,
}

impl ConsumerFormat {
    /// Returns the media codecs among `codecs`, each with the payload type of its retransmissions if there is
    /// a stream for them.
    pub fn all_of(codecs: &[RtpCodecParameters], has_rtx_stream: bool) -> Vec<Self> {
        let rtx_pt = |media: Pt| {
            let mut rtx = codecs
                .iter()
                .filter(|codec| codec.is_rtx() && has_rtx_stream);
            let rtx = rtx.find(|codec| codec.apt() == Some(media));
            rtx.map(|codec| codec.payload_type)
        };
        let media = codecs.iter().filter(|codec| codec.is_media());
        media
            .map(|codec| Self {
                pt: codec.payload_type,
                codec: Codec::of_mime_type(&codec.mime_type),
                clock_rate: codec.clock_rate,
                rtx_pt: rtx_pt(codec.payload_type),
                repeats: codec.has_feedback("nack", "") && rtx_pt(codec.payload_type).is_none(),
            })
            .collect()
    }
}
