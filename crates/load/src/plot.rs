//! Draws what serving costs as it grows: processor time for each forwarded packet against
//! consumers, and memory against transports, from the outcomes of many runs, as one SVG.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use clap::Args;
use plotters::coord::Shift;
use plotters::coord::ranged1d::{AsRangedCoord, ValueFormatter};
use plotters::prelude::*;

use crate::table::{Figure, Outcome};

/// Size of the picture.
const SIZE: (u32, u32) = (1_200, 480);

/// From so many consumers on, the cost is to be flat.
const FLAT_FROM: f64 = 100.0;

/// How far from the middle it may stray there.
const FLAT_WITHIN: f64 = 0.25;

/// Colours of lines; those of Okabe and Ito, who can be told apart by everybody.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// Colour of words.
const INK: RGBColor = RGBColor(51, 51, 51);

/// Colour of the grid.
const GRID: RGBColor = RGBColor(225, 225, 225);

/// What everything is written in.
const FONT: &str = "sans-serif";

/// What is drawn and where to.
#[derive(Debug, Clone, Args)]
pub struct PlotArgs {
    /// Outcomes of runs, as `--json` wrote them
    #[arg(required = true, value_name = "FILE")]
    outcomes: Vec<PathBuf>,
    /// The picture
    #[arg(long, value_name = "FILE", default_value = "docs/cost.svg")]
    svg: PathBuf,
}

/// A named line of points.
type Lines = BTreeMap<String, Vec<(f64, f64)>>;

/// Where a panel's drawing area comes from.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// The words of a panel.
struct Words {
    /// What it shows.
    title: &'static str,
    /// What goes to the right.
    x: &'static str,
    /// What goes up.
    y: &'static str,
}

impl PlotArgs {
    /// Draws.
    pub fn run(&self) -> Result<(), Box<dyn Error>> {
        let outcomes = self.outcomes.iter().map(|path| Outcome::read(path));
        let outcomes: Vec<_> = outcomes.collect::<Result<_, _>>()?;
        let cost = lines(&outcomes, Figure::Consumers, Figure::CpuPerPacket);
        let memory = lines(&outcomes, Figure::Transports, Figure::Memory);
        if cost.is_empty() || memory.is_empty() {
            return Err("no outcome says what the server cost: give --pid to the generator".into());
        }
        let root = SVGBackend::new(&self.svg, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let (left, right) = root.split_horizontally(SIZE.0 / 2);
        draw_cost(&left, &cost)?;
        draw_memory(&right, &memory)?;
        root.present()?;
        for (name, points) in &cost {
            if let Some(stray) = stray(points) {
                let percent = stray * 100.0;
                println!(
                    "{name}: from {FLAT_FROM} consumers on within {percent:.0} % of its middle"
                );
            }
        }
        println!("{}", self.svg.display());
        Ok(())
    }
}

/// A line for each profile, of those runs that know both figures; the smallest `x` first.
fn lines(outcomes: &[Outcome], x: Figure, y: Figure) -> Lines {
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

/// The middle of a line where it is to be flat.
fn middle(points: &[(f64, f64)]) -> Option<f64> {
    let mut flat: Vec<_> = flat(points).collect();
    flat.sort_by(f64::total_cmp);
    flat.get(flat.len() / 2).copied()
}

/// How far it strays from that, as a share of it.
fn stray(points: &[(f64, f64)]) -> Option<f64> {
    let middle = middle(points)?;
    flat(points)
        .map(|y| (y / middle - 1.0).abs())
        .reduce(f64::max)
}

/// The values where it is to be flat.
fn flat(points: &[(f64, f64)]) -> impl Iterator<Item = f64> + '_ {
    points
        .iter()
        .filter(|(x, _)| *x >= FLAT_FROM)
        .map(|(_, y)| *y)
}

/// The greatest of one coordinate of all points.
fn greatest(lines: &Lines, of: fn(&(f64, f64)) -> f64) -> f64 {
    lines.values().flatten().map(of).fold(0.0, f64::max)
}

/// Microseconds for each packet; consumers by powers of ten.
fn draw_cost(area: &Area<'_>, lines: &Lines) -> Result<(), Box<dyn Error>> {
    let words = Words {
        title: "Server CPU per forwarded packet",
        x: "consumers",
        y: "µs",
    };
    let last = greatest(lines, |it| it.0).max(2_000.0) * 1.15;
    let top = greatest(lines, |it| it.1) * 1.3;
    let band = lines.values().next().and_then(|points| middle(points));
    let band = band.map(|middle| {
        let (low, high) = (1.0 - FLAT_WITHIN, 1.0 + FLAT_WITHIN);
        let corners = [(FLAT_FROM, middle * low), (last, middle * high)];
        Rectangle::new(corners, RGBColor(0, 114, 178).mix(0.09).filled())
    });
    draw(area, &words, (8.0..last).log_scale(), top, lines, band)
}

/// Mebibytes.
fn draw_memory(area: &Area<'_>, lines: &Lines) -> Result<(), Box<dyn Error>> {
    let words = Words {
        title: "Server memory (RSS)",
        x: "transports",
        y: "MiB",
    };
    let last = greatest(lines, |it| it.0) * 1.08;
    let top = greatest(lines, |it| it.1) * 1.2;
    draw(area, &words, 0.0..last, top, lines, None)
}

/// One panel: axes, grid, lines with points, legend, and below them `back`.
fn draw<X>(
    area: &Area<'_>,
    words: &Words,
    x: X,
    top: f64,
    lines: &Lines,
    back: Option<Rectangle<(f64, f64)>>,
) -> Result<(), Box<dyn Error>>
where
    X: AsRangedCoord<Value = f64>,
    X::CoordDescType: ValueFormatter<f64>,
{
    let mut chart = ChartBuilder::on(area)
        .caption(words.title, (FONT, 20).into_font().color(&INK))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(x, 0.0..top)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(INK.mix(0.5))
        .label_style((FONT, 14).into_font().color(&INK))
        .axis_desc_style((FONT, 15).into_font().color(&INK))
        .x_desc(words.x)
        .y_desc(words.y)
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y}"))
        .y_labels(6)
        .draw()?;
    chart.draw_series(back)?;
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
        .label_font((FONT, 14).into_font().color(&INK))
        .background_style(WHITE.mix(0.8))
        .draw()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::{Cost, Costs};
    use crate::table::{Media, Setup};

    fn run(profile: &str, consumers: u64, micros: f64) -> Outcome {
        let delivered = consumers * 1_000;
        let server = Cost {
            cpu_s: delivered as f64 * micros / 1e6,
            rss_bytes: (20 << 20) + consumers * 30_000,
            ..Cost::default()
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
            costs: Costs {
                server: Some(server),
                ..Costs::default()
            },
            ..Outcome::default()
        }
    }

    #[test]
    fn points_are_in_order_however_files_are_named() {
        let outcomes = [
            run("webinar", 2_000, 2.0),
            run("webinar", 10, 4.0),
            run("audio", 50, 1.0),
            Outcome::default(),
        ];
        let lines = lines(&outcomes, Figure::Consumers, Figure::CpuPerPacket);
        let xs = |name: &str| lines[name].iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(
            (xs("webinar"), xs("audio")),
            (vec![10.0, 2_000.0], vec![50.0])
        );
    }

    #[test]
    fn a_line_strays_by_what_lies_farthest_from_its_middle() {
        let points = [(10.0, 9.0), (100.0, 2.0), (500.0, 2.2), (2_000.0, 2.4)];
        assert!((stray(&points).unwrap() - 0.2 / 2.2).abs() < 1e-9);
        assert_eq!(stray(&points[..1]), None);
    }

    #[test]
    fn a_picture_has_a_line_and_a_name_for_each_profile() {
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
