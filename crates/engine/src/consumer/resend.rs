//! What was sent lately, and may be sent again: numbers and rewritten fields, never bytes. The
//! bytes stand in the producer's history.
//!
//! Bounded against a peer that asks too much: once per round trip, ten times per packet, and
//! nothing older than a second.

use std::time::Duration;

use watersmeet_wire::units::{SeqNo, Time};

use crate::consumer::queued_packet::DescriptorPatch;
use crate::consumer::raw;

/// The most packets remembered: as many as the history keeps.
pub const SENT_MAX: usize = 1_024;

/// Slots at the start.
const SENT_MIN: usize = 64;

/// How long a packet may be asked for.
const KEPT_FOR: Duration = Duration::from_secs(1);

/// How often one packet is sent again.
pub const RESENDS_MAX: u8 = 10;

/// The shortest time between two resends of one packet, whatever the round trip.
const SPACING_MIN: Duration = Duration::from_millis(10);

/// What a tick is: a peer that asks again after just a round trip must not be found too early.
const TICK_MICROS: u64 = 16;

/// A packet that went out. One is written for each packet forwarded, into memory that is seldom in
/// a cache: 32 bytes are two in a cache line, and 32 KiB for a fast stream.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Its incoming number.
    pub origin: SeqNo,
    /// Its outgoing media time.
    pub timestamp: u32,
    /// When it was sent last, in ticks.
    at: u32,
    /// The low bits of its outgoing number.
    seq: u16,
    /// What was written into its payload header.
    pub patch: DescriptorPatch,
    /// Which stream of the producer it came from.
    pub stream: u8,
    /// How often it was sent again.
    resends: u8,
}

const _: () = assert!(size_of::<Option<Sent>>() == 32, "two in a cache entry");

/// What was sent in the last second.
#[derive(Debug, Default)]
pub struct SentPackets {
    /// A power of two of slots, by outgoing number; empty when the peer cannot ask.
    slots: Vec<Option<Sent>>,
}

impl SentPackets {
    /// Remembers a packet.
    pub fn insert(
        &mut self,
        now: Time,
        seq: u64,
        stream: u8,
        origin: SeqNo,
        timestamp: u32,
        patch: DescriptorPatch,
    ) {
        self.make_room(now, seq);
        let index = self.index(seq);
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = Some(Sent {
                origin,
                timestamp,
                at: ticks(now),
                seq: raw(seq),
                patch,
                stream,
                resends: 0,
            });
        }
    }

    /// The packet whose low 16 bits are `raw`, if it may be sent again now.
    pub fn take_due(&mut self, now: Time, raw: u16, rtt: Duration) -> Option<Sent> {
        let index = self.index(u64::from(raw));
        let sent = self.slots.get_mut(index)?.as_mut()?;
        let age = sent.age(now);
        let old = age > KEPT_FOR && sent.resends == 0;
        let early = sent.resends > 0 && age < rtt.max(SPACING_MIN);
        if sent.seq != raw || old || early || sent.resends >= RESENDS_MAX {
            return None;
        }
        sent.resends += 1;
        sent.at = ticks(now);
        Some(*sent)
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "the mask leaves ten bits at most"
    )]
    fn index(&self, seq: u64) -> usize {
        (seq & (self.slots.len() as u64).wrapping_sub(1)) as usize
    }

    /// Doubles the ring when it would forget a packet that may still be asked for.
    fn make_room(&mut self, now: Time, seq: u64) {
        if self.slots.is_empty() {
            self.slots.resize(SENT_MIN, None);
            return;
        }
        let occupant = self.slots.get(self.index(seq)).copied().flatten();
        let young = occupant.is_some_and(|sent| sent.age(now) < KEPT_FOR);
        if !young || self.slots.len() >= SENT_MAX {
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
    /// How long ago it was sent, modulo 19 hours: of a stream that rested so long, packets that are
    /// long past look young, and nobody asks for them.
    fn age(&self, now: Time) -> Duration {
        let ticks = u64::from(ticks(now).wrapping_sub(self.at));
        Duration::from_micros(ticks * TICK_MICROS)
    }
}

/// The low 32 bits of a moment in ticks.
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
            DescriptorPatch::default(),
        );
        packets
    }

    #[test]
    fn a_packet_is_resent_once_per_round_trip() {
        let mut packets = sent(0x1_0005);
        assert!(packets.take_due(Time::from_millis(1), 5, RTT).is_some());
        assert!(packets.take_due(Time::from_millis(40), 5, RTT).is_none());
        assert!(packets.take_due(Time::from_millis(60), 5, RTT).is_some());
    }

    #[test]
    fn a_packet_is_resent_ten_times_at_most() {
        let mut packets = sent(5);
        let due = |round: u64| {
            packets
                .take_due(Time::from_millis(round * 100), 5, RTT)
                .is_some()
        };
        assert_eq!(
            (0..100).map(due).filter(|&due| due).count(),
            usize::from(RESENDS_MAX)
        );
    }

    #[test]
    fn an_old_or_unknown_packet_is_not_resent() {
        let mut packets = sent(5);
        assert!(packets.take_due(Time::from_millis(1), 6, RTT).is_none());
        assert!(
            packets
                .take_due(Time::from_millis(1), 5 + 64, RTT)
                .is_none()
        );
        assert!(packets.take_due(Time::from_millis(1_500), 5, RTT).is_none());
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut packets = SentPackets::default();
        for seq in 0..10_000 {
            packets.insert(
                Time::ZERO,
                seq,
                0,
                SeqNo(seq),
                0,
                DescriptorPatch::default(),
            );
        }
        assert_eq!(packets.slots.len(), SENT_MAX);
    }
}
