//! Layers and score of a consumer in the latest notices to its client, so that each change is told once and
//! not too often.

use std::time::Duration;

use watersmeet_wire::units::Time;

use crate::layers::LayersReason;
use crate::score::{SCORE_MAX, is_notable};

/// Shortest time between two reports of scores, and between two reports of layers of which only the
/// reason differs.
const TOLD_INTERVAL: Duration = Duration::from_secs(1);

/// Latest reports of one consumer.
#[derive(Debug, Clone, Copy)]
pub struct ToldState {
    /// Why no better layers are sent, as told last.
    reason: Option<LayersReason>,
    /// Time at which layers were told last.
    layers_at: Time,
    /// Score that was told last.
    score: u8,
    /// Time at which a score was told last.
    score_at: Time,
}

impl Default for ToldState {
    fn default() -> Self {
        Self {
            reason: None,
            layers_at: Time::ZERO,
            score: SCORE_MAX,
            score_at: Time::ZERO,
        }
    }
}

impl ToldState {
    /// Returns why no better layers are sent, as told last.
    pub const fn reason(&self) -> Option<LayersReason> {
        self.reason
    }

    /// Records that layers are told, and why they are no better.
    pub const fn record_layers(&mut self, now: Time, reason: Option<LayersReason>) {
        self.reason = reason;
        self.layers_at = now;
    }

    /// Returns whether another reason for the same layers is to be told now.
    pub fn is_reason_due(&self, now: Time, reason: LayersReason) -> bool {
        self.reason != Some(reason) && now.since(self.layers_at) >= TOLD_INTERVAL
    }

    /// Records a score. Returns whether it is to be told.
    pub fn record_score(&mut self, now: Time, score: u8) -> bool {
        let is_due = now.since(self.score_at) >= TOLD_INTERVAL;
        if !is_due || !is_notable(self.score, score) {
            return false;
        }
        self.score = score;
        self.score_at = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_told_once_a_second_at_most() {
        let mut told = ToldState::default();
        let at = |millis: u64| Time::from_millis(10_000 + millis);
        assert!(!told.record_score(at(0), 10) && !told.record_score(at(0), 9));
        assert!(told.record_score(at(0), 4));
        assert!(!told.record_score(at(999), 8));
        assert!(told.record_score(at(1_000), 8) && !told.record_score(at(2_000), 8));
    }

    #[test]
    fn another_reason_is_told_after_a_second() {
        let mut told = ToldState::default();
        let at = |millis: u64| Time::from_millis(10_000 + millis);
        told.record_layers(at(0), None);
        assert!(!told.is_reason_due(at(500), LayersReason::Publisher));
        assert!(told.is_reason_due(at(1_000), LayersReason::Publisher));
        told.record_layers(at(1_000), Some(LayersReason::Publisher));
        assert!(!told.is_reason_due(at(9_000), LayersReason::Publisher));
    }
}
