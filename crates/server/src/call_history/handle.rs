//! The handle of the history: starts the thread that writes, passes it what happens, and reads.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
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

/// Capacity of the queue to the thread that writes.
const INPUTS_MAX: usize = 8_192;

/// Upper bound of observations in that queue. Each is of all rooms: with 10,000 participants some megabytes.
const OBSERVATIONS_MAX: usize = 16;

/// Upper bound of requests that read at a time: each has a thread and a connection to the file.
const READS_MAX: usize = 4;

/// Time limit for a deletion, and for the last writes when the program ends.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Handle of the history.
#[derive(Debug, Clone)]
pub struct CallHistory {
    /// Queue to the thread that writes.
    inputs: SyncSender<Input>,
    /// Counters of the thread that writes.
    counters: Arc<HistoryCounters>,
    /// The file.
    path: PathBuf,
    /// Permits of observations in the queue.
    observations: Arc<Semaphore>,
    /// Permits of requests that read.
    reads: Arc<Semaphore>,
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
            observations: Arc::new(Semaphore::new(OBSERVATIONS_MAX)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        }))
    }

    /// Returns the counters of the thread that writes.
    pub fn counters(&self) -> &HistoryCounters {
        &self.counters
    }

    /// Records something that happened in a room.
    pub fn record_event(&self, event: RoomEvent) {
        self.push(Input::Event(Box::new(event)));
    }

    /// Records what was observed of all rooms.
    pub fn record_observations(&self, at: Time, rooms: Vec<RoomObservation>) {
        match Arc::clone(&self.observations).try_acquire_owned() {
            Ok(permit) => self.push(Input::Observed { at, rooms, permit }),
            Err(_) => self.counters.record_dropped(),
        }
    }

    fn push(&self, input: Input) {
        if self.inputs.try_send(input).is_err() {
            self.counters.record_dropped();
        }
    }

    /// Deletes a part of the history. Returns the number of calls or participants deleted.
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
        let permit = Arc::clone(&self.reads).acquire_owned().await;
        let permit = permit.map_err(|_| HistoryError::Busy)?;
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || {
            let outcome = query(&path);
            // A client that has disconnected does not end its query.
            drop(permit);
            outcome
        });
        read.await.map_err(|_| HistoryError::Busy)?
    }

    /// Waits until everything that was recorded is written, for 5 s at most.
    pub async fn flush(&self) {
        let (done, response) = oneshot::channel();
        if self.inputs.try_send(Input::Flush(done)).is_ok()
            && timeout(RESPONSE_TIMEOUT, response).await.is_err()
        {
            tracing::warn!("history: the last minutes are not written yet");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn history(inputs: SyncSender<Input>) -> CallHistory {
        CallHistory {
            inputs,
            counters: Arc::default(),
            path: PathBuf::new(),
            observations: Arc::new(Semaphore::new(OBSERVATIONS_MAX)),
            reads: Arc::new(Semaphore::new(READS_MAX)),
        }
    }

    #[test]
    fn observations_beyond_the_bound_are_dropped_until_the_thread_takes_one() {
        let (inputs, receiver) = sync_channel(INPUTS_MAX);
        let history = history(inputs);
        for _ in 0..OBSERVATIONS_MAX + 2 {
            history.record_observations(Time::ZERO, Vec::new());
        }
        assert_eq!(history.counters().dropped(), 2);
        drop(receiver.recv().unwrap());
        history.record_observations(Time::ZERO, Vec::new());
        assert_eq!(history.counters().dropped(), 2);
    }

    #[tokio::test]
    async fn requests_beyond_the_bound_read_after_others() {
        let history = history(sync_channel(1).0);
        let (started_sender, started) = mpsc::channel();
        let mut reads = Vec::new();
        for _ in 0..=READS_MAX {
            let (release, released) = mpsc::channel::<()>();
            let (history, started_sender) = (history.clone(), started_sender.clone());
            let read = tokio::spawn(async move {
                let query = move |_: &std::path::Path| {
                    started_sender.send(()).unwrap();
                    // Ends when the other end is dropped.
                    let _ = released.recv();
                    Ok(())
                };
                history.read(query).await
            });
            tokio::task::yield_now().await;
            reads.push((read, release));
        }
        let started_len = || started.iter().take(READS_MAX).count();
        assert_eq!(started_len(), READS_MAX);
        assert!(started.try_recv().is_err());
        for (read, release) in reads {
            drop(release);
            read.await.unwrap().unwrap();
        }
        assert_eq!(started.try_iter().count(), 1);
    }
}
