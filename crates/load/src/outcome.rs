//! Results of a run, as one value that is stored as JSON, and the verdict on their validity.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::latency::Latency;
use crate::resource_monitor::RunCost;

/// Reason why an outcome file cannot be read or written.
#[derive(Debug, Error)]
pub enum OutcomeError {
    /// Opening, reading or writing the file failed.
    #[error("{path}: {error}")]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The file does not contain an outcome.
    #[error("{path}: {error}")]
    Json {
        /// Path of the file.
        path: PathBuf,
        /// Error of the parser.
        error: serde_json::Error,
    },
}

/// Results of a run.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Conditions of the measurement.
    pub setup: Setup,
    /// Length of the measurement in seconds.
    pub seconds: f64,
    /// Media forwarded by the server.
    pub media: Media,
    /// Latency of packets, from sealing at the sender to reception at the receiver's socket.
    pub latency: Latency,
    /// Joins of peers.
    pub joins: Joins,
    /// Transports open at the end.
    pub transports: u64,
    /// Consumers open at the end.
    pub consumers: u64,
    /// CPU time, memory and run lengths.
    pub costs: RunCost,
}

/// Conditions of a measurement.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Name of the profile.
    pub profile: String,
    /// Number of rooms.
    pub rooms: u64,
    /// Peers in each room that send.
    pub publishers: u64,
    /// Peers in each room that only receive.
    pub subscribers: u64,
    /// Bitrate of a camera in kbit/s; 0 for audio only.
    pub video_kbps: u64,
    /// Whether cameras send several simulcast layers.
    pub simulcast: bool,
    /// Name of the negotiated SRTP profile.
    pub srtp: String,
    /// Whether the generator's sockets use UDP_GRO. On one machine this spares the sender much of
    /// its work.
    pub gro: bool,
    /// Name of the publishers' pacing.
    pub pacing: String,
    /// Share of received packets that are decrypted and checked.
    pub verify: String,
    /// Network between server and generator.
    pub network: String,
}

/// Media packets during the measurement.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Packets sent to the server.
    pub published: u64,
    /// Bytes sent to the server, as UDP payload.
    pub published_bytes: u64,
    /// Packets that all receivers together should have received.
    pub expected: u64,
    /// Packets received, each counted once per receiver.
    pub delivered: u64,
    /// Packets received again.
    pub duplicates: u64,
    /// Packets of another room or producer, or with altered contents.
    pub violations: u64,
    /// Packets received only as retransmissions.
    pub retransmitted: u64,
    /// Packets that the server requested from publishers (NACK).
    pub nacks: u64,
    /// Keyframes that the server requested from publishers (PLI or FIR).
    pub plis: u64,
    /// Number of received packets by length, in bytes of UDP payload.
    pub sizes: BTreeMap<u16, u64>,
}

/// Joins of peers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Joins {
    /// Peers that joined.
    pub count: u64,
    /// Peers that failed to join.
    pub failures: u64,
    /// Seconds from the first attempt to the last success.
    pub seconds: f64,
    /// Duration of successful joins.
    pub latency: Latency,
}

impl Outcome {
    /// Reads an outcome file.
    ///
    /// # Errors
    /// Fails when the file cannot be read or contains something else.
    pub fn read(path: &Path) -> Result<Self, OutcomeError> {
        let file = File::open(path).map_err(|error| file_error(path, error))?;
        serde_json::from_reader(io::BufReader::new(file)).map_err(|error| OutcomeError::Json {
            path: path.to_owned(),
            error,
        })
    }

    /// Writes an outcome file.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), OutcomeError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| OutcomeError::Json {
            path: path.to_owned(),
            error,
        })?;
        std::fs::write(path, text + "\n").map_err(|error| file_error(path, error))
    }

    /// Returns "valid", or why the results are not.
    pub fn verdict(&self) -> String {
        let mut faults = Vec::new();
        if !self.costs.is_valid() {
            faults.push(format!(
                "the generator itself used {:.0} % of its CPU cores, so it measured itself",
                self.costs.own_share * 100.0
            ));
        }
        let waited = self.costs.waited_shares().into_iter().fold(0.0, f64::max);
        if waited > RunCost::WAITED_SHARE_MAX {
            faults.push(format!(
                "other programs had the cores for {:.0} % of the time",
                waited * 100.0
            ));
        }
        if self.media.violations > 0 {
            let count = self.media.violations;
            faults.push(format!("{count} packets were wrong or misdelivered"));
        }
        if faults.is_empty() {
            "valid".to_owned()
        } else {
            format!("INVALID: {}", faults.join("; "))
        }
    }

    /// Returns `count` per second of the measurement; `None` when its length is zero.
    pub fn per_second(&self, count: u64) -> Option<f64> {
        (self.seconds > 0.0).then(|| count as f64 / self.seconds)
    }

    /// Returns the mean length of received datagrams in bytes; `None` when there were none.
    pub fn mean_len(&self) -> Option<f64> {
        let (mut bytes, mut count) = (0_u64, 0_u64);
        for (&len, &times) in &self.media.sizes {
            bytes += u64::from(len) * times;
            count += times;
        }
        (count > 0).then(|| bytes as f64 / count as f64)
    }
}

impl Setup {
    /// Returns two lines: the load, and the conditions.
    pub fn heading(&self) -> String {
        let peers = match (self.publishers, self.subscribers) {
            (publishers, 0) => format!("{publishers} peers that send and receive"),
            (publishers, subscribers) => {
                format!("{publishers} publishers and {subscribers} subscribers")
            }
        };
        let rooms = match self.rooms {
            1 => "1 room".to_owned(),
            rooms => format!("{rooms} rooms"),
        };
        let video = match (self.video_kbps, self.simulcast) {
            (0, _) => "audio only".to_owned(),
            (kbps, false) => format!("video of {kbps} kbit/s"),
            (kbps, true) => format!("simulcast video of {kbps} kbit/s"),
        };
        format!(
            "{}: {rooms} of {peers}, {video}\n{}",
            self.profile,
            self.conditions()
        )
    }

    /// Returns the conditions of the measurement in one line.
    pub fn conditions(&self) -> String {
        let gro = if self.gro { "on" } else { "off" };
        let Self {
            srtp,
            network,
            pacing,
            verify,
            ..
        } = self;
        let parts = [
            srtp.clone(),
            format!("generator's UDP_GRO {gro}"),
            network.clone(),
            format!("pacing {pacing}"),
            format!("verified: {verify}"),
        ];
        parts.join(" · ")
    }
}

fn file_error(path: &Path, error: io::Error) -> OutcomeError {
    OutcomeError::File {
        path: path.to_owned(),
        error,
    }
}
