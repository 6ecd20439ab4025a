//! Commands that shards have not replied to, with the requester, the purpose and the deadline of
//! each reply.

use std::collections::BTreeSet;
use std::sync::Arc;

use watersmeet_engine::command::{ConsumerId, ProducerId, RouterId, TransportId};
use watersmeet_wire::units::{Map, Time};

use super::placement::RoomRouter;
use super::request_context::RequestContext;
use crate::message::{CommandToken, Direction, ProducerSummary, SessionId, StatsSubject};

/// Command that a shard has not replied to.
#[derive(Debug)]
pub(super) struct PendingCommand {
    /// Request that the reply answers. `None` for what the conference needs by itself: routers, pipes, and
    /// whether anything arrives from a participant.
    pub requester: Option<RequestContext>,
    /// Time at which the command is rolled back.
    pub deadline: Time,
    /// Purpose of the reply.
    pub purpose: CommandPurpose,
}

/// Purpose of a shard's reply.
#[derive(Debug)]
pub(super) enum CommandPurpose {
    /// Creates a router for a room.
    CreateRouter {
        /// Name of the room.
        room: Arc<str>,
        /// Id of the router.
        router: RouterId,
    },
    /// Pipes a producer to another shard.
    PipeProducer {
        /// Id of the producer.
        producer: ProducerId,
        /// Router of its room on the other shard.
        router: RoomRouter,
    },
    /// Reads whether anything arrives from a participant.
    ReadSilence {
        /// Session of the participant.
        session: SessionId,
    },
    /// Creates a transport for a participant.
    CreateTransport {
        /// Id of the transport.
        transport: TransportId,
        /// Direction of its media.
        direction: Direction,
    },
    /// Sets the DTLS parameters of a transport's peer.
    ConnectTransport {
        /// Id of the transport.
        transport: TransportId,
    },
    /// Generates new ICE credentials for a transport.
    RestartIce {
        /// Id of the transport.
        transport: TransportId,
    },
    /// Creates a producer.
    Produce {
        /// Summary for other participants.
        producer: ProducerSummary,
    },
    /// Pauses or resumes a producer.
    PauseProducer {
        /// Id of the producer.
        producer: ProducerId,
        /// True to pause, false to resume.
        paused: bool,
    },
    /// Creates a consumer.
    Consume {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// Producer that it receives.
        producer: ProducerId,
        /// Transport that it is sent on.
        transport: TransportId,
        /// Whether the consumer starts paused.
        paused: bool,
    },
    /// Pauses or resumes a consumer.
    PauseConsumer {
        /// Id of the consumer.
        consumer: ConsumerId,
        /// True to pause, false to resume.
        paused: bool,
    },
    /// Sets the preferred layers of a consumer.
    SetPreferredLayers {
        /// Id of the consumer.
        consumer: ConsumerId,
    },
    /// Sets the priority of a consumer.
    SetPriority,
    /// Requests a keyframe for a consumer.
    RequestKeyframe {
        /// Id of the consumer.
        consumer: ConsumerId,
    },
    /// Reads statistics.
    Stats {
        /// Object that the statistics describe.
        subject: StatsSubject,
    },
}

/// Commands that shards have not replied to. Each session has a bounded number; routers and pipes
/// are bounded by rooms, producers and shards, and readings of silence by transports.
#[derive(Debug, Default)]
pub(super) struct PendingCommands {
    /// Token of the next command.
    next_token: u64,
    /// Commands whose reply matters, by token.
    by_token: Map<CommandToken, PendingCommand>,
    /// Tokens of these commands, by the session that requested them.
    by_session: Map<SessionId, BTreeSet<CommandToken>>,
}

impl PendingCommands {
    /// Returns a new token for the next command.
    pub(super) const fn next_token(&mut self) -> CommandToken {
        let token = CommandToken(self.next_token);
        self.next_token += 1;
        token
    }

    /// Adds a command whose reply matters.
    pub(super) fn insert(&mut self, token: CommandToken, command: PendingCommand) {
        if let Some(RequestContext { session, .. }) = &command.requester {
            self.by_session.entry(*session).or_default().insert(token);
        }
        self.by_token.insert(token, command);
    }

    /// Removes a command. Returns `None` when its reply no longer matters.
    pub(super) fn take(&mut self, token: CommandToken) -> Option<PendingCommand> {
        let command = self.by_token.remove(&token)?;
        if let Some(RequestContext { session, .. }) = &command.requester
            && let Some(tokens) = self.by_session.get_mut(session)
        {
            tokens.remove(&token);
            if tokens.is_empty() {
                self.by_session.remove(session);
            }
        }
        Some(command)
    }

    /// Removes and returns all commands that a session has requested, oldest first.
    pub(super) fn take_all_of(
        &mut self,
        session: SessionId,
    ) -> Vec<(CommandToken, PendingCommand)> {
        let tokens = self.by_session.remove(&session).unwrap_or_default();
        let commands = tokens
            .into_iter()
            .filter_map(|token| Some((token, self.by_token.remove(&token)?)));
        commands.collect()
    }

    /// Returns the command with this token.
    pub(super) fn get(&self, token: CommandToken) -> Option<&PendingCommand> {
        self.by_token.get(&token)
    }

    /// Returns the number of pending commands that a session has requested.
    pub(super) fn len_of(&self, session: SessionId) -> usize {
        self.by_session.get(&session).map_or(0, BTreeSet::len)
    }

    /// Returns the number of pending commands.
    pub(super) fn len(&self) -> usize {
        self.by_token.len()
    }

    /// Returns the sessions that have requested pending commands.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.by_session.keys().copied()
    }
}
