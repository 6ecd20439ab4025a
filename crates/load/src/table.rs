//! What a run showed. [`Outcome`] is all of it, as one value that can be kept as JSON; what is
//! printed is one plain table of its figures, beside the bars they are to meet, and a verdict.
//! Nothing is judged anywhere else.

mod bars;
mod figure;
mod grid;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cost::Costs;
use crate::latency::Latency;

pub use bars::Bar;
pub use figure::Figure;
pub use grid::Grid;

/// What is watched and how it is told.
#[derive(Debug, Default, Clone, Args)]
pub struct ReportArgs {
    /// A process of the server, whose CPU time, memory and context switches are counted; may be
    /// given several times
    #[arg(long = "pid", value_name = "PID")]
    pub pids: Vec<i32>,
    /// Where the server shows its counters, to learn how long its runs of datagrams are
    #[arg(long, value_name = "URL")]
    pub metrics: Option<String>,
    /// The server's key for programs, where its counters are not for everybody
    #[arg(long, value_name = "KEY", requires = "metrics")]
    pub api_key: Option<String>,
    /// What lies between the server and here, for the heading
    #[arg(long, value_name = "NAME", default_value = "loopback")]
    pub network: String,
    /// The bars to show beside the figures: L1, webinar and so on; an unknown name lists them
    #[arg(long, value_name = "NAME")]
    pub bar: Option<String>,
    /// A file to write the outcome to
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Why an outcome cannot be told.
#[derive(Debug, Error)]
pub enum ReportError {
    /// Nobody has heard of these bars.
    #[error("there are no bars `{0}`: {names}", names = bars::NAMES.join(", "))]
    Bars(String),
    /// The file cannot be written or read.
    #[error("{path}: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// The file holds something else.
    #[error("{path}: {error}")]
    Json {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// All that a run showed.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it was measured.
    pub setup: Setup,
    /// How long was measured.
    pub seconds: f64,
    /// What went through the server.
    pub media: Media,
    /// How long packets were on their way, from one peer's sealing to the other's opening.
    pub latency: Latency,
    /// How people got in.
    pub joins: Joins,
    /// Transports that were open.
    pub transports: u64,
    /// Consumers that were open.
    pub consumers: u64,
    /// What it cost.
    pub costs: Costs,
}

/// How a run was measured.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The profile's name.
    pub profile: String,
    /// Rooms.
    pub rooms: u64,
    /// People who send, in each room.
    pub publishers: u64,
    /// People who only receive, in each room.
    pub subscribers: u64,
    /// Rate of a camera; 0 is sound alone.
    pub video_kbps: u64,
    /// Whether cameras send several layers.
    pub simulcast: bool,
    /// The SRTP profile agreed on.
    pub srtp: String,
    /// Whether we let the kernel join what we receive to runs (UDP_GRO): that spares the sender
    /// much of its work when both are one machine.
    pub gro: bool,
    /// How publishers send.
    pub pacing: String,
    /// What is looked at of what arrives.
    pub verify: String,
    /// What lies between the server and here.
    pub network: String,
}

/// What went through the server while it was measured. Media only.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Packets sent to the server.
    pub published: u64,
    /// Their bytes, as UDP payload.
    pub published_bytes: u64,
    /// Packets that should have come back, for all receivers.
    pub expected: u64,
    /// Packets that came back, each counted once.
    pub delivered: u64,
    /// Packets that came back once more.
    pub duplicates: u64,
    /// Packets of a room or producer that was not asked for, or that were not what was sent.
    pub violations: u64,
    /// Packets that came only when they were sent again.
    pub retransmitted: u64,
    /// Requests for lost packets that publishers got.
    pub nacks: u64,
    /// Requests for keyframes that publishers got.
    pub plis: u64,
    /// How many packets that came back had which length, as UDP payload.
    pub sizes: BTreeMap<u16, u64>,
}

/// How people got in.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Joins {
    /// Those who got in.
    pub count: u64,
    /// Those who did not.
    pub failures: u64,
    /// From the first attempt to the last success.
    pub seconds: f64,
    /// How long it took each.
    pub latency: Latency,
}

impl Outcome {
    /// Prints the figures, and writes them where `args` say.
    pub fn report(&self, args: &ReportArgs) -> Result<(), ReportError> {
        let bars = args.bar.as_deref().map(bars_of).transpose()?;
        print!("{}", self.table(bars.unwrap_or_default()));
        match &args.json {
            Some(path) => self.write(path),
            None => Ok(()),
        }
    }

    /// Reads what [`report`](Self::report) wrote.
    pub fn read(path: &Path) -> Result<Self, ReportError> {
        let file = File::open(path).map_err(|error| file_error(path, error))?;
        serde_json::from_reader(io::BufReader::new(file)).map_err(|error| ReportError::Json {
            path: path.to_owned(),
            error,
        })
    }

    fn write(&self, path: &Path) -> Result<(), ReportError> {
        let text = serde_json::to_string_pretty(self).map_err(|error| ReportError::Json {
            path: path.to_owned(),
            error,
        })?;
        std::fs::write(path, text + "\n").map_err(|error| file_error(path, error))
    }

    /// Heading, figures beside `bars`, and verdict.
    fn table(&self, bars: &[Bar]) -> String {
        let mut grid = Grid::new();
        if !bars.is_empty() {
            grid.row("", ["measured", "bar", ""].map(str::to_owned));
        }
        for figure in Figure::ALL {
            let Some(value) = figure.of(self) else {
                continue;
            };
            let mut cells = vec![figure.write(value)];
            if let Some(bar) = bars.iter().find(|bar| bar.figure == figure) {
                cells.extend([bar.to_string(), bar.judge(value).to_owned()]);
            }
            grid.row(figure.label(), cells);
        }
        let unknown = bars.iter().filter(|bar| bar.figure.of(self).is_none());
        for bar in unknown {
            let cells = ["–".to_owned(), bar.to_string(), "unknown".to_owned()];
            grid.row(bar.figure.label(), cells);
        }
        format!("\n{}\n\n{grid}\n{}\n", self.setup.heading(), self.verdict())
    }

    /// Whether the figures can be believed, and what is wrong with the media.
    pub fn verdict(&self) -> String {
        let mut faults = Vec::new();
        let share = self.costs.own_share;
        if !self.costs.is_valid() {
            faults.push(format!(
                "the generator itself was at {:.0} % of its processor: it measured itself",
                share * 100.0
            ));
        }
        let waited = self.costs.waited_shares().into_iter().fold(0.0, f64::max);
        if waited > Costs::WAITED_SHARE_MAX {
            faults.push(format!(
                "other programs had the cores for {:.0} % of the time",
                waited * 100.0
            ));
        }
        if self.media.violations > 0 {
            let count = self.media.violations;
            faults.push(format!("{count} packets were not what was asked for"));
        }
        if faults.is_empty() {
            "valid".to_owned()
        } else {
            format!("INVALID: {}", faults.join("; "))
        }
    }

    /// `count` a second.
    fn rate(&self, count: u64) -> Option<f64> {
        (self.seconds > 0.0).then(|| count as f64 / self.seconds)
    }

    /// Bytes of an average datagram that came back.
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
    /// Two lines: what, and how.
    fn heading(&self) -> String {
        let people = match (self.publishers, self.subscribers) {
            (publishers, 0) => format!("{publishers} who all send and receive"),
            (publishers, subscribers) => {
                format!("{publishers} who send, {subscribers} who receive")
            }
        };
        let rooms = match self.rooms {
            1 => "1 room".to_owned(),
            rooms => format!("{rooms} rooms"),
        };
        let video = match (self.video_kbps, self.simulcast) {
            (0, _) => "sound alone".to_owned(),
            (kbps, false) => format!("video of {kbps} kbit/s"),
            (kbps, true) => format!("video of {kbps} kbit/s in layers"),
        };
        format!(
            "{}: {rooms} of {people}, {video}\n{}",
            self.profile,
            self.conditions()
        )
    }

    /// How it was measured, in one line.
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

/// The bars called `name`.
pub fn bars_of(name: &str) -> Result<&'static [Bar], ReportError> {
    bars::named(name).ok_or_else(|| ReportError::Bars(name.to_owned()))
}

fn file_error(path: &Path, error: io::Error) -> ReportError {
    ReportError::File {
        path: path.to_owned(),
        error,
    }
}
