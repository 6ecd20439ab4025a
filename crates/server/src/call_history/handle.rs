//! The handle of the history: starts the thread that writes, passes it what happens, and reads.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;
use watersmeet_conference::call_quality::RoomObservation;
use watersmeet_conference::room_event::RoomEvent;
use watersmeet_wire::units::Time;

use super::counters::HistoryCounters;
use super::deletion::Deletion;
use super::queries::{self, CallFilter, HistoryError, StoredCall, StoredCallDetails};
use super::writer::{Input, Writer, WriterSetup};
use crate::clock::Clock;
use crate::config::Config;

/// Capacity of the queue to the thread that writes. Observations of all rooms are one entry.
const INPUTS_MAX: usize = 8_192;

/// Time limit for a deletion, and for the last writes when the program ends.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Handle of the history.
#[derive(Debug, Clone)]
pub struct CallHistory {
    /// Queue to the thread that writes.
    inputs: SyncSender<Input>,
    /// What the thread counts.
    counters: Arc<HistoryCounters>,
    /// The file.
    path: PathBuf,
}

impl CallHistory {
    /// Starts the thread that writes the history. Returns `None` when it is off.
    ///
    /// # Errors
    /// The thread cannot be created.
    pub fn start(config: &Config, clock: Clock) -> io::Result<Option<Self>> {
        if !config.history {
            return Ok(None);
        }
        let (inputs, receiver) = sync_channel(INPUTS_MAX);
        let counters = Arc::<HistoryCounters>::default();
        let path = config.history_path();
        let setup = WriterSetup {
            path: path.clone(),
            has_default_place: config.history_file.is_none(),
            state: config.state_directory(),
            retention: Duration::from_hours(24) * u32::from(config.history_days),
            size_max: u64::from(config.history_size_max_mb) << 20,
            has_names: config.history_names,
            counters: Arc::clone(&counters),
            clock,
        };
        std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || Writer::new(setup).run(&receiver))?;
        Ok(Some(Self {
            inputs,
            counters,
            path,
        }))
    }

    /// Returns what the thread counts.
    pub fn counters(&self) -> &HistoryCounters {
        &self.counters
    }

    /// Records something that happened in a room.
    pub fn record_event(&self, event: RoomEvent) {
        self.push(Input::Event(Box::new(event)));
    }

    /// Records what was observed of all rooms.
    pub fn record_observations(&self, at: Time, rooms: Vec<RoomObservation>) {
        self.push(Input::Observed { at, rooms });
    }

    fn push(&self, input: Input) {
        if self.inputs.try_send(input).is_err() {
            self.counters.record_dropped();
        }
    }

    /// Deletes a part of the history. Returns the number of participants that it removed, or of calls.
    ///
    /// # Errors
    /// The file cannot be written, or the thread does not respond in time.
    pub async fn delete(&self, deletion: Deletion) -> Result<usize, HistoryError> {
        let (response_sender, response) = oneshot::channel();
        let input = Input::Delete {
            deletion,
            response_sender,
        };
        self.inputs
            .try_send(input)
            .map_err(|_| HistoryError::Busy)?;
        let response = timeout(RESPONSE_TIMEOUT, response).await;
        response
            .ok()
            .and_then(Result::ok)
            .ok_or(HistoryError::Busy)?
    }

    /// Returns calls, newest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn calls(&self, filter: CallFilter) -> Result<Vec<StoredCall>, HistoryError> {
        self.read(move |path| queries::calls(path, &filter)).await
    }

    /// Returns a call with its participants and their minutes; `None` when there is none of this id.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn call(&self, id: String) -> Result<Option<StoredCallDetails>, HistoryError> {
        self.read(move |path| queries::call(path, &id)).await
    }

    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&std::path::Path) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<T, HistoryError> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || query(&path));
        read.await.map_err(|_| HistoryError::Busy)?
    }

    /// Waits until everything that was recorded is written, for a few seconds at most.
    pub async fn flush(&self) {
        let (done, response) = oneshot::channel();
        if self.inputs.try_send(Input::Flush(done)).is_ok()
            && timeout(RESPONSE_TIMEOUT, response).await.is_err()
        {
            tracing::warn!("history: the last minutes are not written yet");
        }
    }
}
