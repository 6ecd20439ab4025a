//! Finds the producer of an RTP packet: by SSRC once it is known, before that by RID and MID (RFC
//! 8852, RFC 9143 §9.2). A known SSRC never changes its owner, but it loses its place to another that
//! names the same MID and RID once it is silent: a publisher may restart under a new SSRC. The SSRCs
//! of closed producers are not learned again for some seconds, in which their last packets arrive.
//!
//! Each transport has its own listener, so that equal SSRCs on two transports do not conflict. Each
//! producer has header extension ids of its own, because two may use one id for different things.

use std::time::Duration;

use watersmeet_wire::params::RtpParameters;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::{ExtensionKind, parse_sdes_item};
use watersmeet_wire::units::{Map, Mid, Pt, Rid, Ssrc, Time};

use crate::packet::{ExtensionIds, ExtensionSpans};
use crate::slots::ProducerKey;

/// Upper bound of the SSRCs of one transport.
pub const SSRCS_MAX: usize = 64;

/// Silence after which an SSRC loses its place to another of the same encoding. Longer than the
/// interval between two packets of silent Opus (400 ms).
pub const SILENT_AFTER: Duration = Duration::from_millis(500);

/// Time for which a retired SSRC is not learned again: the queues of a publisher and of the network are
/// empty by then.
pub const RETIRED_FOR: Duration = Duration::from_secs(5);

/// Upper bound of the retired SSRCs that are remembered; older ones are forgotten.
pub const RETIRED_MAX: usize = SSRCS_MAX;

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

/// State of an announced or learned SSRC.
#[derive(Debug, Clone, Copy)]
struct KnownSsrc {
    /// Its owner.
    owner: StreamOwner,
    /// Header extension ids of its packets.
    extension_ids: ExtensionIds,
    /// Arrival time of its last packet; before the first, the time at which it was announced.
    last: Time,
}

/// Identification of one producer.
#[derive(Debug)]
struct Listed {
    /// Its key.
    producer: ProducerKey,
    /// Header extension ids of its packets.
    extension_ids: ExtensionIds,
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
    /// Announced and learned SSRCs.
    ssrcs: Map<Ssrc, KnownSsrc>,
    /// Producers, in the order in which they were added.
    producers: Vec<Listed>,
    /// SSRCs of closed producers and those that lost their place, with the time, oldest first.
    retired: Vec<(Ssrc, Time)>,
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
    pub fn add(
        &mut self,
        now: Time,
        producer: ProducerKey,
        rtp: &RtpParameters,
    ) -> Result<(), Conflict> {
        let mut extension_ids = ExtensionIds::default();
        extension_ids.learn(&rtp.header_extensions);
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
        self.retired
            .retain(|(ssrc, _)| !announced.contains_key(ssrc));
        self.ssrcs
            .extend(announced.into_iter().map(|(ssrc, owner)| {
                let known = KnownSsrc {
                    owner,
                    extension_ids,
                    last: now,
                };
                (ssrc, known)
            }));
        let pts = |rtx: bool| {
            let of_kind = rtp.codecs.iter().filter(move |codec| codec.is_rtx() == rtx);
            of_kind.map(|codec| codec.payload_type).collect()
        };
        let (media_pts, rtx_pts) = (pts(false), pts(true));
        self.producers.push(Listed {
            producer,
            extension_ids,
            mid: rtp.mid,
            rids,
            media_pts,
            rtx_pts,
        });
        Ok(())
    }

    /// Removes a producer and its SSRCs.
    pub fn remove(&mut self, now: Time, producer: ProducerKey) {
        let of_producer = |known: &KnownSsrc| known.owner.producer == producer;
        let former = self.ssrcs.iter().filter(|(_, known)| of_producer(known));
        for ssrc in former.map(|(ssrc, _)| *ssrc).collect::<Vec<_>>() {
            self.retire(now, ssrc);
        }
        self.producers.retain(|listed| listed.producer != producer);
    }

    /// Returns the owner of an SSRC that was announced or learned.
    pub fn owner(&self, ssrc: Ssrc) -> Option<StreamOwner> {
        self.ssrcs.get(&ssrc).map(|known| known.owner)
    }

    /// Finds the owner of a packet and its header extensions. An unknown SSRC is learned by the MID and
    /// RID of its packet.
    #[inline]
    pub fn locate(
        &mut self,
        now: Time,
        header: &RtpHeader,
        packet: &[u8],
    ) -> (Option<StreamOwner>, ExtensionSpans) {
        if let Some(known) = self.ssrcs.get_mut(&header.ssrc) {
            known.last = now;
            let spans = known.extension_ids.locate(header, packet);
            return (Some(known.owner), spans);
        }
        self.locate_by_name(now, header, packet)
    }

    fn locate_by_name(
        &mut self,
        now: Time,
        header: &RtpHeader,
        packet: &[u8],
    ) -> (Option<StreamOwner>, ExtensionSpans) {
        let mut unowned = ExtensionSpans::default();
        for listed in &self.producers {
            let spans = listed.extension_ids.locate(header, packet);
            if let Some(owner) = listed.owner_by_name(header, &spans, packet) {
                let ids = listed.extension_ids;
                return (self.learn(now, header.ssrc, owner, ids), spans);
            }
            if unowned
                .value(ExtensionKind::TransportWideCc, packet)
                .is_none()
            {
                unowned = spans;
            }
        }
        (None, unowned)
    }

    /// Remembers the owner of an unknown SSRC, if the encoding has none that still sends.
    fn learn(
        &mut self,
        now: Time,
        ssrc: Ssrc,
        owner: StreamOwner,
        extension_ids: ExtensionIds,
    ) -> Option<StreamOwner> {
        let is_retired =
            |(retired, at): &(Ssrc, Time)| *retired == ssrc && now.since(*at) < RETIRED_FOR;
        if self.retired.iter().any(is_retired) {
            return None;
        }
        let holder = self.ssrcs.iter().find(|(_, known)| known.owner == owner);
        if let Some((&holder, known)) = holder {
            // An encoding has one SSRC at a time; two that send would be a hijack.
            if now.since(known.last) < SILENT_AFTER {
                return None;
            }
            self.retire(now, holder);
        }
        if self.ssrcs.len() >= SSRCS_MAX {
            return None;
        }
        let known = KnownSsrc {
            owner,
            extension_ids,
            last: now,
        };
        self.ssrcs.insert(ssrc, known);
        Some(owner)
    }

    /// Forgets an SSRC, which is not learned again for some time.
    fn retire(&mut self, now: Time, ssrc: Ssrc) {
        self.ssrcs.remove(&ssrc);
        self.retired
            .retain(|(other, at)| *other != ssrc && now.since(*at) < RETIRED_FOR);
        if self.retired.len() >= RETIRED_MAX {
            self.retired.remove(0);
        }
        self.retired.push((ssrc, now));
    }
}

impl Listed {
    /// Returns the owner of a packet whose header extensions were found with the ids of this producer, if
    /// it names this producer.
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
        if mid.is_some() && mid != self.mid {
            return None;
        }
        self.owner(header.pt, mid, rid, repaired)
    }

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
