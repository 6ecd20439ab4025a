//! Packet counters of one thread. Only packets sent within the measurement window count, even when
//! they arrive after it, so that sent and received counts refer to the same packets.

use std::time::Duration;

use watersmeet_wire::units::Map;

use crate::latency::Latencies;
use crate::loss_tracker::SequenceCount;

/// Datagrams are counted by length up to this many bytes.
const LEN_MAX: usize = 2_048;

/// Longest transit time of a packet. For packets that are not decrypted only the arrival time is
/// known; this long after an edge of the window it decides as well as the send time.
pub const TRANSIT_MAX: Duration = Duration::from_millis(700);

/// Send times of the packets that count, in nanoseconds since the Unix epoch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct MeasurementWindow {
    /// Start, inclusive.
    pub from_ns: u64,
    /// End, exclusive.
    pub until_ns: u64,
}

impl MeasurementWindow {
    /// Returns whether a packet sent at `at_ns` counts.
    pub const fn contains(&self, at_ns: u64) -> bool {
        self.from_ns <= at_ns && at_ns < self.until_ns
    }

    /// Returns whether a packet that arrived at `at_ns` may have been sent before an edge.
    pub fn is_near_edge(&self, at_ns: u64) -> bool {
        [self.from_ns, self.until_ns].into_iter().any(|edge_ns| {
            let behind = at_ns.checked_sub(edge_ns).map(Duration::from_nanos);
            behind.is_some_and(|behind| behind < TRANSIT_MAX)
        })
    }
}

/// Packets received by one consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConsumerStats {
    /// Number of the producer; `None` when no packet arrived.
    pub producer: Option<u32>,
    /// Whether it existed during the whole measurement.
    pub is_complete: bool,
    /// Packets received.
    pub delivered: u64,
    /// Counts by sequence numbers since the start of the measurement.
    pub count: SequenceCount,
}

impl ConsumerStats {
    /// Returns the same for a consumer that did not stay to the end.
    pub const fn partial(self) -> Self {
        Self {
            is_complete: false,
            ..self
        }
    }
}

/// Packet counters of one thread.
#[derive(Debug, Clone)]
pub struct TrafficStats {
    /// Window in which packets count.
    pub window: MeasurementWindow,
    /// Media packets sent, by producer.
    pub published: Map<u32, u64>,
    /// Bytes of these packets, as UDP payload.
    pub published_bytes: u64,
    /// Packets received, each counted once.
    pub delivered: u64,
    /// Packets among them that arrived only as retransmissions.
    pub retransmitted: u64,
    /// Packets received again.
    pub duplicates: u64,
    /// Packets that arrived after a later one.
    pub late: u64,
    /// Packets of another room or producer, or altered ones, during the whole run.
    pub violations: u64,
    /// Description of the first violation.
    pub first_violation: Option<String>,
    /// Packets that the server requested from publishers.
    pub nacks: u64,
    /// Keyframes that the server requested from publishers.
    pub plis: u64,
    /// Packets that receivers requested from the server.
    pub nacks_sent: u64,
    /// Keyframes that receivers requested from the server.
    pub plis_sent: u64,
    /// Datagrams that could not be decrypted or parsed.
    pub discarded: u64,
    /// Number of received packets by length.
    sizes: Vec<u64>,
    /// Transit times of packets.
    pub latencies: Latencies,
    /// Counters of each consumer, in no order.
    pub consumers: Vec<ConsumerStats>,
}

impl Default for TrafficStats {
    fn default() -> Self {
        Self {
            window: MeasurementWindow::default(),
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
            consumers: Vec::new(),
        }
    }
}

impl TrafficStats {
    /// Resets the counters, except violations, and starts counting packets in `window`.
    pub fn start_counting(&mut self, window: MeasurementWindow) {
        let (violations, first_violation) = (self.violations, self.first_violation.take());
        *self = Self {
            window,
            violations,
            first_violation,
            ..Self::default()
        };
    }

    /// Records a packet sent at `at_ns`.
    pub fn record_sent(&mut self, producer: u32, at_ns: u64, len: usize) {
        if self.window.contains(at_ns) {
            *self.published.entry(producer).or_default() += 1;
            self.published_bytes += len as u64;
        }
    }

    /// Records a received packet of `len` bytes.
    pub fn record_delivered(&mut self, len: usize) {
        self.delivered += 1;
        if let Some(count) = self.sizes.get_mut(len) {
            *count += 1;
        }
    }

    /// Records a misdelivered or altered packet, and keeps the description of the first.
    pub fn record_violation(&mut self, why: impl FnOnce() -> String) {
        self.violations += 1;
        self.first_violation.get_or_insert_with(why);
    }

    /// Returns the number of received packets by length.
    pub fn sizes(&self) -> Map<u16, u64> {
        (0..)
            .zip(&self.sizes)
            .filter(|(_, count)| **count > 0)
            .map(|(len, count)| (len, *count))
            .collect()
    }

    /// Adds the counters of another thread.
    pub fn merge(&mut self, other: Self) {
        for (producer, count) in other.published {
            *self.published.entry(producer).or_default() += count;
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
        self.consumers.extend(other.consumers);
    }

    /// Returns the number of consumers that received nothing during the whole measurement.
    pub fn silent_consumers(&self) -> u64 {
        let silent = self
            .consumers
            .iter()
            .filter(|it| it.is_complete && it.delivered == 0);
        silent.count() as u64
    }

    /// Returns the packets that all consumers should have received. `has_layers` states that cameras
    /// send simulcast or consumers may be paused, so that not every packet is for every consumer.
    pub fn expected(&self, has_layers: bool) -> u64 {
        let consumers = self.consumers.iter();
        consumers.map(|it| self.expected_of(it, has_layers)).sum()
    }

    /// Returns the expected and received packets of consumers that existed during the whole
    /// measurement.
    pub fn complete_consumers(&self, has_layers: bool) -> (u64, u64) {
        let complete = self.consumers.iter().filter(|it| it.is_complete);
        complete.fold((0, 0), |(expected, delivered), it| {
            let of_consumer = self.expected_of(it, has_layers);
            (expected + of_consumer, delivered + it.delivered)
        })
    }

    /// Returns the packets that a consumer should have received: those its producer sent if it existed
    /// all the time, otherwise those received or missing by sequence numbers.
    fn expected_of(&self, consumer: &ConsumerStats, has_layers: bool) -> u64 {
        let sent = consumer.producer.and_then(|it| self.published.get(&it));
        match sent {
            Some(sent) if consumer.is_complete && !has_layers => *sent,
            _ => consumer.delivered + consumer.count.missing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn consumer(is_complete: bool) -> ConsumerStats {
        ConsumerStats {
            producer: Some(4),
            is_complete,
            delivered: 90,
            count: SequenceCount {
                expected: 50,
                received: 49,
            },
        }
    }

    #[test]
    fn complete_consumers_expect_every_packet_sent() {
        let mut stats = TrafficStats::default();
        stats.start_counting(MeasurementWindow {
            from_ns: 10,
            until_ns: 110,
        });
        (0..200).for_each(|at| stats.record_sent(4, at, 100));
        stats.consumers = vec![consumer(true), consumer(true), consumer(false)];
        assert_eq!(stats.published[&4], 100);
        assert_eq!(stats.published_bytes, 10_000);
        assert_eq!(stats.expected(false), 100 + 100 + 91);
        assert_eq!(stats.expected(true), 3 * 91);
        assert_eq!(stats.complete_consumers(false), (200, 180));
    }

    #[test]
    fn arrival_shortly_after_an_edge_is_near_it() {
        let second = 1_000_000_000;
        let window = MeasurementWindow {
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
    fn violations_before_the_measurement_are_kept() {
        let mut stats = TrafficStats::default();
        stats.record_violation(|| "first".to_owned());
        stats.record_violation(|| "second".to_owned());
        stats.start_counting(MeasurementWindow::default());
        let mut all = TrafficStats::default();
        all.merge(stats);
        assert_eq!(
            (all.violations, all.first_violation.as_deref()),
            (2, Some("first"))
        );
    }

    #[test]
    fn packets_are_counted_by_length() {
        let mut stats = TrafficStats::default();
        for len in [1_000, 1_000, 1_001, 9_999] {
            stats.record_delivered(len);
        }
        assert_eq!(stats.delivered, 4);
        assert_eq!(stats.sizes(), Map::from([(1_000, 2), (1_001, 1)]));
    }
}
