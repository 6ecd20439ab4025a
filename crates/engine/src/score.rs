//! Reception scores of streams: how much of what was sent arrives, and which changes are worth telling.

use watersmeet_wire::units::{Rid, Ssrc};

/// Score of a stream without losses.
pub const SCORE_MAX: u8 = 10;

/// Smallest change of a score that is told. A change by one is 2.5 % of the packets, which comes and goes.
const NOTABLE_STEP: u8 = 2;

/// Reception score of one encoding of a producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EncodingScore {
    /// Index of the encoding, the lowest quality first.
    pub encoding: u8,
    /// SSRC with which the publisher sends it.
    pub ssrc: Ssrc,
    /// RID with which the publisher sends it.
    pub rid: Option<Rid>,
    /// Score from 0 (nothing arrives) to 10.
    pub score: u8,
}

/// Returns the reception score of a stream: the fourth power of the received fraction, which makes 10 %
/// loss a 7 and 20 % a 4; at least 1 where anything arrives.
pub fn score_of(expected: u64, received: u64) -> u8 {
    if expected == 0 {
        return SCORE_MAX;
    }
    let share = (received.min(expected) * 1_000 / expected).pow(4);
    let score = (share * u64::from(SCORE_MAX) + 500_000_000_000) / 1_000_000_000_000;
    let least = u64::from(received > 0);
    u8::try_from(score.max(least)).unwrap_or(SCORE_MAX)
}

/// Returns whether a score differs enough from the one that was told. The start and the end of a stream
/// always do.
pub const fn is_notable(told: u8, score: u8) -> bool {
    let is_start_or_end = (told == 0) != (score == 0);
    is_start_or_end || told.abs_diff(score) >= NOTABLE_STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn score_falls_with_the_fourth_power_of_what_arrives() {
        let scores = [0, 5, 10, 20, 50, 90, 100].map(|lost| score_of(100, 100 - lost));
        assert_eq!(scores, [10, 8, 7, 4, 1, 1, 0]);
        assert_eq!((score_of(0, 0), score_of(10, 20)), (SCORE_MAX, SCORE_MAX));
    }

    #[test]
    fn changes_by_one_are_told_only_at_the_start_and_the_end() {
        assert!(!is_notable(10, 9) && !is_notable(9, 10) && !is_notable(4, 4));
        assert!(is_notable(10, 8) && is_notable(7, 10));
        assert!(is_notable(1, 0) && is_notable(0, 1));
    }
}
