//! One media thread: a worker, its sockets, and the loop that turns them. It shares nothing with
//! other shards; commands come in and replies and events go out over bounded queues.
//!
//! 1. Wait for packets, orders or the worker's next timer, and under load for more of them: the one
//!    place that sleeps.
//! 2. Ask the time, once.
//! 3. Orders, packets and timers go into the worker.
//! 4. Packets and events come out of it.
//!
//! A panic in the worker ends here: a new one takes its place on the same sockets, and the hub is
//! told. Until the hub has understood, orders meant for the old worker are refused.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use rand_chacha::rand_core::SeedableRng;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use watersmeet_conference::{CommandToken, ShardId};
use watersmeet_engine::command::{Command, Event, Refusal, Reply};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_net::Waker;
use watersmeet_wire::units::{Rng, Time};

use crate::clock::Clock;
use crate::media_sockets::{MediaSockets, SocketCounters};
use crate::process_metrics;
use crate::shard_metrics::{MetricsRecorder, SharedMetrics};
use crate::shard_queues::ShardQueues;

/// The most orders that wait for a shard.
const ORDERS_MAX: usize = 4_096;

/// The most reports of all shards that wait for the hub.
pub const REPORTS_MAX: usize = 4_096;

/// The most orders carried out in one turn, so that a rush of them does not hold up media.
const ORDERS_PER_TURN_MAX: usize = 64;

/// The most values of other shards taken in one turn, for the same reason.
const CROSSINGS_PER_TURN_MAX: usize = 1_024;

/// The longest wait: the pulse beats at least this often.
const WAIT_MAX: Duration = Duration::from_millis(250);

/// The wait while the hub has no room for what the shard has to say.
const WAIT_FOR_HUB: Duration = Duration::from_millis(5);

/// Something a shard is told.
pub enum ShardRequest {
    /// A command for its worker.
    Command {
        /// Comes back with the reply.
        token: CommandToken,
        /// What to do.
        command: Command,
    },
    /// The hub knows that the worker was lost; commands are for the new one from now on.
    Resume,
    /// A test wants a panic.
    #[cfg(feature = "faults")]
    Panic,
}

/// Something a shard says.
#[derive(Debug)]
pub enum ShardReport {
    /// The answer to a command.
    Reply {
        /// The command's token.
        token: CommandToken,
        /// What came of it.
        result: Result<Reply, Refusal>,
    },
    /// Something happened by itself.
    Event {
        /// Where.
        shard: ShardId,
        /// What.
        event: Event,
    },
    /// The worker failed, and an empty one took its place.
    Lost {
        /// Where.
        shard: ShardId,
    },
}

/// The sign of life of a shard.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// Whose.
    shard: u8,
    /// Turns since the start.
    beats: Arc<AtomicU64>,
    /// Whether the watchdog misses it.
    hung: Arc<AtomicBool>,
}

impl Heartbeat {
    /// A pulse that has not beaten.
    pub fn new(shard: u8) -> Self {
        Self {
            shard,
            beats: Arc::default(),
            hung: Arc::default(),
        }
    }

    /// Whose it is.
    pub const fn shard(&self) -> u8 {
        self.shard
    }

    /// The shard turned once more.
    pub fn beat(&self) {
        self.beats.fetch_add(1, Ordering::Relaxed);
    }

    /// Turns since the start.
    pub fn beats(&self) -> u64 {
        self.beats.load(Ordering::Relaxed)
    }

    /// Notes whether the shard hangs.
    pub fn set_hung(&self, hung: bool) {
        self.hung.store(hung, Ordering::Relaxed);
    }

    /// Whether the shard hangs.
    pub fn hung(&self) -> bool {
        self.hung.load(Ordering::Relaxed)
    }
}

/// Where the hub finds a shard.
pub struct ShardHandle {
    /// To the shard.
    orders: SyncSender<ShardRequest>,
    /// Ends its wait.
    waker: Waker,
    /// Its sign of life.
    pulse: Heartbeat,
    /// Its figures.
    meter: SharedMetrics,
}

impl ShardHandle {
    /// Tells the shard something. False when too much waits already, or the shard has ended.
    pub fn send(&self, order: ShardRequest) -> bool {
        let sent = self.orders.try_send(order).is_ok();
        if let Err(error) = self.waker.wake() {
            // The shard wakes by itself within WAIT_MAX.
            tracing::warn!(shard = self.pulse.shard, %error, "a shard could not be woken");
        }
        sent
    }

    /// Its sign of life.
    pub fn pulse(&self) -> Heartbeat {
        self.pulse.clone()
    }

    /// Its figures.
    pub fn meter(&self) -> SharedMetrics {
        self.meter.clone()
    }
}

impl fmt::Debug for ShardHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardHandle")
            .field("pulse", &self.pulse)
            .finish_non_exhaustive()
    }
}

/// One media thread's belongings.
pub struct Shard {
    /// Its number.
    id: ShardId,
    /// What workers are made from.
    config: WorkerConfig,
    /// The program's clock.
    clock: Clock,
    /// The media engine.
    worker: Worker,
    /// The sockets.
    media: MediaSockets,
    /// Its place at the exchange with other shards.
    desk: ShardQueues,
    /// What it is told.
    orders: Receiver<ShardRequest>,
    /// What it says.
    reports: mpsc::Sender<ShardReport>,
    /// Its sign of life.
    pulse: Heartbeat,
    /// What it counts.
    gauge: MetricsRecorder,
    /// Whether the hub has yet to hear that the worker was lost.
    lost: bool,
    /// What waits that no socket and no timer will announce.
    backlog: Backlog,
    /// When the latest turn began.
    turned_at: Time,
}

/// What a turn left undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backlog {
    /// Nothing.
    None,
    /// Orders, values of other shards, or packets: turn again at once.
    Work,
    /// Words for the hub, which has no room for them.
    Reports,
}

impl Shard {
    /// Starts the thread, on a core of its own if it is to be `pinned`. It ends when its handle is
    /// gone.
    pub fn start(
        id: ShardId,
        config: WorkerConfig,
        clock: Clock,
        media: MediaSockets,
        desk: ShardQueues,
        reports: mpsc::Sender<ShardReport>,
        pinned: bool,
    ) -> io::Result<(ShardHandle, JoinHandle<()>)> {
        let (sender, orders) = sync_channel(ORDERS_MAX);
        let pulse = Heartbeat::new(id.0);
        let meter = SharedMetrics::new(id.0);
        let handle = ShardHandle {
            orders: sender,
            waker: media.waker(),
            pulse: pulse.clone(),
            meter: meter.clone(),
        };
        let shard = move || {
            if pinned && let Err(error) = process_metrics::pin(id.0.into()) {
                tracing::warn!(shard = id.0, %error, "a shard could not be kept on its core");
            }
            let worker = Worker::new(config.clone(), seeded()?);
            Ok::<_, io::Error>(Self {
                id,
                config,
                clock,
                worker,
                media,
                desk,
                orders,
                reports,
                pulse,
                gauge: MetricsRecorder::new(meter),
                lost: false,
                backlog: Backlog::None,
                turned_at: Time::ZERO,
            })
        };
        // The worker is made in its thread: it need not be able to move between threads.
        let thread = thread::Builder::new()
            .name(format!("shard-{}", id.0))
            .spawn(move || match shard() {
                Ok(shard) => shard.run(),
                Err(error) => tracing::error!(shard = id.0, %error, "a shard cannot start"),
            })?;
        Ok((handle, thread))
    }

    /// Turns until the hub is gone, through every panic of the worker.
    fn run(mut self) {
        let span = tracing::error_span!("shard", id = self.id.0);
        let _entered = span.enter();
        loop {
            let turned = catch_unwind(AssertUnwindSafe(|| while self.turn() {}));
            if turned.is_ok() {
                return;
            }
            tracing::error!("the worker failed: an empty one takes its place");
            if !self.rebuild() {
                return;
            }
        }
    }

    /// One turn of the loop. False when the thread is to end.
    fn turn(&mut self) -> bool {
        self.wait();
        self.pulse.beat();
        let now = self.clock.now();
        self.turned_at = now;
        self.backlog = Backlog::None;
        if !self.obey(now) {
            return false;
        }
        let before = self.media.traffic();
        let crossed = self.take_crossings(now);
        if !self.media.receive(now, &mut self.worker) {
            self.backlog = Backlog::Work;
        }
        self.worker.handle_timeout(now);
        self.hand_over();
        self.media.send(now, &mut self.worker);
        self.measure(now, before, crossed);
        self.report_events();
        true
    }

    /// Notes how long a turn took that sent something on, and once a second lays down the figures.
    fn measure(&mut self, now: Time, before: SocketCounters, crossed: bool) {
        let after = self.media.traffic();
        let took = self.clock.now().since(now);
        self.gauge.turned(took);
        if after.has_passed_since(&before, crossed) {
            self.gauge.forwarded(took);
        }
        if self.gauge.is_due(now) {
            self.gauge.dropped(self.desk.dropped());
            self.gauge.publish(now, self.worker.metrics(), after);
        }
    }

    /// Gives the worker what other shards have for it, up to a turn's worth. Says whether there was
    /// anything.
    fn take_crossings(&mut self, now: Time) -> bool {
        for taken in 0..CROSSINGS_PER_TURN_MAX {
            let Some((from, crossing)) = self.desk.take() else {
                return taken > 0;
            };
            self.worker.handle_shard_message(now, from, crossing);
        }
        self.backlog = Backlog::Work;
        true
    }

    /// Hands what the worker has for other shards to them.
    fn hand_over(&mut self) {
        while let Some((shard, crossing)) = self.worker.poll_shard_message() {
            self.desk.put(shard, crossing);
        }
        self.desk.wake();
    }

    /// Sleeps until there is something to do, and under load until the window has passed: what
    /// arrives meanwhile is taken in one turn.
    fn wait(&mut self) {
        if self.backlog != Backlog::Work {
            let next_look = self.turned_at + self.worker.window();
            self.media.rest(next_look.since(self.clock.now()));
        }
        let until_timer = self.worker.poll_timeout().since(self.clock.now());
        let wait = match self.backlog {
            Backlog::None => until_timer.min(WAIT_MAX),
            Backlog::Work => Duration::ZERO,
            Backlog::Reports => until_timer.min(WAIT_FOR_HUB),
        };
        self.media.wait(wait);
    }

    /// Carries out what it is told, up to a turn's worth. False when the thread is to end.
    fn obey(&mut self, now: Time) -> bool {
        for _ in 0..ORDERS_PER_TURN_MAX {
            match self.obey_next(now) {
                RequestOutcome::More => {}
                RequestOutcome::All => return true,
                RequestOutcome::Stop => return false,
            }
        }
        self.backlog = Backlog::Work;
        true
    }

    /// Carries out the next order, if there is one and room for its answer.
    fn obey_next(&mut self, now: Time) -> RequestOutcome {
        let permit = match self.reports.try_reserve() {
            Ok(permit) => permit,
            Err(TrySendError::Full(())) => {
                self.backlog = Backlog::Reports;
                return RequestOutcome::All;
            }
            Err(TrySendError::Closed(())) => return RequestOutcome::Stop,
        };
        let order = match self.orders.try_recv() {
            Ok(order) => order,
            Err(TryRecvError::Empty) => return RequestOutcome::All,
            Err(TryRecvError::Disconnected) => return RequestOutcome::Stop,
        };
        match order {
            ShardRequest::Command { token, .. } if self.lost => {
                permit.send(ShardReport::Reply {
                    token,
                    result: Err(Refusal::WorkerLost),
                });
            }
            ShardRequest::Command { token, command } => {
                let result = self.worker.handle_command(now, command);
                permit.send(ShardReport::Reply { token, result });
            }
            ShardRequest::Resume => self.lost = false,
            #[cfg(feature = "faults")]
            ShardRequest::Panic => inject_panic(),
        }
        RequestOutcome::More
    }

    /// Hands the worker's events to the hub, as far as it has room. The rest waits in the worker.
    fn report_events(&mut self) {
        loop {
            let Ok(permit) = self.reports.try_reserve() else {
                self.backlog = Backlog::Reports;
                return;
            };
            let Some(event) = self.worker.poll_event() else {
                return;
            };
            permit.send(ShardReport::Event {
                shard: self.id,
                event,
            });
        }
    }

    /// Makes a new worker on the same sockets and tells the hub. False when there is no hub, or no
    /// randomness.
    fn rebuild(&mut self) -> bool {
        let rng = match seeded() {
            Ok(rng) => rng,
            Err(error) => {
                tracing::error!(%error, "no new worker can be made");
                return false;
            }
        };
        self.worker = Worker::new(self.config.clone(), rng);
        self.gauge.failed();
        self.backlog = Backlog::Work;
        self.lost = true;
        // The hub never waits for a shard, so waiting for the hub ends.
        self.reports
            .blocking_send(ShardReport::Lost { shard: self.id })
            .is_ok()
    }
}

/// What became of the next order.
enum RequestOutcome {
    /// It was carried out; there may be more.
    More,
    /// There is none, or no room for its answer.
    All,
    /// There will be no more.
    Stop,
}

/// A generator fit for secrets, seeded by the operating system.
pub fn seeded() -> io::Result<Rng> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::from)?;
    Ok(Rng::from_seed(seed))
}

#[cfg(feature = "faults")]
#[expect(clippy::panic, reason = "a test asked for it")]
fn inject_panic() {
    panic!("a test asked for it");
}
