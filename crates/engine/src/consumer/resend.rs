//! Packets sent in the last second, or in four round trips where these are longer, which may be
//! retransmitted: numbers and rewritten fields, never bytes. The bytes are in the producer's packet cache.
//!
//! Bounded against peers that request too much: once per round trip, ten times per packet, and
//! nothing older than that.

use std::time::Duration;

use watersmeet_wire::units::{SeqNo, Time};

use crate::consumer::queued_packet::PacketPatch;
use crate::consumer::rewrite::low_16_bits;
use crate::consumer::withdrawn_frames::WithdrawnFrames;
use crate::packet_cache;

/// Upper bound of the packets remembered: as many as the packet cache holds.
pub const SENT_MAX: usize = 1_024;

/// Initial number of slots.
const SENT_MIN: usize = 64;

/// Upper bound of the retransmissions of one packet.
pub const RESENDS_MAX: u8 = 10;

/// Round-trip time assumed while none is measured. Each packet's own first request shows an upper
/// bound besides, which may be longer.
const RTT_DEFAULT: Duration = Duration::from_millis(100);

/// Minimum interval between two retransmissions of one packet, however short the round trip.
const SPACING_MIN: Duration = Duration::from_millis(10);

/// Microseconds per tick: fine enough that a request just one round trip later is not too early.
const TICK_MICROS: u64 = 16;

/// A sent packet. One is written per forwarded packet, into memory that is rarely in a CPU cache:
/// at 32 bytes two share a cache line, and a fast stream needs 32 KiB.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Incoming sequence number.
    pub origin: SeqNo,
    /// Outgoing RTP timestamp.
    pub timestamp: u32,
    /// Time at which it was last sent, in ticks.
    at: u32,
    /// Low 16 bits of its outgoing sequence number.
    seq: u16,
    /// Changes to the producer's packet.
    pub patch: PacketPatch,
    /// Index of the producer's stream.
    pub stream: u8,
    /// Number of retransmissions so far.
    resends: u8,
    /// Temporal layer it belongs to.
    pub temporal_layer: u8,
    /// Milliseconds from its first transmission to its first request: at least a round trip.
    waited_ms: u16,
}

const _: () = assert!(size_of::<Option<Sent>>() == 32, "two in a cache entry");

/// Packets sent lately.
#[derive(Debug)]
pub struct SentPackets {
    /// Time for which a packet can be requested.
    kept_for: Duration,
    /// Ring by outgoing sequence number. Its length is a power of two, or zero before the first packet.
    slots: Vec<Option<Sent>>,
    /// Frames that were dropped unsent since they were last taken.
    withdrawn: Option<Box<WithdrawnFrames>>,
}

impl Default for SentPackets {
    fn default() -> Self {
        Self {
            kept_for: packet_cache::KEPT_FOR,
            slots: Vec::new(),
            withdrawn: None,
        }
    }
}

impl SentPackets {
    /// Sets for how long a packet can be requested.
    pub fn keep_for(&mut self, span: Duration) {
        self.kept_for = span;
    }

    /// Remembers a packet.
    pub fn insert(
        &mut self,
        now: Time,
        seq: u64,
        stream: u8,
        origin: SeqNo,
        timestamp: u32,
        patch: PacketPatch,
    ) {
        self.make_room(now, seq);
        let index = self.index(seq);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(Sent {
                origin,
                timestamp,
                at: ticks(now),
                seq: low_16_bits(seq),
                patch,
                stream,
                resends: 0,
                temporal_layer: 0,
                waited_ms: 0,
            });
        }
    }

    /// Returns the packet whose sequence number ends in `raw`, if it may be retransmitted now.
    /// `round_trip` is the measured round-trip time.
    pub fn due(&self, now: Time, raw: u16, round_trip: Option<Duration>) -> Option<&Sent> {
        let sent = self.slots.get(self.index(u64::from(raw)))?.as_ref()?;
        let age = sent.age(now);
        let is_old = age > self.kept_for && sent.resends == 0;
        let is_early = sent.resends > 0 && age < sent.spacing(round_trip);
        let is_refused = sent.seq != raw || is_old || is_early || sent.resends >= RESENDS_MAX;
        (!is_refused).then_some(sent)
    }

    /// Records a retransmission of the packet whose sequence number ends in `raw`. Returns whether it is
    /// the first of that packet.
    pub fn record_resend(&mut self, now: Time, raw: u16) -> bool {
        let index = self.index(u64::from(raw));
        let slot = self.slots.get_mut(index).and_then(Option::as_mut);
        let Some(sent) = slot.filter(|sent| sent.seq == raw) else {
            return false;
        };
        let is_first = sent.resends == 0;
        if is_first {
            sent.waited_ms = u16::try_from(sent.age(now).as_millis()).unwrap_or(u16::MAX);
        }
        sent.resends = sent.resends.saturating_add(1);
        sent.at = ticks(now);
        is_first
    }

    /// Records that the packet whose sequence number ends in `raw` is sent only now.
    pub fn record_sent(&mut self, now: Time, raw: u16) {
        let index = self.index(u64::from(raw));
        let slot = self.slots.get_mut(index).and_then(Option::as_mut);
        if let Some(sent) = slot.filter(|sent| sent.seq == raw) {
            sent.at = ticks(now);
        }
    }

    /// Returns the packet whose sequence number ends in `raw`, while it is remembered.
    fn get(&self, raw: u16) -> Option<&Sent> {
        let slot = self.slots.get(self.index(u64::from(raw)))?.as_ref();
        slot.filter(|sent| sent.seq == raw)
    }

    /// Forgets the packet with this sequence number: it was not sent after all.
    pub fn withdraw(&mut self, seq: u64) {
        let raw = low_16_bits(seq);
        let Some(packet) = self.get(raw).copied() else {
            return;
        };
        let before = self.get(raw.wrapping_sub(1)).map(|it| it.timestamp);
        let withdrawn = self.withdrawn.get_or_insert_default();
        let is_base = packet.temporal_layer == 0;
        withdrawn.record(seq, packet.timestamp, is_base, before);
        let index = self.index(seq);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = None;
        }
    }

    /// Returns the frames that were dropped unsent since the last call.
    pub fn take_withdrawn(&mut self) -> Option<Box<WithdrawnFrames>> {
        self.withdrawn.take()
    }

    /// Sets the temporal layer of the packet that was remembered last, with this number.
    pub fn set_temporal_layer(&mut self, seq: u64, temporal_layer: u8) {
        let index = self.index(seq);
        if let Some(sent) = self.slots.get_mut(index).and_then(Option::as_mut) {
            sent.temporal_layer = temporal_layer;
        }
    }

    /// Returns how many packets the ring holds.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// Returns whether the packet whose sequence number ends in `raw` will not be sent any more: it is too
    /// old, or was retransmitted too often. A packet that was never sent may still come from the
    /// publisher.
    pub fn is_beyond_repair(&self, now: Time, raw: u16) -> bool {
        let slot = self.slots.get(self.index(u64::from(raw)));
        slot.copied().flatten().is_some_and(|sent| {
            let is_later = sent.seq.wrapping_sub(raw).cast_signed() > 0;
            let is_gone =
                sent.age(now) > self.kept_for && sent.resends == 0 || sent.resends >= RESENDS_MAX;
            is_later || sent.seq == raw && is_gone
        })
    }

    /// Returns whether the packet whose sequence number ends in `raw` was retransmitted as often as it may
    /// be.
    pub fn is_exhausted(&self, raw: u16) -> bool {
        let slot = self.slots.get(self.index(u64::from(raw)));
        let sent = slot.and_then(Option::as_ref);
        sent.is_some_and(|sent| sent.seq == raw && sent.resends >= RESENDS_MAX)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the mask leaves ten bits at most"
    )]
    fn index(&self, seq: u64) -> usize {
        (seq & (self.slots.len() as u64).wrapping_sub(1)) as usize
    }

    /// Doubles the ring when it would overwrite a packet that can still be requested.
    fn make_room(&mut self, now: Time, seq: u64) {
        if self.slots.is_empty() {
            self.slots.resize(SENT_MIN, None);
            return;
        }
        let occupant = self.slots.get(self.index(seq)).copied().flatten();
        let is_recent = occupant.is_some_and(|sent| sent.age(now) < self.kept_for);
        if !is_recent || self.slots.len() >= SENT_MAX {
            return;
        }
        let old = std::mem::take(&mut self.slots);
        self.slots.resize(old.len() * 2, None);
        for sent in old.into_iter().flatten() {
            let index = self.index(sent.seq.into());
            if let Some(slot) = self.slots.get_mut(index) {
                *slot = Some(sent);
            }
        }
    }
}

impl Sent {
    /// Returns the minimum interval to its next retransmission: a round trip. While none is measured,
    /// its first request shows how long a round trip takes at most.
    fn spacing(&self, round_trip: Option<Duration>) -> Duration {
        let waited = Duration::from_millis(self.waited_ms.into());
        round_trip
            .unwrap_or_else(|| waited.max(RTT_DEFAULT))
            .max(SPACING_MIN)
    }

    /// Returns how long ago it was sent, modulo 19 hours. After so long a pause old packets look recent,
    /// but no peer requests them.
    fn age(&self, now: Time) -> Duration {
        let ticks = u64::from(ticks(now).wrapping_sub(self.at));
        Duration::from_micros(ticks * TICK_MICROS)
    }
}

/// Returns the low 32 bits of a time in ticks.
#[expect(
    clippy::cast_possible_truncation,
    reason = "ages are differences of these bits"
)]
const fn ticks(now: Time) -> u32 {
    (now.as_micros() / TICK_MICROS) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    fn sent(seq: u64) -> SentPackets {
        let mut packets = SentPackets::default();
        packets.insert(
            Time::ZERO,
            seq,
            0,
            SeqNo(seq + 7),
            1,
            PacketPatch::default(),
        );
        packets
    }

    fn take_due(packets: &mut SentPackets, millis: u64, raw: u16, rtt: Option<Duration>) -> bool {
        let now = Time::from_millis(millis);
        let is_due = packets.due(now, raw, rtt).is_some();
        if is_due {
            packets.record_resend(now, raw);
        }
        is_due
    }

    #[test]
    fn packet_is_retransmitted_once_per_round_trip() {
        let mut packets = sent(0x1_0005);
        assert!(take_due(&mut packets, 1, 5, Some(RTT)));
        assert!(!take_due(&mut packets, 40, 5, Some(RTT)));
        assert!(take_due(&mut packets, 60, 5, Some(RTT)));
    }

    #[test]
    fn first_request_bounds_the_round_trip_while_none_is_measured() {
        let mut packets = sent(5);
        // A path of 350 ms, on which reports do not show the round trip any more.
        assert!(take_due(&mut packets, 360, 5, None));
        assert!(!take_due(&mut packets, 715, 5, None));
        assert!(take_due(&mut packets, 721, 5, None));
        let mut packets = sent(5);
        assert!(take_due(&mut packets, 1, 5, None));
        assert!(!take_due(&mut packets, 99, 5, None));
        assert!(take_due(&mut packets, 102, 5, None));
    }

    #[test]
    fn packet_is_retransmitted_ten_times_at_most() {
        let mut packets = sent(5);
        let due = |round: &u64| take_due(&mut packets, round * 100, 5, Some(RTT));
        assert_eq!((0..100).filter(due).count(), usize::from(RESENDS_MAX));
    }

    #[test]
    fn packet_is_retransmitted_to_a_viewer_with_a_long_round_trip_after_seconds() {
        let mut packets = sent(5);
        packets.keep_for(packet_cache::kept_for(Duration::from_millis(600)));
        assert!(!packets.is_beyond_repair(Time::from_millis(2_300), 5));
        assert!(take_due(&mut packets, 2_300, 5, Some(RTT)));
    }

    #[test]
    fn old_or_unknown_packet_is_not_retransmitted() {
        let mut packets = sent(5);
        assert!(!take_due(&mut packets, 1, 6, Some(RTT)));
        assert!(!take_due(&mut packets, 1, 5 + 64, Some(RTT)));
        assert!(!take_due(&mut packets, 1_500, 5, Some(RTT)));
    }

    #[test]
    fn only_packets_that_were_sent_and_are_gone_are_beyond_repair() {
        let mut packets = sent(64);
        assert!(!packets.is_beyond_repair(Time::from_millis(1), 64));
        assert!(packets.is_beyond_repair(Time::from_millis(1_500), 64));
        assert!(
            packets.is_beyond_repair(Time::from_millis(1), 0),
            "replaced"
        );
        assert!(
            !packets.is_beyond_repair(Time::from_millis(1), 65),
            "not sent yet"
        );
        assert!(
            !packets.is_beyond_repair(Time::from_millis(1), 128),
            "not sent yet"
        );
        for round in 0..u64::from(RESENDS_MAX) {
            assert!(take_due(&mut packets, round * 100, 64, Some(RTT)));
        }
        assert!(
            packets.is_beyond_repair(Time::from_millis(1), 64),
            "resent too often"
        );
    }

    #[test]
    fn ring_is_bounded() {
        let mut packets = SentPackets::default();
        for seq in 0..10_000 {
            packets.insert(Time::ZERO, seq, 0, SeqNo(seq), 0, PacketPatch::default());
        }
        assert_eq!(packets.slots.len(), SENT_MAX);
    }
}
