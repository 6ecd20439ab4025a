//! Closed loop: an estimator that sends media over a modelled bottleneck, whose feedback is written and
//! parsed as on the wire.

use std::collections::VecDeque;
use std::time::Duration;

use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use watersmeet_wire::rtcp::{Packet, packets};
use watersmeet_wire::units::{Bitrate, Rng, Ssrc, Time};

use super::BandwidthEstimator;
use crate::arrival_log::ArrivalLog;

/// Estimate at the beginning.
const START: Bitrate = Bitrate::from_kbps(500);

/// Total bitrates of a publisher's layers with audio, lowest first.
const STEPS: [Bitrate; 3] = [
    Bitrate::from_kbps(190),
    Bitrate::from_kbps(415),
    Bitrate::from_kbps(1_740),
];

/// Properties of the path.
#[derive(Clone, Copy)]
struct Link {
    capacity: Bitrate,
    delay: Duration,
    /// Upper bound of a uniform additional delay that reorders.
    jitter: Duration,
    /// Length of the bottleneck's queue.
    queue: Duration,
    /// Share of packets that are lost, in thousandths.
    loss: u32,
    /// Share of feedback that is lost, in thousandths.
    feedback_loss: u32,
    is_cut: bool,
    /// Whether a TCP flow shares the bottleneck.
    has_tcp: bool,
}

impl Link {
    const fn of_kbps(kbps: u64) -> Self {
        Self {
            capacity: Bitrate::from_kbps(kbps),
            delay: Duration::from_millis(25),
            jitter: Duration::ZERO,
            queue: Duration::from_millis(300),
            loss: 0,
            feedback_loss: 0,
            is_cut: false,
            has_tcp: false,
        }
    }
}

/// A sender, its path, and what was observed.
struct Loop {
    estimator: BandwidthEstimator,
    link: Link,
    rng: Rng,
    now: Time,
    seq: u16,
    /// Media packets that wait for the pacer: time of queueing and length.
    waiting: VecDeque<(Time, usize)>,
    step: usize,
    /// Time until which the sender stands still: what it sends leaves then.
    stalled_until: Time,
    frame_due: Time,
    /// Time at which the bottleneck is free.
    busy_until: Time,
    arriving: Vec<(Time, u16)>,
    log: ArrivalLog,
    feedback_due: Time,
    feedback: VecDeque<(Time, Vec<u8>)>,
    /// Bytes offered to the path.
    offered: u64,
    queue_max: Duration,
    discarded: u64,
    tcp: Tcp,
}

/// A TCP flow with endless data: its window grows by a segment in each round trip, and falls to 70 % when
/// the queue overflows.
struct Tcp {
    /// Congestion window in segments.
    window: f64,
    /// Times at which the segments on the way are acknowledged, oldest first.
    in_flight: VecDeque<Time>,
    /// Time until which an overflow counts as part of the former one.
    recovers_until: Time,
}

/// Length of a TCP segment in bytes.
const SEGMENT_LEN: usize = 1_472;

impl Loop {
    fn new(link: Link) -> Self {
        Self {
            estimator: BandwidthEstimator::new(START),
            link,
            rng: Rng::seed_from_u64(7),
            now: Time::from_millis(1),
            seq: 65_500,
            waiting: VecDeque::new(),
            step: 0,
            stalled_until: Time::ZERO,
            frame_due: Time::ZERO,
            busy_until: Time::ZERO,
            arriving: Vec::new(),
            log: ArrivalLog::default(),
            feedback_due: Time::ZERO,
            feedback: VecDeque::new(),
            offered: 0,
            queue_max: Duration::ZERO,
            discarded: 0,
            tcp: Tcp {
                window: 10.0,
                in_flight: VecDeque::new(),
                recovers_until: Time::ZERO,
            },
        }
    }

    /// Sends what the window of the TCP flow allows.
    fn send_tcp(&mut self) {
        let tcp = &mut self.tcp;
        while tcp.in_flight.pop_front_if(|at| *at <= self.now).is_some() {
            tcp.window += 1.0 / tcp.window;
        }
        while self.link.has_tcp && (tcp.in_flight.len() as f64) < tcp.window {
            if self.busy_until.since(self.now) > self.link.queue {
                if self.now >= tcp.recovers_until {
                    tcp.window *= 0.7;
                    tcp.recovers_until = self.now + self.link.queue + self.link.delay * 2;
                }
                return;
            }
            let length = self.link.capacity.time_to_send(SEGMENT_LEN).unwrap();
            self.busy_until = self.busy_until.max(self.now) + length;
            tcp.in_flight
                .push_back(self.busy_until + self.link.delay * 2);
        }
    }

    fn chance(&mut self, thousandths: u32) -> bool {
        self.rng.next_u32() % 1_000 < thousandths
    }

    /// Runs for a while, in steps of a millisecond.
    fn run(&mut self, length: Duration) {
        let end = self.now + length;
        self.queue_max = Duration::ZERO;
        self.offered = 0;
        while self.now < end {
            self.now = self.now + Duration::from_millis(1);
            self.allocate();
            self.produce();
            self.send_tcp();
            self.send();
            self.deliver();
        }
    }

    /// Chooses the layer by the estimate, as the allocation does.
    fn allocate(&mut self) {
        let estimate = self
            .estimator
            .estimate(self.now)
            .unwrap_or(Bitrate::from_kbps(50_000));
        let step = STEPS
            .iter()
            .rposition(|rate| *rate <= estimate)
            .unwrap_or(0);
        self.step = step;
        let next = STEPS.get(step + 1).copied().unwrap_or(Bitrate::ZERO);
        self.estimator
            .set_goal(Bitrate::from_bps(next.as_bps() * 110 / 100));
        if self.estimator.poll_timeout() <= self.now {
            self.estimator.handle_timeout(self.now);
        }
    }

    fn produce(&mut self) {
        if self.frame_due > self.now {
            return;
        }
        self.frame_due = self.now + Duration::from_micros(33_333);
        let mut left = usize::try_from(STEPS[self.step].as_bps() / 8 / 30).unwrap();
        while left > 0 {
            let len = left.min(1_200);
            self.waiting.push_back((self.now, len));
            left -= len;
        }
    }

    fn send(&mut self) {
        while let Some(&(queued, len)) = self.waiting.front() {
            if self.now.since(queued) > Duration::from_millis(500) {
                self.waiting.pop_front();
                self.discarded += 1;
                continue;
            }
            if self.estimator.ready_at(self.now) > self.now {
                return;
            }
            self.waiting.pop_front();
            self.transmit(len);
        }
        while self.estimator.wants_padding() && self.estimator.ready_at(self.now) <= self.now {
            self.transmit(1_000);
        }
    }

    fn transmit(&mut self, len: usize) {
        let departure = self.now.max(self.stalled_until);
        self.estimator
            .record_sent(self.now, departure, self.seq, len);
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        self.offered += len as u64;
        let loss = self.link.loss;
        if self.link.is_cut || self.chance(loss) {
            return;
        }
        let queued = self.busy_until.since(departure);
        if queued > self.link.queue {
            return;
        }
        self.queue_max = self.queue_max.max(queued);
        let length = self.link.capacity.time_to_send(len).unwrap();
        self.busy_until = self.busy_until.max(departure) + length;
        let jitter = u32::try_from(self.link.jitter.as_micros()).unwrap();
        let extra = Duration::from_micros((self.rng.next_u32() % (jitter + 1)).into());
        self.arriving
            .push((self.busy_until + self.link.delay + extra, seq));
    }

    fn deliver(&mut self) {
        self.arriving.sort_unstable_by_key(|(at, seq)| (*at, *seq));
        while let Some(&(at, seq)) = self.arriving.first()
            && at <= self.now
        {
            self.arriving.remove(0);
            self.log.record(at, seq, Ssrc(1));
        }
        if self.feedback_due <= self.now && !self.log.is_empty() {
            self.feedback_due = self.now + Duration::from_millis(50);
            let at = self.now + self.link.delay;
            let mut written = Vec::new();
            self.log
                .write_feedback(Ssrc(2), &mut Vec::new(), |datagram| {
                    written.push((at, datagram.to_vec()));
                });
            let lost = self.link.feedback_loss;
            for feedback in written {
                if !self.link.is_cut && !self.chance(lost) {
                    self.feedback.push_back(feedback);
                }
            }
        }
        while let Some((at, _)) = self.feedback.front()
            && *at <= self.now
        {
            let (_, datagram) = self.feedback.pop_front().unwrap();
            for packet in packets(&datagram) {
                let Ok(Packet::TransportFeedback(feedback)) = packet else {
                    panic!("only feedback is written");
                };
                self.estimator.record_feedback(self.now, feedback.packets());
            }
        }
    }

    fn estimate_kbps(&self) -> u64 {
        self.estimator.estimate(self.now).unwrap().as_bps() / 1_000
    }

    /// Runs until `is_reached`, which must be within `limit`.
    fn until(&mut self, limit: Duration, is_reached: impl Fn(&Self) -> bool) {
        let start = self.now;
        while !is_reached(self) {
            self.run(Duration::from_millis(20));
            assert!(
                self.now.since(start) <= limit,
                "not within {limit:?}, estimate {} kbit/s",
                self.estimate_kbps()
            );
        }
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[test]
fn good_path_has_the_top_layer_within_two_seconds() {
    let mut it = Loop::new(Link::of_kbps(20_000));
    it.until(secs(2), |it| it.step == 2);
    it.run(secs(30));
    assert_eq!(it.step, 2);
}

#[test]
fn estimate_follows_a_fall_and_a_rise_of_the_capacity() {
    let mut it = Loop::new(Link::of_kbps(2_500));
    it.until(secs(4), |it| it.step == 2);
    it.run(secs(10));
    assert_eq!(it.step, 2, "{} kbit/s", it.estimate_kbps());
    it.link.capacity = Bitrate::from_kbps(600);
    it.run(secs(2));
    assert!(
        (300..=660).contains(&it.estimate_kbps()),
        "{}",
        it.estimate_kbps()
    );
    it.run(secs(1));
    it.run(secs(20));
    assert!(
        it.queue_max < Duration::from_millis(200),
        "{:?}",
        it.queue_max
    );
    assert!(
        (430..=690).contains(&it.estimate_kbps()),
        "{}",
        it.estimate_kbps()
    );
    assert_eq!(it.step, 1);
    it.link.capacity = Bitrate::from_kbps(2_500);
    it.until(secs(6), |it| it.step == 2);
    it.run(secs(20));
    assert_eq!(it.step, 2);
}

#[test]
fn offered_bitrate_stays_near_the_capacity_after_a_second() {
    for kbps in [300, 600, 1_000, 1_500] {
        let mut it = Loop::new(Link::of_kbps(2_500));
        it.run(secs(10));
        it.link.capacity = Bitrate::from_kbps(kbps);
        it.run(secs(1));
        it.run(secs(4));
        let offered = it.offered * 8 / 4 / 1_000;
        assert!(offered * 10 <= kbps * 13, "{kbps}: {offered}");
    }
}

#[test]
fn dip_is_left_within_five_seconds() {
    for dip in [5, 30] {
        let mut it = Loop::new(Link::of_kbps(2_500));
        it.run(secs(10));
        it.link.capacity = Bitrate::from_kbps(250);
        it.run(secs(dip));
        assert_eq!(it.step, 0, "{}", it.estimate_kbps());
        it.link.capacity = Bitrate::from_kbps(2_500);
        it.until(secs(5), |it| it.step == 2);
        it.run(secs(10));
        assert_eq!(it.step, 2);
    }
}

#[test]
fn random_loss_does_not_starve() {
    for (loss, percent_min) in [(50, 95), (100, 95), (200, 90), (300, 60)] {
        let mut it = Loop::new(Link {
            loss,
            ..Link::of_kbps(20_000)
        });
        it.run(secs(5));
        let has_top = |it: &mut Loop| {
            it.run(Duration::from_millis(100));
            it.step == 2
        };
        let percent = (0..300).filter(|_| has_top(&mut it)).count() / 3;
        assert!(percent >= percent_min, "loss {loss}: {percent} %");
    }
}

#[test]
fn short_queue_limits_by_loss() {
    for kbps in [300, 600, 1_200] {
        let mut it = Loop::new(Link {
            queue: Duration::from_millis(20),
            ..Link::of_kbps(2_500)
        });
        it.run(secs(10));
        it.link.capacity = Bitrate::from_kbps(kbps);
        it.run(secs(3));
        it.run(secs(30));
        let offered = it.offered * 8 / 30 / 1_000;
        assert!(offered * 100 <= kbps * 115, "{kbps}: {offered}");
    }
}

#[test]
fn jitter_and_reordering_do_not_starve() {
    for jitter in [10, 30, 100] {
        let mut it = Loop::new(Link {
            jitter: Duration::from_millis(jitter),
            ..Link::of_kbps(20_000)
        });
        it.run(secs(10));
        assert_eq!(it.step, 2, "jitter {jitter}: {} kbit/s", it.estimate_kbps());
    }
}

#[test]
fn sender_that_stands_still_is_no_queue() {
    let mut path = Loop::new(Link::of_kbps(5_000));
    path.run(secs(5));
    for _ in 0..10 {
        path.stalled_until = path.now + Duration::from_millis(300);
        path.run(secs(1));
        assert!(path.estimate_kbps() >= 1_740, "{}", path.estimate_kbps());
    }
}

#[test]
fn lost_feedback_does_not_starve() {
    let mut it = Loop::new(Link {
        feedback_loss: 300,
        ..Link::of_kbps(2_500)
    });
    it.run(secs(10));
    assert_eq!(it.step, 2, "{} kbit/s", it.estimate_kbps());
    it.link.capacity = Bitrate::from_kbps(600);
    it.run(secs(3));
    assert!(it.estimate_kbps() <= 660, "{}", it.estimate_kbps());
}

#[test]
fn little_is_sent_during_an_outage_and_the_layer_is_back_soon() {
    for outage in [200, 500, 2_000, 6_000, 15_000] {
        let mut it = Loop::new(Link::of_kbps(2_500));
        it.run(secs(10));
        it.link.is_cut = true;
        it.run(Duration::from_millis(outage));
        let offered = it.offered;
        it.link.is_cut = false;
        it.until(secs(3), |it| {
            it.estimator
                .last_feedback
                .is_some_and(|at| it.now.since(at) < Duration::from_millis(60))
                && it.step == 2
        });
        assert!(offered < 220_000 + outage * 25, "{offered}");
    }
}

#[test]
fn tcp_that_fills_the_queue_leaves_a_share() {
    let mut it = Loop::new(Link {
        has_tcp: true,
        ..Link::of_kbps(2_000)
    });
    it.run(secs(30));
    let mut lowest = u64::MAX;
    for _ in 0..60 {
        it.run(secs(1));
        lowest = lowest.min(it.estimate_kbps());
    }
    assert!(lowest >= 190, "{lowest} kbit/s");
    it.link.has_tcp = false;
    it.until(secs(6), |it| it.step == 2);
}

#[test]
fn own_queue_is_not_taken_for_that_of_others() {
    for kbps in [1_200, 800, 500, 300] {
        let mut it = Loop::new(Link::of_kbps(2_500));
        it.run(secs(10));
        it.link.capacity = Bitrate::from_kbps(kbps);
        it.run(secs(4));
        for _ in 0..100 {
            it.run(Duration::from_millis(100));
            assert!(it.estimator.competition.is_none(), "{kbps} kbit/s");
        }
    }
}

#[test]
fn audio_is_not_sent_again_into_a_long_queue_of_the_own() {
    let mut it = Loop::new(Link::of_kbps(2_500));
    it.run(secs(10));
    assert!(!it.estimator.has_long_queue());
    it.link.capacity = Bitrate::from_kbps(250);
    it.run(Duration::from_millis(600));
    assert!(it.estimator.has_long_queue());
    it.run(secs(10));
    assert!(!it.estimator.has_long_queue());
}

#[test]
fn losses_soon_after_congestion_are_those_of_the_own_queue() {
    let mut it = Loop::new(Link::of_kbps(2_500));
    it.run(secs(10));
    assert!(!it.estimator.loses_by_overflow(it.now));
    it.link.capacity = Bitrate::from_kbps(250);
    it.run(secs(2));
    assert!(it.estimator.loses_by_overflow(it.now));
    it.link.capacity = Bitrate::from_kbps(2_500);
    it.run(secs(20));
    assert!(!it.estimator.loses_by_overflow(it.now));
}

#[test]
fn lost_feedback_does_not_look_like_a_narrow_path() {
    let mut it = Loop::new(Link {
        feedback_loss: 500,
        ..Link::of_kbps(600)
    });
    it.run(secs(10));
    let mut lowest = u64::MAX;
    for _ in 0..300 {
        it.run(Duration::from_millis(100));
        lowest = lowest.min(it.estimate_kbps());
    }
    assert!(lowest >= 400, "{lowest} kbit/s");
}

#[test]
fn longer_path_is_not_taken_for_competition_for_ever() {
    let mut it = Loop::new(Link::of_kbps(2_500));
    it.run(secs(10));
    it.link.delay = Duration::from_millis(225);
    it.run(secs(20));
    assert_eq!(it.step, 2, "{} kbit/s", it.estimate_kbps());
}

#[test]
fn satellite_path_carries_the_top_layer() {
    let mut it = Loop::new(Link {
        delay: Duration::from_millis(300),
        jitter: Duration::from_millis(15),
        loss: 30,
        ..Link::of_kbps(15_000)
    });
    it.run(secs(8));
    assert_eq!(it.step, 2, "{} kbit/s", it.estimate_kbps());
}

#[test]
fn feedback_that_lies_stays_within_bounds() {
    let mut estimator = BandwidthEstimator::new(START);
    let mut rng = Rng::seed_from_u64(3);
    let mut log = ArrivalLog::default();
    let mut now = Time::from_millis(1);
    for round in 0..20_000_u16 {
        now = now + Duration::from_millis(u64::from(rng.next_u32() % 30));
        estimator.set_goal(Bitrate::from_kbps(50_000));
        estimator.record_sent(now, now, round, 1_200);
        let lied = Time::from_micros(u64::from(rng.next_u32()) * 50);
        log.record(
            lied,
            round.wrapping_sub((rng.next_u32() % 8) as u16),
            Ssrc(1),
        );
        log.write_feedback(Ssrc(2), &mut Vec::new(), |datagram| {
            for packet in packets(datagram) {
                if let Ok(Packet::TransportFeedback(feedback)) = packet {
                    estimator.record_feedback(now, feedback.packets());
                }
            }
        });
        let estimate = estimator.estimate(now).unwrap();
        assert!(
            (Bitrate::from_kbps(30)..=Bitrate::from_kbps(5_000)).contains(&estimate),
            "{estimate:?}"
        );
    }
}

#[test]
fn peer_without_feedback_is_not_limited() {
    let mut estimator = BandwidthEstimator::new(START);
    estimator.record_sent(Time::from_millis(1), Time::from_millis(1), 0, 1_200);
    assert_eq!(estimator.estimate(Time::from_millis(1_000)), Some(START));
    assert_eq!(estimator.estimate(Time::from_millis(4_000)), None);
    assert!(estimator.ready_at(Time::from_millis(4_000)) <= Time::from_millis(4_000));
}
