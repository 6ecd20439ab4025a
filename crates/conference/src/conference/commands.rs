//! Sends commands to shards and handles their replies. What a reply changes is in `replies`.

use watersmeet_engine::command::{self, Command};

use super::Conference;
use super::outputs::Output;
use super::pending_commands::{CommandPurpose, PendingCommand};
use super::request_context::RequestContext;
use super::timers::Timer;
use crate::message::{CommandToken, Direction, Reply, ShardId};

impl Conference {
    /// Sends a command whose reply does not matter.
    pub(super) fn send_command(&mut self, shard: ShardId, command: Command) -> CommandToken {
        let token = self.commands.next_token();
        self.outputs.push(Output::Command {
            shard,
            token,
            command,
        });
        token
    }

    /// Sends a command and records what its reply is used for.
    pub(super) fn request_command(
        &mut self,
        requester: Option<RequestContext>,
        shard: ShardId,
        command: Command,
        purpose: CommandPurpose,
    ) {
        let token = self.send_command(shard, command);
        let deadline = self.now + self.config.limits.request_timeout();
        self.timers.schedule(deadline, Timer::Command(token));
        let pending = PendingCommand {
            requester,
            deadline,
            purpose,
        };
        self.commands.insert(token, pending);
    }

    /// Removes a pending command and its timer. Returns `None` when its reply no longer matters.
    pub(super) fn take_command(&mut self, token: CommandToken) -> Option<PendingCommand> {
        let command = self.commands.take(token)?;
        self.timers.cancel(command.deadline, Timer::Command(token));
        Some(command)
    }

    /// Handles a shard's reply. A late reply, or one for a session that has left, is ignored: its
    /// command was rolled back already.
    pub(super) fn receive_reply(
        &mut self,
        token: CommandToken,
        result: Result<command::Reply, command::Refusal>,
    ) {
        let Some(command) = self.take_command(token) else {
            return;
        };
        let Some(RequestContext { session, tag }) = command.requester else {
            self.complete_unrequested(command.purpose, result);
            return;
        };
        let outcome = self.complete(session, command.purpose, result);
        let receives = matches!(
            &outcome,
            Ok(Reply::TransportCreated(created)) if created.direction == Direction::Recv
        );
        let started = outcome.as_ref().ok().and_then(Reply::started_consumer);
        self.respond(session, &tag, outcome);
        if receives {
            self.release_held(session);
        }
        if let Some(consumer) = started {
            self.tell_consumer_score(session, consumer);
        }
        self.admit_waiting(session);
    }
}
