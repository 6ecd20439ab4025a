//! A run from its start to its outcome: everybody joins at a steady pace, things settle, packets
//! are counted for a while, and what every thread counted is added up.

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
use crate::cost::{CostError, Costs, Observer, Sight};
use crate::media::dtls::Identity;
use crate::media::{Command, MediaThread, Settings};
use crate::options::{Options, Profile};
use crate::signalling::peer::{Order, Peer, PeerPlan};
use crate::table::{Joins, Media, Outcome, Setup};
use crate::tally::{TRANSIT_MAX, Tally, Window};
use crate::world::{JoinLog, World};

/// Wanted bytes of a socket's receive buffer: a tenth of a second of a large meeting.
const RECEIVE_BUFFER: usize = 4 << 20;

/// How long joins may take beyond their pace.
const JOIN_PATIENCE: Duration = Duration::from_secs(40);

/// How long consumers may be missing after the last join.
const SETTLE_PATIENCE: Duration = Duration::from_secs(15);

/// From the order to count to the moment from which is counted: all threads have heard of it then.
const LEAD: Duration = Duration::from_millis(50);

/// Why there is no outcome.
#[derive(Debug, Error)]
pub enum RunError {
    /// The system refused something.
    #[error("{0}")]
    System(#[from] io::Error),
    /// The server cannot be watched.
    #[error("{0}")]
    Cost(#[from] CostError),
    /// Nobody got in.
    #[error("nobody got in: {0}")]
    Nobody(String),
    /// A thread has ended.
    #[error("a media thread has ended before its time")]
    Thread,
}

/// An outcome, and what the table has no line for.
pub struct Told {
    /// What the table shows.
    pub outcome: Outcome,
    /// Further lines.
    pub remarks: Vec<String>,
    /// Consumers that got nothing although their producer sent.
    pub silent: u64,
}

/// Runs what `options` ask for.
///
/// # Errors
/// When there is nothing to tell.
pub fn run(options: Options) -> Result<Told, RunError> {
    raise_file_limit();
    let observer = Observer::new(&options.report)?;
    let before = observer.look()?;
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
    let world = Rc::new(World::new(options, run_number, clock, threads, fingerprint));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = LocalSet::new();
    let mut course = Course {
        world: Rc::clone(&world),
        observer,
        crowd: Vec::new(),
        next_number: 0,
    };
    let told = local.block_on(&runtime, course.follow(before));
    drop(course);
    drop(local);
    if let Some(world) = Rc::into_inner(world) {
        for thread in world.into_threads() {
            thread.stop()?;
        }
    }
    told
}

/// As many files as may be: each transport has a socket, each peer another. Who may not have more
/// gets by with what there is.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let _ = setrlimit(Resource::Nofile, raised);
}

/// A peer that was sent into a room.
struct Member {
    plan: PeerPlan,
    orders: mpsc::UnboundedSender<Order>,
}

/// The course of a run.
struct Course {
    world: Rc<World>,
    observer: Observer,
    /// Who was sent into rooms.
    crowd: Vec<Member>,
    next_number: u64,
}

impl Course {
    async fn follow(&mut self, before: Sight) -> Result<Told, RunError> {
        let plans = self.plans();
        self.gather(&plans).await;
        let first_joins = self.world.take_joins();
        if first_joins.count == 0 && !plans.is_empty() {
            let why = first_joins.first_failure.unwrap_or_default();
            return Err(RunError::Nobody(why));
        }
        self.settle(&first_joins).await;
        sleep(Duration::from_secs_f64(self.world.options.warmup.max(0.0))).await;
        let measured = self.world.options.measured();
        let until = tokio::time::Instant::now() + LEAD + measured;
        self.begin(measured);
        sleep(LEAD).await;
        let start = self.observer.look()?;
        self.stir(until).await;
        sleep_until(until).await;
        let end = self.observer.look()?;
        sleep(TRANSIT_MAX).await;
        let tally = self.collect().await?;
        let later_joins = self.world.take_joins();
        let costs = Costs::between(&before, &start, &end);
        Ok(self.tell(tally, costs, &first_joins, &later_joins))
    }

    /// Who joins before it is measured, room by room, those who send first.
    fn plans(&self) -> Vec<PeerPlan> {
        let shape = self.world.shape;
        let is_idle = self.world.options.profile == Profile::Idle;
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

    /// Sends everybody in, at a steady pace.
    async fn gather(&mut self, plans: &[PeerPlan]) {
        let mut pace = interval(self.world.options.join_interval());
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for plan in plans {
            pace.tick().await;
            self.send_in(*plan);
        }
        let all = plans.len() as u64;
        let ended = async {
            while self.world.joins_ended() < all {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // Those who are not in by then are told as missing.
        let _ = timeout(JOIN_PATIENCE, ended).await;
    }

    /// Sends a peer in.
    fn send_in(&mut self, plan: PeerPlan) {
        let (orders, obeyed) = mpsc::unbounded_channel();
        self.crowd.push(Member { plan, orders });
        let number = self.next_number;
        self.next_number += 1;
        let world = Rc::clone(&self.world);
        spawn_local(async move {
            let begun = Instant::now();
            match Peer::join(Rc::clone(&world), plan, number).await {
                Ok(peer) => {
                    world.note_join(begun, Ok(()));
                    if let Err(error) = peer.stay(obeyed).await {
                        world.note_refusal(&format!("in the room: {error}"));
                    }
                }
                Err(error) => world.note_join(begun, Err(error.to_string())),
            }
        });
    }

    /// Waits until everybody has everything.
    async fn settle(&self, joins: &JoinLog) {
        let expected = self.world.shape.consumers();
        if joins.failures > 0 {
            return;
        }
        let settled = async {
            while self.world.consumers() < expected {
                sleep(Duration::from_millis(10)).await;
            }
        };
        // Those that are missing by then show as such.
        let _ = timeout(SETTLE_PATIENCE, settled).await;
    }

    /// Lets all threads count.
    fn begin(&self, measured: Duration) {
        let lead = u64::try_from(LEAD.as_nanos()).unwrap_or(0);
        let len = u64::try_from(measured.as_nanos()).unwrap_or(u64::MAX);
        let from_ns = Clock::wall_ns() + lead;
        let window = Window {
            from_ns,
            until_ns: from_ns.saturating_add(len),
        };
        for thread in self.world.threads() {
            thread.tell(Command::Begin(window));
        }
    }

    /// Does what the profile does while it is measured.
    async fn stir(&mut self, until: tokio::time::Instant) {
        let profile = self.world.options.profile;
        if !matches!(profile, Profile::Joins | Profile::Churn | Profile::Storm) {
            return;
        }
        let mut pace = interval(self.world.options.operation_interval());
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while tokio::time::Instant::now() < until {
            pace.tick().await;
            let place = self.world.below(self.crowd.len());
            match profile {
                Profile::Joins => self.send_in(PeerPlan {
                    room: 0,
                    sends: true,
                    publishes: false,
                    receives: true,
                }),
                Profile::Churn if place < self.crowd.len() => {
                    let member = self.crowd.swap_remove(place);
                    // One that failed to join cannot leave.
                    let _ = member.orders.send(Order::Leave);
                    self.send_in(member.plan);
                }
                _ => {
                    if let Some(member) = self.crowd.get(place) {
                        let _ = member.orders.send(Order::Operate);
                    }
                }
            }
        }
    }

    /// Adds up what all threads counted.
    async fn collect(&self) -> Result<Tally, RunError> {
        let mut all = Tally::default();
        for thread in self.world.threads() {
            let (answer, told) = oneshot::channel();
            thread.tell(Command::Collect(answer));
            all.merge(told.await.map_err(|_| RunError::Thread)?);
        }
        Ok(all)
    }

    fn tell(
        &self,
        tally: Tally,
        costs: Costs,
        first_joins: &JoinLog,
        later_joins: &JoinLog,
    ) -> Told {
        let world = &self.world;
        let options = &world.options;
        let is_layered = options.simulcast || options.profile == Profile::Storm;
        let expected = tally.expected(is_layered);
        // Who is paused gets nothing, and that is right.
        let silent = match options.profile {
            Profile::Storm => 0,
            _ => tally.silent(),
        };
        let joins = match options.profile {
            Profile::Joins | Profile::Churn => later_joins,
            _ => first_joins,
        };
        let mut remarks = remarks(&tally, silent);
        if matches!(options.profile, Profile::Joins | Profile::Churn) {
            let (expected, delivered) = tally.of_those_who_stayed(is_layered);
            let lost = expected.saturating_sub(delivered);
            remarks.push(format!(
                "{lost} of {expected} packets for those who stayed did not come"
            ));
        }
        remarks.extend(self.failures(first_joins, later_joins));
        let outcome = Outcome {
            setup: setup(world),
            seconds: options.measured().as_secs_f64(),
            media: Media {
                published: tally.published.values().sum(),
                published_bytes: tally.published_bytes,
                expected,
                delivered: tally.delivered,
                duplicates: tally.duplicates,
                violations: tally.violations,
                retransmitted: tally.retransmitted,
                nacks: tally.nacks,
                plis: tally.plis,
                sizes: tally.sizes(),
            },
            latency: tally.latencies.summary(),
            joins: Joins {
                count: joins.count,
                failures: joins.failures,
                seconds: joins.seconds(),
                latency: joins.latencies.summary(),
            },
            transports: world.transports(),
            consumers: world.consumers(),
            costs,
        };
        Told {
            outcome,
            remarks,
            silent,
        }
    }

    /// What went wrong with signalling, in words.
    fn failures(&self, first_joins: &JoinLog, later_joins: &JoinLog) -> Vec<String> {
        let world = &self.world;
        let mut failures = Vec::new();
        let missing = world.shape.consumers().saturating_sub(world.consumers());
        if missing > 0 && world.options.profile != Profile::Churn {
            failures.push(format!("{missing} consumers are missing"));
        }
        for (what, log) in [("first", first_joins), ("later", later_joins)] {
            if let Some(why) = &log.first_failure {
                let count = log.failures;
                failures.push(format!("{count} of the {what} joins failed: {why}"));
            }
        }
        if let (count, Some(first)) = world.refusals() {
            failures.push(format!("{count} requests were refused: {first}"));
        }
        failures
    }
}

/// How it was measured.
fn setup(world: &World) -> Setup {
    let (options, shape) = (&world.options, world.shape);
    let profile = world.profile();
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

/// What the table has no line for, as far as there is anything to say.
fn remarks(tally: &Tally, silent: u64) -> Vec<String> {
    let counts = [
        (tally.late, "packets came after a later one, or again"),
        (tally.discarded, "datagrams were of no use"),
        (
            tally.nacks_sent,
            "packets were asked for again by receivers",
        ),
        (tally.plis_sent, "keyframes were asked for by receivers"),
        (silent, "consumers got nothing although their producer sent"),
    ];
    let mut remarks: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    if let Some(first) = &tally.first_violation {
        remarks.push(format!("first violation: {first}"));
    }
    remarks
}
