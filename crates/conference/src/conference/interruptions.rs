//! Tells participants when nothing arrives from another one any more, and when something does again.
//!
//! Clients that support it send a `ping` every second. When one has been silent for longer, the shards of its
//! transports are asked: who is still heard is not interrupted, whatever its signalling does.

use std::time::Duration;

use watersmeet_engine::command::{self, Command};

use super::Conference;
use super::pending_commands::CommandPurpose;
use super::request_context::Outcome;
use super::timers::Timer;
use crate::message::{Notice, Refusal, Reply, SessionId};

/// Silence of a client that sends a frame every second, after which its connection is checked. Browsers
/// delay timers of hidden pages by up to a second. With the notice, others know within three seconds.
const SILENCE_MAX: Duration = Duration::from_millis(2_400);

/// Silence of a transport up to which media counts as arriving. Reports and feedback come several times a
/// second, audio fifty times.
const MEDIA_SILENCE_MAX: Duration = Duration::from_secs(1);

/// Time between two checks of a client from which only media arrives.
const RECHECK_AFTER: Duration = Duration::from_millis(500);

/// Delay of a check from which this program itself was not running: frames that wait are not handled yet.
const LATE_MIN: Duration = Duration::from_millis(500);

impl Conference {
    /// Records that a frame of a client has arrived.
    pub(super) fn record_frame(&mut self, id: SessionId) {
        let now = self.now;
        let session = self.sessions.get_mut(id);
        if session.is_some_and(|it| it.liveness().record_frame(now)) {
            self.tell_interruption(id, false);
            self.watch_silence(id);
        }
    }

    /// Handles the sign of life of a client, and the number of the last frame that it has received.
    pub(super) fn ping(&mut self, id: SessionId, seq: Option<u64>) -> Outcome {
        let session = self.sessions.get_mut(id).ok_or(Refusal::Internal)?;
        if let (Some(seq), Some(resumption)) = (seq, session.resumption_mut()) {
            resumption.confirm(seq);
        }
        self.watch_silence(id);
        Ok(Some(Reply::Done))
    }

    /// Starts to watch for the silence of a participant, unless it is watched already.
    fn watch_silence(&mut self, id: SessionId) {
        if self.sessions.membership(id).is_some() {
            self.schedule_check(id, SILENCE_MAX);
        }
    }

    /// Schedules the next check of a client, unless one is scheduled or under way.
    fn schedule_check(&mut self, id: SessionId, after: Duration) {
        let due = self.now + after;
        let session = self.sessions.get_mut(id);
        if session.is_some_and(|it| it.liveness().start_timer(due)) {
            self.timers.schedule(due, Timer::Silence(id));
        }
    }

    /// Checks for how long a client has been silent. Asks the shards of its transports if that is too long.
    pub(super) fn check_silence(&mut self, id: SessionId) {
        let now = self.now;
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let liveness = session.liveness();
        let due = liveness.take_timer().unwrap_or(now);
        let silence = now.since(liveness.last_frame());
        if now.since(due) >= LATE_MIN {
            return self.schedule_check(id, SILENCE_MAX);
        }
        if silence < SILENCE_MAX {
            return self.schedule_check(id, SILENCE_MAX.saturating_sub(silence));
        }
        let transports = self.media.transports_of(id);
        if transports.is_empty() {
            return self.record_interruption(id);
        }
        if let Some(session) = self.sessions.get_mut(id) {
            session.liveness().expect_replies(transports.len());
        }
        for (shard, transport) in transports {
            let command = Command::TransportSilence { transport };
            let purpose = CommandPurpose::ReadSilence { session: id };
            self.request_command(None, shard, command, purpose);
        }
    }

    /// Records what the shard of a transport says of its silence; `None` when it said nothing.
    pub(super) fn record_silence(&mut self, id: SessionId, reply: Option<command::Reply>) {
        let silence = match reply {
            Some(command::Reply::TransportSilence(silence)) => silence,
            _ => Duration::MAX,
        };
        let now = self.now;
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let liveness = session.liveness();
        let Some(is_alive) = liveness.record_reply(silence < MEDIA_SILENCE_MAX) else {
            return;
        };
        let has_spoken = now.since(liveness.last_frame()) < SILENCE_MAX;
        match is_alive || has_spoken {
            true => self.schedule_check(id, RECHECK_AFTER),
            false => self.record_interruption(id),
        }
    }

    /// Records that a participant is interrupted, and tells the others.
    fn record_interruption(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.get_mut(id) {
            session.liveness().record_interruption();
        }
        self.tell_interruption(id, true);
    }

    /// Tells the others whether nothing arrives from a participant.
    fn tell_interruption(&mut self, id: SessionId, interrupted: bool) {
        let Some(membership) = self.sessions.membership(id) else {
            return;
        };
        let room = self.rooms.get_mut(&membership.room);
        let changed = room.and_then(|it| it.set_interrupted(membership.number, interrupted));
        let Some(participant) = changed else {
            return;
        };
        let peer = participant.peer.clone();
        let notice = Notice::InterruptionChanged { peer, interrupted };
        self.notify_viewers_of(&membership.room, id, &notice);
    }

    /// Stops watching a client that leaves its room.
    pub(super) fn stop_watching_silence(&mut self, id: SessionId) {
        let session = self.sessions.get_mut(id);
        if let Some(at) = session.and_then(|it| it.liveness().reset()) {
            self.timers.cancel(at, Timer::Silence(id));
        }
    }
}
