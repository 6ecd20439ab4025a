//! Simulated microphone: an audio packet every 20 ms, of varying length as with Opus.

use std::time::Duration;

use watersmeet_wire::units::{Rng, Time};

use crate::seeded_rng::SeededRng;

/// Time between two packets.
pub const PACKET_INTERVAL: Duration = Duration::from_millis(20);

/// RTP clock ticks between two packets.
const PACKET_TICKS: u32 = 960;

/// Bytes of the shortest payload.
const LEN_MIN: u64 = 80;

/// Bytes of the longest payload.
const LEN_MAX: u64 = 120;

/// An audio packet, before it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioPacket {
    /// RTP timestamp.
    pub timestamp: u32,
    /// Bytes of the payload.
    pub len: usize,
}

/// A microphone.
#[derive(Debug)]
pub struct Microphone {
    /// Time of the next packet.
    next: Time,
    /// RTP timestamp of the next packet.
    timestamp: u32,
    /// Payload length of every packet in bytes; `None` if it varies.
    len: Option<usize>,
    rng: SeededRng,
}

impl Microphone {
    /// Creates a microphone. The first packet is at a random time within a packet interval from `now`.
    pub fn new(now: Time, len: Option<usize>, rng: &mut Rng) -> Self {
        let mut rng = SeededRng::new(rng);
        let phase = rng.below(PACKET_INTERVAL.as_micros().try_into().unwrap_or(1));
        Self {
            next: now + Duration::from_micros(phase),
            timestamp: rng.next_u32(),
            len,
            rng,
        }
    }

    /// Returns when the next packet is due.
    pub const fn poll_timeout(&self) -> Time {
        self.next
    }

    /// Returns the next packet that is due.
    pub fn poll_packet(&mut self, now: Time) -> Option<AudioPacket> {
        if self.next > now {
            return None;
        }
        let varied = LEN_MIN + self.rng.below(LEN_MAX - LEN_MIN + 1);
        let packet = AudioPacket {
            timestamp: self.timestamp,
            len: self.len.unwrap_or(usize::try_from(varied).unwrap_or(0)),
        };
        self.next = self.next + PACKET_INTERVAL;
        self.timestamp = self.timestamp.wrapping_add(PACKET_TICKS);
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seeded_rng;

    #[test]
    fn fifty_packets_per_second_of_varying_length() {
        let mut microphone = Microphone::new(Time::ZERO, None, &mut seeded_rng::seeded(1));
        let mut lens = Vec::new();
        while let Some(packet) = microphone.poll_packet(Time::from_millis(10_019)) {
            lens.push(packet.len);
        }
        assert!((500..=501).contains(&lens.len()), "{}", lens.len());
        assert!(lens.iter().all(|len| (80..=120).contains(len)));
        assert_ne!(lens.iter().min(), lens.iter().max());
    }

    #[test]
    fn fixed_length_is_used_for_every_packet() {
        let mut microphone = Microphone::new(Time::ZERO, Some(64), &mut seeded_rng::seeded(1));
        let packet = microphone.poll_packet(Time::from_millis(20)).unwrap();
        assert_eq!(packet.len, 64);
    }
}
