//! The owner of all rooms and sessions. Frames and a shard's answers go in, frames and commands
//! come out; between two inputs everything is consistent.
//!
//! How a request goes: 1. `handle_frame` checks length and rate and lets the dialect read it;
//! 2. `admit` lets it through, or makes it wait while too many of the same connection are being
//! worked on; 3. `perform` (in `requests`) answers it, refuses it, or sends a command and remembers
//! why; 4. `handle_reply` takes the shard's answer and `conclude` (in `replies`) makes the reply
//! and the notices of it. `endings` takes things apart.
//!
//! Ids of transports, producers and consumers are drawn here, so that whatever is being made can
//! already be closed. An object counts against its owner's cap from the moment of the request.
//!
//! Outputs are bounded by what one input can cause (a participant of a full room leaving is told
//! to all others once), since whoever gives an input drains the outputs after it.

mod endings;
mod ownership;
mod replies;
mod requests;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use watersmeet_engine::command::{
    self, Command, ConsumerId, ProducerId, RouterId, TransportId, TransportOptions,
};
use watersmeet_wire::params::{RtpCapabilities, RtpCodecCapability};
use watersmeet_wire::units::{Map, Rng, Time};

use crate::caps::{CLOSE_POLICY, CLOSE_TOO_LONG, CLOSE_TRY_LATER, Caps};
use crate::dialect::{Dialect, DialectKind, RequestId, native};
use crate::message::{
    CommandToken, Direction, Notice, PeerId, ProducerSummary, Refusal, Reply, Request, SessionId,
    ShardId, Subject,
};
use crate::room::Room;
use crate::session::{Place, Session, Waiting};

/// What a conference is made of.
#[derive(Debug, Clone)]
pub struct ConferenceConfig {
    /// The codecs of every room, in order of preference.
    pub media_codecs: Vec<RtpCodecCapability>,
    /// What a router of these codecs can forward, as its worker would say.
    pub capabilities: RtpCapabilities,
    /// What every transport may use.
    pub transport_options: TransportOptions,
    /// How many shards there are, numbered from zero. At least one.
    pub shards: u8,
    /// How much anybody may have.
    pub caps: Caps,
    /// What native clients are told when they connect.
    pub native: native::Options,
}

/// Something that the outside must do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Send a text frame.
    Frame {
        /// To whom.
        session: SessionId,
        /// The frame.
        text: String,
    },
    /// Close a connection. It is forgotten already: nothing else will be said of it.
    Close {
        /// Which.
        session: SessionId,
        /// The WebSocket close code.
        code: u16,
        /// Why, for people.
        reason: &'static str,
    },
    /// Tell a shard something, and bring its answer to `handle_reply`.
    Command {
        /// Which shard.
        shard: ShardId,
        /// What the answer is known by.
        token: CommandToken,
        /// What to tell it.
        command: Command,
    },
}

/// How much there is of everything.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Connections.
    pub sessions: usize,
    /// Rooms with somebody in them.
    pub rooms: usize,
    /// Connections that are in a room.
    pub participants: usize,
    /// Transports, those that are being made included.
    pub transports: usize,
    /// Producers that others know of.
    pub producers: usize,
    /// Consumers, those that are being made included.
    pub consumers: usize,
    /// Commands whose answer is awaited.
    pub pending: usize,
}

/// The owner of all rooms and sessions.
#[derive(Debug)]
pub struct Conference {
    /// What it is made of.
    config: ConferenceConfig,
    /// `config.capabilities`, shared by every answer that tells them.
    capabilities: Arc<RtpCapabilities>,
    /// Draws ids.
    rng: Rng,
    /// Every connection.
    sessions: Map<SessionId, Session>,
    /// Every room with somebody in it, by name.
    rooms: Map<Arc<str>, Room>,
    /// Whose each transport is.
    transports: Map<TransportId, SessionId>,
    /// Where the owner of each announced producer takes part.
    producers: Map<ProducerId, Place>,
    /// Whose each consumer is.
    consumers: Map<ConsumerId, SessionId>,
    /// Why each command was sent whose answer matters.
    pending: Map<CommandToken, Pending>,
    /// What is given up when.
    timers: BTreeSet<(Time, Timer)>,
    /// What is to be done outside, oldest first.
    outputs: VecDeque<Output>,
    /// How many transports each shard has.
    loads: Vec<usize>,
    /// The token of the next command.
    next_token: u64,
}

/// What is given up at some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A shard's answer.
    Answer(CommandToken),
    /// A session's oldest wish that waits for a receive transport.
    Held(SessionId),
}

/// A command whose answer matters.
#[derive(Debug)]
struct Pending {
    /// Whose request it is for, and which. A router is nobody's.
    asker: Option<(SessionId, RequestId)>,
    /// When it is given up.
    deadline: Time,
    /// What the answer will be used for.
    work: Work,
}

/// What a shard's answer is used for.
#[derive(Debug)]
enum Work {
    /// A room has a router.
    Router { room: Arc<str>, router: RouterId },
    /// A participant has a transport.
    CreateTransport {
        transport: TransportId,
        direction: Direction,
    },
    /// A transport knows its peer.
    ConnectTransport { transport: TransportId },
    /// A transport has new credentials.
    RestartIce { transport: TransportId },
    /// A participant sends something new.
    Produce { producer: ProducerSummary },
    /// A producer is paused or goes on.
    PauseProducer { producer: ProducerId, paused: bool },
    /// A participant receives something new.
    Consume {
        consumer: ConsumerId,
        producer: ProducerId,
    },
    /// A consumer is paused or goes on.
    PauseConsumer { consumer: ConsumerId, paused: bool },
    /// A layer is wished for.
    SetPreferredLayers { consumer: ConsumerId },
    /// A keyframe is asked for.
    RequestKeyframe { consumer: ConsumerId },
    /// Statistics are read.
    Stats { subject: Subject },
}

impl Conference {
    /// A conference without anybody in it. The generator must be seeded from real randomness where
    /// strangers meet: ids are drawn from it.
    pub fn new(config: ConferenceConfig, rng: Rng) -> Self {
        let capabilities = Arc::new(config.capabilities.clone());
        let loads = vec![0; usize::from(config.shards.max(1))];
        Self {
            config,
            capabilities,
            rng,
            sessions: Map::new(),
            rooms: Map::new(),
            transports: Map::new(),
            producers: Map::new(),
            consumers: Map::new(),
            pending: Map::new(),
            timers: BTreeSet::new(),
            outputs: VecDeque::new(),
            loads,
            next_token: 0,
        }
    }

    /// A connection opened. It is greeted at once, or sent away when there are too many.
    pub fn handle_open(&mut self, now: Time, session: SessionId, dialect: DialectKind) {
        self.handle_close(now, session);
        if self.sessions.len() >= self.config.caps.sessions_max {
            self.outputs.push_back(Output::Close {
                session,
                code: CLOSE_TRY_LATER,
                reason: "too many connections",
            });
            return;
        }
        let peer = PeerId::draw(&mut self.rng);
        let dialect = Dialect::new(dialect);
        let text = dialect.greeting(peer, &self.config.native);
        self.outputs.push_back(Output::Frame { session, text });
        let opened = Session::new(now, peer, dialect, &self.config.caps);
        self.sessions.insert(session, opened);
    }

    /// A connection sent a text frame. Frames of a connection that was closed are noise.
    pub fn handle_frame(&mut self, now: Time, session: SessionId, frame: &str) {
        let Some(sender) = self.sessions.get_mut(&session) else {
            return;
        };
        if frame.len() > self.config.caps.frame_len_max {
            self.expel(now, session, CLOSE_TOO_LONG, "message too long");
            return;
        }
        let decoded = sender.dialect.decode(frame);
        if let Err(strikes) = sender.rate.take(now) {
            let id = decoded.map_or_else(|reject| reject.id, |(id, _)| id);
            self.answer(session, &id, Err(Refusal::RateLimited));
            if strikes >= self.config.caps.strikes_max {
                self.expel(now, session, CLOSE_POLICY, "too many messages");
            }
            return;
        }
        match decoded {
            Ok((id, request)) => self.admit(now, session, id, request),
            Err(reject) => self.answer(session, &reject.id, Err(reject.refusal)),
        }
    }

    /// A connection ended. Everything of its participant is freed and the others are told once.
    pub fn handle_close(&mut self, _now: Time, session: SessionId) {
        self.leave(session, None);
        self.sessions.remove(&session);
    }

    /// What happened to whatever waited too long.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some(&(due, timer)) = self.timers.first() {
            if due > now {
                return;
            }
            self.timers.pop_first();
            match timer {
                Timer::Answer(token) => self.give_up_answer(now, token),
                Timer::Held(session) => self.give_up_held(now, session),
            }
        }
    }

    /// When `handle_timeout` is due next.
    pub fn poll_timeout(&self) -> Time {
        self.timers
            .first()
            .map_or(Time::FAR_FUTURE, |(due, _)| *due)
    }

    /// What is to be done outside next, until nothing is.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How much there is of everything.
    pub fn counts(&self) -> Counts {
        Counts {
            sessions: self.sessions.len(),
            rooms: self.rooms.len(),
            participants: self.rooms.values().map(|it| it.participants.len()).sum(),
            transports: self.transports.len(),
            producers: self.producers.len(),
            consumers: self.consumers.len(),
            pending: self.pending.len(),
        }
    }

    /// Sends a connection away and forgets it.
    fn expel(&mut self, now: Time, session: SessionId, code: u16, reason: &'static str) {
        tracing::info!(session = session.0, code, reason, "a connection is closed");
        self.handle_close(now, session);
        self.outputs.push_back(Output::Close {
            session,
            code,
            reason,
        });
    }

    /// Lets a request through, or makes it wait while shards work on too many of this connection.
    fn admit(&mut self, now: Time, session: SessionId, id: RequestId, request: Request) {
        let caps = &self.config.caps;
        let Some(sender) = self.sessions.get_mut(&session) else {
            return;
        };
        if sender.waiting.is_empty() && sender.pending.len() < caps.pending_requests_max {
            self.perform(now, session, id, request);
        } else if sender.waiting.len() < caps.waiting_requests_max {
            let deadline = now + caps.request_timeout;
            sender.waiting.push_back(Waiting {
                deadline,
                id,
                request,
            });
        } else {
            self.answer(session, &id, Err(Refusal::LimitReached("requests")));
        }
    }

    /// Lets through what waited, as far as shards have answered.
    fn admit_waiting(&mut self, now: Time, session: SessionId) {
        loop {
            let Some(sender) = self.sessions.get_mut(&session) else {
                return;
            };
            if sender.pending.len() >= self.config.caps.pending_requests_max {
                return;
            }
            let Some(Waiting {
                deadline,
                id,
                request,
            }) = sender.waiting.pop_front()
            else {
                return;
            };
            if deadline < now {
                self.answer(session, &id, Err(Refusal::TimedOut));
            } else {
                self.perform(now, session, id, request);
            }
        }
    }

    /// Answers or refuses a request.
    fn answer(&mut self, session: SessionId, id: &RequestId, outcome: Result<Reply, Refusal>) {
        let Some(asker) = self.sessions.get(&session) else {
            return;
        };
        let text = match outcome {
            Ok(reply) => asker.dialect.reply(id, &reply),
            Err(refusal) => {
                tracing::debug!(
                    session = session.0,
                    code = refusal.code(),
                    "a request is refused"
                );
                asker.dialect.refusal(id, &refusal)
            }
        };
        self.outputs.push_back(Output::Frame { session, text });
    }

    /// Tells one connection something.
    fn tell(&mut self, session: SessionId, notice: &Notice) {
        let Some(told) = self.sessions.get_mut(&session) else {
            return;
        };
        if matches!(notice, Notice::ProducerAdded { .. }) {
            told.rate.credit(MESSAGES_PER_PRODUCER);
        }
        if let Some(text) = told.dialect.notice(notice) {
            self.outputs.push_back(Output::Frame { session, text });
        }
    }

    /// Tells everybody in a room but one.
    fn tell_others(&mut self, room: &str, except: SessionId, notice: &Notice) {
        let Some(room) = self.rooms.get(room) else {
            return;
        };
        let others: Vec<_> = room.participants.values().map(|it| it.session).collect();
        for session in others.into_iter().filter(|it| *it != except) {
            self.tell(session, notice);
        }
    }

    /// Sends a command whose answer does not matter.
    fn command(&mut self, shard: ShardId, command: Command) -> CommandToken {
        let token = CommandToken(self.next_token);
        self.next_token += 1;
        self.outputs.push_back(Output::Command {
            shard,
            token,
            command,
        });
        token
    }

    /// Sends a command and remembers what its answer is for.
    fn ask(
        &mut self,
        now: Time,
        asker: Option<(SessionId, RequestId)>,
        (shard, command): (ShardId, Command),
        work: Work,
    ) {
        let token = self.command(shard, command);
        let deadline = now + self.config.caps.request_timeout;
        if let Some(session) = asker.as_ref().and_then(|(it, _)| self.sessions.get_mut(it)) {
            session.pending.insert(token);
        }
        self.timers.insert((deadline, Timer::Answer(token)));
        self.pending.insert(
            token,
            Pending {
                asker,
                deadline,
                work,
            },
        );
    }

    /// Takes what an answer is for, if anybody still waits for it.
    fn take_pending(&mut self, token: CommandToken) -> Option<Pending> {
        let pending = self.pending.remove(&token)?;
        self.timers
            .remove(&(pending.deadline, Timer::Answer(token)));
        if let Some(session) = pending
            .asker
            .as_ref()
            .and_then(|(it, _)| self.sessions.get_mut(it))
        {
            session.pending.remove(&token);
        }
        Some(pending)
    }

    /// A shard answered.
    pub fn handle_reply(
        &mut self,
        now: Time,
        token: CommandToken,
        result: Result<command::Reply, command::Refusal>,
    ) {
        // An answer that came too late, or to somebody who has left: all was undone already.
        let Some(Pending { asker, work, .. }) = self.take_pending(token) else {
            return;
        };
        let Some((session, id)) = asker else {
            self.conclude_router(work, result);
            return;
        };
        let outcome = self.conclude(session, work, result);
        let receives = matches!(
            &outcome,
            Ok(Reply::TransportCreated(offer)) if offer.direction == Direction::Recv
        );
        self.answer(session, &id, outcome);
        if receives {
            self.release_held(now, session);
        }
        self.admit_waiting(now, session);
    }
}

/// What an announced producer makes a client ask: to consume it, and to resume that consumer. A
/// page that enters a room of a hundred asks all that at once, and must not be taken for a flood.
const MESSAGES_PER_PRODUCER: usize = 2;
