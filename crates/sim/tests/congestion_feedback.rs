//! Viewers that report arrivals by congestion control feedback (RFC 8888) are served as those with
//! transport-wide feedback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use watersmeet_sim::score::case::Case;
use watersmeet_sim::score::cases;
use watersmeet_sim::score::evaluate;
use watersmeet_sim::score::run::run_case;
use watersmeet_sim::score::table::write_row;

fn case_named(name: &str) -> Case {
    let mut cases = cases::all().into_iter();
    cases.find(|case| case.name == name).unwrap()
}

/// Returns the rows of a case run with this seed.
fn rows(case: &Case, seed: u64) -> Vec<String> {
    let recording = run_case(case, seed);
    let rows = case.rows.iter().map(|row| {
        let figures = evaluate::figures(row.measure, &recording);
        let figures: Vec<_> = figures.iter().map(|it| (seed, *it)).collect();
        write_row(case, row, &figures, false)
    });
    rows.collect()
}

/// A row whose bar is not asked of congestion control feedback: its reports name packets later, and the queue of a line
/// that fell drains up to 1.3 s later than the bar (decision 34).
const DRAINS_LATER: &str = "time until the queue stays below";

/// Asserts that each bar that is met with transport-wide feedback is met with the other.
fn assert_equal_service(name: &str) {
    let mut case = case_named(name);
    let with_transport_feedback = rows(&case, 1);
    for person in case.people.iter_mut().filter(|person| person.subscribes) {
        person.congestion_feedback = true;
    }
    let with_congestion_feedback = rows(&case, 1);
    let both = with_transport_feedback
        .iter()
        .zip(&with_congestion_feedback);
    for (one, other) in both {
        assert!(
            !one.ends_with(" | met") || other.ends_with(" | met") || one.contains(DRAINS_LATER),
            "{one}\n{other}"
        );
    }
    assert!(
        with_congestion_feedback
            .iter()
            .any(|row| row.ends_with(" | met"))
    );
}

#[test]
fn a_steady_line_is_used_as_well() {
    assert_equal_service("steady line of 0.6 Mbit/s");
}

#[test]
fn changes_of_a_line_are_followed_as_well() {
    assert_equal_service("TC5.1, 50 ms");
}

#[test]
fn feedback_that_lies_harms_only_its_sender() {
    assert_equal_service("feedback claims that everything arrived");
    assert_equal_service("random feedback");
}
