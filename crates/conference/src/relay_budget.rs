//! Budget of a participant for what the server sends to others in its name. A short message to a
//! large room costs more than it does its sender, so that bytes count once for each receiver.

use std::io;

use serde::Serialize;
use watersmeet_wire::units::Time;

use crate::limits::{RELAYED_BYTES_BURST, RELAYED_BYTES_PER_SECOND};
use crate::message::Refusal;

/// Bytes of a frame around the content of a message.
const FRAME_LEN: usize = 128;

/// Bytes that a participant has made the server send and that time has not paid for yet.
#[derive(Debug, Default)]
pub(crate) struct RelayBudget {
    /// Bytes that are not paid for.
    owed: u64,
    /// Time up to which time has paid.
    paid_until: Time,
}

impl RelayBudget {
    /// Counts a message with this content for each receiver.
    ///
    /// # Errors
    /// Returns `RateLimited` when earlier messages have used up the budget; nothing is counted.
    pub(crate) fn charge(
        &mut self,
        now: Time,
        content: &impl Serialize,
        receivers: usize,
    ) -> Result<(), Refusal> {
        let passed = now.since(self.paid_until);
        let paid = passed
            .as_millis()
            .saturating_mul(RELAYED_BYTES_PER_SECOND.into())
            / 1_000;
        self.owed = self
            .owed
            .saturating_sub(u64::try_from(paid).unwrap_or(u64::MAX));
        self.paid_until = now;
        if self.owed >= RELAYED_BYTES_BURST {
            return Err(Refusal::RateLimited);
        }
        let cost = json_len(content).saturating_add(FRAME_LEN);
        let cost = cost.saturating_mul(receivers);
        self.owed = self
            .owed
            .saturating_add(u64::try_from(cost).unwrap_or(u64::MAX));
        Ok(())
    }
}

/// Returns the length of a value as JSON. A control character takes six bytes there.
pub(crate) fn json_len(value: &impl Serialize) -> usize {
    let mut counter = ByteCounter(0);
    // Writing to the counter cannot fail, and all values have a JSON form.
    let _ = serde_json::to_writer(&mut counter, value);
    counter.0
}

/// Counts written bytes.
struct ByteCounter(usize);

impl io::Write for ByteCounter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_once_for_each_receiver_as_they_are_on_the_wire() {
        let text = "\u{1}".repeat(4_096);
        for receivers in [1, 10, 100] {
            let mut budget = RelayBudget::default();
            let now = Time::from_millis(5_000);
            let mut sent = 0;
            while budget.charge(now, &text, receivers).is_ok() {
                sent += 1;
            }
            let each = (text.len() * 6 + 2 + FRAME_LEN) * receivers;
            let burst = usize::try_from(RELAYED_BYTES_BURST).unwrap();
            assert_eq!(sent, burst.div_ceil(each), "{receivers} receivers");
        }
    }

    #[test]
    fn time_pays_at_the_rate_and_not_in_advance() {
        let mut budget = RelayBudget::default();
        let mut now = Time::from_millis(3_600_000);
        while budget.charge(now, &"x".repeat(1_000), 100).is_ok() {}
        now = now + std::time::Duration::from_secs(1);
        let mut sent = 0;
        while budget.charge(now, &"x".repeat(1_000), 1).is_ok() {
            sent += 1;
        }
        let each = 1_002 + u64::try_from(FRAME_LEN).unwrap();
        assert!(sent <= RELAYED_BYTES_PER_SECOND / each + 1, "{sent}");
        assert!(sent * each * 10 > RELAYED_BYTES_PER_SECOND * 7, "{sent}");
    }

    #[test]
    fn the_longest_message_reaches_the_largest_room() {
        let mut budget = RelayBudget::default();
        let text = "\u{1}".repeat(4_096);
        assert_eq!(budget.charge(Time::ZERO, &text, 5_000), Ok(()));
        assert_eq!(budget.charge(Time::ZERO, &"", 1), Err(Refusal::RateLimited));
    }
}
