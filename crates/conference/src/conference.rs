//! Owns all rooms and sessions. Its inputs are frames and shards' replies, its outputs frames and
//! commands. Between two inputs, all records are consistent.
//!
//! A request passes these steps: 1. `handle_frame` checks length and rate, and the dialect decodes
//! the frame; 2. `admit` starts the request, or queues it while too many commands of its session
//! are pending; 3. `perform` (in `requests`) replies, refuses, or sends a command and records its
//! purpose; 4. `handle_reply` takes the shard's reply, from which `complete` (in `replies`) makes
//! the client's reply and the notices for others. `cleanup` removes sessions, rooms and media.
//!
//! The state is in independent parts: `Sessions`, `Rooms`, `MediaOwnership`, `Placement`,
//! `PendingCommands` and the queues. `Conference` only coordinates them (docs/decisions/0014-conference-in-parts.md).
//!
//! Ids of transports, producers and consumers are generated here, so that an object can be closed
//! while its shard is still creating it.

mod admin;
mod admin_requests;
mod breakouts;
mod cleanup;
mod commands;
mod config;
mod connection_tests;
mod consuming;
mod containment;
mod conversation;
mod internal_requests;
mod interruptions;
mod joining;
mod last_n;
mod limited_actions;
mod media;
mod messaging;
mod metrics;
mod moderation;
mod outputs;
mod panic_scope;
mod peer_names;
mod pending_commands;
mod permissions;
mod placement;
mod presence;
mod recovery;
mod replies;
mod request_context;
mod requests;
mod reservations;
mod resuming;
mod returning;
mod room_events;
mod room_opening;
mod rooms;
mod routing;
mod scores;
mod sessions;
mod sharing;
mod shutdown;
mod speaker;
mod spotlight;
mod timers;
mod tokens;
mod transports;

pub use self::admin_requests::{
    AdminRequest, AdminResponse, ParticipantMedia, ParticipantObjects, ROOMS_LISTED_MAX,
    RoomCreator, RoomSummary,
};
pub use self::config::ConferenceConfig;
pub use self::limited_actions::LimitedAction;
pub use self::metrics::{ConferenceGauges, ConferenceTotals, JoinDurations};
pub use self::outputs::Output;

use std::sync::Arc;

use watersmeet_engine::command::{self, Event};
use watersmeet_wire::params::RtpCapabilities;
use watersmeet_wire::units::{Rng, Time};

use self::internal_requests::{InternalRequest, InternalRequests};
use self::limited_actions::LimitedActions;
use self::media::MediaOwnership;
use self::metrics::ConferenceMetrics;
use self::outputs::Outputs;
use self::panic_scope::PanicScope;
use self::pending_commands::PendingCommands;
use self::placement::Placement;
use self::reservations::Reservations;
use self::room_opening::RoomOpening;
use self::rooms::Rooms;
use self::sessions::Sessions;
use self::timers::{Timer, Timers};
use crate::access::Grant;
use crate::close_codes::{CLOSE_NORMAL, CLOSE_POLICY, CLOSE_TOO_LONG, CLOSE_TRY_LATER};
use crate::connect_request::{ConnectRequest, DialectKind};
use crate::dialect::{DecodeError, Dialect, Effect, RequestTag, SessionContext};
use crate::limits::MESSAGES_PER_PRODUCER;
use crate::message::{
    CommandToken, Notice, Policy, Refusal, Reply, Request, SessionId, ShardId, event_rng,
};
use crate::room_event::DepartureReason;
use crate::session::{Session, WaitingRequest};

/// Owns all rooms and sessions.
#[derive(Debug)]
pub struct Conference {
    /// Codecs, limits, policies and keys.
    config: ConferenceConfig,
    /// `config.capabilities`, shared by every reply that contains them.
    capabilities: Arc<RtpCapabilities>,
    /// Time of the input being handled.
    now: Time,
    /// Generator of ids and peer names.
    rng: Rng,
    /// Generator of the ids in room events.
    event_rng: Rng,
    /// Connections by session id.
    sessions: Sessions,
    /// Rooms and their participants.
    rooms: Rooms,
    /// Rooms that nobody has entered yet, by the clients that created them.
    reservations: Reservations,
    /// Transports, producers and consumers with their owners.
    media: MediaOwnership,
    /// Routers of rooms, and loads of shards.
    placement: Placement,
    /// Commands that shards have not replied to.
    commands: PendingCommands,
    /// Deadlines of commands, held requests and reservations.
    timers: Timers,
    /// Requests and closes that dialects asked for; empty between two inputs.
    internal_requests: InternalRequests,
    /// Frames, closes and commands for the caller to carry out.
    outputs: Outputs,
    /// Actions that the caller counts against clients' limits.
    limited_actions: LimitedActions,
    /// Totals since the start.
    metrics: ConferenceMetrics,
    /// Whether further rooms are opened.
    opening: RoomOpening,
    /// Panics that a test has ordered.
    #[cfg(feature = "faults")]
    faults: crate::faults::Faults,
}

/// Inputs and outputs.
impl Conference {
    /// Returns a conference without sessions. In production, seed the generator from real
    /// randomness: ids come from it, and strangers must not guess them.
    pub fn new(config: ConferenceConfig, rng: Rng) -> Self {
        Self {
            capabilities: Arc::new(config.capabilities.clone()),
            placement: Placement::new(config.shards, config.spread_above_permille),
            config,
            now: Time::ZERO,
            event_rng: event_rng(&rng),
            rng,
            sessions: Sessions::default(),
            rooms: Rooms::default(),
            reservations: Reservations::default(),
            media: MediaOwnership::default(),
            commands: PendingCommands::default(),
            timers: Timers::default(),
            internal_requests: InternalRequests::default(),
            outputs: Outputs::default(),
            limited_actions: LimitedActions::default(),
            metrics: ConferenceMetrics::default(),
            opening: RoomOpening::default(),
            #[cfg(feature = "faults")]
            faults: crate::faults::Faults::default(),
        }
    }

    /// Handles a new connection. It is closed when there are too many or its token is invalid;
    /// otherwise it receives its first frames.
    pub fn handle_open(&mut self, now: Time, session: SessionId, request: ConnectRequest) {
        self.handle_close(now, session);
        self.contain(now, PanicScope::Session(session), |it| {
            it.open(session, request)
        });
    }

    /// Handles a text frame of a connection. Frames of a closed connection are ignored.
    pub fn handle_frame(&mut self, now: Time, connection: SessionId, frame: &str) {
        let Some(session) = self.sessions.of_connection(connection) else {
            return;
        };
        self.contain(now, PanicScope::Session(session), |it| {
            it.receive(session, frame)
        });
    }

    /// Handles a connection that its client has closed. All objects of its participant are closed, and the
    /// others are notified once.
    pub fn handle_close(&mut self, now: Time, connection: SessionId) {
        let Some(session) = self.sessions.of_connection(connection) else {
            return;
        };
        self.contain(now, PanicScope::Session(session), |it| {
            it.remove_session(session, DepartureReason::Left)
        });
    }

    /// Handles a connection that was lost without being closed. Its session waits for a client that can
    /// resume it; otherwise it ends as in `handle_close`.
    pub fn handle_lost(&mut self, now: Time, connection: SessionId) {
        let Some(session) = self.sessions.of_connection(connection) else {
            return;
        };
        self.contain(now, PanicScope::Session(session), |it| {
            it.lose_connection(session)
        });
    }

    /// Handles a shard's reply to a command.
    pub fn handle_reply(
        &mut self,
        now: Time,
        token: CommandToken,
        result: Result<command::Reply, command::Refusal>,
    ) {
        let scope = self.scope_of_command(token);
        self.contain(now, scope, |it| it.receive_reply(token, result));
    }

    /// Handles an event that a shard's worker reports.
    pub fn handle_event(&mut self, now: Time, shard: ShardId, event: Event) {
        let scope = self.scope_of_event(&event);
        self.contain(now, scope, |it| it.receive_event(shard, event));
    }

    /// Handles the loss of a shard's worker, which restarts empty. Its rooms get a new router with
    /// the next transport; their participants stay joined.
    pub fn handle_shard_lost(&mut self, now: Time, shard: ShardId) {
        self.now = now;
        let rooms = self.placement.rooms_on(shard);
        tracing::warn!(shard = shard.0, rooms = rooms.len(), "shard lost");
        for room in rooms {
            let scope = PanicScope::Room(Arc::clone(&room));
            self.catch(&scope, |it| it.drop_shard_media(&room, shard));
        }
        self.settle();
    }

    /// Handles the deadlines that have passed.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = now;
        while let Some(timer) = self.timers.pop_due(now) {
            let scope = self.scope_of_timer(&timer);
            self.catch(&scope, |it| match timer {
                Timer::Command(token) => it.expire_command(token),
                Timer::HeldConsume(session) => it.expire_held(session),
                Timer::Reservation(room) => it.expire_reservation(&room),
                Timer::Seats(room) => it.expire_seats(&room),
                Timer::ConnectionTest(room) => it.end_connection_test(&room),
                Timer::Breakouts(room) => it.close_breakouts(&room),
                Timer::TokenExpiry(session) => it.expire_token(session),
                Timer::SessionEnd(session) => {
                    it.remove_session(session, DepartureReason::ConnectionLost);
                }
                Timer::Silence(session) => it.check_silence(session),
                Timer::Presence(room) => it.tell_presence(&room),
                Timer::ProducerScore(producer) => it.tell_producer_score(producer),
            });
        }
        self.settle();
    }

    /// Records the measured load of a shard, in thousandths of a core.
    pub fn handle_shard_load(&mut self, shard: ShardId, busy_permille: u16) {
        self.placement.record_load(shard, busy_permille);
    }

    /// Returns when `handle_timeout` is due next.
    pub fn poll_timeout(&self) -> Time {
        self.timers.next_due().unwrap_or(Time::FAR_FUTURE)
    }

    /// Takes the next output. Returns `None` when the queue is empty.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    /// Takes the next limited action. Drain these before the outputs: an action above the limit
    /// must not be answered.
    pub fn poll_limited_action(&mut self) -> Option<(SessionId, LimitedAction)> {
        let (session, action) = self.limited_actions.pop()?;
        let connection = self.sessions.connection_of(session).unwrap_or(session);
        Some((connection, action))
    }

    /// Records that the caller dropped a frame whose client does not keep up.
    pub const fn record_dropped_message(&mut self) {
        self.metrics.record_dropped_message();
    }

    /// Returns current counts and totals.
    pub fn gauges(&self) -> ConferenceGauges {
        let rooms = || self.rooms.iter().map(|(_, room)| room);
        ConferenceGauges {
            sessions: self.sessions.len(),
            rooms: self.rooms.len(),
            participants: rooms().map(|it| it.participants_len()).sum(),
            waiting: rooms().map(|it| it.waiting_len()).sum(),
            transports: self.media.transports_len(),
            producers: self.media.producers_len(),
            consumers: self.media.consumers_len(),
            pending: self.commands.len(),
            totals: self.metrics.totals().clone(),
        }
    }
}

/// Connections and their frames.
impl Conference {
    /// Sends a new connection its first frames, or closes it.
    fn open(&mut self, session: SessionId, request: ConnectRequest) {
        if self.sessions.len() >= self.config.limits.sessions_max {
            self.outputs.push(Output::Close {
                session,
                code: CLOSE_TRY_LATER,
                reason: "too many connections",
            });
            return;
        }
        let Ok(grant) = self.grant_on_connect(&request) else {
            return self.refuse_connection(session, request.dialect);
        };
        let claimed = self.claimed_peer_id(&request, grant.as_ref());
        let has_claimed_id = claimed.is_some();
        let peer = claimed.unwrap_or_else(|| self.choose_peer_id(request.dialect, grant.as_ref()));
        let room = request.room.filter(|it| !it.is_empty()).map(Arc::from);
        let room = room.unwrap_or_else(|| Arc::clone(&self.config.default_room));
        let context = SessionContext {
            somebody_sends: self.is_known_to_send(&room),
            ice_servers: self.ice_servers(&peer),
            peer: peer.clone(),
            room,
            claimed_peer: request.peer.map(Arc::from),
            is_user: matches!(grant, Some(Grant::User { .. })),
        };
        for text in Dialect::welcome_frames(request.dialect, &context, &self.config.native) {
            self.outputs.push_frame(session, text);
        }
        let dialect = Dialect::new(request.dialect, context);
        let limits = &self.config.limits;
        let (token, token_required) = (request.token, request.token_required);
        let mut opened = Session::new(peer, dialect, limits, token, token_required);
        opened.set_client(request.client);
        if has_claimed_id {
            opened.claim_id();
        }
        self.sessions.insert(session, opened);
    }

    /// Closes a new connection whose token is invalid.
    fn refuse_connection(&mut self, session: SessionId, dialect: DialectKind) {
        self.metrics.record_refusal(&Refusal::InvalidToken);
        self.limited_actions
            .record(session, LimitedAction::TokenRefused);
        let frame = Dialect::rejection_frame(dialect);
        let code = match frame {
            // The Socket.IO namespace is refused, not the connection below it.
            Some(_) => CLOSE_NORMAL,
            None => CLOSE_POLICY,
        };
        if let Some(text) = frame {
            self.outputs.push_frame(session, text);
        }
        self.outputs.push(Output::Close {
            session,
            code,
            reason: "invalid token",
        });
    }

    /// Returns whether a room that everybody may enter has a producer.
    fn is_known_to_send(&self, room: &str) -> bool {
        let room = self.rooms.get(room);
        let room = room.filter(|it| it.policy() == Policy::Open);
        let mut sessions = room.map(|it| it.sessions()).unwrap_or_default().into_iter();
        sessions.any(|it| self.media.announced_len_of(it) > 0)
    }

    /// Decodes a frame and carries out the effects.
    fn receive(&mut self, session: SessionId, frame: &str) {
        let now = self.now;
        if self.sessions.get(session).is_none() {
            return;
        }
        self.record_frame(session);
        if frame.len() > self.config.limits.frame_len_max {
            return self.close_session(session, CLOSE_TOO_LONG, "message too long");
        }
        #[cfg(feature = "faults")]
        self.fail_dialect_if_ordered(session);
        let Some(decoded) = self.sessions.decode(session, frame) else {
            return;
        };
        let sender = self.sessions.get_mut(session);
        let counted = sender.map(|it| {
            it.record_request(decoded.as_ref());
            it.count_message(now)
        });
        if let Some(Err(strikes)) = counted {
            // Each of its requests is refused, so that no dialect waits for a reply.
            for tag in decoded.map_or_else(|error| vec![error.tag], Effect::request_tags) {
                self.respond(session, &tag, Err(Refusal::RateLimited));
            }
            if strikes >= self.config.limits.strikes_max {
                self.close_session(session, CLOSE_POLICY, "too many messages");
            }
            return;
        }
        match decoded {
            Ok(effects) => self.apply(session, effects),
            Err(DecodeError { tag, refusal }) => self.respond(session, &tag, Err(refusal)),
        }
    }

    /// Carries out the effects of a dialect. Requests and closes are queued until the input is
    /// handled, so that no request runs while a room is being changed.
    fn apply(&mut self, session: SessionId, effects: Vec<Effect>) {
        self.apply_as(session, effects, false);
    }

    /// Carries out the effects of a dialect. `droppable` says whether the client can do without the
    /// frames.
    fn apply_as(&mut self, session: SessionId, effects: Vec<Effect>, droppable: bool) {
        for effect in effects {
            match effect {
                Effect::SendFrame(text) => self.send_frame(session, text, droppable),
                Effect::Request(tag, request) => {
                    self.internal_requests.push_request(session, tag, request);
                }
                Effect::Close { code, reason } => {
                    self.internal_requests.push_close(session, code, reason);
                }
            }
        }
    }

    /// Carries out queued requests and closes until the queue is empty. This ends: each request
    /// queues at most a few more, and only frames of clients start such a chain.
    fn settle(&mut self) {
        loop {
            if let Some(session) = self.sessions.pop_failed() {
                self.close_failed_session(session);
                continue;
            }
            match self.internal_requests.pop() {
                Some(InternalRequest::Request(session, tag, request)) => {
                    let scope = PanicScope::Session(session);
                    self.catch(&scope, |it| it.admit(session, tag, request));
                }
                Some(InternalRequest::Close(session, code, reason)) => {
                    let scope = PanicScope::Session(session);
                    self.catch(&scope, |it| it.close_session(session, code, reason));
                }
                None => return,
            }
        }
    }

    /// Performs a request, or queues it while too many commands of its session are pending.
    fn admit(&mut self, id: SessionId, tag: RequestTag, request: Request) {
        let limits = &self.config.limits;
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let is_free = self.commands.len_of(id) < limits.pending_requests_max;
        if session.waiting_len() == 0 && is_free {
            self.perform(id, tag, request);
        } else if session.waiting_len() < limits.waiting_requests_max {
            session.push_waiting(WaitingRequest {
                deadline: self.now + limits.request_timeout(),
                tag,
                request,
            });
        } else {
            self.respond(id, &tag, Err(Refusal::LimitReached("requests")));
        }
    }

    /// Performs queued requests of a session, as far as its pending commands allow.
    fn admit_waiting(&mut self, id: SessionId) {
        while self.commands.len_of(id) < self.config.limits.pending_requests_max {
            let session = self.sessions.get_mut(id);
            let Some(waiting) = session.and_then(Session::pop_waiting) else {
                return;
            };
            let WaitingRequest {
                deadline,
                tag,
                request,
            } = waiting;
            if deadline < self.now {
                self.respond(id, &tag, Err(Refusal::TimedOut));
            } else {
                self.perform(id, tag, request);
            }
        }
    }

    /// Replies to a request, or refuses it.
    fn respond(&mut self, session: SessionId, tag: &RequestTag, outcome: Result<Reply, Refusal>) {
        if let Err(refusal) = &outcome {
            self.metrics.record_refusal(refusal);
            let code = refusal.code();
            tracing::debug!(session = session.0, code, "request refused");
        }
        let effects = self.sessions.encode_response(session, tag, &outcome);
        self.apply(session, effects);
    }

    /// Notifies a session.
    fn notify(&mut self, session: SessionId, notice: &Notice) {
        if matches!(notice, Notice::ProducerAdded { .. })
            && let Some(notified) = self.sessions.get_mut(session)
        {
            notified.credit_messages(MESSAGES_PER_PRODUCER);
        }
        let effects = self.sessions.encode_notice(session, notice);
        let droppable = notice.is_droppable();
        self.apply_as(session, effects, droppable);
    }

    /// Notifies every participant of a room but one.
    fn notify_others(&mut self, room: &str, except: SessionId, notice: &Notice) {
        self.flush_presence(room);
        let sessions = self.rooms.get(room).map(|it| it.sessions());
        for session in sessions.unwrap_or_default() {
            if session != except {
                self.notify(session, notice);
            }
        }
    }
}
