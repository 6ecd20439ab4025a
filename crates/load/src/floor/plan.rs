//! What is sent to find the floor of a run: the same lengths of datagrams and of runs, in the same
//! shares. Which length of datagram goes with which length of run is not known, so the two are
//! mixed evenly.

use watersmeet_engine::transport::srtp::SrtpProfile;

use crate::runs::{Length, RUN_LEN_MAX};
use crate::table::{Figure, Outcome};

/// Runs in a plan; it is sent again and again.
const RUNS: u32 = 4_096;

/// Strides through the lengths of runs and of datagrams. Odd, so that each place is visited once;
/// `RUNS` divided by the golden ratio and by that of silver, so that every stretch of the plan has
/// all of both in their shares, and one length says nothing of the other.
const STRIDES: [u32; 2] = [2_531, 1_697];

/// The most sockets to send to.
const DESTINATIONS_MAX: u64 = 2_000;

/// The longest datagram: Ethernet's payload without IP and UDP headers.
const LEN_MAX: u16 = 1_472;

/// The shortest that is sealed: a header and a tag, and something to hide.
const LEN_MIN: u16 = 40;

/// The most bytes in a run: the longest UDP payload over IPv4.
const RUN_BYTES_MAX: u32 = 65_507;

/// Datagrams of equal length to one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// How many.
    pub segments: u32,
    /// Bytes of each, as UDP payload.
    pub len: u16,
}

/// What is sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Sockets to send to, in turn.
    pub destinations: usize,
    /// What is sent, in order.
    pub runs: Vec<Run>,
    /// How fast the server sent.
    pub datagrams_per_second: f64,
    /// Whether receivers let the kernel join datagrams.
    pub gro: bool,
    /// How datagrams are sealed.
    pub profile: SrtpProfile,
}

impl Plan {
    /// The plan of a run; none when nothing was delivered.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let datagrams_per_second = Figure::PacketsOut.of(outcome)?;
        let sizes: Vec<(u64, u64)> = outcome
            .media
            .sizes
            .iter()
            .map(|(len, count)| (u64::from(*len), *count))
            .collect();
        let alone = [Length {
            segments: 1,
            runs: 1,
        }];
        let known = outcome.costs.runs.as_ref().map(|it| &*it.lengths);
        let lengths: Vec<(u64, u64)> = known
            .filter(|it| !it.is_empty())
            .unwrap_or(&alone)
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

/// Those in a room who receive: everybody, or those who only receive.
fn receivers_each(outcome: &Outcome) -> u64 {
    match (outcome.setup.publishers, outcome.setup.subscribers) {
        (publishers, 0) => publishers,
        (_, subscribers) => subscribers,
    }
}

/// The value below which `at` of `RUNS` parts lie; `values` are in order, each with its weight.
fn quantile(values: &[(u64, u64)], at: u32) -> Option<u64> {
    let total: u64 = values.iter().map(|(_, weight)| weight).sum();
    // The middle of the part, so that the first and the last are not favoured.
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
    use crate::runs::Runs;
    use crate::table::{Media, Setup};

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
            .map(|&(segments, runs)| Length { segments, runs });
        outcome.costs.runs = Some(Runs {
            lengths: lengths.collect(),
            ..Runs::default()
        });
        outcome
    }

    fn share(plan: &Plan, is: impl Fn(&Run) -> bool) -> f64 {
        plan.runs.iter().filter(|run| is(run)).count() as f64 / plan.runs.len() as f64
    }

    #[test]
    fn lengths_have_the_shares_they_had_in_the_run_and_are_mixed_evenly() {
        let plan = Plan::of(&outcome(&[(110, 1), (1_200, 3)], &[(1, 1), (3, 1)])).unwrap();
        assert_eq!((plan.destinations, plan.gro), (200, true));
        assert!((plan.datagrams_per_second - 35_000.0).abs() < 1e-9);
        assert!((share(&plan, |it| it.len == 1_200) - 0.75).abs() < 0.001);
        assert!((share(&plan, |it| it.segments == 3) - 0.5).abs() < 0.001);
        let both = share(&plan, |it| it.len == 1_200 && it.segments == 3);
        assert!((both - 0.375).abs() < 0.02, "{both}");
        let early = Plan {
            runs: plan.runs[..400].to_vec(),
            ..plan
        };
        assert!((share(&early, |it| it.segments == 3) - 0.5).abs() < 0.1);
    }

    #[test]
    fn a_run_never_outgrows_what_the_kernel_takes() {
        let plan = Plan::of(&outcome(&[(1_472, 1)], &[(64, 1)])).unwrap();
        assert!(plan.runs.iter().all(|it| it.segments == 44));
    }

    #[test]
    fn without_known_runs_datagrams_go_alone() {
        let mut outcome = outcome(&[(1_000, 5)], &[]);
        outcome.costs.runs = None;
        let plan = Plan::of(&outcome).unwrap();
        assert!(
            plan.runs
                .iter()
                .all(|it| (it.segments, it.len) == (1, 1_000))
        );
    }

    #[test]
    fn a_run_without_media_has_no_plan() {
        assert_eq!(Plan::of(&Outcome::default()), None);
    }
}
