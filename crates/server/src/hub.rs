//! The task that owns the conference. Frames of all sessions and answers of all shards come in
//! here, one at a time, and what the conference makes of them goes out: letters to sessions,
//! commands to shards. It never waits for either; whoever does not keep up is given up.
//!
//! It is the one place that asks the time on the conference's behalf. It knows no media and no
//! socket.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use watersmeet_conference::conference::{AdminRequest, AdminResponse};
#[cfg(feature = "faults")]
use watersmeet_conference::faults::PanicStage;
use watersmeet_conference::message;
use watersmeet_conference::{
    Conference, ConferenceGauges, ConnectRequest, Output, SessionId, ShardId,
};
use watersmeet_engine::command::Refusal;
use watersmeet_wire::units::Time;

use crate::clock::Clock;
use crate::session_outbox::{Frame, Outbox};
use crate::shard::{ShardHandle, ShardReport, ShardRequest};

/// The most frames that wait for the conference, each up to 128 KiB. A session that finds the
/// queue full waits, and reads no more from its client.
const INPUTS_MAX: usize = 256;

/// How long a count may take: each takes the hub's turn once.
const COUNT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often the conference is told how busy shards are: as often as they say so.
const LOAD_INTERVAL: Duration = Duration::from_secs(1);

/// WebSocket close code for a server that ends (RFC 6455 §7.4.1).
const GOING_AWAY: u16 = 1001;

/// The conference with its connections to everything else.
pub struct Hub {
    /// The rooms.
    conference: Conference,
    /// The program's clock.
    clock: Clock,
    /// The media threads, by their number.
    shards: Vec<ShardHandle>,
    /// Where the letters of each open session go.
    outboxes: BTreeMap<SessionId, Outbox>,
    /// What sessions say.
    inputs: mpsc::Receiver<Input>,
    /// What shards say.
    reports: mpsc::Receiver<ShardReport>,
}

/// What a session says.
#[derive(Debug)]
enum Input {
    /// It began.
    Open {
        /// Its id.
        session: SessionId,
        /// Where its letters go.
        outbox: Outbox,
        /// What is known of it.
        opening: ConnectRequest,
    },
    /// Its client sent a frame.
    Frame {
        /// Whose.
        session: SessionId,
        /// The text.
        text: Utf8Bytes,
    },
    /// It ended.
    Close {
        /// Which.
        session: SessionId,
    },
    /// Something is asked that no session asks.
    Ask {
        /// What.
        inquiry: AdminRequest,
        /// Where to say it.
        answer: oneshot::Sender<Result<AdminResponse, message::Refusal>>,
    },
    /// Somebody wants to know how much there is.
    Count {
        /// Where to say it.
        answer: oneshot::Sender<ConferenceGauges>,
    },
    /// A test wants a shard to panic.
    #[cfg(feature = "faults")]
    Panic {
        /// Which.
        shard: ShardId,
    },
    /// A test wants the next request of a room's participants to panic.
    #[cfg(feature = "faults")]
    PanicInRoom {
        /// Name of the room.
        room: String,
        /// Where it panics.
        stage: PanicStage,
    },
}

/// Where sessions find the hub.
#[derive(Debug, Clone)]
pub struct HubHandle {
    /// To the hub.
    inputs: mpsc::Sender<Input>,
    /// The number of the next session.
    next_session: Arc<AtomicU64>,
}

impl Hub {
    /// A hub and the handle to it. `reports` is where the shards answer.
    pub fn new(
        conference: Conference,
        clock: Clock,
        shards: Vec<ShardHandle>,
        reports: mpsc::Receiver<ShardReport>,
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
            },
            handle,
        )
    }

    /// Serves until `stop` becomes true; then every session is told and forgotten.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut loads = interval(LOAD_INTERVAL);
        loads.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let wake = self.clock.instant(self.conference.poll_timeout());
            let timeout = async {
                match wake {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = stop.wait_for(|&stop| stop) => break,
                Some(report) = self.reports.recv() => self.hear(report),
                Some(input) = self.inputs.recv() => self.take(input),
                _ = loads.tick() => self.weigh(),
                () = timeout => {}
            }
            self.settle();
        }
        for outbox in self.outboxes.into_values() {
            outbox.push(Frame::Close {
                code: GOING_AWAY,
                reason: "shutting down",
            });
        }
    }

    /// Tells the conference how busy shards are.
    fn weigh(&mut self) {
        for (shard, handle) in (0..=u8::MAX).zip(&self.shards) {
            let busy_permille = handle.meter().read().busy_permille;
            self.conference
                .handle_shard_load(ShardId(shard), busy_permille);
        }
    }

    fn take(&mut self, input: Input) {
        let now = self.clock.now();
        match input {
            Input::Open {
                session,
                outbox,
                opening,
            } => {
                self.outboxes.insert(session, outbox);
                self.conference.handle_open(now, session, opening);
            }
            Input::Frame { session, text } if self.outboxes.contains_key(&session) => {
                let _span = tracing::info_span!("session", id = session.0).entered();
                self.conference.handle_frame(now, session, &text);
            }
            Input::Frame { .. } => {}
            Input::Close { session } => self.forget(now, session),
            Input::Ask { inquiry, answer } => {
                let _ = answer.send(self.conference.handle_admin_request(now, inquiry));
            }
            Input::Count { answer } => {
                // Whoever asked may have gone meanwhile.
                let _ = answer.send(self.conference.gauges());
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

    fn hear(&mut self, report: ShardReport) {
        let now = self.clock.now();
        match report {
            ShardReport::Reply { token, result } => {
                self.conference.handle_reply(now, token, result)
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

    /// Lets what is due happen and sends out what the conference has to say.
    fn settle(&mut self) {
        let now = self.clock.now();
        if self.conference.poll_timeout() <= now {
            self.conference.handle_timeout(now);
        }
        while let Some((session, deed)) = self.conference.poll_limited_action() {
            self.send(now, session, Frame::LimitedAction(deed));
        }
        while let Some(output) = self.conference.poll_output() {
            match output {
                Output::Frame { session, text } => self.send(now, session, Frame::Text(text)),
                Output::Close {
                    session,
                    code,
                    reason,
                } => {
                    self.send(now, session, Frame::Close { code, reason });
                    self.forget(now, session);
                }
                Output::Command {
                    shard,
                    token,
                    command,
                } => {
                    let order = ShardRequest::Command { token, command };
                    let shard = self.shards.get(usize::from(shard.0));
                    if !shard.is_some_and(|shard| shard.send(order)) {
                        let refusal = Refusal::LimitReached("commands waiting");
                        self.conference.handle_reply(now, token, Err(refusal));
                    }
                }
            }
        }
    }

    /// Sends a letter; a session whose outbox overflows is forgotten, its socket closes by itself.
    fn send(&mut self, now: Time, session: SessionId, letter: Frame) {
        let Some(outbox) = self.outboxes.get(&session) else {
            return;
        };
        if !outbox.push(letter) {
            tracing::info!(
                session = session.0,
                "the client does not read: session given up"
            );
            self.forget(now, session);
        }
    }

    fn forget(&mut self, now: Time, session: SessionId) {
        if self.outboxes.remove(&session).is_some() {
            self.conference.handle_close(now, session);
        }
    }
}

impl HubHandle {
    /// Begins a session; none when the hub has ended.
    pub async fn open(&self, outbox: Outbox, opening: ConnectRequest) -> Option<SessionId> {
        let session = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        self.inputs
            .send(Input::Open {
                session,
                outbox,
                opening,
            })
            .await
            .ok()?;
        Some(session)
    }

    /// Hands on a frame. False when the hub has ended.
    pub async fn frame(&self, session: SessionId, text: Utf8Bytes) -> bool {
        self.inputs
            .send(Input::Frame { session, text })
            .await
            .is_ok()
    }

    /// Ends a session. An ended hub has forgotten it already.
    pub async fn close(&self, session: SessionId) {
        let _ = self.inputs.send(Input::Close { session }).await;
    }

    /// Waits until the hub has ended.
    pub async fn ended(&self) {
        self.inputs.closed().await;
    }

    /// Asks what no session asks; none when the hub has ended or does not answer.
    pub async fn ask(
        &self,
        inquiry: AdminRequest,
    ) -> Option<Result<AdminResponse, message::Refusal>> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.inputs
                .send(Input::Ask { inquiry, answer })
                .await
                .ok()?;
            answered.await.ok()
        };
        timeout(COUNT_TIMEOUT, asked).await.ok()?
    }

    /// How much there is; none when the hub has ended or does not answer.
    pub async fn counts(&self) -> Option<ConferenceGauges> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            self.inputs.send(Input::Count { answer }).await.ok()?;
            answered.await.ok()
        };
        timeout(COUNT_TIMEOUT, asked).await.ok()?
    }

    /// Makes the next request of a room's participants panic. Returns false when the hub has ended.
    #[cfg(feature = "faults")]
    pub async fn inject_room_panic(&self, room: String, stage: PanicStage) -> bool {
        let input = Input::PanicInRoom { room, stage };
        self.inputs.send(input).await.is_ok()
    }

    /// Has a shard panic. False when the hub has ended.
    #[cfg(feature = "faults")]
    pub async fn inject_panic(&self, shard: u8) -> bool {
        let shard = ShardId(shard);
        self.inputs.send(Input::Panic { shard }).await.is_ok()
    }
}
