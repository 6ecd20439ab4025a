//! A shard: a thread with its own worker, sockets and loop. It shares no state with other shards;
//! commands come in, replies and events go out over bounded queues.
//!
//! Each loop iteration:
//! 1. Wait for packets, requests or the worker's next timer; under load also for the rest of the
//!    coalescing window. This is the only place that sleeps.
//! 2. Read the clock, once.
//! 3. Give requests, packets and timers to the worker.
//! 4. Send the worker's packets and events.
//!
//! A panic in the worker is caught here: a new worker takes its place on the same sockets and the
//! hub is told. Until the hub confirms, commands meant for the old worker are refused.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use rand_chacha::rand_core::SeedableRng;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};
use watersmeet_conference::{CommandToken, ShardId};
use watersmeet_engine::command::{
    Command, ConsumerId, Event, ProducerId, Refusal, Reply, TransportId, TransportSample,
};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_net::Waker;
use watersmeet_wire::units::{Rng, Time};

use crate::clock::Clock;
use crate::cpu_affinity;
use crate::heartbeat::Heartbeat;
use crate::media_sockets::{MediaSockets, SocketCounters};
use crate::shard_metrics::{MetricsRecorder, SharedMetrics};
use crate::shard_queues::ShardQueues;

/// Capacity of a shard's queue of requests.
const REQUESTS_MAX: usize = 4_096;

/// Capacity of the hub's queue of reports from all shards.
pub const REPORTS_MAX: usize = 4_096;

/// Requests handled in one loop iteration, so that a burst of them does not delay media.
const REQUESTS_PER_ITERATION_MAX: usize = 64;

/// Objects whose statistics are read by one request: some tens of microseconds of a media thread.
pub const STATS_PER_REQUEST_MAX: usize = 32;

/// Messages of other shards handled in one loop iteration, for the same reason.
const MESSAGES_PER_ITERATION_MAX: usize = 1_024;

/// Longest wait of the loop. The heartbeat is recorded at least this often.
const WAIT_MAX: Duration = Duration::from_millis(250);

/// Wait while the hub's queue of reports is full.
const HUB_FULL_WAIT: Duration = Duration::from_millis(5);

/// A request to a shard.
pub enum ShardRequest {
    /// A command for the worker.
    Command {
        /// Returned with the reply.
        token: CommandToken,
        /// The command.
        command: Command,
    },
    /// Asks for samples of all transports.
    Sample {
        /// Number of the observation that they are for.
        round: u64,
    },
    /// Reads statistics of the worker's objects, for operators.
    ReadStats {
        /// The objects, at most [`STATS_PER_REQUEST_MAX`].
        objects: Vec<StatsObject>,
        /// Channel for the statistics, in the order of the objects; `None` for one that does not exist.
        response_sender: oneshot::Sender<Vec<Option<Reply>>>,
    },
    /// Confirms that the hub knows the worker was lost. Later commands are for the new worker.
    Resume,
    /// Makes the shard panic, for a test.
    #[cfg(feature = "faults")]
    Panic,
}

/// Object whose statistics are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatsObject {
    /// A transport.
    Transport(TransportId),
    /// A producer.
    Producer(ProducerId),
    /// A consumer.
    Consumer(ConsumerId),
}

impl From<StatsObject> for Command {
    fn from(object: StatsObject) -> Self {
        match object {
            StatsObject::Transport(transport) => Self::TransportStats { transport },
            StatsObject::Producer(producer) => Self::ProducerStats { producer },
            StatsObject::Consumer(consumer) => Self::ConsumerStats { consumer },
        }
    }
}

/// A report of a shard to the hub.
#[derive(Debug)]
pub enum ShardReport {
    /// Result of a command.
    Reply {
        /// Token of the command.
        token: CommandToken,
        /// Result of the command.
        result: Result<Reply, Refusal>,
    },
    /// An event of the worker.
    Event {
        /// Shard of the worker.
        shard: ShardId,
        /// The event.
        event: Event,
    },
    /// Samples of all transports since those before.
    Samples {
        /// Number in the request.
        round: u64,
        /// One sample per transport.
        samples: Vec<TransportSample>,
    },
    /// The worker panicked and an empty one took its place.
    Lost {
        /// Shard of the worker.
        shard: ShardId,
    },
}

/// Sends requests to a shard and reads its heartbeat and metrics.
pub struct ShardHandle {
    /// Sending end of the request queue.
    requests: SyncSender<ShardRequest>,
    /// Ends the shard's wait.
    waker: Waker,
    /// Heartbeat of the shard.
    heartbeat: Heartbeat,
    /// Metrics of the shard.
    metrics: SharedMetrics,
}

impl ShardHandle {
    /// Queues a request. Returns false when the queue is full or the shard has ended.
    pub fn send(&self, request: ShardRequest) -> bool {
        let sent = self.requests.try_send(request).is_ok();
        if let Err(error) = self.waker.wake() {
            // The shard wakes by itself within WAIT_MAX.
            tracing::warn!(shard = self.heartbeat.shard(), %error, "cannot wake shard");
        }
        sent
    }

    /// Returns the heartbeat of the shard.
    pub fn heartbeat(&self) -> Heartbeat {
        self.heartbeat.clone()
    }

    /// Returns the metrics of the shard.
    pub fn metrics(&self) -> SharedMetrics {
        self.metrics.clone()
    }
}

impl fmt::Debug for ShardHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShardHandle")
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}

/// Settings of a shard.
pub struct ShardSetup {
    /// Configuration of its workers.
    pub config: WorkerConfig,
    /// Addresses announced to browsers, which may change.
    pub announced: watch::Receiver<Vec<IpAddr>>,
    /// Whether the thread is pinned to a core.
    pub is_pinned: bool,
}

/// State of a shard's thread.
pub struct Shard {
    /// Number of the shard.
    id: ShardId,
    /// Configuration of workers.
    config: WorkerConfig,
    /// Clock of the program.
    clock: Clock,
    /// The media engine.
    worker: Worker,
    /// The media sockets.
    sockets: MediaSockets,
    /// Queues to and from other shards.
    queues: ShardQueues,
    /// Addresses announced to browsers; they change when a host name gets others.
    announced: watch::Receiver<Vec<IpAddr>>,
    /// Receiving end of the request queue.
    requests: Receiver<ShardRequest>,
    /// Sending end of the hub's report queue.
    reports: mpsc::Sender<ShardReport>,
    /// Heartbeat, recorded once for each loop iteration.
    heartbeat: Heartbeat,
    /// Metrics recorder.
    recorder: MetricsRecorder,
    /// Whether the hub has yet to confirm that the worker was lost.
    is_lost: bool,
    /// Pending work that no socket and no timer announces.
    backlog: Backlog,
    /// Start of the latest loop iteration.
    iteration_at: Time,
}

/// Work that a loop iteration left undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Backlog {
    /// No work is left.
    None,
    /// Requests, messages of other shards or packets: iterate again without waiting.
    Work,
    /// Reports, for which the hub's queue has no room.
    Reports,
}

impl Shard {
    /// Starts the thread of a shard, pinned to a core if the setup says so. The thread ends when its
    /// handle is dropped.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(
        setup: ShardSetup,
        clock: Clock,
        sockets: MediaSockets,
        queues: ShardQueues,
        reports: mpsc::Sender<ShardReport>,
    ) -> io::Result<(ShardHandle, JoinHandle<()>)> {
        let ShardSetup {
            config,
            mut announced,
            is_pinned,
        } = setup;
        let id = ShardId(config.shard);
        let (sender, requests) = sync_channel(REQUESTS_MAX);
        let heartbeat = Heartbeat::new(id.0);
        let metrics = SharedMetrics::new(id.0);
        let handle = ShardHandle {
            requests: sender,
            waker: sockets.waker(),
            heartbeat: heartbeat.clone(),
            metrics: metrics.clone(),
        };
        let shard = move || {
            if is_pinned && let Err(error) = cpu_affinity::pin_to_core(id.0.into()) {
                tracing::warn!(shard = id.0, %error, "cannot pin shard to a core");
            }
            let worker = Worker::new(config.clone(), seeded_rng()?);
            announced.mark_unchanged();
            Ok::<_, io::Error>(Self {
                id,
                config,
                clock,
                worker,
                sockets,
                queues,
                announced,
                requests,
                reports,
                heartbeat,
                recorder: MetricsRecorder::new(metrics),
                is_lost: false,
                backlog: Backlog::None,
                iteration_at: Time::ZERO,
            })
        };
        // The worker is created in its thread, so it need not be `Send`.
        let thread = thread::Builder::new()
            .name(format!("shard-{}", id.0))
            .spawn(move || match shard() {
                Ok(shard) => shard.run(),
                Err(error) => tracing::error!(shard = id.0, %error, "shard cannot start"),
            })?;
        Ok((handle, thread))
    }

    /// Runs the loop until the hub is gone. Replaces the worker when it panics.
    fn run(mut self) {
        let span = tracing::error_span!("shard", id = self.id.0);
        let _entered = span.enter();
        loop {
            let outcome = catch_unwind(AssertUnwindSafe(|| while self.run_iteration() {}));
            if outcome.is_ok() {
                return;
            }
            tracing::error!("worker panicked: replacing it with an empty one");
            if !self.replace_worker() {
                return;
            }
        }
    }

    /// Runs one iteration of the loop. Returns false when the thread is to end.
    fn run_iteration(&mut self) -> bool {
        self.wait();
        self.heartbeat.record_beat();
        let now = self.clock.now();
        self.iteration_at = now;
        self.backlog = Backlog::None;
        if self.announced.has_changed().unwrap_or(false) {
            self.update_listen_addresses();
        }
        if !self.handle_requests(now) {
            return false;
        }
        let before = self.sockets.counters();
        let has_messages = self.receive_shard_messages(now);
        if !self.sockets.receive(now, &mut self.worker) {
            self.backlog = Backlog::Work;
        }
        self.worker.handle_timeout(now);
        self.forward_to_shards();
        self.sockets.send(now, &mut self.worker);
        self.record_metrics(now, before, has_messages);
        self.report_events();
        true
    }

    /// Records the duration of an iteration that forwarded packets, and publishes the metrics once
    /// a second.
    fn record_metrics(&mut self, now: Time, before: SocketCounters, has_messages: bool) {
        let after = self.sockets.counters();
        let took = self.clock.now().since(now);
        self.recorder.record_iteration(took);
        if after.has_forwarded_since(&before, has_messages) {
            self.recorder.record_forwarding(took);
        }
        if self.recorder.is_due(now) {
            self.recorder.set_messages_dropped(self.queues.dropped());
            self.recorder.publish(now, self.worker.metrics(), after);
        }
    }

    /// Gives queued messages of other shards to the worker, up to the bound of one iteration.
    /// Returns whether there were any.
    fn receive_shard_messages(&mut self, now: Time) -> bool {
        for received in 0..MESSAGES_PER_ITERATION_MAX {
            let Some((from, message)) = self.queues.pop() else {
                return received > 0;
            };
            self.worker.handle_shard_message(now, from, message);
        }
        self.backlog = Backlog::Work;
        true
    }

    /// Queues the worker's messages for other shards and wakes these.
    fn forward_to_shards(&mut self) {
        while let Some((shard, message)) = self.worker.poll_shard_message() {
            self.queues.push(shard, message);
        }
        self.queues.wake_recipients();
    }

    /// Sleeps until there is work. Under load it first sleeps until the coalescing window has
    /// passed, so that packets arriving meanwhile are handled in one iteration.
    fn wait(&mut self) {
        if self.backlog != Backlog::Work {
            let window_end = self.iteration_at + self.worker.window();
            self.sockets.sleep(window_end.since(self.clock.now()));
        }
        let until_timer = self.worker.poll_timeout().since(self.clock.now());
        let wait = match self.backlog {
            Backlog::None => until_timer.min(WAIT_MAX),
            Backlog::Work => Duration::ZERO,
            Backlog::Reports => until_timer.min(HUB_FULL_WAIT),
        };
        self.sockets.wait(wait);
    }

    /// Handles queued requests, up to the bound of one iteration. Returns false when the thread is
    /// to end.
    fn handle_requests(&mut self, now: Time) -> bool {
        for _ in 0..REQUESTS_PER_ITERATION_MAX {
            match self.handle_next_request(now) {
                RequestOutcome::Handled => {}
                RequestOutcome::None => return true,
                RequestOutcome::Stop => return false,
            }
        }
        self.backlog = Backlog::Work;
        true
    }

    /// Handles the next request, if there is one and the hub has room for the reply.
    fn handle_next_request(&mut self, now: Time) -> RequestOutcome {
        let permit = match self.reports.try_reserve() {
            Ok(permit) => permit,
            Err(TrySendError::Full(())) => {
                self.backlog = Backlog::Reports;
                return RequestOutcome::None;
            }
            Err(TrySendError::Closed(())) => return RequestOutcome::Stop,
        };
        let request = match self.requests.try_recv() {
            Ok(request) => request,
            Err(TryRecvError::Empty) => return RequestOutcome::None,
            Err(TryRecvError::Disconnected) => return RequestOutcome::Stop,
        };
        match request {
            ShardRequest::Command { token, .. } if self.is_lost => {
                permit.send(ShardReport::Reply {
                    token,
                    result: Err(Refusal::WorkerLost),
                });
            }
            ShardRequest::Command { token, command } => {
                let result = self.worker.handle_command(now, command);
                permit.send(ShardReport::Reply { token, result });
            }
            ShardRequest::Sample { round } => {
                let samples = self.worker.take_samples(now);
                permit.send(ShardReport::Samples { round, samples });
            }
            ShardRequest::ReadStats {
                objects,
                response_sender,
            } => {
                // The HTTP client may have disconnected meanwhile.
                let _ = response_sender.send(read_stats(&mut self.worker, now, objects));
            }
            ShardRequest::Resume => self.is_lost = false,
            #[cfg(feature = "faults")]
            ShardRequest::Panic => inject_panic(),
        }
        RequestOutcome::Handled
    }

    /// Sends the worker's events to the hub while it has room. The rest stays in the worker.
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

    /// Gives the addresses that are announced from now on to the worker, and to later ones.
    fn update_listen_addresses(&mut self) {
        let announced = self.announced.borrow_and_update().clone();
        self.config.listen = self.sockets.listen_addresses(&announced);
        self.worker.set_listen_addresses(self.config.listen.clone());
    }

    /// Creates a new worker on the same sockets and tells the hub. Returns false when the hub is
    /// gone or the system has no randomness.
    fn replace_worker(&mut self) -> bool {
        let rng = match seeded_rng() {
            Ok(rng) => rng,
            Err(error) => {
                tracing::error!(%error, "cannot create a new worker");
                return false;
            }
        };
        self.worker = Worker::new(self.config.clone(), rng);
        self.recorder.record_worker_failure();
        self.backlog = Backlog::Work;
        self.is_lost = true;
        // The hub never waits for a shard, so this wait ends.
        self.reports
            .blocking_send(ShardReport::Lost { shard: self.id })
            .is_ok()
    }
}

/// Outcome of handling the next request.
enum RequestOutcome {
    /// A request was handled; there may be more.
    Handled,
    /// No request is queued, or the hub has no room for the reply.
    None,
    /// The hub is gone.
    Stop,
}

/// Returns the statistics of objects.
fn read_stats(worker: &mut Worker, now: Time, objects: Vec<StatsObject>) -> Vec<Option<Reply>> {
    let objects = objects.into_iter().take(STATS_PER_REQUEST_MAX);
    let replies = objects.map(|it| worker.handle_command(now, it.into()).ok());
    replies.collect()
}

/// Returns a cryptographic random generator seeded by the operating system.
///
/// # Errors
/// The system has no randomness.
pub fn seeded_rng() -> io::Result<Rng> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::from)?;
    Ok(Rng::from_seed(seed))
}

#[cfg(feature = "faults")]
#[expect(clippy::panic, reason = "injected by a test")]
fn inject_panic() {
    panic!("injected by a test");
}
