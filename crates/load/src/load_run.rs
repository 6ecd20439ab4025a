//! A load run: peers join at a steady rate, all consumers are awaited, packets are counted for the
//! length of the measurement, and the counters of all threads are merged.

use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until, timeout};
use watersmeet_net::udp::connected::ConnectedOptions;

use crate::clock::Clock;
use crate::media::dtls::Identity;
use crate::media::{Command, MediaThread, Settings};
use crate::options::{Options, Profile};
use crate::outcome::{Joins, Media, Outcome, Setup};
use crate::resource_monitor::{MonitorError, ResourceMonitor, RunCost, Snapshot};
use crate::run_state::{JoinLog, RunState};
use crate::signalling::peer::{Peer, PeerCommand, PeerPlan};
use crate::traffic_stats::{MeasurementWindow, TRANSIT_MAX, TrafficStats};

/// Receive buffer of a socket in bytes: a tenth of a second of a large meeting.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Longest wait for joins after the last one was started.
const JOIN_TIMEOUT: Duration = Duration::from_secs(40);

/// Longest wait for missing consumers after the last join.
const CONSUMERS_TIMEOUT: Duration = Duration::from_secs(15);

/// Time from the command to count until the start of counting, so that all threads have received it.
const LEAD_TIME: Duration = Duration::from_millis(50);

/// Reason why a run has no outcome.
#[derive(Debug, Error)]
pub enum RunError {
    /// A call of the operating system failed.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The resource usage cannot be measured.
    #[error("{0}")]
    Monitor(#[from] MonitorError),
    /// No peer joined; the first failure.
    #[error("no peer joined: {0}")]
    NobodyJoined(String),
    /// A media thread ended early.
    #[error("a media thread ended early")]
    Thread,
}

/// Outcome of a run, with remarks.
pub struct RunReport {
    /// Results shown in the table.
    pub outcome: Outcome,
    /// Lines printed below the table.
    pub remarks: Vec<String>,
    /// Consumers that received nothing although their producer sent.
    pub silent_consumers: u64,
}

/// Runs the load that `options` describe.
///
/// # Errors
/// Fails when no peer joined, the server cannot be monitored, or the operating system refuses
/// resources.
pub fn run(options: Options) -> Result<RunReport, RunError> {
    raise_file_limit();
    let monitor = ResourceMonitor::new(&options.report)?;
    let before = monitor.snapshot()?;
    let clock = Clock::new();
    let identity = Identity::generate(options.srtp.map(|it| it.profile()))?;
    let settings = Settings {
        clock,
        identity: identity.clone(),
        socket_options: ConnectedOptions {
            gro: options.gro.is_on(),
            timestamps: true,
            receive_buffer: RECEIVE_BUFFER,
        },
        verify_every: options.verify,
        tick: Duration::from_micros(options.tick),
    };
    let threads = (0..options.threads)
        .map(|number| MediaThread::start(usize::try_from(number).unwrap_or(0), settings.clone()))
        .collect::<io::Result<Vec<_>>>()?;
    let run_number =
        std::process::id() ^ u32::try_from(Clock::wall_ns() >> 20 & 0xffff_ffff).unwrap_or(0);
    let fingerprint = identity.fingerprint().to_owned();
    let run_state = Rc::new(RunState::new(
        options,
        run_number,
        clock,
        threads,
        fingerprint,
    ));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    let mut driver = RunDriver {
        run_state: Rc::clone(&run_state),
        monitor,
        peers: Vec::new(),
        next_number: 0,
    };
    let report = local.block_on(&runtime, driver.run(before));
    drop(driver);
    drop(local);
    if let Some(run_state) = Rc::into_inner(run_state) {
        for thread in run_state.into_threads() {
            thread.stop()?;
        }
    }
    report
}

/// Raises the limit of open files to its maximum: each transport has a socket, and each peer another.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
}

/// A peer that was started.
struct PeerHandle {
    plan: PeerPlan,
    commands: mpsc::UnboundedSender<PeerCommand>,
}

/// Drives a run.
struct RunDriver {
    run_state: Rc<RunState>,
    monitor: ResourceMonitor,
    /// Peers that were started and not told to leave.
    peers: Vec<PeerHandle>,
    next_number: u64,
}

impl RunDriver {
    async fn run(&mut self, before: Snapshot) -> Result<RunReport, RunError> {
        let plans = self.plans();
        self.join_all(&plans).await;
        let first_joins = self.run_state.take_joins();
        if first_joins.count == 0 && !plans.is_empty() {
            let why = first_joins.first_failure.unwrap_or_default();
            return Err(RunError::NobodyJoined(why));
        }
        self.wait_for_consumers(&first_joins).await;
        sleep(Duration::from_secs_f64(
            self.run_state.options.warmup.max(0.0),
        ))
        .await;
        let measurement = self.run_state.options.measurement();
        let until = tokio::time::Instant::now() + LEAD_TIME + measurement;
        self.start_counting(measurement);
        sleep(LEAD_TIME).await;
        let start = self.monitor.snapshot()?;
        self.run_operations(until).await;
        sleep_until(until).await;
        let end = self.monitor.snapshot()?;
        sleep(TRANSIT_MAX).await;
        let stats = self.collect().await?;
        let later_joins = self.run_state.take_joins();
        let costs = RunCost::between(&before, &start, &end);
        Ok(self.report(stats, costs, &first_joins, &later_joins))
    }

    /// Returns the peers that join before the measurement, by room, publishers first.
    fn plans(&self) -> Vec<PeerPlan> {
        let shape = self.run_state.shape;
        let is_idle = self.run_state.options.profile == Profile::Idle;
        let mut plans = Vec::new();
        for room in 0..shape.rooms {
            let publisher = PeerPlan {
                room,
                sends: true,
                publishes: true,
                receives: shape.publishers_receive,
            };
            let subscriber = PeerPlan {
                room,
                sends: is_idle,
                publishes: false,
                receives: true,
            };
            plans.extend((0..shape.publishers).map(|_| publisher));
            plans.extend((0..shape.subscribers).map(|_| subscriber));
        }
        plans
    }

    /// Starts all peers at a steady rate, and waits for their joins.
    async fn join_all(&mut self, plans: &[PeerPlan]) {
        let mut ticks = interval(self.run_state.options.join_interval());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for plan in plans {
            ticks.tick().await;
            self.start_peer(*plan);
        }
        let all = plans.len() as u64;
        let ended = async {
            while self.run_state.joins_ended() < all {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // Peers that have not joined by then are reported as missing.
        let _ = timeout(JOIN_TIMEOUT, ended).await;
    }

    /// Starts a peer, which joins its room and stays there.
    fn start_peer(&mut self, plan: PeerPlan) {
        let (commands, receiver) = mpsc::unbounded_channel();
        self.peers.push(PeerHandle { plan, commands });
        let number = self.next_number;
        self.next_number += 1;
        let run_state = Rc::clone(&self.run_state);
        spawn_local(async move {
            let started = Instant::now();
            match Peer::join(Rc::clone(&run_state), plan, number).await {
                Ok(peer) => {
                    run_state.record_join(started, Ok(()));
                    if let Err(error) = peer.run_until_left(receiver).await {
                        run_state.record_refusal(&format!("after joining: {error}"));
                    }
                }
                Err(error) => run_state.record_join(started, Err(error.to_string())),
            }
        });
    }

    /// Waits until all consumers exist.
    async fn wait_for_consumers(&self, joins: &JoinLog) {
        let expected = self.run_state.shape.consumers();
        if joins.failures > 0 {
            return;
        }
        let all_exist = async {
            while self.run_state.consumers() < expected {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // Consumers missing by then are reported.
        let _ = timeout(CONSUMERS_TIMEOUT, all_exist).await;
    }

    /// Starts counting on all threads.
    fn start_counting(&self, measurement: Duration) {
        let lead = u64::try_from(LEAD_TIME.as_nanos()).unwrap_or(0);
        let len = u64::try_from(measurement.as_nanos()).unwrap_or(u64::MAX);
        let from_ns = Clock::wall_ns() + lead;
        let window = MeasurementWindow {
            from_ns,
            until_ns: from_ns.saturating_add(len),
        };
        for thread in self.run_state.threads() {
            thread.send(Command::StartCounting(window));
        }
    }

    /// Runs the operations of the profile during the measurement.
    async fn run_operations(&mut self, until: tokio::time::Instant) {
        let profile = self.run_state.options.profile;
        if !matches!(profile, Profile::Joins | Profile::Churn | Profile::Storm) {
            return;
        }
        let mut ticks = interval(self.run_state.options.operation_interval());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while tokio::time::Instant::now() < until {
            ticks.tick().await;
            let index = self.run_state.below(self.peers.len());
            match profile {
                Profile::Joins => self.start_peer(PeerPlan {
                    room: 0,
                    sends: true,
                    publishes: false,
                    receives: true,
                }),
                Profile::Churn if index < self.peers.len() => {
                    let peer = self.peers.swap_remove(index);
                    // A peer that failed to join has ended.
                    let _ = peer.commands.send(PeerCommand::Leave);
                    self.start_peer(peer.plan);
                }
                _ => {
                    if let Some(peer) = self.peers.get(index) {
                        let _ = peer.commands.send(PeerCommand::Operate);
                    }
                }
            }
        }
    }

    /// Merges the counters of all threads.
    async fn collect(&self) -> Result<TrafficStats, RunError> {
        let mut all = TrafficStats::default();
        for thread in self.run_state.threads() {
            let (response, stats) = oneshot::channel();
            thread.send(Command::Collect(response));
            all.merge(stats.await.map_err(|_| RunError::Thread)?);
        }
        Ok(all)
    }

    /// Builds the report from the counters.
    fn report(
        &self,
        stats: TrafficStats,
        costs: RunCost,
        first_joins: &JoinLog,
        later_joins: &JoinLog,
    ) -> RunReport {
        let run_state = &self.run_state;
        let options = &run_state.options;
        let has_layers = options.simulcast || options.profile == Profile::Storm;
        let expected = stats.expected(has_layers);
        // Paused consumers rightly receive nothing.
        let silent = match options.profile {
            Profile::Storm => 0,
            _ => stats.silent_consumers(),
        };
        let joins = match options.profile {
            Profile::Joins | Profile::Churn => later_joins,
            _ => first_joins,
        };
        let mut remarks = remarks(&stats, silent);
        if matches!(options.profile, Profile::Joins | Profile::Churn) {
            let (expected, delivered) = stats.complete_consumers(has_layers);
            let lost = expected.saturating_sub(delivered);
            remarks.push(format!(
                "{lost} of {expected} packets for peers that stayed were lost"
            ));
        }
        remarks.extend(self.failures(first_joins, later_joins));
        let outcome = Outcome {
            setup: setup(run_state),
            seconds: options.measurement().as_secs_f64(),
            media: Media {
                published: stats.published.values().sum(),
                published_bytes: stats.published_bytes,
                expected,
                delivered: stats.delivered,
                duplicates: stats.duplicates,
                violations: stats.violations,
                retransmitted: stats.retransmitted,
                nacks: stats.nacks,
                plis: stats.plis,
                sizes: stats.sizes(),
            },
            latency: stats.latencies.summary(),
            joins: Joins {
                count: joins.count,
                failures: joins.failures,
                seconds: joins.seconds(),
                latency: joins.latencies.summary(),
            },
            transports: run_state.transports(),
            consumers: run_state.consumers(),
            costs,
        };
        RunReport {
            outcome,
            remarks,
            silent_consumers: silent,
        }
    }

    /// Describes failures of signalling.
    fn failures(&self, first_joins: &JoinLog, later_joins: &JoinLog) -> Vec<String> {
        let run_state = &self.run_state;
        let mut failures = Vec::new();
        let missing = run_state
            .shape
            .consumers()
            .saturating_sub(run_state.consumers());
        if missing > 0 && run_state.options.profile != Profile::Churn {
            failures.push(format!("{missing} consumers are missing"));
        }
        for (what, log) in [("first", first_joins), ("later", later_joins)] {
            if let Some(why) = &log.first_failure {
                let count = log.failures;
                failures.push(format!("{count} of the {what} joins failed: {why}"));
            }
        }
        if let (count, Some(first)) = run_state.refusals() {
            failures.push(format!("{count} requests were refused: {first}"));
        }
        failures
    }
}

/// Returns the conditions of the measurement.
fn setup(run_state: &RunState) -> Setup {
    let (options, shape) = (&run_state.options, run_state.shape);
    let profile = run_state.srtp_profile();
    Setup {
        profile: format!("{:?}", options.profile).to_lowercase(),
        rooms: shape.rooms.into(),
        publishers: shape.publishers.into(),
        subscribers: shape.subscribers.into(),
        video_kbps: shape.video_kbps.into(),
        simulcast: options.simulcast,
        srtp: profile.map_or("no SRTP", |it| it.name()).to_owned(),
        gro: options.gro.is_on(),
        pacing: options.pacing.name().to_owned(),
        verify: match options.verify {
            1 => "every packet".to_owned(),
            every => format!("one packet of {every}"),
        },
        network: options.report.network.clone(),
    }
}

/// Describes counts that the table does not contain and that are not zero.
fn remarks(stats: &TrafficStats, silent: u64) -> Vec<String> {
    let counts = [
        (
            stats.late,
            "packets arrived out of order or as retransmissions",
        ),
        (stats.discarded, "datagrams were discarded"),
        (
            stats.nacks_sent,
            "packets were requested again by receivers",
        ),
        (stats.plis_sent, "keyframes were requested by receivers"),
        (
            silent,
            "consumers received nothing although their producer sent",
        ),
    ];
    let mut remarks: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if let Some(first) = &stats.first_violation {
        remarks.push(format!("first violation: {first}"));
    }
    remarks
}
