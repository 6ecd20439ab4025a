//! Traffic for measuring the cost floor of a run: datagram and run lengths in the same proportions.
//! Which datagram length occurred in which run is not known, so the two are combined evenly.

use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::metric::Metric;
use crate::outcome::Outcome;
use crate::run_lengths::{RUN_LEN_MAX, RunLengthCount};

/// Runs in a plan, which is sent repeatedly.
const RUNS: u32 = 4_096;

/// Strides through the distributions of run and datagram lengths. Odd, so that each position is
/// visited once, and about `RUNS` divided by the golden and the silver ratio, so that every part of
/// the plan has all lengths in proportion and the two are not correlated.
const STRIDES: [u32; 2] = [2_531, 1_697];

/// Upper bound of destination sockets.
const DESTINATIONS_MAX: u64 = 2_000;

/// Bytes of the longest datagram: Ethernet's payload without IP and UDP headers.
const LEN_MAX: u16 = 1_472;

/// Bytes of the shortest datagram: RTP header, authentication tag and some payload.
const LEN_MIN: u16 = 40;

/// Bytes in the longest run: the longest UDP payload over IPv4.
const RUN_BYTES_MAX: u32 = 65_507;

/// Datagrams of equal length to one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Number of datagrams.
    pub segments: u32,
    /// Bytes of each datagram, as UDP payload.
    pub len: u16,
}

/// Traffic to send.
#[derive(Debug, Clone, PartialEq)]
pub struct SendPlan {
    /// Number of destination sockets, used in turn.
    pub destinations: usize,
    /// Runs, in order.
    pub runs: Vec<Run>,
    /// Rate of the server.
    pub datagrams_per_second: f64,
    /// Whether the receiving sockets use UDP_GRO.
    pub gro: bool,
    /// SRTP profile.
    pub profile: SrtpProfile,
}

impl SendPlan {
    /// Creates the plan for a run; `None` when nothing was delivered.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let datagrams_per_second = Metric::PacketsOut.of(outcome)?;
        let sizes: Vec<(u64, u64)> = outcome
            .media
            .sizes
            .iter()
            .map(|(len, count)| (u64::from(*len), *count))
            .collect();
        let single = [RunLengthCount {
            segments: 1,
            runs: 1,
        }];
        let known = outcome.costs.runs.as_ref().map(|it| &*it.lengths);
        let lengths: Vec<(u64, u64)> = known
            .filter(|it| !it.is_empty())
            .unwrap_or(&single)
            .iter()
            .map(|it| (u64::from(it.segments), it.runs))
            .collect();
        let runs = (0..RUNS).map(|at| {
            let [segments, len] = STRIDES.map(|stride| at.wrapping_mul(stride) % RUNS);
            let len = u16::try_from(quantile(&sizes, len)?).unwrap_or(LEN_MAX);
            let len = len.clamp(LEN_MIN, LEN_MAX);
            let segments = u32::try_from(quantile(&lengths, segments)?).unwrap_or(RUN_LEN_MAX);
            let fitting = RUN_BYTES_MAX / u32::from(len);
            Some(Run {
                segments: segments.clamp(1, RUN_LEN_MAX.min(fitting)),
                len,
            })
        });
        let runs = runs.collect::<Option<_>>()?;
        let receivers = outcome.setup.rooms * receivers_each(outcome);
        Some(Self {
            destinations: usize::try_from(receivers.clamp(1, DESTINATIONS_MAX)).ok()?,
            runs,
            datagrams_per_second,
            gro: outcome.setup.gro,
            profile: SrtpProfile::from_name(&outcome.setup.srtp)?,
        })
    }
}

/// Returns the receiving peers per room: the subscribers, or all peers if there are none.
fn receivers_each(outcome: &Outcome) -> u64 {
    match (outcome.setup.publishers, outcome.setup.subscribers) {
        (publishers, 0) => publishers,
        (_, subscribers) => subscribers,
    }
}

/// Returns the value at part `at` of `RUNS` equal parts of a distribution. `values` are sorted and
/// weighted.
fn quantile(values: &[(u64, u64)], at: u32) -> Option<u64> {
    let total: u64 = values.iter().map(|(_, weight)| weight).sum();
    // The middle of the part, so that neither the first nor the last value is favoured.
    let wanted = u128::from(total) * u128::from(2 * at + 1) / u128::from(2 * RUNS);
    let mut below = 0_u128;
    for (value, weight) in values {
        below += u128::from(*weight);
        if wanted < below {
            return Some(*value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Media, Setup};
    use crate::run_lengths::RunLengths;

    fn outcome(sizes: &[(u16, u64)], lengths: &[(u32, u64)]) -> Outcome {
        let mut outcome = Outcome {
            setup: Setup {
                rooms: 1,
                publishers: 1,
                subscribers: 200,
                srtp: "AEAD_AES_128_GCM".to_owned(),
                gro: true,
                ..Setup::default()
            },
            seconds: 2.0,
            media: Media {
                expected: 70_000,
                delivered: 70_000,
                sizes: sizes.iter().copied().collect(),
                ..Media::default()
            },
            ..Outcome::default()
        };
        let lengths = lengths
            .iter()
            .map(|&(segments, runs)| RunLengthCount { segments, runs });
        outcome.costs.runs = Some(RunLengths {
            lengths: lengths.collect(),
            ..RunLengths::default()
        });
        outcome
    }

    fn share(plan: &SendPlan, is: impl Fn(&Run) -> bool) -> f64 {
        plan.runs.iter().filter(|run| is(run)).count() as f64 / plan.runs.len() as f64
    }

    #[test]
    fn lengths_have_the_proportions_of_the_run_and_are_combined_evenly() {
        let plan = SendPlan::of(&outcome(&[(110, 1), (1_200, 3)], &[(1, 1), (3, 1)])).unwrap();
        assert_eq!((plan.destinations, plan.gro), (200, true));
        assert!((plan.datagrams_per_second - 35_000.0).abs() < 1e-9);
        assert!((share(&plan, |it| it.len == 1_200) - 0.75).abs() < 0.001);
        assert!((share(&plan, |it| it.segments == 3) - 0.5).abs() < 0.001);
        let both = share(&plan, |it| it.len == 1_200 && it.segments == 3);
        assert!((both - 0.375).abs() < 0.02, "{both}");
        let early = SendPlan {
            runs: plan.runs[..400].to_vec(),
            ..plan
        };
        assert!((share(&early, |it| it.segments == 3) - 0.5).abs() < 0.1);
    }

    #[test]
    fn runs_are_limited_to_the_longest_udp_payload() {
        let plan = SendPlan::of(&outcome(&[(1_472, 1)], &[(64, 1)])).unwrap();
        assert!(plan.runs.iter().all(|it| it.segments == 44));
    }

    #[test]
    fn datagrams_are_sent_singly_when_run_lengths_are_unknown() {
        let mut outcome = outcome(&[(1_000, 5)], &[]);
        outcome.costs.runs = None;
        let plan = SendPlan::of(&outcome).unwrap();
        assert!(
            plan.runs
                .iter()
                .all(|it| (it.segments, it.len) == (1, 1_000))
        );
    }

    #[test]
    fn run_without_media_has_no_plan() {
        assert_eq!(SendPlan::of(&Outcome::default()), None);
    }
}
