//! Judges the connection of a participant at one moment, by what the server measures, as a pure function. What only a
//! browser knows (frozen pictures, a busy processor) is not seen here. The history of calls judges minutes, by bars of
//! its own (`watersmeet_conference::call_quality`).

use watersmeet_conference::message::Route;

use super::schemas::{ConnectionProblem, ConnectionQuality};

/// Share of lost packets that is noticed, 0 to 1.
const LOSS_FAIR: f64 = 0.02;

/// Share of lost packets that people complain about, 0 to 1: the bar of the page's own marks.
const LOSS_POOR: f64 = 0.1;

/// Round trip that is noticed, in milliseconds.
const ROUND_TRIP_FAIR_MS: f64 = 200.0;

/// Round trip with which people interrupt one another, in milliseconds: the bar of the page's own marks.
const ROUND_TRIP_POOR_MS: f64 = 400.0;

/// Measured figures of the connection of a participant.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LineFigures {
    /// Whether nothing arrives from the participant.
    pub is_interrupted: bool,
    /// Whether the participant has transports of which none is connected.
    pub is_unconnected: bool,
    /// Route of its media.
    pub route: Option<Route>,
    /// Share of its packets that are lost on the way to the server, 0 to 1.
    pub loss_in: Option<f64>,
    /// Share of packets that are lost on the way to it, 0 to 1.
    pub loss_out: Option<f64>,
    /// Round trip, in milliseconds.
    pub round_trip_ms: Option<f64>,
}

/// Returns the quality of a connection, and what is wrong with it, worst first.
pub fn judge(line: &LineFigures) -> (ConnectionQuality, Vec<ConnectionProblem>) {
    let levels = [
        (line.is_interrupted, ConnectionProblem::Interrupted),
        (line.is_unconnected, ConnectionProblem::NotConnected),
    ];
    let broken = levels.into_iter().find(|(is_broken, _)| *is_broken);
    if let Some((_, problem)) = broken {
        return (ConnectionQuality::Poor, vec![problem]);
    }
    let measured = [
        (
            line.loss_in,
            LOSS_FAIR,
            LOSS_POOR,
            ConnectionProblem::LossSending,
        ),
        (
            line.loss_out,
            LOSS_FAIR,
            LOSS_POOR,
            ConnectionProblem::LossReceiving,
        ),
        (
            line.round_trip_ms,
            ROUND_TRIP_FAIR_MS,
            ROUND_TRIP_POOR_MS,
            ConnectionProblem::LongRoundTrip,
        ),
    ];
    let judged = measured
        .into_iter()
        .filter_map(|(value, fair, poor, problem)| {
            let quality = match value? {
                value if value >= poor => ConnectionQuality::Poor,
                value if value >= fair => ConnectionQuality::Fair,
                _ => return None,
            };
            Some((quality, problem))
        });
    let mut judged: Vec<_> = judged.collect();
    judged.sort_by_key(|(quality, _)| *quality != ConnectionQuality::Poor);
    let quality = match (judged.first(), line.route) {
        (Some((worst, _)), _) => *worst,
        (None, Some(_)) => ConnectionQuality::Good,
        (None, None) => ConnectionQuality::Unknown,
    };
    let problems = judged.into_iter().map(|(_, problem)| problem);
    (quality, problems.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: LineFigures = LineFigures {
        is_interrupted: false,
        is_unconnected: false,
        route: Some(Route::Udp),
        loss_in: Some(0.0),
        loss_out: Some(0.019),
        round_trip_ms: Some(199.0),
    };

    #[test]
    fn good_line_has_no_problem_and_one_without_figures_is_unknown() {
        assert_eq!(judge(&GOOD), (ConnectionQuality::Good, Vec::new()));
        let unknown = judge(&LineFigures::default());
        assert_eq!(unknown, (ConnectionQuality::Unknown, Vec::new()));
    }

    #[test]
    fn problems_of_a_line_are_named_worst_first() {
        use ConnectionProblem::{
            Interrupted, LongRoundTrip, LossReceiving, LossSending, NotConnected,
        };
        use ConnectionQuality::{Fair, Poor};
        let line = |loss_in, loss_out, round_trip_ms| LineFigures {
            loss_in: Some(loss_in),
            loss_out: Some(loss_out),
            round_trip_ms: Some(round_trip_ms),
            ..GOOD
        };
        for (figures, quality, problems) in [
            (line(0.02, 0.0, 10.0), Fair, vec![LossSending]),
            (line(0.0, 0.1, 10.0), Poor, vec![LossReceiving]),
            (line(0.0, 0.0, 200.0), Fair, vec![LongRoundTrip]),
            (
                line(0.05, 0.0, 400.0),
                Poor,
                vec![LongRoundTrip, LossSending],
            ),
            (
                LineFigures {
                    is_interrupted: true,
                    ..GOOD
                },
                Poor,
                vec![Interrupted],
            ),
            (
                LineFigures {
                    is_unconnected: true,
                    ..LineFigures::default()
                },
                Poor,
                vec![NotConnected],
            ),
        ] {
            assert_eq!(judge(&figures), (quality, problems), "{figures:?}");
        }
    }
}
