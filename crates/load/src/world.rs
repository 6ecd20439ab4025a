//! What all scripted peers of a run share: the threads that move their media, who publishes what,
//! and how they got in. Lives on the thread that speaks with the server.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Instant;

use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::chance::{self, Chance};
use crate::clock::Clock;
use crate::latency::Latencies;
use crate::media::{Command, MediaThread};
use crate::options::{Options, Shape};

/// How joins went.
#[derive(Debug, Default, Clone)]
pub struct JoinLog {
    /// How long each took.
    pub latencies: Latencies,
    /// Those who got in.
    pub count: u64,
    /// Those who did not.
    pub failures: u64,
    /// Why the first of them did not.
    pub first_failure: Option<String>,
    /// When the first began.
    pub first: Option<Instant>,
    /// When the last got in.
    pub last: Option<Instant>,
}

impl JoinLog {
    /// Notes one that began at `begun` and ended now.
    pub fn note(&mut self, begun: Instant, result: Result<(), String>) {
        self.first.get_or_insert(begun);
        match result {
            Ok(()) => {
                let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
                self.latencies.record_micros(micros);
                self.count += 1;
                self.last = Some(Instant::now());
            }
            Err(why) => {
                self.failures += 1;
                self.first_failure.get_or_insert(why);
            }
        }
    }

    /// Seconds from the first attempt to the last success.
    pub fn seconds(&self) -> f64 {
        let span = self.first.zip(self.last);
        span.map_or(0.0, |(first, last)| {
            last.saturating_duration_since(first).as_secs_f64()
        })
    }
}

/// What peers share.
pub struct World {
    /// What was asked for.
    pub options: Options,
    /// How many of what.
    pub shape: Shape,
    /// Names the run in stamps and rooms.
    pub run: u32,
    /// The run's clock.
    pub clock: Clock,
    threads: Vec<MediaThread>,
    /// The hash of the certificate that all peers show.
    fingerprint: String,
    chance: RefCell<Chance>,
    /// Which source a producer is.
    sources: RefCell<HashMap<String, u32>>,
    consumers: Cell<i64>,
    transports: Cell<i64>,
    profile: Cell<Option<SrtpProfile>>,
    /// Joins since somebody asked.
    joins: RefCell<JoinLog>,
    refusals: Cell<u64>,
    first_refusal: RefCell<Option<String>>,
}

impl World {
    /// A world without anybody in it.
    pub fn new(
        options: Options,
        run: u32,
        clock: Clock,
        threads: Vec<MediaThread>,
        fingerprint: String,
    ) -> Self {
        Self {
            shape: options.shape(),
            run,
            clock,
            threads,
            fingerprint,
            chance: RefCell::new(Chance::new(&mut chance::seeded(options.seed))),
            options,
            sources: RefCell::default(),
            consumers: Cell::new(0),
            transports: Cell::new(0),
            profile: Cell::new(None),
            joins: RefCell::default(),
            refusals: Cell::new(0),
            first_refusal: RefCell::default(),
        }
    }

    /// The threads, at the end.
    pub fn into_threads(self) -> Vec<MediaThread> {
        self.threads
    }

    /// All threads.
    pub fn threads(&self) -> &[MediaThread] {
        &self.threads
    }

    /// Tells the thread of that peer something.
    pub fn tell(&self, peer: u64, command: Command) {
        let count = self.threads.len().max(1) as u64;
        let place = usize::try_from(peer % count).unwrap_or(0);
        if let Some(thread) = self.threads.get(place) {
            thread.tell(command);
        }
    }

    /// A share of chance.
    pub fn chance(&self) -> Chance {
        self.chance.borrow_mut().split()
    }

    /// A number below `end`.
    pub fn below(&self, end: usize) -> usize {
        let drawn = self.chance.borrow_mut().below(end as u64);
        usize::try_from(drawn).unwrap_or(0)
    }

    /// The hash of the certificate that all peers show.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// What a room is called.
    pub fn room_name(&self, room: u32) -> String {
        format!("load-{:08x}-{room}", self.run)
    }

    /// Numbers a producer.
    pub fn register(&self, producer: &str) -> u32 {
        let mut sources = self.sources.borrow_mut();
        let number = u32::try_from(sources.len()).unwrap_or(u32::MAX);
        *sources.entry(producer.to_owned()).or_insert(number)
    }

    /// The number of a producer; none when the answer that names it is still under way.
    pub fn source_of(&self, producer: &str) -> Option<u32> {
        self.sources.borrow().get(producer).copied()
    }

    /// Counts consumers.
    pub fn note_consumers(&self, change: i64) {
        self.consumers.set(self.consumers.get() + change);
    }

    /// Consumers now.
    pub fn consumers(&self) -> u64 {
        u64::try_from(self.consumers.get()).unwrap_or(0)
    }

    /// Counts transports.
    pub fn note_transports(&self, change: i64) {
        self.transports.set(self.transports.get() + change);
    }

    /// Transports now.
    pub fn transports(&self) -> u64 {
        u64::try_from(self.transports.get()).unwrap_or(0)
    }

    /// Notes what a handshake agreed on.
    pub fn note_profile(&self, profile: SrtpProfile) {
        self.profile.set(Some(profile));
    }

    /// What handshakes agreed on.
    pub fn profile(&self) -> Option<SrtpProfile> {
        self.profile.get()
    }

    /// Notes how a join went.
    pub fn note_join(&self, begun: Instant, result: Result<(), String>) {
        self.joins.borrow_mut().note(begun, result);
    }

    /// How joins went since this was last asked.
    pub fn take_joins(&self) -> JoinLog {
        self.joins.take()
    }

    /// Joins that ended since then, in whatever way.
    pub fn joins_ended(&self) -> u64 {
        let joins = self.joins.borrow();
        joins.count + joins.failures
    }

    /// Notes a request that the server refused after the join.
    pub fn note_refusal(&self, message: &str) {
        self.refusals.set(self.refusals.get() + 1);
        let mut first = self.first_refusal.borrow_mut();
        first.get_or_insert_with(|| message.to_owned());
    }

    /// How many were refused, and what was said first.
    pub fn refusals(&self) -> (u64, Option<String>) {
        (self.refusals.get(), self.first_refusal.borrow().clone())
    }
}
