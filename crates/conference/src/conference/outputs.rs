//! Queue of outputs for the caller: frames to send, connections to close, commands for shards.

use std::collections::VecDeque;

use watersmeet_engine::command::Command;

use crate::message::{CommandToken, SessionId, ShardId};
use crate::room_event::RoomEvent;

/// Action that the caller must carry out.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send a text frame.
    Frame {
        /// Session that receives it.
        session: SessionId,
        /// Text of the frame.
        text: String,
        /// Whether the caller drops the frame when the client does not keep up: a message of
        /// another participant, which must not cost the client its connection. All other frames
        /// have to arrive.
        droppable: bool,
    },
    /// Close a connection. The conference has removed its session: no further output concerns it.
    Close {
        /// Session whose connection closes.
        session: SessionId,
        /// WebSocket close code.
        code: u16,
        /// Reason in plain text, sent with the close code.
        reason: &'static str,
    },
    /// Send a command to a shard, and pass the reply to `Conference::handle_reply`.
    Command {
        /// Shard that carries it out.
        shard: ShardId,
        /// Token that identifies the reply.
        token: CommandToken,
        /// Command to carry out.
        command: Command,
    },
    /// Pass an event of a room to its subscribers.
    RoomEvent(Box<RoomEvent>),
}

/// Outputs in the order in which they are carried out. The caller drains them after each input,
/// which bounds them. The most come from a participant that leaves a full room: one notice for
/// every other participant.
#[derive(Debug, Default)]
pub(super) struct Outputs {
    /// Outputs, oldest first.
    queue: VecDeque<Output>,
}

impl Outputs {
    /// Adds an output at the end of the queue.
    pub(super) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    /// Adds a frame that has to arrive.
    pub(super) fn push_frame(&mut self, session: SessionId, text: String) {
        self.push(Output::Frame {
            session,
            text,
            droppable: false,
        });
    }

    /// Takes the oldest output.
    pub(super) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
