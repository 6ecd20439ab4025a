//! Raised hands of a room, in the order in which they were raised.

use super::people::PersonId;

/// Upper bound of raised hands in a room.
const HANDS_MAX: usize = 1_024;

/// A raised hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hand {
    /// Place in the order. Earlier hands have lower numbers.
    number: u64,
    /// Person who raised it.
    owner: PersonId,
}

/// Raised hands, first raised first.
#[derive(Debug, Default)]
pub(crate) struct RaisedHands {
    /// Hands. Those of people who lost their connection stay for as long as their seats.
    hands: Vec<Hand>,
    /// Number of the next hand.
    next: u64,
}

impl RaisedHands {
    /// Raises the hand of a person, unless it is raised. Returns its number, or `None` when too many
    /// are raised.
    pub(crate) fn raise(&mut self, owner: PersonId) -> Option<u64> {
        if let Some(number) = self.number_of(owner) {
            return Some(number);
        }
        if self.hands.len() >= HANDS_MAX {
            return None;
        }
        let number = self.next;
        self.next += 1;
        self.hands.push(Hand { number, owner });
        Some(number)
    }

    /// Lowers the hand of a person. Returns whether it was raised.
    pub(crate) fn lower(&mut self, owner: PersonId) -> bool {
        let before = self.hands.len();
        self.hands.retain(|it| it.owner != owner);
        self.hands.len() < before
    }

    /// Lowers the hands of all people whom `stays` does not accept.
    pub(crate) fn retain(&mut self, stays: impl Fn(PersonId) -> bool) {
        self.hands.retain(|it| stays(it.owner));
    }

    /// Returns the place of a person in the order, if its hand is raised.
    pub(crate) fn number_of(&self, owner: PersonId) -> Option<u64> {
        let hand = self.hands.iter().find(|it| it.owner == owner);
        hand.map(|it| it.number)
    }

    /// Returns the people whose hands are raised with their places, first raised first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PersonId, u64)> {
        self.hands.iter().map(|it| (it.owner, it.number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::room::conversation::People;
    use crate::seats::Identity;

    #[test]
    fn hands_are_bounded_and_a_raised_one_keeps_its_place() {
        let mut people = People::default();
        let mut hands = RaisedHands::default();
        let mut somebody = || people.recognise(&Identity::default());
        let first = somebody();
        assert_eq!(hands.raise(first), Some(0));
        for _ in 1..HANDS_MAX {
            assert!(hands.raise(somebody()).is_some());
        }
        let late = somebody();
        assert_eq!(hands.raise(late), None);
        assert_eq!(hands.raise(first), Some(0));
        assert!(hands.lower(first));
        assert!(!hands.lower(first));
        assert_eq!(hands.raise(late), u64::try_from(HANDS_MAX).ok());
    }
}
