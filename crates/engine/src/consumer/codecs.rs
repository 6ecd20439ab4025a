//! Codecs of a consumer: its producer may change between several, of which the peer may lack some.

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Pt, Ssrc};

use super::Consumer;
use super::format::ConsumerFormat;
use crate::consumer::queued_packet::{QueuedPacket, Transmission};
use crate::packet::Arrival;

impl Consumer {
    /// Returns whether a packet of another codec than the present one can be sent. Changes to its codec
    /// when the stream being sent does; video then waits for a keyframe.
    #[cold]
    pub(super) fn accepts_codec(&mut self, arrival: &Arrival) -> bool {
        let is_current = self.layers.current() == Some(arrival.layer);
        let format = self.format(arrival.pt);
        if !is_current {
            let is_target = self.layers.target() == Some(arrival.layer);
            self.lacks_codec = format.is_none() && is_target || self.lacks_codec && !is_target;
            self.counters.unsupported += u64::from(format.is_none() && is_target);
            return format.is_some();
        }
        if arrival.seq < self.format_since {
            // A late packet of the former codec. Audio is sent, if the peer receives that codec.
            return format.is_some() && self.kind == MediaKind::Audio;
        }
        let Some(format) = format else {
            self.counters.unsupported += 1;
            self.sequence.omit(arrival.seq);
            if self.kind == MediaKind::Video {
                self.lacks_codec = true;
                self.layers.restart();
            }
            return false;
        };
        if self.kind == MediaKind::Video {
            self.layers.restart();
        } else {
            self.use_format(format);
            self.format_since = arrival.seq;
        }
        true
    }

    /// Returns the codec with this payload type.
    pub(super) fn format(&self, pt: Pt) -> Option<ConsumerFormat> {
        self.formats.iter().copied().find(|format| format.pt == pt)
    }

    /// Makes this the present codec.
    pub(super) fn use_format(&mut self, format: ConsumerFormat) {
        if self.clock_rate != format.clock_rate {
            self.clock = None;
        }
        self.pt = format.pt;
        self.codec = format.codec;
        self.clock_rate = format.clock_rate;
    }

    /// Returns the SSRC under which a packet is sent.
    #[inline]
    pub fn outgoing_ssrc(&self, packet: &QueuedPacket) -> Ssrc {
        match (&self.rtx, packet.transmission) {
            (Some(rtx), Transmission::Rtx(_)) => rtx.ssrc,
            _ => self.ssrc,
        }
    }

    /// Returns the payload type under which a packet is sent whose media has the payload type `media`.
    /// `None` when the peer does not receive retransmissions of that codec.
    #[inline]
    pub(super) fn outgoing_pt(&self, packet: &QueuedPacket, media: Pt) -> Option<Pt> {
        match packet.transmission {
            Transmission::Rtx(_) => self.format(media)?.rtx_pt,
            Transmission::First | Transmission::Repetition if packet.patch.redundancy.is_none() => {
                Some(media)
            }
            Transmission::First | Transmission::Repetition => self.red_pt,
        }
    }

    /// Returns the MIME type of the present codec.
    pub(super) fn mime_type(&self) -> &str {
        let mut codecs = self.rtp.codecs.iter();
        let codec = codecs.find(|codec| codec.payload_type == self.pt);
        codec.map_or("", |codec| &codec.mime_type)
    }
}
