//! Polls of a room. Each person has one vote, which may be changed until the poll is closed.

use std::sync::Arc;
use std::time::Duration;

use watersmeet_wire::units::{Map, Time};

use crate::message::{Author, PollState, Refusal};

use super::people::PersonId;

/// Upper bound of polls in a room. The oldest closed one is given up for a new one.
const POLLS_MAX: usize = 16;

/// Upper bound of votes in a poll: more people than a room recognises.
const VOTES_MAX: usize = 8_192;

/// Shortest time between two notices of a poll's votes.
pub(crate) const VOTES_INTERVAL: Duration = Duration::from_secs(1);

/// A poll to start.
#[derive(Debug)]
pub(crate) struct NewPoll {
    /// Id of the poll.
    pub id: u64,
    /// Time at which it starts, in milliseconds since 1970.
    pub sent_at_ms: u64,
    /// Person who starts it.
    pub owner: PersonId,
    /// The same person, as others see it.
    pub author: Author,
    /// Question to answer.
    pub question: Arc<str>,
    /// Answers to choose from.
    pub options: Arc<[Arc<str>]>,
}

/// A poll with its votes.
#[derive(Debug)]
struct Poll {
    /// Question, answers and author.
    content: NewPoll,
    /// Indexes of the answers that people have chosen.
    votes: Map<PersonId, usize>,
    /// Whether it has ended.
    is_closed: bool,
    /// Whether votes or the end were not told yet.
    is_changed: bool,
    /// Earliest time at which a change is told.
    told_from: Time,
}

/// Polls of a room, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Polls {
    /// Open and closed polls.
    polls: Vec<Poll>,
}

impl Polls {
    /// Starts a poll.
    ///
    /// # Errors
    /// Too many polls are open.
    pub(crate) fn open(&mut self, content: NewPoll) -> Result<(), Refusal> {
        if self.polls.len() >= POLLS_MAX {
            let oldest_closed = self.polls.iter().position(|it| it.is_closed);
            self.polls
                .remove(oldest_closed.ok_or(Refusal::LimitReached("open polls"))?);
        }
        self.polls.push(Poll {
            content,
            votes: Map::new(),
            is_closed: false,
            is_changed: false,
            told_from: Time::ZERO,
        });
        Ok(())
    }

    /// Records the vote of a person instead of an earlier one.
    ///
    /// # Errors
    /// There is no such poll or answer, or the poll is closed.
    pub(crate) fn vote(&mut self, id: u64, voter: PersonId, option: usize) -> Result<(), Refusal> {
        let poll = self.find(id)?;
        if poll.is_closed {
            return Err(Refusal::PollClosed);
        }
        if option >= poll.content.options.len() {
            return Err(Refusal::BadRequest(
                "the poll has no such option".to_owned(),
            ));
        }
        if poll.votes.len() >= VOTES_MAX && !poll.votes.contains_key(&voter) {
            return Err(Refusal::LimitReached("votes"));
        }
        poll.votes.insert(voter, option);
        poll.is_changed = true;
        Ok(())
    }

    /// Closes a poll at the request of its owner, or of anybody who `may_close_all`.
    ///
    /// # Errors
    /// There is no such poll, or it belongs to somebody else.
    pub(crate) fn close(
        &mut self,
        id: u64,
        by: PersonId,
        may_close_all: bool,
    ) -> Result<(), Refusal> {
        let poll = self.find(id)?;
        if poll.content.owner != by && !may_close_all {
            return Err(Refusal::Forbidden);
        }
        poll.is_closed = true;
        poll.is_changed = true;
        Ok(())
    }

    /// Returns all polls for a reader, oldest first.
    pub(crate) fn read(&self, reader: Option<PersonId>) -> Vec<PollState> {
        self.polls.iter().map(|it| it.state(reader)).collect()
    }

    /// Returns a poll for a reader.
    pub(crate) fn state(&self, id: u64, reader: Option<PersonId>) -> Option<PollState> {
        let poll = self.polls.iter().find(|it| it.content.id == id);
        poll.map(|it| it.state(reader))
    }

    /// Returns the time at which a change of a poll is to be told; `None` when all are told.
    pub(crate) fn due(&self) -> Option<Time> {
        let changed = self.polls.iter().filter(|it| it.is_changed);
        changed.map(|it| it.told_from).min()
    }

    /// Takes the polls whose changes are to be told now, as those who did not vote see them.
    pub(crate) fn take_due(&mut self, now: Time) -> Vec<PollState> {
        let due = self.polls.iter_mut();
        let due = due.filter(|it| it.is_changed && it.told_from <= now);
        let taken = due.map(|poll| {
            poll.is_changed = false;
            poll.told_from = now + VOTES_INTERVAL;
            poll.state(None)
        });
        taken.collect()
    }

    fn find(&mut self, id: u64) -> Result<&mut Poll, Refusal> {
        let poll = self.polls.iter_mut().find(|it| it.content.id == id);
        poll.ok_or(Refusal::PollNotFound)
    }
}

impl Poll {
    /// Returns the poll as a reader sees it.
    fn state(&self, reader: Option<PersonId>) -> PollState {
        let content = &self.content;
        let mut votes = vec![0; content.options.len()];
        for option in self.votes.values() {
            if let Some(count) = votes.get_mut(*option) {
                *count += 1;
            }
        }
        PollState {
            id: content.id,
            sent_at_ms: content.sent_at_ms,
            author: content.author.clone(),
            question: Arc::clone(&content.question),
            options: Arc::clone(&content.options),
            votes,
            is_closed: self.is_closed,
            is_own: reader == Some(content.owner),
            own_vote: reader.and_then(|it| self.votes.get(&it)).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::PeerId;
    use crate::room::conversation::People;
    use crate::seats::Identity;

    fn poll(id: u64, owner: PersonId) -> NewPoll {
        NewPoll {
            id,
            sent_at_ms: id,
            owner,
            author: Author {
                peer: PeerId::from_user_id("ana"),
                display_name: None,
            },
            question: "Tea?".into(),
            options: ["yes".into(), "no".into()].into(),
        }
    }

    #[test]
    fn closed_polls_are_given_up_for_new_ones_and_open_ones_are_not() {
        let ana = People::default().recognise(&Identity::default());
        let mut polls = Polls::default();
        for id in 0..POLLS_MAX as u64 {
            assert_eq!(polls.open(poll(id, ana)), Ok(()));
        }
        let full = Err(Refusal::LimitReached("open polls"));
        assert_eq!(polls.open(poll(100, ana)), full);
        assert_eq!(polls.close(3, ana, false), Ok(()));
        assert_eq!(polls.open(poll(100, ana)), Ok(()));
        assert_eq!(polls.vote(3, ana, 0), Err(Refusal::PollNotFound));
        assert_eq!(polls.vote(100, ana, 2).unwrap_err().code(), "bad-request");
        assert_eq!(polls.read(None).len(), POLLS_MAX);
    }

    #[test]
    fn votes_are_bounded_and_can_be_changed_at_the_bound() {
        let mut people = People::default();
        let mut polls = Polls::default();
        let first = people.recognise(&Identity::default());
        polls.open(poll(1, first)).unwrap();
        polls.vote(1, first, 0).unwrap();
        for _ in 1..VOTES_MAX {
            let voter = people.recognise(&Identity::default());
            polls.vote(1, voter, 0).unwrap();
        }
        let late = people.recognise(&Identity::default());
        assert_eq!(polls.vote(1, late, 0), Err(Refusal::LimitReached("votes")));
        polls.vote(1, first, 1).unwrap();
        assert_eq!(polls.state(1, None).unwrap().votes, [VOTES_MAX - 1, 1]);
    }
}
