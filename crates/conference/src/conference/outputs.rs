//! Queue of what the caller must do: frames to send, connections to close, commands for shards.

use std::collections::VecDeque;

use watersmeet_engine::command::Command;

use crate::message::{CommandToken, SessionId, ShardId};

/// Something that the caller must do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send a text frame.
    Frame {
        /// Session that receives it.
        session: SessionId,
        /// The frame.
        text: String,
    },
    /// Close a connection. The conference has removed its session: no further output concerns it.
    Close {
        /// Session whose connection closes.
        session: SessionId,
        /// WebSocket close code.
        code: u16,
        /// Reason, for people.
        reason: &'static str,
    },
    /// Send a command to a shard, and its reply to `Conference::handle_reply`.
    Command {
        /// Shard that carries it out.
        shard: ShardId,
        /// Identifies the reply.
        token: CommandToken,
        /// The command.
        command: Command,
    },
}

/// Outputs in the order in which they are carried out. Bounded by what one input can cause, since
/// the caller drains them after each: the largest is a participant that leaves a full room, of
/// which every other participant is notified once.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// Oldest first.
    queue: VecDeque<Output>,
}

impl Outputs {
    /// Adds an output behind the others.
    pub(super) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    /// Takes the oldest output.
    pub(super) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
