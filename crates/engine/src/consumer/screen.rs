//! Sending of a shared screen. On a slow path a picture of it takes seconds, which a camera's must not: it is
//! sent whole, as long as not much more waits behind it.

use std::time::Duration;

use watersmeet_wire::units::Time;

use super::queued_packet::{QueuedPacket, Transmission};

/// Longest time for which a packet waits; then the path does not carry the picture.
const HOLD_MAX: Duration = Duration::from_secs(15);

/// Wait up to which nothing counts as too much.
const HOLD_USUAL: Duration = Duration::from_millis(500);

/// Time, in milliseconds, that the path may take for what waits before a keyframe, and for what waits besides the
/// picture being sent and a keyframe: for that at least, and as long as for the keyframe that would come instead.
const OTHERS_MAX_MS: u64 = 1_000;

/// Time besides the round trip in which a peer may not have the end of a keyframe that was sent.
const ARRIVES_WITHIN: Duration = Duration::from_millis(300);

/// State of sending a screen.
#[derive(Debug, Default)]
pub struct ScreenSending {
    /// Outgoing timestamp of the latest keyframe.
    keyframe: Option<u32>,
    /// Time at which a packet of it was last sent.
    keyframe_sent_at: Option<Time>,
    /// The keyframe of which a packet was last sent, and the one before it.
    sent_keyframes: [SentKeyframe; 2],
}

/// Bytes of a keyframe that were sent so far.
#[derive(Debug, Default, Clone, Copy)]
struct SentKeyframe {
    timestamp: u32,
    bytes: u64,
}

/// More of a screen waits than should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Excess {
    /// Everything has waited for too long.
    All,
    /// Too much waits behind the picture with this timestamp, which is being sent.
    Behind(u32),
}

impl ScreenSending {
    /// Records that a keyframe with this timestamp is queued.
    pub const fn record_keyframe(&mut self, timestamp: u32) {
        self.keyframe = Some(timestamp);
    }

    /// Records that a packet was sent; `len` includes the header.
    pub fn record_sent(&mut self, now: Time, packet: &QueuedPacket, len: usize) {
        if !self.is_of_keyframe(packet) {
            return;
        }
        self.keyframe_sent_at = Some(now);
        let [latest, former] = &mut self.sent_keyframes;
        if latest.timestamp != packet.timestamp {
            let timestamp = packet.timestamp;
            *former = std::mem::replace(
                latest,
                SentKeyframe {
                    timestamp,
                    bytes: 0,
                },
            );
        }
        latest.bytes += len as u64;
    }

    /// Returns the length of a keyframe, as far as it is known: the latest may not be sent completely.
    fn keyframe_len(&self) -> u64 {
        let [latest, former] = &self.sent_keyframes;
        latest.bytes.max(former.bytes)
    }

    /// Returns whether a packet is sent for the first time and belongs to the latest keyframe.
    pub fn is_of_keyframe(&self, packet: &QueuedPacket) -> bool {
        packet.transmission == Transmission::First && self.keyframe == Some(packet.timestamp)
    }

    /// Returns whether the end of the latest keyframe may still be on the way to the peer.
    pub fn is_keyframe_arriving(&self, now: Time, round_trip: Duration) -> bool {
        let sent_at = self.keyframe_sent_at;
        sent_at.is_some_and(|at| now.since(at) < round_trip + ARRIVES_WITHIN)
    }

    /// Returns what is too much of the packets that wait, oldest first, each with its length.
    /// `bytes_per_second` is what the path carries.
    pub fn excess<'a>(
        &self,
        now: Time,
        bytes_per_second: u64,
        waiting: impl Iterator<Item = (&'a QueuedPacket, u64)>,
    ) -> Option<Excess> {
        let mut waiting = waiting.peekable();
        let (first, _) = *waiting.peek()?;
        if first.waited(now) <= HOLD_USUAL {
            return None;
        }
        if first.waited(now) > HOLD_MAX {
            return Some(Excess::All);
        }
        let sending = first.timestamp;
        let (mut before_keyframe, mut others, mut all) = (0, 0, 0);
        let mut has_keyframe = false;
        for (packet, len) in waiting {
            let is_keyframe = self.is_of_keyframe(packet);
            if is_keyframe && !has_keyframe {
                has_keyframe = true;
                (before_keyframe, others) = (all, 0);
            }
            if !is_keyframe && packet.timestamp != sending {
                others += len;
            }
            all += len;
        }
        let most = bytes_per_second * OTHERS_MAX_MS / 1_000;
        let is_too_much = before_keyframe > most || others > most.max(self.keyframe_len());
        is_too_much.then_some(Excess::Behind(sending))
    }
}

#[cfg(test)]
mod tests;
