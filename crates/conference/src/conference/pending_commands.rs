//! Commands that shards have not replied to: who waits for the reply, what it is used for, and when
//! it is given up.

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
    /// Request that the reply answers. `None` for routers and pipes, which no request asks for.
    pub requester: Option<RequestContext>,
    /// Time at which it is given up.
    pub deadline: Time,
    /// What the reply is used for.
    pub purpose: CommandPurpose,
}

/// What a shard's reply is used for.
#[derive(Debug)]
pub(super) enum CommandPurpose {
    /// Gives a room a router.
    CreateRouter {
        /// Name of the room.
        room: Arc<str>,
        /// The router.
        router: RouterId,
    },
    /// Makes a producer known on another shard than its own.
    PipeProducer {
        /// The producer.
        producer: ProducerId,
        /// Router of its room on the other shard.
        router: RoomRouter,
    },
    /// Gives a participant a transport.
    CreateTransport {
        /// The transport.
        transport: TransportId,
        /// Direction of its media.
        direction: Direction,
    },
    /// Gives a transport the DTLS parameters of its peer.
    ConnectTransport {
        /// The transport.
        transport: TransportId,
    },
    /// Gives a transport new ICE credentials.
    RestartIce {
        /// The transport.
        transport: TransportId,
    },
    /// Creates a producer.
    Produce {
        /// Summary for other participants.
        producer: ProducerSummary,
    },
    /// Pauses or resumes a producer.
    PauseProducer {
        /// The producer.
        producer: ProducerId,
        /// Whether it is paused then.
        paused: bool,
    },
    /// Creates a consumer.
    Consume {
        /// The consumer.
        consumer: ConsumerId,
        /// Its producer.
        producer: ProducerId,
        /// Its transport.
        transport: TransportId,
        /// Whether it starts paused.
        paused: bool,
    },
    /// Pauses or resumes a consumer.
    PauseConsumer {
        /// The consumer.
        consumer: ConsumerId,
        /// Whether it is paused then.
        paused: bool,
    },
    /// Sets the preferred layers of a consumer.
    SetPreferredLayers {
        /// The consumer.
        consumer: ConsumerId,
    },
    /// Requests a keyframe for a consumer.
    RequestKeyframe {
        /// The consumer.
        consumer: ConsumerId,
    },
    /// Reads statistics.
    Stats {
        /// The object that they are of.
        subject: StatsSubject,
    },
}

/// Commands that shards have not replied to. Each session has a bounded number; routers and pipes
/// are bounded by rooms, producers and shards.
#[derive(Debug, Default)]
pub(super) struct PendingCommands {
    /// Token of the next command.
    next_token: u64,
    /// Commands whose reply matters.
    by_token: Map<CommandToken, PendingCommand>,
    /// Their tokens, by the session that requested them.
    by_session: Map<SessionId, BTreeSet<CommandToken>>,
}

impl PendingCommands {
    /// Draws the token of the next command.
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

    /// Takes a command, if its reply still matters.
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

    /// Takes all commands that a session has requested, oldest first.
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

    /// Command of a token.
    pub(super) fn get(&self, token: CommandToken) -> Option<&PendingCommand> {
        self.by_token.get(&token)
    }

    /// Number of commands that a session has requested.
    pub(super) fn len_of(&self, session: SessionId) -> usize {
        self.by_session.get(&session).map_or(0, BTreeSet::len)
    }

    /// Number of commands.
    pub(super) fn len(&self) -> usize {
        self.by_token.len()
    }

    /// Sessions that have requested commands.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.by_session.keys().copied()
    }
}
