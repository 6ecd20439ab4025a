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

mod admin;
mod endings;
mod joining;
mod limited_actions;
mod metrics;
mod moderation;
mod ownership;
mod placement;
mod replies;
mod requests;

pub use self::admin::{
    AdminRequest, AdminResponse, ParticipantMedia, ROOMS_LISTED_MAX, RoomSummary,
};
pub use self::limited_actions::LimitedAction;
pub use self::metrics::{ConferenceGauges, ConferenceTotals, JoinDurations};
use self::placement::Load;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use watersmeet_engine::command::{
    self, Command, ConsumerId, ProducerId, RouterId, TransportId, TransportOptions,
};
use watersmeet_wire::params::{RtpCapabilities, RtpCodecCapability};
use watersmeet_wire::units::{Map, Rng, Time};

use crate::access::{Grant, TokenKeys};
use crate::close_codes::{CLOSE_NORMAL, CLOSE_POLICY, CLOSE_TOO_LONG, CLOSE_TRY_LATER};
use crate::connect_request::{ConnectRequest, DialectKind, Namespace};
use crate::dialect::{DecodeError, Dialect, Effect, RequestTag, SessionContext, native};
use crate::limits::ConferenceLimits;
use crate::message::{
    CommandToken, Direction, Notice, PeerId, Policy, ProducerSummary, Refusal, Reply, Request,
    SessionId, ShardId, StatsSubject,
};
use crate::room::{Room, Router};
use crate::session::{Place, Session, Token, Waiting};
use crate::turn::IceServers;

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
    /// How busy a shard may be, in thousandths of a core, before whoever comes to a room there is
    /// served by another shard.
    pub spread_above_permille: u16,
    /// How much anybody may have.
    pub limits: ConferenceLimits,
    /// What native clients are told when they connect.
    pub native: native::Config,
    /// What verifies tokens. Without it none is accepted.
    pub keys: Option<Arc<TokenKeys>>,
    /// Who may enter rooms for which nobody has decided otherwise.
    pub policy: Policy,
    /// Whether a room is only made by those whom a token names or invites.
    pub rooms_need_token: bool,
    /// The room of clients that name none.
    pub default_room: Arc<str>,
    /// STUN and TURN servers for clients.
    pub ice_servers: IceServers,
    /// The wall clock at `Time::ZERO`, since 1970: tokens and TURN credentials go by it.
    pub unix_epoch: Duration,
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

/// The owner of all rooms and sessions.
#[derive(Debug)]
pub struct Conference {
    /// What it is made of.
    config: ConferenceConfig,
    /// The time of the input that is being worked on.
    now: Time,
    /// What dialects ask by themselves, oldest first. Empty between two inputs.
    asks: VecDeque<(SessionId, RequestTag, Request)>,
    /// Which connections their dialects want closed. Empty between two inputs.
    expulsions: VecDeque<(SessionId, u16, &'static str)>,
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
    /// What connections did that is to be counted.
    limited_actions: VecDeque<(SessionId, LimitedAction)>,
    /// What each shard has to do.
    loads: Vec<Load>,
    /// The token of the next command.
    next_token: u64,
    /// What has happened so far.
    totals: ConferenceTotals,
}

/// What is given up at some time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// A shard's answer.
    Answer(CommandToken),
    /// A session's oldest wish that waits for a receive transport.
    Held(SessionId),
    /// Nobody has come to a room that was made in advance.
    Reservation(Arc<str>),
}

/// A command whose answer matters.
#[derive(Debug)]
struct Pending {
    /// Whose request it is for, and which. Routers and pipes are nobody's.
    asker: Option<(SessionId, RequestTag)>,
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
    /// A producer is known on another shard than its own.
    Pipe {
        producer: ProducerId,
        router: Router,
    },
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
        transport: TransportId,
        paused: bool,
    },
    /// A consumer is paused or goes on.
    PauseConsumer { consumer: ConsumerId, paused: bool },
    /// A layer is wished for.
    SetPreferredLayers { consumer: ConsumerId },
    /// A keyframe is asked for.
    RequestKeyframe { consumer: ConsumerId },
    /// Statistics are read.
    Stats { subject: StatsSubject },
}

impl Conference {
    /// A conference without anybody in it. The generator must be seeded from real randomness where
    /// strangers meet: ids are drawn from it.
    pub fn new(config: ConferenceConfig, rng: Rng) -> Self {
        let capabilities = Arc::new(config.capabilities.clone());
        let loads = vec![Load::default(); usize::from(config.shards.max(1))];
        Self {
            config,
            now: Time::ZERO,
            asks: VecDeque::new(),
            expulsions: VecDeque::new(),
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
            limited_actions: VecDeque::new(),
            loads,
            next_token: 0,
            totals: ConferenceTotals::default(),
        }
    }

    /// A connection opened. It is greeted at once, or sent away: when there are too many, or when it
    /// shows a token that is none.
    pub fn handle_open(&mut self, now: Time, session: SessionId, opening: ConnectRequest) {
        self.handle_close(now, session);
        if self.sessions.len() >= self.config.limits.sessions_max {
            self.outputs.push_back(Output::Close {
                session,
                code: CLOSE_TRY_LATER,
                reason: "too many connections",
            });
            return;
        }
        let Ok(grant) = self.opening_grant(&opening) else {
            return self.turn_away(session, opening.dialect);
        };
        let peer = self.name(opening.dialect, grant.as_ref());
        let room = opening.room.filter(|it| !it.is_empty()).map(Arc::from);
        let opened = SessionContext {
            ice_servers: self.ice_servers(&peer),
            peer: peer.clone(),
            room: room.unwrap_or_else(|| Arc::clone(&self.config.default_room)),
            claimed_peer: opening.peer.map(Arc::from),
            is_user: matches!(grant, Some(Grant::User { .. })),
        };
        for text in Dialect::welcome_frames(opening.dialect, &opened, &self.config.native) {
            self.outputs.push_back(Output::Frame { session, text });
        }
        let dialect = Dialect::new(opening.dialect, opened);
        let mut opened = Session::new(peer, dialect, &self.config.limits);
        opened.token = opening.token.map(Token);
        opened.token_required = opening.token_required;
        self.sessions.insert(session, opened);
    }

    /// Tells a connection that it may not open.
    fn turn_away(&mut self, session: SessionId, dialect: DialectKind) {
        self.tally_refusal(&Refusal::InvalidToken);
        self.note(session, LimitedAction::TokenRefused);
        let refused = Dialect::rejection_frame(dialect);
        let code = match refused {
            // Its namespace is refused, not the connection below it.
            Some(_) => CLOSE_NORMAL,
            None => CLOSE_POLICY,
        };
        if let Some(text) = refused {
            self.outputs.push_back(Output::Frame { session, text });
        }
        self.outputs.push_back(Output::Close {
            session,
            code,
            reason: "invalid token",
        });
    }

    /// The public name of a connection.
    fn name(&mut self, dialect: DialectKind, grant: Option<&Grant>) -> PeerId {
        match (dialect, grant) {
            (DialectKind::SocketIo(Namespace::Main), Some(Grant::User { id, .. })) => {
                PeerId::from_user_id(id)
            }
            (DialectKind::SocketIo(_), _) => PeerId::generate(&mut self.rng, ""),
            _ => PeerId::generate(&mut self.rng, "peer_"),
        }
    }

    /// A connection sent a text frame. Frames of a connection that was closed are noise.
    pub fn handle_frame(&mut self, now: Time, session: SessionId, frame: &str) {
        self.now = now;
        let Some(sender) = self.sessions.get_mut(&session) else {
            return;
        };
        if frame.len() > self.config.limits.frame_len_max {
            self.expel(now, session, CLOSE_TOO_LONG, "message too long");
            return;
        }
        let decoded = sender.dialect.decode(frame);
        if let Err(strikes) = sender.rate.count(now) {
            // Each of its requests is answered, so that no dialect waits for one of them.
            for tag in decoded.map_or_else(|reject| vec![reject.tag], Effect::request_tags) {
                self.answer(session, &tag, Err(Refusal::RateLimited));
            }
            if strikes >= self.config.limits.strikes_max {
                self.expel(now, session, CLOSE_POLICY, "too many messages");
            }
            return self.settle();
        }
        match decoded {
            Ok(effects) => self.act(session, effects),
            Err(DecodeError { tag, refusal }) => self.answer(session, &tag, Err(refusal)),
        }
        self.settle();
    }

    /// A connection ended. Everything of its participant is freed and the others are told once.
    pub fn handle_close(&mut self, now: Time, session: SessionId) {
        self.now = now;
        self.leave(session, None);
        self.sessions.remove(&session);
        self.settle();
    }

    /// What happened to whatever waited too long.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = now;
        while self.timers.first().is_some_and(|(due, _)| *due <= now) {
            let Some((_, timer)) = self.timers.pop_first() else {
                break;
            };
            match timer {
                Timer::Answer(token) => self.give_up_answer(now, token),
                Timer::Held(session) => self.give_up_held(now, session),
                Timer::Reservation(room) => self.give_up_reservation(&room),
            }
        }
        self.settle();
    }

    /// Carries out what a dialect wants done. What it asks waits until the input that led to it is
    /// worked off, so that no request meets a room that is being changed.
    fn act(&mut self, session: SessionId, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::SendFrame(text) => self.outputs.push_back(Output::Frame { session, text }),
                Effect::Request(tag, request) => self.asks.push_back((session, tag, request)),
                Effect::Close { code, reason } => {
                    self.expulsions.push_back((session, code, reason))
                }
            }
        }
    }

    /// Works off what dialects have asked. Each request leads to at most a few more, and only what
    /// clients send begins such a chain.
    fn settle(&mut self) {
        loop {
            if let Some((session, tag, request)) = self.asks.pop_front() {
                self.admit(self.now, session, tag, request);
            } else if let Some((session, code, reason)) = self.expulsions.pop_front() {
                self.expel(self.now, session, code, reason);
            } else {
                return;
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

    /// Sends a connection away and forgets it.
    fn expel(&mut self, now: Time, session: SessionId, code: u16, reason: &'static str) {
        tracing::info!(session = session.0, code, reason, "a connection is closed");
        self.now = now;
        self.leave(session, None);
        self.sessions.remove(&session);
        self.outputs.push_back(Output::Close {
            session,
            code,
            reason,
        });
    }

    /// Lets a request through, or makes it wait while shards work on too many of this connection.
    fn admit(&mut self, now: Time, session: SessionId, tag: RequestTag, request: Request) {
        let limits = &self.config.limits;
        let Some(sender) = self.sessions.get_mut(&session) else {
            return;
        };
        if sender.waiting.is_empty() && sender.pending.len() < limits.pending_requests_max {
            self.perform(now, session, tag, request);
        } else if sender.waiting.len() < limits.waiting_requests_max {
            let deadline = now + limits.request_timeout();
            sender.waiting.push_back(Waiting {
                deadline,
                tag,
                request,
            });
        } else {
            self.answer(session, &tag, Err(Refusal::LimitReached("requests")));
        }
    }

    /// Lets through what waited, as far as shards have answered.
    fn admit_waiting(&mut self, now: Time, session: SessionId) {
        loop {
            let Some(sender) = self.sessions.get_mut(&session) else {
                return;
            };
            if sender.pending.len() >= self.config.limits.pending_requests_max {
                return;
            }
            let Some(Waiting {
                deadline,
                tag,
                request,
            }) = sender.waiting.pop_front()
            else {
                return;
            };
            if deadline < now {
                self.answer(session, &tag, Err(Refusal::TimedOut));
            } else {
                self.perform(now, session, tag, request);
            }
        }
    }

    /// Answers or refuses a request.
    fn answer(&mut self, session: SessionId, tag: &RequestTag, outcome: Result<Reply, Refusal>) {
        if let Err(refusal) = &outcome {
            self.tally_refusal(refusal);
        }
        let Some(asker) = self.sessions.get_mut(&session) else {
            return;
        };
        let effects = match outcome {
            Ok(reply) => asker.dialect.encode_reply(tag, &reply),
            Err(refusal) => {
                tracing::debug!(
                    session = session.0,
                    code = refusal.code(),
                    "a request is refused"
                );
                asker.dialect.encode_refusal(tag, &refusal)
            }
        };
        self.act(session, effects);
    }

    /// Tells one connection something.
    fn tell(&mut self, session: SessionId, notice: &Notice) {
        let Some(told) = self.sessions.get_mut(&session) else {
            return;
        };
        if matches!(notice, Notice::ProducerAdded { .. }) {
            told.rate.credit(MESSAGES_PER_PRODUCER);
        }
        let effects = told.dialect.encode_notice(notice);
        self.act(session, effects);
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
        asker: Option<(SessionId, RequestTag)>,
        (shard, command): (ShardId, Command),
        work: Work,
    ) {
        let token = self.command(shard, command);
        let deadline = now + self.config.limits.request_timeout();
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
        self.now = now;
        // An answer that came too late, or to somebody who has left: all was undone already.
        let Some(Pending { asker, work, .. }) = self.take_pending(token) else {
            return;
        };
        let Some((session, tag)) = asker else {
            self.conclude_unasked(work, result);
            return;
        };
        let outcome = self.conclude(session, work, result);
        let receives = matches!(
            &outcome,
            Ok(Reply::TransportCreated(offer)) if offer.direction == Direction::Recv
        );
        self.answer(session, &tag, outcome);
        if receives {
            self.release_held(now, session);
        }
        self.admit_waiting(now, session);
        self.settle();
    }
}

/// What an announced producer makes a client ask: a transport for it, to connect that, to consume
/// it, and to resume the consumer. A page that enters a room of a hundred asks all that at once,
/// and must not be taken for a flood.
const MESSAGES_PER_PRODUCER: usize = 4;
