//! The task that owns the conference. It receives frames of all sessions and reports of all shards,
//! one at a time, and sends the conference's output: frames to sessions, commands to shards. It
//! never waits for either; a session that does not keep up is closed.
//!
//! It is the only place that reads the clock for the conference. It knows no media and no sockets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
#[cfg(feature = "faults")]
use watersmeet_conference::faults::PanicStage;
use watersmeet_conference::message;
use watersmeet_conference::room_event::RoomEvent;
use watersmeet_conference::{
    Conference, ConferenceGauges, ConnectRequest, Output, SessionId, ShardId,
};
use watersmeet_engine::command::{self, Refusal};
use watersmeet_wire::units::Time;

use crate::call_history::Observer;
use crate::clock::Clock;
use crate::room_events::RoomEventSender;
use crate::session_outbox::{Frame, Outbox, Pushed};
use crate::shard::{ShardHandle, ShardReport, ShardRequest, StatsObject};

/// Capacity of the hub's input queue, each entry up to 128 KiB. A session that finds the queue full
/// waits and reads no more from its client.
const INPUTS_MAX: usize = 256;

/// Time limit for a request to the hub, which waits for its turn in the queue.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Interval at which the load of the shards is passed to the conference: that of its publication.
const LOAD_INTERVAL: Duration = Duration::from_secs(1);

/// Age at which the metrics of the conference are read anew.
const GAUGES_AGE_MAX: Duration = Duration::from_millis(100);

/// Interval at which a program that is about to end checks whether its rooms are empty.
const SHUTDOWN_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// WebSocket close code for a server that shuts down (RFC 6455 §7.4.1).
const GOING_AWAY: u16 = 1001;

/// The conference with its connections to sessions and shards.
pub struct Hub {
    /// All rooms and sessions.
    conference: Conference,
    /// Clock of the program.
    clock: Clock,
    /// Handles of the shards, by number.
    shards: Vec<ShardHandle>,
    /// Outgoing queue of each open session.
    outboxes: BTreeMap<SessionId, Outbox>,
    /// Input from sessions and HTTP handlers.
    inputs: mpsc::Receiver<Input>,
    /// Replies and events of the shards.
    reports: mpsc::Receiver<ShardReport>,
    /// Sender of the events of rooms.
    room_events: RoomEventSender,
    /// Observes calls for their history, where that is kept.
    observer: Option<Observer>,
    /// Metrics that were read last, with the time.
    latest_gauges: Option<(Time, ConferenceGauges)>,
}

/// Input from a session or an HTTP handler.
#[derive(Debug)]
enum Input {
    /// A session was opened.
    Open {
        /// Id of the session.
        session: SessionId,
        /// Outgoing queue of the session.
        outbox: Outbox,
        /// Dialect, room, token and so on of the connection.
        connect: ConnectRequest,
    },
    /// A client sent a frame.
    Frame {
        /// Session that sent it.
        session: SessionId,
        /// Text of the frame.
        text: Utf8Bytes,
    },
    /// A connection ended.
    Close {
        /// The connection.
        session: SessionId,
        /// Whether it was lost, so that its client may resume the session over another one.
        is_lost: bool,
    },
    /// A request from outside any session (REST).
    Admin {
        /// The request.
        request: AdminRequest,
        /// Channel for the response.
        response_sender: oneshot::Sender<Result<AdminResponse, message::Refusal>>,
    },
    /// A request for statistics of media objects.
    Stats {
        /// Shard that has them.
        shard: ShardId,
        /// The objects.
        objects: Vec<StatsObject>,
        /// Channel for the statistics.
        response_sender: oneshot::Sender<Vec<Option<command::Reply>>>,
    },
    /// The program is about to end.
    Shutdown {
        /// Time until sessions are closed.
        notice: Duration,
        /// Channel for the number of participants.
        response_sender: oneshot::Sender<usize>,
    },
    /// A request for the conference's metrics.
    Gauges {
        /// Channel for the metrics.
        response_sender: oneshot::Sender<ConferenceGauges>,
    },
    /// A test makes a shard panic.
    #[cfg(feature = "faults")]
    Panic {
        /// Shard that is to panic.
        shard: ShardId,
    },
    /// A test makes the next request of a room's participants panic.
    #[cfg(feature = "faults")]
    PanicInRoom {
        /// Name of the room.
        room: String,
        /// Stage of the request at which it panics.
        stage: PanicStage,
    },
}

/// Sends input to the hub.
#[derive(Debug, Clone)]
pub struct HubHandle {
    /// Sending end of the input queue.
    inputs: mpsc::Sender<Input>,
    /// Id of the next session.
    next_session: Arc<AtomicU64>,
}

impl Hub {
    /// Creates a hub and its handle. `reports` receives what the shards report, and `room_events` sends what
    /// happens in rooms. `observer` keeps the history of calls.
    pub fn new(
        conference: Conference,
        clock: Clock,
        shards: Vec<ShardHandle>,
        reports: mpsc::Receiver<ShardReport>,
        room_events: RoomEventSender,
        observer: Option<Observer>,
    ) -> (Self, HubHandle) {
        let (sender, inputs) = mpsc::channel(INPUTS_MAX);
        let next_session = Arc::new(AtomicU64::new(1));
        let handle = HubHandle {
            inputs: sender,
            next_session,
        };
        let outboxes = BTreeMap::new();
        (
            Self {
                conference,
                clock,
                shards,
                outboxes,
                inputs,
                reports,
                room_events,
                observer,
                latest_gauges: None,
            },
            handle,
        )
    }

    /// Runs until `stop` becomes true, then closes every session.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut load_interval = interval(LOAD_INTERVAL);
        load_interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let observed_every = self
            .observer
            .as_ref()
            .map_or(LOAD_INTERVAL, |it| it.interval);
        let mut observations = interval(observed_every);
        observations.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deadline = self.clock.instant(self.conference.poll_timeout());
            let timeout = async {
                match deadline {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stop.wait_for(|&stop| stop) => break,
                Some(report) = self.reports.recv() => self.handle_report(report),
                Some(input) = self.inputs.recv() => self.handle_input(input),
                _ = load_interval.tick() => self.update_loads(),
                _ = observations.tick(), if self.observer.is_some() => self.request_samples(),
                () = timeout => {}
            }
            self.drain_conference();
        }
        self.conference.handle_stop(self.clock.now());
        while let Some(output) = self.conference.poll_output() {
            if let Output::RoomEvent(event) = output {
                self.report_room_event(*event);
            }
        }
        for outbox in self.outboxes.into_values() {
            outbox.push(Frame::Close {
                code: GOING_AWAY,
                reason: "shutting down",
            });
        }
    }

    /// Asks all shards for samples, which then become observations of the conference.
    fn request_samples(&mut self) {
        let now = self.clock.now();
        let shards = self.shards.iter();
        if let Some(observer) = &mut self.observer {
            observer.start(now, &mut self.conference, |round| {
                let asked = shards.filter(|it| it.send(ShardRequest::Sample { round }));
                asked.count()
            });
        }
    }

    /// Passes an event of a room to the history of calls and to subscribers.
    fn report_room_event(&self, event: RoomEvent) {
        if let Some(observer) = &self.observer {
            observer.history.record_event(event.clone());
        }
        self.room_events.send(event);
    }

    /// Passes the load of every shard to the conference.
    fn update_loads(&mut self) {
        for (shard, handle) in (0..=u8::MAX).zip(&self.shards) {
            let busy_permille = handle.metrics().read().busy_permille;
            self.conference
                .handle_shard_load(ShardId(shard), busy_permille);
        }
    }

    fn handle_input(&mut self, input: Input) {
        let now = self.clock.now();
        match input {
            Input::Open {
                session,
                outbox,
                connect,
            } => {
                self.outboxes.insert(session, outbox);
                self.conference.handle_open(now, session, connect);
            }
            Input::Frame { session, text } if self.outboxes.contains_key(&session) => {
                let _span = tracing::info_span!("session", id = session.0).entered();
                self.conference.handle_frame(now, session, &text);
            }
            Input::Frame { .. } => {}
            Input::Close {
                session,
                is_lost: false,
            } => self.remove_session(now, session),
            Input::Close { session, .. } => {
                if self.outboxes.remove(&session).is_some() {
                    self.conference.handle_lost(now, session);
                }
            }
            Input::Admin {
                request,
                response_sender,
            } => {
                let _ = response_sender.send(self.conference.handle_admin_request(now, request));
            }
            Input::Stats {
                shard,
                objects,
                response_sender,
            } => {
                if let Some(shard) = self.shards.get(usize::from(shard.0)) {
                    shard.send(ShardRequest::ReadStats {
                        objects,
                        response_sender,
                    });
                }
            }
            Input::Shutdown {
                notice,
                response_sender,
            } => {
                self.conference.handle_shutdown(now, notice);
                let _ = response_sender.send(self.conference.gauges().participants);
            }
            Input::Gauges { response_sender } => {
                let gauges = self.gauges(now);
                // The HTTP client may have disconnected meanwhile.
                let _ = response_sender.send(gauges);
            }
            #[cfg(feature = "faults")]
            Input::Panic { shard } => {
                if let Some(shard) = self.shards.get(usize::from(shard.0)) {
                    shard.send(ShardRequest::Panic);
                }
            }
            #[cfg(feature = "faults")]
            Input::PanicInRoom { room, stage } => self.conference.inject_panic(&room, stage),
        }
    }

    /// Returns the conference's metrics, at most `GAUGES_AGE_MAX` old: reading them visits every
    /// room, and anybody may ask for them.
    fn gauges(&mut self, now: Time) -> ConferenceGauges {
        let latest = self.latest_gauges.take();
        let latest = latest.filter(|(read_at, _)| now.since(*read_at) < GAUGES_AGE_MAX);
        let (read_at, gauges) = latest.unwrap_or_else(|| (now, self.conference.gauges()));
        self.latest_gauges = Some((read_at, gauges.clone()));
        gauges
    }

    fn handle_report(&mut self, report: ShardReport) {
        let now = self.clock.now();
        match report {
            ShardReport::Reply { token, result } => {
                self.conference.handle_reply(now, token, result);
            }
            ShardReport::Samples { round, samples } => {
                if let Some(observer) = &mut self.observer {
                    observer.record_samples(now, &mut self.conference, round, samples);
                }
            }
            ShardReport::Event { shard, event } => self.conference.handle_event(now, shard, event),
            ShardReport::Lost { shard } => {
                self.conference.handle_shard_lost(now, shard);
                if let Some(shard) = self.shards.get(usize::from(shard.0)) {
                    shard.send(ShardRequest::Resume);
                }
            }
        }
    }

    /// Runs due timers of the conference and sends its output.
    fn drain_conference(&mut self) {
        let now = self.clock.now();
        if self.conference.poll_timeout() <= now {
            self.conference.handle_timeout(now);
        }
        while let Some((session, action)) = self.conference.poll_limited_action() {
            self.send(now, session, Frame::LimitedAction(action));
        }
        while let Some(output) = self.conference.poll_output() {
            match output {
                Output::Frame {
                    session,
                    text,
                    droppable,
                } => {
                    let frame = match droppable {
                        true => Frame::DroppableText(text),
                        false => Frame::Text(text),
                    };
                    self.send(now, session, frame);
                }
                Output::Close {
                    session,
                    code,
                    reason,
                } => {
                    self.send(now, session, Frame::Close { code, reason });
                    self.remove_session(now, session);
                }
                Output::RoomEvent(event) => self.report_room_event(*event),
                Output::Command {
                    shard,
                    token,
                    command,
                } => {
                    let request = ShardRequest::Command { token, command };
                    let shard = self.shards.get(usize::from(shard.0));
                    if !shard.is_some_and(|shard| shard.send(request)) {
                        let refusal = Refusal::LimitReached("commands waiting");
                        self.conference.handle_reply(now, token, Err(refusal));
                    }
                }
            }
        }
    }

    /// Queues a frame. A session whose outbox overflows is removed; its socket closes by itself.
    fn send(&mut self, now: Time, session: SessionId, frame: Frame) {
        let Some(outbox) = self.outboxes.get(&session) else {
            return;
        };
        match outbox.push(frame) {
            Pushed::Queued => {}
            Pushed::Dropped => {
                self.conference.record_dropped_message();
                tracing::debug!(
                    session = session.0,
                    "message dropped: client not keeping up"
                );
            }
            Pushed::Overflow => {
                tracing::info!(
                    session = session.0,
                    "session closed: outgoing queue full (client not reading)"
                );
                self.remove_session(now, session);
            }
        }
    }

    fn remove_session(&mut self, now: Time, session: SessionId) {
        if self.outboxes.remove(&session).is_some() {
            self.conference.handle_close(now, session);
        }
    }
}

impl HubHandle {
    /// Opens a session; `None` when the hub has ended.
    pub async fn open_session(&self, outbox: Outbox, connect: ConnectRequest) -> Option<SessionId> {
        let session = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        self.inputs
            .send(Input::Open {
                session,
                outbox,
                connect,
            })
            .await
            .ok()?;
        Some(session)
    }

    /// Passes a frame of a session to the conference. Returns false when the hub has ended.
    pub async fn send_frame(&self, session: SessionId, text: Utf8Bytes) -> bool {
        self.inputs
            .send(Input::Frame { session, text })
            .await
            .is_ok()
    }

    /// Closes a session. A hub that has ended has closed it already.
    pub async fn close_session(&self, session: SessionId) {
        self.end_connection(session, false).await;
    }

    /// Reports that a connection was lost. Its session may go on over another one.
    pub async fn lose_connection(&self, session: SessionId) {
        self.end_connection(session, true).await;
    }

    /// Reports the end of a connection.
    async fn end_connection(&self, session: SessionId, is_lost: bool) {
        let _ = self.inputs.send(Input::Close { session, is_lost }).await;
    }

    /// Waits until the hub has ended.
    pub async fn ended(&self) {
        self.inputs.closed().await;
    }

    /// Sends a request from outside any session; `None` when the hub has ended or does not respond
    /// within 2 s.
    pub async fn admin_request(
        &self,
        request: AdminRequest,
    ) -> Option<Result<AdminResponse, message::Refusal>> {
        let input = |response_sender| Input::Admin {
            request,
            response_sender,
        };
        self.request(input).await
    }

    /// Returns the statistics of objects of a shard, in their order; `None` when the shard does not respond within
    /// 2 s.
    pub async fn stats(
        &self,
        shard: ShardId,
        objects: Vec<StatsObject>,
    ) -> Option<Vec<Option<command::Reply>>> {
        let input = |response_sender| Input::Stats {
            shard,
            objects,
            response_sender,
        };
        self.request(input).await
    }

    /// Returns the conference's metrics; `None` when the hub has ended or does not respond within
    /// 2 s.
    pub async fn gauges(&self) -> Option<ConferenceGauges> {
        let input = |response_sender| Input::Gauges { response_sender };
        self.request(input).await
    }

    /// Sends an input that the hub or a shard responds to, and waits for the response for at most 2 s.
    async fn request<T>(
        &self,
        input: impl FnOnce(oneshot::Sender<T>) -> Input + Send,
    ) -> Option<T> {
        let (response_sender, received) = oneshot::channel();
        let response = async {
            self.inputs.send(input(response_sender)).await.ok()?;
            received.await.ok()
        };
        timeout(REQUEST_TIMEOUT, response).await.ok()?
    }

    /// Creates the handle of a hub that does not respond as long as the second value is kept.
    #[cfg(test)]
    pub fn of_unresponsive_hub() -> (Self, impl Sized) {
        let (inputs, unread) = mpsc::channel(INPUTS_MAX);
        let next_session = Arc::default();
        let handle = Self {
            inputs,
            next_session,
        };
        (handle, unread)
    }

    /// Tells everybody that the program ends, and waits until all have left their rooms or `notice`
    /// has passed.
    pub async fn announce_shutdown(&self, notice: Duration) {
        let (response_sender, told) = oneshot::channel();
        let input = Input::Shutdown {
            notice,
            response_sender,
        };
        if self.inputs.send(input).await.is_err() || told.await.unwrap_or(0) == 0 {
            return;
        }
        let empty = async {
            while self.gauges().await.is_some_and(|it| it.participants > 0) {
                sleep(SHUTDOWN_POLL_INTERVAL).await;
            }
        };
        // Those who are still there are disconnected.
        let _ = timeout(notice, empty).await;
    }

    /// Makes the next request of a room's participants panic. Returns false when the hub has ended.
    #[cfg(feature = "faults")]
    pub async fn inject_room_panic(&self, room: String, stage: PanicStage) -> bool {
        let input = Input::PanicInRoom { room, stage };
        self.inputs.send(input).await.is_ok()
    }

    /// Makes a shard panic. Returns false when the hub has ended.
    #[cfg(feature = "faults")]
    pub async fn inject_panic(&self, shard: u8) -> bool {
        let shard = ShardId(shard);
        self.inputs.send(Input::Panic { shard }).await.is_ok()
    }
}
