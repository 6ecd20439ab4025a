//! The cases of the scoreboard: calls over impaired links, changes of the bitrate of one line, and
//! several people or flows behind one bottleneck. Bars are those of the project's quality plan; a bar
//! is changed once, with the measured figure beside it.

mod audio;
mod bandwidth;
mod builders;
mod impairments;
mod sharing;

use super::case::Case;

/// Returns all cases, in the order of the table.
pub fn all() -> Vec<Case> {
    let mut cases = impairments::cases();
    cases.extend(audio::cases());
    cases.extend(bandwidth::cases());
    cases.extend(sharing::cases());
    cases
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_a_bar_that_something_misses() {
        let mut names = BTreeSet::new();
        for case in all() {
            for row in &case.rows {
                assert!(
                    names.insert((case.name, row.label)),
                    "{} {}",
                    case.name,
                    row.label
                );
                let bar = row.bar;
                assert!(bar.at_least <= bar.at_most, "{} {}", case.name, row.label);
                assert!(
                    bar.at_least.is_finite() || bar.at_most.is_finite(),
                    "{} {}",
                    case.name,
                    row.label
                );
            }
        }
    }

    #[test]
    fn times_of_a_case_are_sampled() {
        let is_sampled = |at: Duration| at.as_millis().is_multiple_of(20);
        for case in all() {
            assert!(is_sampled(case.measured_from) && is_sampled(case.measured_until));
            assert!(case.measured_until <= case.length, "{}", case.name);
            let joins = case.people.iter().map(|person| person.joins_at);
            let events = case.events.iter().map(|(at, _)| *at);
            for at in joins.chain(events) {
                assert!(is_sampled(at) && at <= case.length, "{} {at:?}", case.name);
            }
        }
    }
}
