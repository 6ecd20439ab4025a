//! The thread that writes the history. It takes inputs also while the file cannot be used: they are dropped then, and
//! the file is opened again within a minute.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use watersmeet_conference::call_quality::RoomObservation;
use watersmeet_conference::room_event::RoomEvent;
use watersmeet_wire::units::Time;

use super::counters::HistoryCounters;
use super::deletion::Deletion;
use super::queries::HistoryError;
use super::recorder::Recorder;
use super::store::{Store, StoreOptions};
use crate::clock::Clock;
use crate::state_directory::StateDirectory;

/// Interval at which old calls are deleted, and at which a file that cannot be used is tried again.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Inputs that are stored together at most.
const BATCH_MAX: usize = 256;

/// Input of the thread.
#[derive(Debug)]
pub enum Input {
    /// Something happened in a room.
    Event(Box<RoomEvent>),
    /// All rooms were observed.
    Observed {
        /// When.
        at: Time,
        /// The rooms.
        rooms: Vec<RoomObservation>,
        /// Place among the observations in the queue.
        permit: OwnedSemaphorePermit,
    },
    /// A part of the history is to be deleted.
    Delete {
        /// What.
        deletion: Deletion,
        /// Channel for the number of calls or participants deleted.
        response_sender: oneshot::Sender<Result<usize, HistoryError>>,
    },
    /// Asks for a response once all earlier inputs are stored.
    Flush(oneshot::Sender<()>),
}

/// Settings of the thread.
#[derive(Debug)]
pub struct WriterSetup {
    /// The file.
    pub path: PathBuf,
    /// Whether the file is in the state directory, which is then created.
    pub has_default_place: bool,
    /// The state directory.
    pub state: StateDirectory,
    /// Time for which calls are kept.
    pub retention: Duration,
    /// Bytes that the file may use.
    pub size_max: u64,
    /// Whether names and public ids of participants are stored.
    pub has_names: bool,
    /// Counters of the thread that writes.
    pub counters: Arc<HistoryCounters>,
    /// Clock of the program.
    pub clock: Clock,
}

/// State of the thread.
#[derive(Debug)]
pub struct Writer {
    /// Settings.
    setup: WriterSetup,
    /// Calls in progress.
    recorder: Recorder,
    /// The file; `None` while it cannot be used.
    store: Option<Store>,
    /// Time of the next upkeep.
    upkeep_at: Instant,
}

impl Writer {
    /// Creates the state of a thread that has not opened the file.
    pub fn new(setup: WriterSetup) -> Self {
        Self {
            setup,
            recorder: Recorder::default(),
            store: None,
            upkeep_at: Instant::now(),
        }
    }

    /// Runs until nobody can send inputs any more.
    pub fn run(mut self, inputs: &Receiver<Input>) {
        loop {
            let now = Instant::now();
            if now >= self.upkeep_at {
                self.upkeep_at = now + UPKEEP_INTERVAL;
                self.keep_up();
            }
            match inputs.recv_timeout(self.upkeep_at.saturating_duration_since(now)) {
                Ok(first) => self.handle_batch(first, inputs),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Handles an input and those that wait behind it.
    fn handle_batch(&mut self, first: Input, inputs: &Receiver<Input>) {
        let mut flushed = Vec::new();
        for input in std::iter::once(first).chain(inputs.try_iter().take(BATCH_MAX)) {
            match input {
                Input::Event(event) => self.recorder.handle_event(&event),
                Input::Observed { at, rooms, permit } => {
                    drop(permit);
                    self.recorder.handle_observations(at, &rooms);
                }
                Input::Delete {
                    deletion,
                    response_sender,
                } => {
                    self.store_changes();
                    // The client may have disconnected meanwhile.
                    let _ = response_sender.send(self.delete(&deletion));
                }
                Input::Flush(done) => flushed.push(done),
            }
        }
        self.store_changes();
        for done in flushed {
            let _ = done.send(());
        }
    }

    fn store_changes(&mut self) {
        let changes = self.recorder.take_changes();
        let Some(store) = self.store.as_mut() else {
            self.recorder.restart();
            return;
        };
        if changes.is_empty() {
            return;
        }
        if let Err(error) = store.apply(&changes) {
            self.fail(&error);
        }
    }

    fn delete(&self, deletion: &Deletion) -> Result<usize, HistoryError> {
        let store = self.store.as_ref().ok_or(HistoryError::Busy)?;
        // Later minutes of what was deleted find no participant, and are not stored.
        store.delete(deletion)
    }

    /// Opens the file if it is not open, and deletes what is too old or too much.
    fn keep_up(&mut self) {
        if self.store.is_none() {
            match self.open() {
                Ok(store) => self.store = Some(store),
                Err(error) => return self.fail(&error),
            }
        }
        let Some(store) = &self.store else {
            return;
        };
        let retention_ms = u64::try_from(self.setup.retention.as_millis()).unwrap_or(u64::MAX);
        let before_ms = self.setup.clock.unix_ms().saturating_sub(retention_ms);
        let before_ms = i64::try_from(before_ms).unwrap_or(i64::MAX);
        match store.prune(before_ms, self.setup.size_max) {
            Ok(bytes) => self.setup.counters.record_success(bytes),
            Err(error) => self.fail(&error),
        }
    }

    fn open(&self) -> Result<Store, HistoryError> {
        let setup = &self.setup;
        if setup.has_default_place {
            setup.state.create()?;
        }
        let options = StoreOptions {
            unix_epoch: setup.clock.unix_epoch(),
            has_names: setup.has_names,
        };
        let store = Store::open(&setup.path, options)?;
        store.end_open_calls()?;
        Ok(store)
    }

    /// Closes the file, which cannot be used. Calls in progress are stored anew when it can.
    fn fail(&mut self, error: &HistoryError) {
        tracing::error!(
            path = %self.setup.path.display(),
            %error,
            "history not written: {}; tried again in a minute",
            error.advice()
        );
        self.setup.counters.record_failure();
        self.store = None;
        self.recorder.restart();
    }
}
