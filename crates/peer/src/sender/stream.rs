//! Outgoing RTP stream with its retransmission stream: numbering, packets kept for retransmission,
//! and the counts of its reports (RFC 3550 §6.4.1, RFC 4588 §4).

use std::time::Duration;

use watersmeet_wire::rtp::extension::{AbsSendTime, AudioLevel, write_transport_seq};
use watersmeet_wire::rtp::{self, RtpHeaderFields};
use watersmeet_wire::units::{Map, Mid, Pt, Rid, Rng, SeqNo, Ssrc, Time};

use crate::negotiation::ExtensionIds;
use crate::random;

/// Time for which packets are kept for retransmission.
pub const RETRANSMISSION_WINDOW: Duration = Duration::from_secs(1);

/// Most packets kept for retransmission: one second of the highest encoding with its keyframes.
pub const SENT_PACKETS_MAX: usize = 1_024;

/// Minimum interval between two retransmissions of a packet.
const RETRANSMIT_SPACING_MIN: Duration = Duration::from_millis(5);

/// Longest header with all extensions in use, in bytes.
const HEADER_LEN_MAX: usize = 96;

/// Contents of a packet before it is numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketContent {
    /// Marker bit: the packet ends a frame or starts a talk spurt.
    pub marker: bool,
    /// RTP timestamp relative to the start of the stream, in ticks.
    pub ticks: u32,
    /// Payload.
    pub payload: Vec<u8>,
    /// Audio level, for audio.
    pub level: Option<AudioLevel>,
}

/// Identifiers of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// SSRC of the media.
    pub ssrc: Ssrc,
    /// SSRC of the retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// Payload type of the media.
    pub pt: Pt,
    /// Payload type of the retransmissions.
    pub rtx_pt: Pt,
    /// RTP clock rate, in Hz.
    pub clock_rate: u32,
    /// MID of the m= section.
    pub mid: Mid,
    /// RID of the encoding.
    pub rid: Option<Rid>,
}

/// Sent packet that may be retransmitted.
#[derive(Debug)]
struct SentPacket {
    /// Contents of the packet.
    content: PacketContent,
    /// Time at which it was first sent.
    sent: Time,
    /// Time of the last retransmission.
    retransmitted: Option<Time>,
}

/// Outgoing stream.
#[derive(Debug)]
pub struct Stream {
    /// Identifiers of the stream.
    pub options: StreamOptions,
    /// Sequence number of the next packet.
    seq: SeqNo,
    /// Sequence number of the next retransmission.
    rtx_seq: u16,
    /// RTP timestamp at the start of the stream.
    ticks_start: u32,
    /// Packets kept for retransmission.
    sent_packets: Map<SeqNo, SentPacket>,
    /// Whether the receiver has reported on the stream; MID and RID are no longer sent then.
    pub acknowledged: bool,
    /// Whether the receiver has reported on the retransmission stream.
    pub rtx_acknowledged: bool,
    /// Number of packets sent, without retransmissions.
    pub packets: u32,
    /// Payload bytes sent, without retransmissions.
    pub octets: u32,
    /// Number of retransmissions sent.
    pub retransmitted: u64,
    /// Number of requested retransmissions of packets that are no longer kept.
    pub expired: u64,
    /// RTP timestamp and capture time of the newest packet, for reports.
    newest: Option<(u32, Time)>,
}

impl Stream {
    /// Creates a stream with random initial numbers.
    pub fn new(options: StreamOptions, rng: &mut Rng) -> Self {
        Self {
            options,
            seq: SeqNo::first(random::any_u16(rng)),
            rtx_seq: random::any_u16(rng),
            ticks_start: random::nonzero_u32(rng),
            sent_packets: Map::new(),
            acknowledged: false,
            rtx_acknowledged: false,
            packets: 0,
            octets: 0,
            retransmitted: 0,
            expired: 0,
            newest: None,
        }
    }

    /// Sets the first sequence number and RTP timestamp, for tests of wrapping.
    pub const fn start_at(&mut self, seq: u16, ticks: u32) {
        self.seq = SeqNo::first(seq);
        self.ticks_start = ticks;
    }

    /// Lets sequence number and RTP timestamp jump, as those of a restarted encoder.
    pub fn jump(&mut self, numbers: u16, ticks: u32) {
        self.seq = SeqNo(self.seq.0 + u64::from(numbers));
        self.ticks_start = self.ticks_start.wrapping_add(ticks);
        self.sent_packets.clear();
    }

    /// Returns whether `ssrc` is the SSRC of the media or of the retransmissions.
    pub fn owns(&self, ssrc: Ssrc) -> bool {
        self.options.ssrc == ssrc || self.options.rtx_ssrc == Some(ssrc)
    }

    /// Returns the RTP timestamp at `now`, if a packet was sent; reports pair it with the NTP time
    /// (§6.4.1).
    pub fn ticks_at(&self, now: Time) -> Option<u32> {
        let (ticks, at) = self.newest?;
        let passed = now.since(at).as_micros() * u128::from(self.options.clock_rate) / 1_000_000;
        Some(ticks.wrapping_add(u32::try_from(passed).unwrap_or(u32::MAX)))
    }

    /// Numbers and writes a packet, and keeps it when the stream has retransmissions. `captured` is
    /// the time that its RTP timestamp denotes.
    pub fn send(
        &mut self,
        now: Time,
        captured: Time,
        content: PacketContent,
        extensions: &ExtensionIds,
        transport_seq: u16,
    ) -> Vec<u8> {
        let timestamp = self.ticks_start.wrapping_add(content.ticks);
        let fields = RtpHeaderFields {
            marker: content.marker,
            padding: false,
            pt: self.options.pt,
            seq: self.seq.raw(),
            timestamp,
            ssrc: self.options.ssrc,
        };
        let stream_ids = StreamIds {
            mid: (!self.acknowledged).then_some(self.options.mid.as_str()),
            rid: self.rid_unless(self.acknowledged),
            repaired_rid: None,
        };
        let packet = write(
            &fields,
            stream_ids,
            content.level,
            now,
            transport_seq,
            extensions,
            &[&content.payload],
        );
        self.packets = self.packets.wrapping_add(1);
        let len = u32::try_from(content.payload.len()).unwrap_or(0);
        self.octets = self.octets.wrapping_add(len);
        self.newest = Some((timestamp, captured));
        if self.options.rtx_ssrc.is_some() {
            self.sent_packets.insert(
                self.seq,
                SentPacket {
                    content,
                    sent: now,
                    retransmitted: None,
                },
            );
            self.drop_expired(now);
        }
        self.seq = SeqNo(self.seq.0 + 1);
        packet
    }

    /// Returns whether to retransmit the packet numbered `raw`: it is kept, and was not
    /// retransmitted within the last round trip.
    pub fn may_retransmit(&mut self, now: Time, raw: u16, rtt: Duration) -> bool {
        let Some(sent_packets) = self.sent_packets.get_mut(&self.seq.nearest(raw)) else {
            self.expired += 1;
            return false;
        };
        let spacing = rtt.max(RETRANSMIT_SPACING_MIN);
        if sent_packets
            .retransmitted
            .is_some_and(|at| now.since(at) < spacing)
        {
            return false;
        }
        sent_packets.retransmitted = Some(now);
        true
    }

    /// Writes the retransmission of the packet numbered `raw`, if it is still kept.
    pub fn retransmit(
        &mut self,
        now: Time,
        raw: u16,
        extensions: &ExtensionIds,
        transport_seq: u16,
    ) -> Option<Vec<u8>> {
        let sent_packets = self.sent_packets.get(&self.seq.nearest(raw))?;
        let fields = RtpHeaderFields {
            marker: sent_packets.content.marker,
            padding: false,
            pt: self.options.rtx_pt,
            seq: self.rtx_seq,
            timestamp: self.ticks_start.wrapping_add(sent_packets.content.ticks),
            ssrc: self.options.rtx_ssrc?,
        };
        let stream_ids = StreamIds {
            mid: (!self.rtx_acknowledged).then_some(self.options.mid.as_str()),
            rid: None,
            repaired_rid: self.rid_unless(self.rtx_acknowledged),
        };
        let payload = [&raw.to_be_bytes()[..], &sent_packets.content.payload];
        let packet = write(
            &fields,
            stream_ids,
            None,
            now,
            transport_seq,
            extensions,
            &payload,
        );
        self.rtx_seq = self.rtx_seq.wrapping_add(1);
        self.retransmitted += 1;
        Some(packet)
    }

    fn rid_unless(&self, acknowledged: bool) -> Option<&str> {
        self.options
            .rid
            .as_ref()
            .filter(|_| !acknowledged)
            .map(Rid::as_str)
    }

    fn drop_expired(&mut self, now: Time) {
        while let Some(oldest) = self.sent_packets.first_entry() {
            let expired = now.since(oldest.get().sent) > RETRANSMISSION_WINDOW;
            if !expired && self.sent_packets.len() <= SENT_PACKETS_MAX {
                return;
            }
            self.sent_packets.pop_first();
        }
    }
}

/// Identifiers that a packet carries in header extensions.
#[derive(Debug, Clone, Copy)]
struct StreamIds<'a> {
    /// MID of the m= section.
    mid: Option<&'a str>,
    /// RID of the encoding.
    rid: Option<&'a str>,
    /// RID of the encoding that is repaired.
    repaired_rid: Option<&'a str>,
}

/// Writes a packet whose payload is the concatenation of `parts`.
fn write(
    fields: &RtpHeaderFields,
    stream_ids: StreamIds<'_>,
    level: Option<AudioLevel>,
    now: Time,
    transport_seq: u16,
    ids: &ExtensionIds,
    parts: &[&[u8]],
) -> Vec<u8> {
    let send_time = AbsSendTime::from_micros(now.as_micros()).write();
    let transport_seq = write_transport_seq(transport_seq);
    let level = level.map(AudioLevel::write);
    let elements = [
        (ids.audio_level, level.as_ref().map(<[u8; 1]>::as_slice)),
        (ids.abs_send_time, Some(&send_time[..])),
        (ids.transport_wide_cc, Some(&transport_seq[..])),
        (ids.mid, stream_ids.mid.map(str::as_bytes)),
        (ids.rid, stream_ids.rid.map(str::as_bytes)),
        (ids.repaired_rid, stream_ids.repaired_rid.map(str::as_bytes)),
    ];
    let elements: Vec<(u8, &[u8])> = elements
        .into_iter()
        .filter_map(|(id, value)| Some((id?, value?)))
        .collect();
    let mut header = [0; HEADER_LEN_MAX];
    let header_len = rtp::write_header(&mut header, fields, &elements).unwrap_or(0);
    debug_assert!(header_len > 0, "six short extensions fit");
    let mut packet = header.get(..header_len).unwrap_or_default().to_vec();
    for part in parts {
        packet.extend_from_slice(part);
    }
    packet
}
