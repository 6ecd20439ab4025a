//! One outgoing RTP stream with its retransmission stream: numbering, the packets kept for resending
//! and the figures of its reports (RFC 3550 §6.4.1, RFC 4588 §4).

use std::time::Duration;

use watersmeet_wire::rtp::extension::{AbsSendTime, AudioLevel, write_transport_seq};
use watersmeet_wire::rtp::{self, RtpHeaderFields};
use watersmeet_wire::units::{Map, Mid, Pt, Rid, Rng, SeqNo, Ssrc, Time};

use crate::chance;
use crate::negotiation::ExtensionIds;

/// How long a packet is kept for resending.
pub const HISTORY: Duration = Duration::from_secs(1);

/// Most packets kept for resending: one second of the fastest encoding and its keyframes.
pub const HISTORY_MAX: usize = 1_024;

/// Least time between two resendings of a packet when the round trip is unknown or shorter.
const RESEND_SPACING_MIN: Duration = Duration::from_millis(5);

/// Room for a header with every extension in use.
const HEADER_LEN_MAX: usize = 96;

/// A packet's content, before it has a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Whether it ends a frame or begins a talk spurt.
    pub marker: bool,
    /// Media time since the stream began, in ticks.
    pub ticks: u32,
    /// What it carries.
    pub payload: Vec<u8>,
    /// Loudness, for audio.
    pub level: Option<AudioLevel>,
}

/// How a stream is named and numbered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// The stream.
    pub ssrc: Ssrc,
    /// Its retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// Payload type of its media.
    pub pt: Pt,
    /// Payload type of its retransmissions.
    pub rtx_pt: Pt,
    /// Ticks per second.
    pub clock_rate: u32,
    /// The m= section.
    pub mid: Mid,
    /// Name of the encoding.
    pub rid: Option<Rid>,
}

/// A packet that was sent and may be asked for again.
#[derive(Debug)]
struct Kept {
    /// What it was.
    piece: Piece,
    /// When it was sent first.
    sent: Time,
    /// When it was resent last.
    resent: Option<Time>,
}

/// One stream.
#[derive(Debug)]
pub struct Stream {
    /// Its names.
    pub options: StreamOptions,
    /// Number of the next packet.
    seq: SeqNo,
    /// Number of the next retransmission.
    rtx_seq: u16,
    /// Media time at the start.
    ticks_start: u32,
    /// Packets that may be asked for again.
    kept: Map<SeqNo, Kept>,
    /// Whether the receiver has reported on the stream: its names need no repeating then.
    pub acknowledged: bool,
    /// The same for its retransmissions.
    pub rtx_acknowledged: bool,
    /// Packets sent, without retransmissions.
    pub packets: u32,
    /// Payload bytes sent, without retransmissions.
    pub octets: u32,
    /// Retransmissions sent.
    pub resent: u64,
    /// Retransmissions asked for that were no longer kept.
    pub forgotten: u64,
    /// Media time and clock time of the newest packet, for reports.
    newest: Option<(u32, Time)>,
}

impl Stream {
    /// A stream that has sent nothing.
    pub fn new(options: StreamOptions, rng: &mut Rng) -> Self {
        Self {
            options,
            seq: SeqNo::first(chance::start(rng)),
            rtx_seq: chance::start(rng),
            ticks_start: chance::identifier(rng),
            kept: Map::new(),
            acknowledged: false,
            rtx_acknowledged: false,
            packets: 0,
            octets: 0,
            resent: 0,
            forgotten: 0,
            newest: None,
        }
    }

    /// Begins at this sequence number and media time: for tests of wrapping.
    pub const fn begin_at(&mut self, seq: u16, ticks: u32) {
        self.seq = SeqNo::first(seq);
        self.ticks_start = ticks;
    }

    /// Whether `ssrc` is this stream or its retransmissions.
    pub fn owns(&self, ssrc: Ssrc) -> bool {
        self.options.ssrc == ssrc || self.options.rtx_ssrc == Some(ssrc)
    }

    /// Media time at `now`, if a packet was sent. A report pairs it with the clock (§6.4.1).
    pub fn ticks_at(&self, now: Time) -> Option<u32> {
        let (ticks, at) = self.newest?;
        let passed = now.since(at).as_micros() * u128::from(self.options.clock_rate) / 1_000_000;
        Some(ticks.wrapping_add(u32::try_from(passed).unwrap_or(u32::MAX)))
    }

    /// Numbers `piece` and writes it; it is kept when the stream has retransmissions. `captured` is
    /// the moment that its media time stands for.
    pub fn send(
        &mut self,
        now: Time,
        captured: Time,
        piece: Piece,
        extensions: &ExtensionIds,
        transport_seq: u16,
    ) -> Vec<u8> {
        let timestamp = self.ticks_start.wrapping_add(piece.ticks);
        let fields = RtpHeaderFields {
            marker: piece.marker,
            padding: false,
            pt: self.options.pt,
            seq: self.seq.raw(),
            timestamp,
            ssrc: self.options.ssrc,
        };
        let names = Names {
            mid: (!self.acknowledged).then_some(self.options.mid.as_str()),
            rid: self.rid_unless(self.acknowledged),
            repaired_rid: None,
        };
        let packet = write(
            &fields,
            names,
            piece.level,
            now,
            transport_seq,
            extensions,
            &[&piece.payload],
        );
        self.packets = self.packets.wrapping_add(1);
        let len = u32::try_from(piece.payload.len()).unwrap_or(0);
        self.octets = self.octets.wrapping_add(len);
        self.newest = Some((timestamp, captured));
        if self.options.rtx_ssrc.is_some() {
            self.kept.insert(
                self.seq,
                Kept {
                    piece,
                    sent: now,
                    resent: None,
                },
            );
            self.forget(now);
        }
        self.seq = SeqNo(self.seq.0 + 1);
        packet
    }

    /// Whether the packet numbered `raw` is to be sent again: it is kept, and was not just resent.
    pub fn may_resend(&mut self, now: Time, raw: u16, rtt: Duration) -> bool {
        let Some(kept) = self.kept.get_mut(&self.seq.nearest(raw)) else {
            self.forgotten += 1;
            return false;
        };
        let spacing = rtt.max(RESEND_SPACING_MIN);
        if kept.resent.is_some_and(|at| now.since(at) < spacing) {
            return false;
        }
        kept.resent = Some(now);
        true
    }

    /// Writes the retransmission of the packet numbered `raw`, if it is still kept.
    pub fn resend(
        &mut self,
        now: Time,
        raw: u16,
        extensions: &ExtensionIds,
        transport_seq: u16,
    ) -> Option<Vec<u8>> {
        let kept = self.kept.get(&self.seq.nearest(raw))?;
        let fields = RtpHeaderFields {
            marker: kept.piece.marker,
            padding: false,
            pt: self.options.rtx_pt,
            seq: self.rtx_seq,
            timestamp: self.ticks_start.wrapping_add(kept.piece.ticks),
            ssrc: self.options.rtx_ssrc?,
        };
        let names = Names {
            mid: (!self.rtx_acknowledged).then_some(self.options.mid.as_str()),
            rid: None,
            repaired_rid: self.rid_unless(self.rtx_acknowledged),
        };
        let payload = [&raw.to_be_bytes()[..], &kept.piece.payload];
        let packet = write(
            &fields,
            names,
            None,
            now,
            transport_seq,
            extensions,
            &payload,
        );
        self.rtx_seq = self.rtx_seq.wrapping_add(1);
        self.resent += 1;
        Some(packet)
    }

    fn rid_unless(&self, acknowledged: bool) -> Option<&str> {
        self.options
            .rid
            .as_ref()
            .filter(|_| !acknowledged)
            .map(Rid::as_str)
    }

    fn forget(&mut self, now: Time) {
        while let Some(oldest) = self.kept.first_entry() {
            let aged = now.since(oldest.get().sent) > HISTORY;
            if !aged && self.kept.len() <= HISTORY_MAX {
                return;
            }
            self.kept.pop_first();
        }
    }
}

/// The names a packet carries.
#[derive(Debug, Clone, Copy)]
struct Names<'a> {
    /// The m= section.
    mid: Option<&'a str>,
    /// The encoding.
    rid: Option<&'a str>,
    /// The encoding that is repaired.
    repaired_rid: Option<&'a str>,
}

/// Writes a packet whose payload is made of `parts`.
fn write(
    fields: &RtpHeaderFields,
    names: Names<'_>,
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
        (ids.mid, names.mid.map(str::as_bytes)),
        (ids.rid, names.rid.map(str::as_bytes)),
        (ids.repaired_rid, names.repaired_rid.map(str::as_bytes)),
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
