//! State shared by the scripted peers of a run: media threads, producer numbers and join results.
//! Used on the signalling thread only.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Instant;

use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::clock::Clock;
use crate::latency::Latencies;
use crate::media::{Command, MediaThread};
use crate::options::{Options, Shape};
use crate::seeded_rng::{self, SeededRng};

/// Results of joins.
#[derive(Debug, Default, Clone)]
pub struct JoinLog {
    /// Durations of successful joins.
    pub latencies: Latencies,
    /// Successful joins.
    pub count: u64,
    /// Failed joins.
    pub failures: u64,
    /// Reason of the first failure.
    pub first_failure: Option<String>,
    /// Start of the first attempt.
    pub first: Option<Instant>,
    /// End of the last successful join.
    pub last: Option<Instant>,
}

impl JoinLog {
    /// Records a join that started at `started` and ended now.
    pub fn record(&mut self, started: Instant, result: Result<(), String>) {
        self.first.get_or_insert(started);
        match result {
            Ok(()) => {
                let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
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

    /// Returns the seconds from the first attempt to the last success.
    pub fn seconds(&self) -> f64 {
        let span = self.first.zip(self.last);
        span.map_or(0.0, |(first, last)| {
            last.saturating_duration_since(first).as_secs_f64()
        })
    }
}

/// State shared by the peers.
pub struct RunState {
    /// Command-line options.
    pub options: Options,
    /// Numbers of rooms and peers.
    pub shape: Shape,
    /// Number of the run, in test headers and room names.
    pub run: u32,
    /// The run's clock.
    pub clock: Clock,
    threads: Vec<MediaThread>,
    /// SHA-256 fingerprint of the certificate of all peers.
    fingerprint: String,
    rng: RefCell<SeededRng>,
    /// Numbers of producers by their identifier.
    producers: RefCell<HashMap<String, u32>>,
    consumers: Cell<i64>,
    transports: Cell<i64>,
    profile: Cell<Option<SrtpProfile>>,
    /// Joins since the last `take_joins`.
    joins: RefCell<JoinLog>,
    refusals: Cell<u64>,
    first_refusal: RefCell<Option<String>>,
}

impl RunState {
    /// Creates the state of a run without peers.
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
            rng: RefCell::new(SeededRng::new(&mut seeded_rng::seeded(options.seed))),
            options,
            producers: RefCell::default(),
            consumers: Cell::new(0),
            transports: Cell::new(0),
            profile: Cell::new(None),
            joins: RefCell::default(),
            refusals: Cell::new(0),
            first_refusal: RefCell::default(),
        }
    }

    /// Returns the media threads, to stop them.
    pub fn into_threads(self) -> Vec<MediaThread> {
        self.threads
    }

    /// Returns the media threads.
    pub fn threads(&self) -> &[MediaThread] {
        &self.threads
    }

    /// Sends a command to the media thread of a peer.
    pub fn send_to_thread(&self, peer: u64, command: Command) {
        let count = self.threads.len().max(1) as u64;
        let index = usize::try_from(peer % count).unwrap_or(0);
        if let Some(thread) = self.threads.get(index) {
            thread.send(command);
        }
    }

    /// Returns an independent random number generator.
    pub fn new_rng(&self) -> SeededRng {
        self.rng.borrow_mut().split()
    }

    /// Returns a random number below `end`.
    pub fn below(&self, end: usize) -> usize {
        let number = self.rng.borrow_mut().below(end as u64);
        usize::try_from(number).unwrap_or(0)
    }

    /// Returns the SHA-256 fingerprint of the certificate of all peers.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Returns the name of a room.
    pub fn room_name(&self, room: u32) -> String {
        format!("load-{:08x}-{room}", self.run)
    }

    /// Assigns a number to a producer, and returns it.
    pub fn register_producer(&self, producer: &str) -> u32 {
        let mut producers = self.producers.borrow_mut();
        let number = u32::try_from(producers.len()).unwrap_or(u32::MAX);
        *producers.entry(producer.to_owned()).or_insert(number)
    }

    /// Returns the number of a producer; `None` while the response that names it is under way.
    pub fn producer_number(&self, producer: &str) -> Option<u32> {
        self.producers.borrow().get(producer).copied()
    }

    /// Adds to the number of consumers.
    pub fn add_consumers(&self, change: i64) {
        self.consumers.set(self.consumers.get() + change);
    }

    /// Returns the number of consumers.
    pub fn consumers(&self) -> u64 {
        u64::try_from(self.consumers.get()).unwrap_or(0)
    }

    /// Adds to the number of transports.
    pub fn add_transports(&self, change: i64) {
        self.transports.set(self.transports.get() + change);
    }

    /// Returns the number of transports.
    pub fn transports(&self) -> u64 {
        u64::try_from(self.transports.get()).unwrap_or(0)
    }

    /// Records the SRTP profile that a handshake negotiated.
    pub fn set_srtp_profile(&self, profile: SrtpProfile) {
        self.profile.set(Some(profile));
    }

    /// Returns the SRTP profile that the handshakes negotiated.
    pub fn srtp_profile(&self) -> Option<SrtpProfile> {
        self.profile.get()
    }

    /// Records the result of a join.
    pub fn record_join(&self, started: Instant, result: Result<(), String>) {
        self.joins.borrow_mut().record(started, result);
    }

    /// Returns the joins since the last call.
    pub fn take_joins(&self) -> JoinLog {
        self.joins.take()
    }

    /// Returns the number of joins that succeeded or failed since then.
    pub fn joins_ended(&self) -> u64 {
        let joins = self.joins.borrow();
        joins.count + joins.failures
    }

    /// Records a request that the server refused after the join.
    pub fn record_refusal(&self, message: &str) {
        self.refusals.set(self.refusals.get() + 1);
        let mut first = self.first_refusal.borrow_mut();
        first.get_or_insert_with(|| message.to_owned());
    }

    /// Returns the number of refused requests, and the first message.
    pub fn refusals(&self) -> (u64, Option<String>) {
        (self.refusals.get(), self.first_refusal.borrow().clone())
    }
}
