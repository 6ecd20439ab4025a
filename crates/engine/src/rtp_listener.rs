//! Which producer an RTP packet on one transport belongs to: by SSRC once it is known, and before
//! that by RID and MID (RFC 8852, RFC 9143 §9.2). A learned SSRC never changes its owner.
//!
//! The table belongs to one transport: equal SSRCs on two transports never meet.

use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::{ExtensionKind, parse_sdes_item};
use watersmeet_wire::units::{Map, Mid, Pt, Rid, Ssrc};

use crate::packet::{ExtensionIds, ExtensionPlaces};
use crate::slots::ProducerKey;

/// The most SSRCs that one transport may bring.
pub const SSRCS_MAX: usize = 64;

/// The owner of a stream on a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOwner {
    /// The producer's place in its worker.
    pub producer: ProducerKey,
    /// The index of the encoding.
    pub stream: u8,
    /// Whether the SSRC carries retransmissions of the encoding.
    pub retransmission: bool,
}

/// Why parameters cannot be listened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Another producer of the transport has this SSRC.
    Ssrc(Ssrc),
    /// Another producer of the transport has this MID, and RIDs do not tell them apart.
    Mid,
    /// The transport has too many SSRCs.
    TooMany,
    /// Neither SSRC, MID nor RID: no packet could ever be told to be this producer's.
    Nameless,
}

/// What is known of one producer.
#[derive(Debug)]
struct Listed {
    /// The producer's place in its worker.
    producer: ProducerKey,
    /// Its MID.
    mid: Option<Mid>,
    /// The RID of each encoding.
    rids: Vec<Option<Rid>>,
    /// Payload types of its media.
    media_pts: Vec<Pt>,
    /// Payload types of its retransmissions.
    rtx_pts: Vec<Pt>,
}

/// The table of one transport.
#[derive(Debug, Default)]
pub struct RtpListener {
    /// Which id stands for which extension on this transport.
    pub extension_ids: ExtensionIds,
    /// By SSRC.
    ssrcs: Map<Ssrc, StreamOwner>,
    /// The producers, in the order they came.
    producers: Vec<Listed>,
}

impl RtpListener {
    #[cfg(test)]
    /// Whether nobody is listened for.
    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Listens for a producer's packets. On a conflict nothing changes.
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

    /// Forgets a producer.
    pub fn remove(&mut self, producer: ProducerKey) {
        self.ssrcs.retain(|_, owner| owner.producer != producer);
        self.producers.retain(|listed| listed.producer != producer);
    }

    /// The owner of an SSRC that was announced or learned.
    #[inline]
    pub fn owner(&self, ssrc: Ssrc) -> Option<StreamOwner> {
        self.ssrcs.get(&ssrc).copied()
    }

    /// Finds the owner of an unknown SSRC by the names that its packet carries, and remembers it.
    pub fn learn(
        &mut self,
        header: &RtpHeader,
        places: &ExtensionPlaces,
        packet: &[u8],
    ) -> Option<StreamOwner> {
        if self.ssrcs.len() >= SSRCS_MAX {
            return None;
        }
        let owner = self.owner_by_name(header, places, packet)?;
        let taken = self.ssrcs.values().any(|known| *known == owner);
        // An encoding has one SSRC. A publisher that changes it (as on a camera switch after a
        // restart) announces a new producer; anything else would be a hijack.
        if taken {
            return None;
        }
        self.ssrcs.insert(header.ssrc, owner);
        Some(owner)
    }

    fn owner_by_name(
        &self,
        header: &RtpHeader,
        places: &ExtensionPlaces,
        packet: &[u8],
    ) -> Option<StreamOwner> {
        let name = |kind| places.value(kind, packet);
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
    /// Whose packet this is, if it is this producer's.
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

/// The SSRCs that parameters name beforehand.
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
