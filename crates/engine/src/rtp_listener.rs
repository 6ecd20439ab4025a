//! Finds the producer of an RTP packet: by SSRC once it is known, before that by RID and MID (RFC
//! 8852, RFC 9143 §9.2). A learned SSRC never changes its owner.
//!
//! Each transport has its own listener, so that equal SSRCs on two transports do not conflict.

use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::{ExtensionKind, parse_sdes_item};
use watersmeet_wire::units::{Map, Mid, Pt, Rid, Ssrc};

use crate::packet::{ExtensionIds, ExtensionSpans};
use crate::slots::ProducerKey;

/// Upper bound of the SSRCs of one transport.
pub const SSRCS_MAX: usize = 64;

/// Producer and encoding that an SSRC belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOwner {
    /// Producer it belongs to.
    pub producer: ProducerKey,
    /// Index of the encoding.
    pub stream: u8,
    /// Whether it carries retransmissions of the encoding.
    pub retransmission: bool,
}

/// Reason for which a producer cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Another producer of the transport has this SSRC.
    Ssrc(Ssrc),
    /// Another producer of the transport has the same MID.
    Mid,
    /// The transport has too many SSRCs.
    TooMany,
    /// It has neither SSRC, MID nor RID, so that no packet could be assigned to it.
    Nameless,
}

/// Identification of one producer.
#[derive(Debug)]
struct Listed {
    /// Its key.
    producer: ProducerKey,
    /// Its MID.
    mid: Option<Mid>,
    /// RID of each encoding.
    rids: Vec<Option<Rid>>,
    /// Payload types of its media.
    media_pts: Vec<Pt>,
    /// Payload types of its retransmissions.
    rtx_pts: Vec<Pt>,
}

/// Maps the packets of one transport to producers.
#[derive(Debug, Default)]
pub struct RtpListener {
    /// Header extension ids on this transport.
    pub extension_ids: ExtensionIds,
    /// Owners of announced and learned SSRCs.
    ssrcs: Map<Ssrc, StreamOwner>,
    /// Producers, in the order in which they were added.
    producers: Vec<Listed>,
}

impl RtpListener {
    #[cfg(test)]
    /// Returns whether it has no producers.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Adds a producer.
    ///
    /// # Errors
    /// The conflict; nothing has changed then.
    pub fn add(&mut self, producer: ProducerKey, rtp: &RtpParameters) -> Result<(), Conflict> {
        let announced = announced_ssrcs(producer, rtp);
        if let Some((ssrc, _)) = announced
            .iter()
            .find(|(ssrc, _)| self.ssrcs.contains_key(ssrc))
        {
            return Err(Conflict::Ssrc(*ssrc));
        }
        if self.ssrcs.len() + announced.len() > SSRCS_MAX {
            return Err(Conflict::TooMany);
        }
        let rids: Vec<_> = rtp.encodings.iter().map(|encoding| encoding.rid).collect();
        let named_by_rid = rids.iter().any(Option::is_some);
        if announced.is_empty() && rtp.mid.is_none() && !named_by_rid {
            return Err(Conflict::Nameless);
        }
        let same_mid = |listed: &Listed| rtp.mid.is_some() && listed.mid == rtp.mid;
        if self.producers.iter().any(same_mid) {
            return Err(Conflict::Mid);
        }
        self.extension_ids.learn(&rtp.header_extensions);
        self.ssrcs.extend(announced);
        let pts = |rtx: bool| {
            let of_kind = rtp.codecs.iter().filter(move |codec| codec.is_rtx() == rtx);
            of_kind.map(|codec| codec.payload_type).collect()
        };
        let (media_pts, rtx_pts) = (pts(false), pts(true));
        self.producers.push(Listed {
            producer,
            mid: rtp.mid,
            rids,
            media_pts,
            rtx_pts,
        });
        Ok(())
    }

    /// Removes a producer and its SSRCs.
    pub fn remove(&mut self, producer: ProducerKey) {
        self.ssrcs.retain(|_, owner| owner.producer != producer);
        self.producers.retain(|listed| listed.producer != producer);
    }

    /// Returns the owner of an SSRC that was announced or learned.
    #[inline]
    pub fn owner(&self, ssrc: Ssrc) -> Option<StreamOwner> {
        self.ssrcs.get(&ssrc).copied()
    }

    /// Finds the owner of an unknown SSRC by the MID and RID of its packet, and remembers it.
    pub fn learn(
        &mut self,
        header: &RtpHeader,
        spans: &ExtensionSpans,
        packet: &[u8],
    ) -> Option<StreamOwner> {
        if self.ssrcs.len() >= SSRCS_MAX {
            return None;
        }
        let owner = self.owner_by_name(header, spans, packet)?;
        let is_taken = self.ssrcs.values().any(|known| *known == owner);
        // An encoding has one SSRC. A publisher that changes it announces a new producer; anything
        // else would be a hijack.
        if is_taken {
            return None;
        }
        self.ssrcs.insert(header.ssrc, owner);
        Some(owner)
    }

    fn owner_by_name(
        &self,
        header: &RtpHeader,
        spans: &ExtensionSpans,
        packet: &[u8],
    ) -> Option<StreamOwner> {
        let name = |kind| spans.value(kind, packet);
        let mid: Option<Mid> = name(ExtensionKind::Mid).and_then(parse_sdes_item);
        let rid: Option<Rid> = name(ExtensionKind::Rid).and_then(parse_sdes_item);
        let repaired: Option<Rid> = name(ExtensionKind::RepairedRid).and_then(parse_sdes_item);
        let mut candidates = self.producers.iter().filter(|listed| match mid {
            Some(mid) => listed.mid == Some(mid),
            None => true,
        });
        candidates.find_map(|listed| listed.owner(header.pt, mid, rid, repaired))
    }
}

impl Listed {
    /// Returns the owner of a packet, if it belongs to this producer.
    fn owner(
        &self,
        pt: Pt,
        mid: Option<Mid>,
        rid: Option<Rid>,
        repaired: Option<Rid>,
    ) -> Option<StreamOwner> {
        let retransmission = self.rtx_pts.contains(&pt);
        if !retransmission && !self.media_pts.contains(&pt) {
            return None;
        }
        let wanted = if retransmission {
            repaired.or(rid)
        } else {
            rid
        };
        let stream = match wanted {
            Some(_) => self.rids.iter().position(|known| *known == wanted)?,
            None if mid.is_some() && self.rids.len() == 1 => 0,
            None => return None,
        };
        let stream = u8::try_from(stream).ok()?;
        Some(StreamOwner {
            producer: self.producer,
            stream,
            retransmission,
        })
    }
}

/// Returns the SSRCs that RTP parameters announce.
fn announced_ssrcs(producer: ProducerKey, rtp: &RtpParameters) -> Map<Ssrc, StreamOwner> {
    let mut ssrcs = Map::new();
    for (encoding, stream) in rtp.encodings.iter().zip(0_u8..) {
        if let Some(ssrc) = encoding.ssrc {
            ssrcs.insert(
                ssrc,
                StreamOwner {
                    producer,
                    stream,
                    retransmission: false,
                },
            );
        }
        if let Some(rtx) = encoding.rtx {
            ssrcs.insert(
                rtx.ssrc,
                StreamOwner {
                    producer,
                    stream,
                    retransmission: true,
                },
            );
        }
    }
    ssrcs
}

#[cfg(test)]
mod tests;
