//! Lower bound of the cost of sending: the kernel's send path and the cipher, without a server.
//!
//! It is measured on the server's core, to sockets that another thread reads on another core, with
//! the traffic of a run: datagram lengths, run lengths, rate, number of receivers, SRTP profile and
//! UDP_GRO. No server can be cheaper. The ratio is this floor divided by the server's real cost.

mod receiver;
mod send_plan;
mod sender;
mod thread_cpu;

use std::error::Error;
use std::path::PathBuf;

use clap::Args;

use self::receiver::Receiver;
use self::send_plan::SendPlan;
use self::sender::{SendCost, SendRate, Sender};
use crate::metric::Metric;
use crate::outcome::Outcome;
use crate::report::TextTable;

/// Threshold of the ratio.
const RATIO_MIN: f64 = 0.65;

/// Accepted share of lost datagrams. A datagram that the kernel drops costs less than one it
/// delivers.
const LOSS_MAX: f64 = 0.001;

/// Arguments of the subcommand `floor`.
#[derive(Debug, Clone, Args)]
pub struct FloorArgs {
    /// Outcome files written with `--json`
    #[arg(required = true, value_name = "FILE")]
    outcomes: Vec<PathBuf>,
    /// Core to send on: the one the server ran on
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// Core to receive on: the one the generator ran on
    #[arg(long, default_value_t = 1)]
    receiver_core: usize,
    /// Seconds of each of three measurements
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// Cost floor of one run.
#[derive(Debug, Clone, Copy)]
struct CostFloor {
    /// One datagram per message, many messages per system call, not encrypted.
    bare: SendCost,
    /// Runs of the server's lengths, at its rate.
    paced: SendCost,
    /// The same without pauses.
    unpaced: SendCost,
}

impl FloorArgs {
    /// Measures the floor of each run, and prints one table and the lowest ratio.
    ///
    /// # Errors
    /// Fails when an outcome cannot be read or has no media or resource usage, or sending fails.
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let mut columns = Vec::new();
        for path in &self.outcomes {
            let outcome = Outcome::read(path)?;
            let floor = self.measure(&outcome)?;
            columns.push((outcome, floor));
        }
        print!("\n{}", table(&columns));
        for (outcome, floor) in &columns {
            let name = &outcome.setup.profile;
            println!(
                "{name}: {}, {}",
                outcome.setup.conditions(),
                outcome.verdict()
            );
            let lost = floor.lost();
            if lost > LOSS_MAX {
                let percent = lost * 100.0;
                println!(
                    "{name}: the floor's receiver lost {percent:.1} % of datagrams, so the floor is too low"
                );
            }
        }
        let ratios = columns
            .iter()
            .filter_map(|(outcome, floor)| floor.ratio(outcome));
        match ratios.reduce(f64::min) {
            Some(ratio) => {
                let verdict = if ratio >= RATIO_MIN { "met" } else { "MISSED" };
                println!("\nbar: floor_ratio ≥ {RATIO_MIN}: {verdict}");
                println!("floor_ratio {ratio:.2}");
                Ok(())
            }
            None => Err(
                "no outcome contains the server's resource usage: run the generator with --pid"
                    .into(),
            ),
        }
    }

    /// Measures the floor of one run.
    fn measure(&self, outcome: &Outcome) -> Result<CostFloor, Box<dyn Error>> {
        let plan = SendPlan::of(outcome).ok_or("an outcome without media has no floor")?;
        let receiver = Receiver::start(plan.destinations, plan.gro, self.receiver_core)?;
        thread_cpu::pin(self.core);
        let mut sender = Sender::new(&plan, &receiver)?;
        let server_rate = SendRate::PerSecond(plan.datagrams_per_second);
        // Warm-up: the first sends of a socket cost more.
        sender.send(SendRate::Unlimited, self.seconds / 4.0, true)?;
        let paced = sender.send(server_rate, self.seconds, true)?;
        let unpaced = sender.send(SendRate::Unlimited, self.seconds, true)?;
        let bare = sender.send(server_rate, self.seconds, false)?;
        receiver.stop()?;
        Ok(CostFloor {
            bare,
            paced,
            unpaced,
        })
    }
}

impl CostFloor {
    /// Returns the floor divided by the server's cost; `None` if that is not known.
    fn ratio(&self, outcome: &Outcome) -> Option<f64> {
        let server_us = Metric::CpuPerPacket.of(outcome)?;
        Some(self.paced.total_us() / server_us)
    }

    /// Returns the greatest share of lost datagrams of the three measurements.
    fn lost(&self) -> f64 {
        let all = [self.bare, self.paced, self.unpaced];
        all.into_iter()
            .map(|it| it.lost_share())
            .fold(0.0, f64::max)
    }
}

/// Metrics shown above the floor.
const METRICS: [Metric; 19] = [
    Metric::Consumers,
    Metric::PacketsIn,
    Metric::PacketsOut,
    Metric::MegabitsOut,
    Metric::Loss,
    Metric::Violations,
    Metric::LatencyP50,
    Metric::LatencyP99,
    Metric::LatencyP999,
    Metric::ServerCpu,
    Metric::OwnCpu,
    Metric::ServerWaited,
    Metric::OwnWaited,
    Metric::Stolen,
    Metric::MemoryPerTransport,
    Metric::RunLength,
    Metric::CpuPerPacket,
    Metric::ShardsPerPacket,
    Metric::RestPerPacket,
];

/// Returns a table of the runs' metrics, and below them their floors.
fn table(columns: &[(Outcome, CostFloor)]) -> TextTable {
    let mut table = TextTable::new();
    let outcomes = || columns.iter().map(|(outcome, _)| outcome);
    table.row("", outcomes().map(|it| it.setup.profile.clone()));
    for metric in METRICS {
        let cells = outcomes().map(|it| match metric.of(it) {
            Some(value) => metric.format(value),
            None => "–".to_owned(),
        });
        table.row(metric.label(), cells);
    }
    let mut row = |label: &str, value: fn(&CostFloor) -> f64| {
        let cells = columns
            .iter()
            .map(|(_, floor)| format!("{:.3} µs", value(floor)));
        table.row(label, cells);
    };
    row("sendmmsg, without GSO", |it| it.bare.send_us);
    row("sendmmsg, GSO runs as above", |it| it.paced.send_us);
    row("encryption", |it| it.paced.seal_us);
    row("floor: GSO + encryption", |it| it.paced.total_us());
    row("floor without pauses", |it| it.unpaced.total_us());
    let ratios = columns
        .iter()
        .map(|(outcome, floor)| match floor.ratio(outcome) {
            Some(ratio) => format!("{ratio:.2}"),
            None => "–".to_owned(),
        });
    table.row("floor ÷ server CPU per packet", ratios);
    table
}
