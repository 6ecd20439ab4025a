//! What one thread counted. Only packets that left while it was measured count, wherever they are
//! when it ends: so what was sent and what came are about the same packets.

use std::time::Duration;

use watersmeet_wire::units::Map;

use crate::gaps::Count;
use crate::latency::Latencies;

/// Longest datagram told apart by its length.
const LEN_MAX: usize = 2_048;

/// The longest that a packet may be on its way. Who opens only some packets knows of the others
/// when they came, and so far behind an edge of the window that is as good as when they left.
pub const TRANSIT_MAX: Duration = Duration::from_millis(700);

/// When packets must have left to count, in nanoseconds of the wall's clock.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Not earlier than this.
    pub from_ns: u64,
    /// Earlier than this.
    pub until_ns: u64,
}

impl Window {
    /// Whether a packet that left at `at_ns` counts.
    pub const fn holds(&self, at_ns: u64) -> bool {
        self.from_ns <= at_ns && at_ns < self.until_ns
    }

    /// Whether a packet that came at `at_ns` may have left on the other side of an edge.
    pub fn is_near_edge(&self, at_ns: u64) -> bool {
        [self.from_ns, self.until_ns].into_iter().any(|edge_ns| {
            let behind = at_ns.checked_sub(edge_ns).map(Duration::from_nanos);
            behind.is_some_and(|behind| behind < TRANSIT_MAX)
        })
    }
}

/// What came to one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reception {
    /// Whose packets they are; none when none came.
    pub source: Option<u32>,
    /// Whether it was there before anything counted, and to the end.
    pub whole: bool,
    /// Packets that came.
    pub delivered: u64,
    /// The same by sequence numbers, from the start of what counts.
    pub count: Count,
}

impl Reception {
    /// The same of a consumer that did not stay to the end.
    pub const fn partial(self) -> Self {
        Self {
            whole: false,
            ..self
        }
    }
}

/// What one thread counted.
#[derive(Debug, Clone)]
pub struct Tally {
    /// When packets count.
    pub window: Window,
    /// Media packets sent, by source.
    pub published: Map<u32, u64>,
    /// Their bytes, as datagrams.
    pub published_bytes: u64,
    /// Packets that came, each once.
    pub delivered: u64,
    /// Of them, those that came only when they were sent again.
    pub retransmitted: u64,
    /// Packets that came once more.
    pub duplicates: u64,
    /// Packets that came after a later one.
    pub late: u64,
    /// Packets of another room or source, or that are not what was sent. Of the whole run.
    pub violations: u64,
    /// The first of them, in words.
    pub first_violation: Option<String>,
    /// Requests for packets that publishers got.
    pub nacks: u64,
    /// Requests for keyframes that publishers got.
    pub plis: u64,
    /// Requests for packets that receivers sent.
    pub nacks_sent: u64,
    /// Requests for keyframes that receivers sent.
    pub plis_sent: u64,
    /// Datagrams that could not be opened or understood.
    pub discarded: u64,
    /// How many packets that came had which length.
    sizes: Vec<u64>,
    /// How long packets were on their way.
    pub latencies: Latencies,
    /// Consumers, in no order.
    pub receptions: Vec<Reception>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            window: Window::default(),
            published: Map::new(),
            published_bytes: 0,
            delivered: 0,
            retransmitted: 0,
            duplicates: 0,
            late: 0,
            violations: 0,
            first_violation: None,
            nacks: 0,
            plis: 0,
            nacks_sent: 0,
            plis_sent: 0,
            discarded: 0,
            sizes: vec![0; LEN_MAX],
            latencies: Latencies::new(),
            receptions: Vec::new(),
        }
    }
}

impl Tally {
    /// Begins to count, with nothing but the violations seen so far.
    pub fn begin(&mut self, window: Window) {
        let (violations, first_violation) = (self.violations, self.first_violation.take());
        *self = Self {
            window,
            violations,
            first_violation,
            ..Self::default()
        };
    }

    /// Counts a packet sent at `at_ns`.
    pub fn publish(&mut self, source: u32, at_ns: u64, len: usize) {
        if self.window.holds(at_ns) {
            *self.published.entry(source).or_default() += 1;
            self.published_bytes += len as u64;
        }
    }

    /// Counts a packet that came, of `len` bytes.
    pub fn deliver(&mut self, len: usize) {
        self.delivered += 1;
        if let Some(count) = self.sizes.get_mut(len) {
            *count += 1;
        }
    }

    /// Counts a packet that should not be; the first is kept in words.
    pub fn violate(&mut self, why: impl FnOnce() -> String) {
        self.violations += 1;
        self.first_violation.get_or_insert_with(why);
    }

    /// Lengths that were seen, and how often.
    pub fn sizes(&self) -> Map<u16, u64> {
        (0..)
            .zip(&self.sizes)
            .filter(|(_, count)| **count > 0)
            .map(|(len, count)| (len, *count))
            .collect()
    }

    /// Adds what another thread counted.
    pub fn merge(&mut self, other: Self) {
        for (source, count) in other.published {
            *self.published.entry(source).or_default() += count;
        }
        self.published_bytes += other.published_bytes;
        self.delivered += other.delivered;
        self.retransmitted += other.retransmitted;
        self.duplicates += other.duplicates;
        self.late += other.late;
        self.violations += other.violations;
        self.first_violation = self.first_violation.take().or(other.first_violation);
        self.nacks += other.nacks;
        self.plis += other.plis;
        self.nacks_sent += other.nacks_sent;
        self.plis_sent += other.plis_sent;
        self.discarded += other.discarded;
        self.sizes
            .iter_mut()
            .zip(other.sizes)
            .for_each(|(sum, count)| *sum += count);
        self.latencies.merge(&other.latencies);
        self.receptions.extend(other.receptions);
    }

    /// Consumers that got nothing, though they were there all the time.
    pub fn silent(&self) -> u64 {
        let silent = self
            .receptions
            .iter()
            .filter(|it| it.whole && it.delivered == 0);
        silent.count() as u64
    }

    /// Packets that should have come, for all consumers. `layered` says that cameras have several
    /// encodings, or that consumers may be paused: then not all that was sent is for everybody.
    pub fn expected(&self, layered: bool) -> u64 {
        let receptions = self.receptions.iter();
        receptions.map(|it| self.expected_of(it, layered)).sum()
    }

    /// Packets that should have come to those consumers who were there all the time, and packets
    /// that came.
    pub fn of_those_who_stayed(&self, layered: bool) -> (u64, u64) {
        let stayed = self.receptions.iter().filter(|it| it.whole);
        stayed.fold((0, 0), |(expected, delivered), it| {
            let of_it = self.expected_of(it, layered);
            (expected + of_it, delivered + it.delivered)
        })
    }

    /// Of a consumer that was there all the time it is what its source sent; of others what came
    /// and what its sequence numbers miss.
    fn expected_of(&self, reception: &Reception, layered: bool) -> u64 {
        let sent = reception.source.and_then(|it| self.published.get(&it));
        match sent {
            Some(sent) if reception.whole && !layered => *sent,
            _ => reception.delivered + reception.count.missing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reception(whole: bool) -> Reception {
        Reception {
            source: Some(4),
            whole,
            delivered: 90,
            count: Count {
                expected: 50,
                received: 49,
            },
        }
    }

    #[test]
    fn what_was_sent_is_expected_of_those_who_were_there() {
        let mut tally = Tally::default();
        tally.begin(Window {
            from_ns: 10,
            until_ns: 110,
        });
        (0..200).for_each(|at| tally.publish(4, at, 100));
        tally.receptions = vec![reception(true), reception(true), reception(false)];
        assert_eq!(tally.published[&4], 100);
        assert_eq!(tally.published_bytes, 10_000);
        assert_eq!(tally.expected(false), 100 + 100 + 91);
        assert_eq!(tally.expected(true), 3 * 91);
        assert_eq!(tally.of_those_who_stayed(false), (200, 180));
    }

    #[test]
    fn behind_an_edge_a_packet_may_have_left_before_it() {
        let second = 1_000_000_000;
        let window = Window {
            from_ns: second,
            until_ns: 3 * second,
        };
        let near = [(0, false), (1, true), (2, false), (3, true), (4, false)];
        for (seconds, is_near) in near {
            let at_ns = seconds * second;
            assert_eq!(window.is_near_edge(at_ns), is_near, "{seconds}");
        }
        assert!(window.is_near_edge(second + 699_999_999));
        assert!(!window.is_near_edge(second + 700_000_000));
    }

    #[test]
    fn a_violation_before_it_was_measured_is_not_forgotten() {
        let mut tally = Tally::default();
        tally.violate(|| "first".to_owned());
        tally.violate(|| "second".to_owned());
        tally.begin(Window::default());
        let mut all = Tally::default();
        all.merge(tally);
        assert_eq!(
            (all.violations, all.first_violation.as_deref()),
            (2, Some("first"))
        );
    }

    #[test]
    fn lengths_are_told_apart() {
        let mut tally = Tally::default();
        for len in [1_000, 1_000, 1_001, 9_999] {
            tally.deliver(len);
        }
        assert_eq!(tally.delivered, 4);
        assert_eq!(tally.sizes(), Map::from([(1_000, 2), (1_001, 1)]));
    }
}
