//! Draws the server's cost against load, from the outcomes of many runs, as one SVG: CPU time per
//! forwarded packet against consumers, and memory against transports.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::metric::Metric;
use crate::outcome::Outcome;

/// Width and height of the chart in pixels.
const SIZE: (u32, u32) = (1_200, 480);

/// Number of consumers from which on the cost should be constant.
const FLAT_FROM: f64 = 100.0;

/// Accepted deviation from the median there.
const FLAT_TOLERANCE: f64 = 0.25;

/// Colours of lines, from the palette of Okabe and Ito, which is distinguishable with colour blindness.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// Colour of text.
const TEXT_COLOUR: RGBColor = RGBColor(51, 51, 51);

/// Colour of the grid.
const GRID_COLOUR: RGBColor = RGBColor(225, 225, 225);

/// Font family of all text.
const FONT: &str = "sans-serif";

/// Arguments of the subcommand `plot`.
#[derive(Debug, Clone, Args)]
pub struct PlotArgs {
    /// Outcome files written with `--json`
    #[arg(required = true, value_name = "FILE")]
    outcomes: Vec<PathBuf>,
    /// SVG file to write
    #[arg(long, value_name = "FILE", default_value = "docs/cost.svg")]
    svg: PathBuf,
}

/// Points of each named line.
type Lines = BTreeMap<String, Vec<(f64, f64)>>;

/// Drawing area of a panel.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Labels of a panel.
struct Labels {
    /// Title.
    title: &'static str,
    /// Label of the horizontal axis.
    x: &'static str,
    /// Label of the vertical axis.
    y: &'static str,
}

impl PlotArgs {
    /// Draws the chart.
    ///
    /// # Errors
    /// Fails when an outcome cannot be read, none has resource usage, or the chart cannot be written.
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let outcomes = self.outcomes.iter().map(|path| Outcome::read(path));
        let outcomes: Vec<_> = outcomes.collect::<Result<_, _>>()?;
        let cost = lines(&outcomes, Metric::Consumers, Metric::CpuPerPacket);
        let memory = lines(&outcomes, Metric::Transports, Metric::Memory);
        if cost.is_empty() || memory.is_empty() {
            return Err(
                "no outcome contains the server's resource usage: run the generator with --pid"
                    .into(),
            );
        }
        let root = SVGBackend::new(&self.svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, right) = root.split_horizontally(SIZE.0 / 2);
        draw_cost(&left, &cost)?;
        draw_memory(&right, &memory)?;
        root.present()?;
        for (name, points) in &cost {
            if let Some(deviation) = max_deviation(points) {
                let percent = deviation * 100.0;
                println!(
                    "{name}: from {FLAT_FROM} consumers on within {percent:.0} % of its median"
                );
            }
        }
        println!("{}", self.svg.display());
        Ok(())
    }
}

/// Returns a line for each profile, from runs that have both metrics, sorted by `x`.
fn lines(outcomes: &[Outcome], x: Metric, y: Metric) -> Lines {
    let mut lines = Lines::new();
    for outcome in outcomes {
        if let (Some(x), Some(y)) = (x.of(outcome), y.of(outcome)) {
            let line = lines.entry(outcome.setup.profile.clone()).or_default();
            line.push((x, y));
        }
    }
    for line in lines.values_mut() {
        line.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    lines
}

/// Returns the median of a line where it should be constant.
fn flat_median(points: &[(f64, f64)]) -> Option<f64> {
    let mut flat: Vec<_> = flat_values(points).collect();
    flat.sort_by(f64::total_cmp);
    flat.get(flat.len() / 2).copied()
}

/// Returns the greatest deviation from that median, relative to it.
fn max_deviation(points: &[(f64, f64)]) -> Option<f64> {
    let median = flat_median(points)?;
    flat_values(points)
        .map(|y| (y / median - 1.0).abs())
        .reduce(f64::max)
}

/// Returns the values where the line should be constant.
fn flat_values(points: &[(f64, f64)]) -> impl Iterator<Item = f64> + '_ {
    points
        .iter()
        .filter(|(x, _)| *x >= FLAT_FROM)
        .map(|(_, y)| *y)
}

/// Returns the maximum of one coordinate of all points.
fn maximum(lines: &Lines, of: fn(&(f64, f64)) -> f64) -> f64 {
    lines.values().flatten().map(of).fold(0.0, f64::max)
}

/// Draws CPU time per packet in microseconds, with a logarithmic scale of consumers.
fn draw_cost(area: &Area<'_>, lines: &Lines) -> Result<(), Box<dyn Error>> {
    let labels = Labels {
        title: "Server CPU per forwarded packet",
        x: "consumers",
        y: "µs",
    };
    let last = maximum(lines, |it| it.0).max(2_000.0) * 1.15;
    let top = maximum(lines, |it| it.1) * 1.3;
    let band = lines.values().next().and_then(|points| flat_median(points));
    let band = band.map(|median| {
        let (low, high) = (1.0 - FLAT_TOLERANCE, 1.0 + FLAT_TOLERANCE);
        let corners = [(FLAT_FROM, median * low), (last, median * high)];
        Rectangle::new(corners, RGBColor(0, 114, 178).mix(0.09).filled())
    });
    draw(area, &labels, (8.0..last).log_scale(), top, lines, band)
}

/// Draws memory in MiB.
fn draw_memory(area: &Area<'_>, lines: &Lines) -> Result<(), Box<dyn Error>> {
    let labels = Labels {
        title: "Server memory (RSS)",
        x: "transports",
        y: "MiB",
    };
    let last = maximum(lines, |it| it.0) * 1.08;
    let top = maximum(lines, |it| it.1) * 1.2;
    draw(area, &labels, 0.0..last, top, lines, None)
}

/// Draws one panel: `background`, axes, grid, lines with points, and legend.
fn draw<X>(
    area: &Area<'_>,
    labels: &Labels,
    x: X,
    top: f64,
    lines: &Lines,
    background: Option<Rectangle<(f64, f64)>>,
) -> Result<(), Box<dyn Error>>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(labels.title, (FONT, 20).into_font().color(&TEXT_COLOUR))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(x, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID_COLOUR)
        .axis_style(TEXT_COLOUR.mix(0.5))
        .label_style((FONT, 14).into_font().color(&TEXT_COLOUR))
        .axis_desc_style((FONT, 15).into_font().color(&TEXT_COLOUR))
        .x_desc(labels.x)
        .y_desc(labels.y)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y}"))
        .y_labels(6)
        .draw()?;
    chart.draw_series(background)?;
    for ((name, points), colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let line = LineSeries::new(points.iter().copied(), colour.stroke_width(2));
        let key = move |(x, y): (i32, i32)| {
            PathElement::new(vec![(x, y), (x + 18, y)], colour.stroke_width(3))
        };
        chart.draw_series(line)?.label(name).legend(key);
        let dots = points.iter();
        chart.draw_series(dots.map(|point| Circle::new(*point, 4, colour.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .margin(12)
        .label_font((FONT, 14).into_font().color(&TEXT_COLOUR))
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Media, Setup};
    use crate::resource_monitor::{ProcessCost, RunCost};

    fn run(profile: &str, consumers: u64, micros: f64) -> Outcome {
        let delivered = consumers * 1_000;
        let server = ProcessCost {
            cpu_s: delivered as f64 * micros / 1e6,
            rss_bytes: (20 << 20) + consumers * 30_000,
            ..ProcessCost::default()
        };
        Outcome {
            setup: Setup {
                profile: profile.to_owned(),
                ..Setup::default()
            },
            seconds: 10.0,
            media: Media {
                expected: delivered,
                delivered,
                ..Media::default()
            },
            transports: consumers,
            consumers,
            costs: RunCost {
                server: Some(server),
                ..RunCost::default()
            },
            ..Outcome::default()
        }
    }

    #[test]
    fn points_are_sorted_whatever_the_order_of_files() {
        let outcomes = [
            run("webinar", 2_000, 2.0),
            run("webinar", 10, 4.0),
            run("audio", 50, 1.0),
            Outcome::default(),
        ];
        let lines = lines(&outcomes, Metric::Consumers, Metric::CpuPerPacket);
        let xs = |name: &str| lines[name].iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(
            (xs("webinar"), xs("audio")),
            (vec![10.0, 2_000.0], vec![50.0])
        );
    }

    #[test]
    fn max_deviation_is_that_of_the_farthest_point() {
        let points = [(10.0, 9.0), (100.0, 2.0), (500.0, 2.2), (2_000.0, 2.4)];
        assert!((max_deviation(&points).unwrap() - 0.2 / 2.2).abs() < 1e-9);
        assert_eq!(max_deviation(&points[..1]), None);
    }

    #[test]
    fn chart_has_a_labelled_line_for_each_profile() {
        let folder = std::env::temp_dir().join(format!("watersmeet-plot-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut outcomes = Vec::new();
        for (number, (profile, consumers, micros)) in [
            ("webinar", 10, 3.0),
            ("webinar", 100, 2.2),
            ("webinar", 1_000, 2.0),
            ("webinar", 2_000, 2.1),
            ("audio", 200, 1.6),
            ("audio", 2_000, 1.5),
        ]
        .into_iter()
        .enumerate()
        {
            let path = folder.join(format!("{number}.json"));
            let text = serde_json::to_string(&run(profile, consumers, micros)).unwrap();
            std::fs::write(&path, text).unwrap();
            outcomes.push(path);
        }
        let svg = folder.join("cost.svg");
        PlotArgs {
            outcomes,
            svg: svg.clone(),
        }
        .run()
        .unwrap();
        let text = std::fs::read_to_string(&svg).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(text.matches("<circle").count(), 12);
        assert!(text.contains("webinar") && text.contains("audio"));
        assert!(text.contains("consumers") && text.contains("transports"));
    }
}
