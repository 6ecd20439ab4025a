//! What sending costs at least: the kernel's send path and the cipher, without a server. It is
//! measured on the server's core, to sockets that another thread empties on another core as the
//! generator does, with what a run showed: its datagrams' lengths, its runs, its rate, its number
//! of receivers, its SRTP profile, and UDP_GRO as it was. A server that did nothing else could not
//! be cheaper; the share that the floor has of what the server really cost is the ratio.

mod cpu;
mod plan;
mod sender;
mod sink;

use std::error::Error;
use std::path::PathBuf;

use clap::Args;

use self::plan::Plan;
use self::sender::{Pace, Sender, Spent};
use self::sink::Sink;
use crate::table::{Figure, Grid, Outcome};

/// The share of the server's cost that the floor is to have.
const RATIO_MIN: f64 = 0.65;

/// The share of datagrams that may get lost: what the kernel drops costs less than what it keeps.
const LOSS_MAX: f64 = 0.001;

/// What is measured and where.
#[derive(Debug, Clone, Args)]
pub struct FloorArgs {
    /// Outcomes of runs, as `--json` wrote them
    #[arg(required = true, value_name = "FILE")]
    outcomes: Vec<PathBuf>,
    /// The core to send on: the server's
    #[arg(long, default_value_t = 0)]
    core: usize,
    /// The core to receive on: the generator's
    #[arg(long, default_value_t = 1)]
    receiver_core: usize,
    /// Seconds for each of three measurements
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// The least that one run could have cost.
#[derive(Debug, Clone, Copy)]
struct Floor {
    /// Each datagram alone, many in one system call.
    bare: Spent,
    /// Runs as the server had them, at the rate that it had.
    paced: Spent,
    /// The same as fast as it goes.
    unpaced: Spent,
}

impl FloorArgs {
    /// Measures, and prints one table and the worst ratio.
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
                println!("{name}: the floor's receiver lost {percent:.1} %: it is too low");
            }
        }
        let ratios = columns
            .iter()
            .filter_map(|(outcome, floor)| floor.ratio(outcome));
        match ratios.reduce(f64::min) {
            Some(ratio) => {
                let judged = if ratio >= RATIO_MIN { "met" } else { "MISSED" };
                println!("\nbar: floor_ratio ≥ {RATIO_MIN}: {judged}");
                println!("floor_ratio {ratio:.2}");
                Ok(())
            }
            None => Err("no outcome says what the server cost: give --pid to the generator".into()),
        }
    }

    /// The floor of one run.
    fn measure(&self, outcome: &Outcome) -> Result<Floor, Box<dyn Error>> {
        let plan = Plan::of(outcome).ok_or("an outcome without media has no floor")?;
        let sink = Sink::start(plan.destinations, plan.gro, self.receiver_core)?;
        cpu::pin(self.core);
        let mut sender = Sender::new(&plan, &sink)?;
        let run_pace = Pace::PerSecond(plan.datagrams_per_second);
        // The first sends of a socket are dearer than all others.
        sender.send(Pace::AsFastAsItGoes, self.seconds / 4.0, true)?;
        let paced = sender.send(run_pace, self.seconds, true)?;
        let unpaced = sender.send(Pace::AsFastAsItGoes, self.seconds, true)?;
        let bare = sender.send(run_pace, self.seconds, false)?;
        sink.stop()?;
        Ok(Floor {
            bare,
            paced,
            unpaced,
        })
    }
}

impl Floor {
    /// The floor's share of what the server cost; nothing when that is not known.
    fn ratio(&self, outcome: &Outcome) -> Option<f64> {
        let ours_us = Figure::CpuPerPacket.of(outcome)?;
        Some(self.paced.sum_us() / ours_us)
    }

    /// The greatest share that got lost.
    fn lost(&self) -> f64 {
        let all = [self.bare, self.paced, self.unpaced];
        all.into_iter()
            .map(|it| it.lost_share())
            .fold(0.0, f64::max)
    }
}

/// Figures of the runs that matter beside a floor.
const FIGURES: [Figure; 19] = [
    Figure::Consumers,
    Figure::PacketsIn,
    Figure::PacketsOut,
    Figure::MegabitsOut,
    Figure::Loss,
    Figure::Violations,
    Figure::LatencyP50,
    Figure::LatencyP99,
    Figure::LatencyP999,
    Figure::ServerCpu,
    Figure::OwnCpu,
    Figure::ServerWaited,
    Figure::OwnWaited,
    Figure::Stolen,
    Figure::MemoryPerTransport,
    Figure::RunLength,
    Figure::CpuPerPacket,
    Figure::ShardsPerPacket,
    Figure::RestPerPacket,
];

/// The figures of the runs, and below them their floors.
fn table(columns: &[(Outcome, Floor)]) -> Grid {
    let mut grid = Grid::new();
    let outcomes = || columns.iter().map(|(outcome, _)| outcome);
    grid.row("", outcomes().map(|it| it.setup.profile.clone()));
    for figure in FIGURES {
        let cells = outcomes().map(|it| match figure.of(it) {
            Some(value) => figure.write(value),
            None => "–".to_owned(),
        });
        grid.row(figure.label(), cells);
    }
    let mut row = |label: &str, value: fn(&Floor) -> f64| {
        let cells = columns
            .iter()
            .map(|(_, floor)| format!("{:.3} µs", value(floor)));
        grid.row(label, cells);
    };
    row("bare sendmmsg, one by one", |it| it.bare.send_us);
    row("bare GSO, runs as above", |it| it.paced.send_us);
    row("cipher alone", |it| it.paced.seal_us);
    row("floor: GSO + cipher", |it| it.paced.sum_us());
    row("floor without pauses", |it| it.unpaced.sum_us());
    let ratios = columns
        .iter()
        .map(|(outcome, floor)| match floor.ratio(outcome) {
            Some(ratio) => format!("{ratio:.2}"),
            None => "–".to_owned(),
        });
    grid.row("floor ÷ server CPU per packet", ratios);
    grid
}
