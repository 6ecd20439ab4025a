//! Bandwidth of a transport's path to its peer: the estimate, what holds packets back, and what was
//! distributed among its consumers. Transports that send no video whose arrival is reported have
//! none.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use crate::congestion::BandwidthEstimator;
use crate::numbered_packets::NumberedPackets;
use crate::probation::Probation;
use crate::retransmissions_in_flight::{MediaPacket, RetransmissionsInFlight};
use crate::timers::Deadline;

/// Interval at which bitrates are distributed anew while feedback arrives, unless the estimate falls.
const ALLOCATION_INTERVAL: Duration = Duration::from_millis(200);

/// Shortest wait of packets that are held back: the resolution of the worker's loop.
const GRANULARITY: Duration = Duration::from_millis(1);

/// Longest wait of the first keyframe for the result of the first probe.
const FIRST_PROBE_MAX: Duration = Duration::from_millis(250);

/// Interval at which they are distributed without feedback.
const IDLE_INTERVAL: Duration = Duration::from_secs(1);

/// Bandwidth of one transport.
#[derive(Debug)]
pub struct TransportBandwidth {
    /// Estimates what the path carries.
    pub estimator: BandwidthEstimator,
    /// Padding for probes.
    pub probation: Probation,
    /// Retransmissions whose fate is awaited.
    pub retransmissions: RetransmissionsInFlight,
    /// Packets by SSRC and number; absent where no feedback names them so.
    pub numbered_packets: Option<Box<NumberedPackets>>,
    /// Deadline of the estimator, and of the next distribution.
    pub deadline: Deadline,
    /// Time of the latest distribution, and the bitrate it used.
    allocated: (Time, Bitrate),
    /// Time until which keyframes wait for the result of the first probe.
    begins: Option<Time>,
    /// Whether a keyframe that somebody waits for was not requested.
    is_keyframe_deferred: bool,
    /// Bytes that the path could have carried so far, by the estimate.
    carried: u64,
    carried_until: Time,
}

impl TransportBandwidth {
    /// Creates the state of a path of which nothing is known but that it may carry `start`.
    pub fn new(start: Bitrate, probation: Probation) -> Self {
        Self {
            estimator: BandwidthEstimator::new(start),
            probation,
            retransmissions: RetransmissionsInFlight::default(),
            numbered_packets: None,
            deadline: Deadline::default(),
            allocated: (Time::ZERO, Bitrate::ZERO),
            begins: None,
            is_keyframe_deferred: false,
            carried: 0,
            carried_until: Time::ZERO,
        }
    }

    /// Records a packet of `len` bytes that leaves at `departure`.
    #[inline]
    pub fn record_sent(
        &mut self,
        now: Time,
        departure: Time,
        transport_seq: u16,
        packet: MediaPacket,
        len: usize,
    ) {
        self.estimator
            .record_sent(now, departure, transport_seq, len);
        if let Some(numbered) = &mut self.numbered_packets {
            numbered.record(packet.ssrc, packet.seq, transport_seq);
        }
    }

    /// Returns whether transport-wide feedback is ignored, because there is other feedback with another
    /// clock.
    pub fn ignores_transport_feedback(&self) -> bool {
        let numbered = self.numbered_packets.as_ref();
        numbered.is_some_and(|it| it.is_in_use())
    }

    /// Records that bitrates were distributed.
    pub fn record_allocation(&mut self, now: Time, used: Bitrate) {
        self.allocated = (now, used);
    }

    /// Records that there is video to send: the first keyframe is that of the layer which the first probe
    /// allows.
    pub fn begin(&mut self, now: Time) {
        self.begins.get_or_insert(now + FIRST_PROBE_MAX);
    }

    /// Returns whether keyframes are to be requested later, and remembers that one was wanted: until the
    /// first probe shows which layer fits, and while the path is interrupted.
    pub fn defers_keyframes(&mut self, now: Time) -> bool {
        let is_deferred = self.has_no_use_for_keyframes(now);
        self.is_keyframe_deferred |= is_deferred;
        is_deferred
    }

    /// Returns whether there is a deferred keyframe that may be requested now.
    pub fn take_deferred_keyframes(&mut self, now: Time) -> bool {
        !self.has_no_use_for_keyframes(now) && std::mem::take(&mut self.is_keyframe_deferred)
    }

    fn has_no_use_for_keyframes(&self, now: Time) -> bool {
        let is_beginning = self.begins.is_none_or(|until| now < until);
        let is_probing = is_beginning && self.estimator.awaits_first_probe();
        is_probing || self.estimator.is_interrupted(now)
    }

    /// Returns whether bitrates should be distributed anew after feedback.
    pub fn is_allocation_due(&self, now: Time) -> bool {
        if self.is_keyframe_deferred && !self.has_no_use_for_keyframes(now) {
            return true;
        }
        let (at, used) = self.allocated;
        let estimate = self.estimator.estimate(now);
        now.since(at) >= ALLOCATION_INTERVAL || estimate.is_some_and(|estimate| estimate < used)
    }

    /// Returns when the timer has to expire.
    pub fn poll_timeout(&self, now: Time) -> Time {
        let (at, _) = self.allocated;
        let begins = self.begins.filter(|begins| *begins > now);
        let due = self.estimator.poll_timeout().min(at + IDLE_INTERVAL);
        let due = begins.map_or(due, |begins| due.min(begins));
        due.max(now + GRANULARITY)
    }

    /// Returns when sending may go on.
    pub fn ready_at(&mut self, now: Time) -> Time {
        self.estimator.ready_at(now).max(now + GRANULARITY)
    }

    /// Returns how many bytes the path could have carried so far.
    pub fn carried(&mut self, now: Time, estimate: Bitrate) -> u64 {
        let micros = u64::try_from(now.since(self.carried_until).as_micros()).unwrap_or(0);
        let second = 1_000_000;
        self.carried += estimate.as_bps() / 8 * micros.min(second) / second;
        self.carried_until = now;
        self.carried
    }
}
