//! A microphone: a packet of speech every 20 ms, of varying length as Opus makes them.

use std::time::Duration;

use watersmeet_wire::units::{Rng, Time};

use crate::chance::Chance;

/// Time between two packets.
pub const PACKET_INTERVAL: Duration = Duration::from_millis(20);

/// Ticks of the RTP clock between two packets.
const PACKET_TICKS: u32 = 960;

/// The shortest packet of speech.
const LEN_MIN: u64 = 80;

/// The longest.
const LEN_MAX: u64 = 120;

/// One packet, before it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spoken {
    /// RTP time.
    pub timestamp: u32,
    /// Bytes of the payload.
    pub len: usize,
}

/// A microphone.
#[derive(Debug)]
pub struct Microphone {
    /// When the next packet is there.
    next: Time,
    /// RTP time of the next.
    timestamp: u32,
    /// Length of every packet; none when they vary.
    len: Option<usize>,
    chance: Chance,
}

impl Microphone {
    /// A microphone that begins at a random moment within a packet from `now`.
    pub fn new(now: Time, len: Option<usize>, rng: &mut Rng) -> Self {
        let mut chance = Chance::new(rng);
        let phase = chance.below(PACKET_INTERVAL.as_micros().try_into().unwrap_or(1));
        Self {
            next: now + Duration::from_micros(phase),
            timestamp: chance.word(),
            len,
            chance,
        }
    }

    /// When there is something to send.
    pub const fn poll_timeout(&self) -> Time {
        self.next
    }

    /// The next packet that is due.
    pub fn poll_packet(&mut self, now: Time) -> Option<Spoken> {
        if self.next > now {
            return None;
        }
        let varied = LEN_MIN + self.chance.below(LEN_MAX - LEN_MIN + 1);
        let spoken = Spoken {
            timestamp: self.timestamp,
            len: self.len.unwrap_or(usize::try_from(varied).unwrap_or(0)),
        };
        self.next = self.next + PACKET_INTERVAL;
        self.timestamp = self.timestamp.wrapping_add(PACKET_TICKS);
        Some(spoken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance;

    #[test]
    fn fifty_packets_a_second_of_speech() {
        let mut microphone = Microphone::new(Time::ZERO, None, &mut chance::seeded(1));
        let mut lens = Vec::new();
        while let Some(spoken) = microphone.poll_packet(Time::from_millis(10_019)) {
            lens.push(spoken.len);
        }
        assert!((500..=501).contains(&lens.len()), "{}", lens.len());
        assert!(lens.iter().all(|len| (80..=120).contains(len)));
        assert_ne!(lens.iter().min(), lens.iter().max());
    }

    #[test]
    fn a_length_may_be_chosen() {
        let mut microphone = Microphone::new(Time::ZERO, Some(64), &mut chance::seeded(1));
        let spoken = microphone.poll_packet(Time::from_millis(20)).unwrap();
        assert_eq!(spoken.len, 64);
    }
}
