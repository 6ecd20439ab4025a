//! Polls: starting, voting and closing. Results are told to all participants, at most once a second for each poll.

use std::sync::Arc;

use super::super::Conference;
use super::super::request_context::Outcome;
use super::author;
use crate::limits::{
    POLL_OPTION_LEN_MAX, POLL_OPTIONS_MAX, POLL_OPTIONS_MIN, POLL_QUESTION_LEN_MAX,
};
use crate::message::{Notice, PollRequest, Refusal, Reply, Role, SessionId};
use crate::names::clean_name;
use crate::room::NewPoll;

impl Conference {
    /// Carries out a request about a poll.
    pub(in super::super) fn handle_poll(&mut self, id: SessionId, request: PollRequest) -> Outcome {
        match request {
            PollRequest::Open { question, options } => self.open_poll(id, &question, &options),
            PollRequest::Vote { poll, option } => self.vote(id, poll, option),
            PollRequest::Close { poll } => self.close_poll(id, poll),
        }
    }

    /// Starts a poll of a participant who may write.
    fn open_poll(&mut self, id: SessionId, question: &str, options: &[String]) -> Outcome {
        let membership = self.sessions.member(id)?;
        let participant = self.rooms.participant(&membership)?;
        let (owner, author, role) = (participant.person, author(participant), participant.role);
        let content = check_poll(question, options)?;
        if !self.may_write(&membership, role) {
            return Err(Refusal::Forbidden);
        }
        self.charge_for_all(id, &membership, &(question, options))?;
        let (question, options) = content;
        let sent_at_ms = self.unix_ms();
        let room = self.rooms.get_mut(&membership.room);
        let conversation = &mut room.ok_or(Refusal::Internal)?.conversation;
        let poll = conversation.next_id(sent_at_ms);
        conversation.polls.open(NewPoll {
            id: poll,
            sent_at_ms,
            owner,
            author,
            question,
            options,
        })?;
        let for_others = conversation.polls.state(poll, None);
        let for_owner = conversation.polls.state(poll, Some(owner));
        let states = for_others.zip(for_owner);
        let (for_others, for_owner) = states.ok_or(Refusal::Internal)?;
        self.notify_others(
            &membership.room,
            id,
            &Notice::PollOpened(Arc::new(for_others)),
        );
        self.notify(id, &Notice::PollOpened(Arc::new(for_owner)));
        Ok(Some(Reply::Done))
    }

    /// Records the vote of a participant.
    fn vote(&mut self, id: SessionId, poll: u64, option: usize) -> Outcome {
        let membership = self.sessions.member(id)?;
        let voter = self.rooms.participant(&membership)?.person;
        self.charge_for_all(id, &membership, &[0; POLL_OPTIONS_MAX])?;
        let room = self.rooms.get_mut(&membership.room);
        let polls = &mut room.ok_or(Refusal::Internal)?.conversation.polls;
        polls.vote(poll, voter, option)?;
        self.tell_presence(&membership.room);
        Ok(Some(Reply::Done))
    }

    /// Closes a poll at the request of its author or a host.
    fn close_poll(&mut self, id: SessionId, poll: u64) -> Outcome {
        let membership = self.sessions.member(id)?;
        let participant = self.rooms.participant(&membership)?;
        let (person, is_host) = (participant.person, participant.role == Role::Host);
        self.charge_for_all(id, &membership, &[0; POLL_OPTIONS_MAX])?;
        let room = self.rooms.get_mut(&membership.room);
        let polls = &mut room.ok_or(Refusal::Internal)?.conversation.polls;
        polls.close(poll, person, is_host)?;
        self.tell_presence(&membership.room);
        Ok(Some(Reply::Done))
    }

    /// Notifies all participants of the votes in polls that have changed, and whether these have ended, as far as that
    /// is due.
    pub(in super::super) fn tell_poll_results(&mut self, name: &str) {
        let now = self.now;
        let room = self.rooms.get_mut(name);
        let changed = room.map(|it| it.conversation.polls.take_due(now));
        for state in changed.unwrap_or_default() {
            let notice = Notice::PollChanged {
                poll: state.id,
                votes: state.votes.into(),
                is_closed: state.is_closed,
            };
            self.notify_everybody(name, &notice);
        }
    }
}

/// Question and answers of a poll.
type PollTexts = (Arc<str>, Arc<[Arc<str>]>);

/// Returns the texts of a poll without characters that are not seen.
///
/// # Errors
/// There are too few or too many answers, two are the same, or a text is empty or too long.
fn check_poll(question: &str, options: &[String]) -> Result<PollTexts, Refusal> {
    let bad = |what: &str| Err(Refusal::BadRequest(what.to_owned()));
    let question = clean_name(question);
    if question.is_empty() || question.len() > POLL_QUESTION_LEN_MAX {
        return bad("question is empty or too long");
    }
    if !(POLL_OPTIONS_MIN..=POLL_OPTIONS_MAX).contains(&options.len()) {
        return bad("a poll has 2 to 10 options");
    }
    let mut checked: Vec<Arc<str>> = Vec::new();
    for option in options {
        let option = clean_name(option);
        if option.is_empty() || option.len() > POLL_OPTION_LEN_MAX {
            return bad("an option is empty or too long");
        }
        if checked.iter().any(|it| **it == *option) {
            return bad("two options are the same");
        }
        checked.push(option.into());
    }
    Ok((question.into(), checked.into()))
}
