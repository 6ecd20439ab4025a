//! Shares of the temporal layers in the bitrate of a spatial layer.

use std::time::Duration;

use arrayvec::ArrayVec;
use watersmeet_wire::codec::PayloadDescriptor;
use watersmeet_wire::units::Time;

use crate::allocation::TEMPORAL_LAYERS_MAX;

/// Time after which what was counted weighs half.
const HALF_LIFE: Duration = Duration::from_secs(2);

/// Number of frames from which the shares are known.
const FRAMES_MIN: u64 = 8;

/// Bytes and frames of each temporal layer, later ones with more weight.
#[derive(Debug, Default, Clone)]
pub struct TemporalShares {
    bytes: [u64; TEMPORAL_LAYERS_MAX],
    /// Frames, times 16, so that halving keeps fractions.
    frames_q4: [u64; TEMPORAL_LAYERS_MAX],
    halved: Time,
}

impl TemporalShares {
    /// Counts a packet.
    #[inline]
    pub fn record(&mut self, now: Time, packet: &PayloadDescriptor, len: usize) {
        if now.since(self.halved) >= HALF_LIFE {
            self.halve(now);
        }
        let index = usize::from(packet.temporal_layer).min(TEMPORAL_LAYERS_MAX - 1);
        if let Some(bytes) = self.bytes.get_mut(index) {
            *bytes += len as u64;
        }
        if let Some(frames) = self.frames_q4.get_mut(index)
            && packet.starts_frame
        {
            *frames += 1 << 4;
        }
    }

    /// Returns the shares of the temporal layers, each with those below it, in thousandths, lowest first and
    /// without the highest one. Nothing of a layer without temporal layers, or while they are not known.
    pub fn permille(&self) -> ArrayVec<u64, TEMPORAL_LAYERS_MAX> {
        if self.frames_q4.iter().sum::<u64>() < FRAMES_MIN << 4 {
            return ArrayVec::new();
        }
        let all = self.bytes.iter().sum::<u64>().max(1);
        let highest = self.frames_q4.iter().rposition(|it| *it > 0).unwrap_or(0);
        let mut sum = 0;
        let lower = self.bytes.iter().take(highest);
        lower
            .map(|bytes| {
                sum += bytes;
                sum * 1_000 / all
            })
            .collect()
    }

    fn halve(&mut self, now: Time) {
        self.halved = now;
        for count in self.bytes.iter_mut().chain(&mut self.frames_q4) {
            *count /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records frames of 100 bytes for the lowest temporal layer and 50 for the others, each in two packets.
    fn record(shares: &mut TemporalShares, pattern: &[u8], millis: std::ops::Range<u64>) {
        let layers = pattern.iter().cycle();
        for (at, &temporal_layer) in millis.step_by(33).zip(layers) {
            for starts_frame in [true, false] {
                let packet = PayloadDescriptor {
                    temporal_layer,
                    starts_frame,
                    ..PayloadDescriptor::default()
                };
                let len = if temporal_layer == 0 { 50 } else { 25 };
                shares.record(Time::from_millis(at), &packet, len);
            }
        }
    }

    #[test]
    fn shares_are_those_of_the_bytes() {
        let mut shares = TemporalShares::default();
        record(&mut shares, &[0, 2, 1, 2], 0..9_900);
        let permille = shares.permille();
        assert_eq!(permille.len(), 2);
        assert!(permille[0].abs_diff(400) < 15 && permille[1].abs_diff(600) < 15);
    }

    #[test]
    fn stream_without_temporal_layers_has_no_shares() {
        let mut shares = TemporalShares::default();
        record(&mut shares, &[0], 0..5_000);
        assert!(shares.permille().is_empty());
    }

    #[test]
    fn temporal_layer_that_ends_is_forgotten() {
        let mut shares = TemporalShares::default();
        record(&mut shares, &[0, 1], 0..5_000);
        assert_eq!(shares.permille().len(), 1);
        record(&mut shares, &[0], 5_000..40_000);
        assert!(shares.permille().is_empty());
    }

    #[test]
    fn shares_are_not_known_before_some_frames() {
        let mut shares = TemporalShares::default();
        record(&mut shares, &[0, 2, 1, 2], 0..200);
        assert!(shares.permille().is_empty());
    }
}
