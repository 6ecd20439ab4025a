//! When packets may be sent: pacing, and a limit of the bytes on the way; and when redundancy would do harm.

use std::time::Duration;

use watersmeet_wire::units::{Bitrate, Time};

use super::pacer::PacingRate;
use super::{BandwidthEstimator, LARGE_PACKET};

/// Queueing delay with which audio that is sent again comes too late.
const QUEUE_LATE: Duration = Duration::from_millis(250);

/// Queue that the bytes on the way may form, besides what the round-trip time accounts for: soon after
/// congestion, without it, where six lost reports in a row must not stop the picture, and while a queue
/// stands that has to drain.
const QUEUE_ALLOWED: Duration = Duration::from_millis(300);
const QUEUE_ALLOWED_UNCONGESTED: Duration = Duration::from_millis(700);
const QUEUE_ALLOWED_CONGESTED: Duration = Duration::from_millis(100);

/// The same where packets are sent evenly: they need no queue, and audio would wait in it.
const QUEUE_ALLOWED_EVEN: Duration = Duration::from_millis(200);

/// Rates of sending what waits, in percent of the estimate: evenly, soon after congestion, and without it.
const EVEN_PERCENT: u64 = 100;
const CAREFUL_PERCENT: u64 = 130;
const USUAL_PERCENT: u64 = 250;

/// Bytes on the way that are always allowed, and the same while a queue drains by force: one packet.
const FLIGHT_MIN: u64 = 4_500;
const FLIGHT_MIN_DRAINING: u64 = 1_500;

/// Time in which a queue should drain by itself. Then it is made to: pictures wait, because audio does in the queue.
const DRAINED_WITHIN: Duration = Duration::from_millis(900);

/// Interval at which a packet is sent while a queue drains by force that audio alone nearly fills: with one always on
/// the way it would stay for ever.
const DRAINING_INTERVAL: Duration = Duration::from_secs(1);

/// Upper bound of the bitrate of one voice, as sent.
const ONE_VOICE_MAX: Bitrate = Bitrate::from_kbps(90);

/// Length of the IP and UDP headers: much beside a packet of audio.
const UDP_HEADERS_LEN: usize = 28;

/// Bounds of the interval at which a packet is sent though too much is on the way, to notice when the path
/// is back: half of the estimate is used for that at most.
const TRICKLE_MIN: Duration = Duration::from_millis(50);
const TRICKLE_MAX: Duration = Duration::from_millis(200);

/// Time after congestion in which losses come from a queue that has overflowed, unless so much is lost at any rate, in
/// thousandths.
const OVERFLOWED_FOR: Duration = Duration::from_secs(15);
const LOST_ANYHOW_MIN: u64 = 15;

impl BandwidthEstimator {
    /// Returns whether the own queue is so long that audio which is sent again comes too late to be heard, and only
    /// makes more packets not fit into it. Where packets are sent evenly because they wait for long, it fits.
    pub fn has_long_queue(&self) -> bool {
        let is_own = self.competition.is_none() && !self.is_even;
        is_own && self.queue.latest() > QUEUE_LATE
    }

    /// Records a packet with a transport-wide sequence number, that leaves at `departure`.
    pub fn record_sent(&mut self, now: Time, departure: Time, seq: u16, len: usize) {
        self.first_sent.get_or_insert(now);
        self.awaiting_since.get_or_insert(now);
        let rate = self.pacing_rate(now);
        let probe = self.prober.sending().map_or(0, |(id, _)| id);
        self.ledger.record(departure.max(now), seq, len, probe);
        if probe != 0 {
            self.prober.record_sent(now, len);
        }
        self.pacer.record(now, len, rate.bitrate);
        self.last_sent = now;
    }

    /// Records a packet whose arrival is not reported. It takes its part of the path all the same.
    pub fn record_unreported(&mut self, now: Time, len: usize) {
        self.unreported_sent
            .add(now, (len + UDP_HEADERS_LEN) as u64);
    }

    /// Sets whether packets are sent evenly from now on, because they may wait for long.
    pub const fn send_evenly(&mut self, is_even: bool) {
        self.is_even = is_even;
    }

    /// Returns from when on the next packet may be sent. Feedback may bring that forward. Nothing is held
    /// back before there is any: what is sent by then is little.
    pub fn ready_at(&mut self, now: Time) -> Time {
        if !self.is_limiting() {
            return now;
        }
        let paced = self.pacer.ready_at(self.pacing_rate(now));
        if self.is_draining(now) && self.is_mostly_unreported() {
            return paced.max(self.last_sent + DRAINING_INTERVAL);
        }
        let is_full =
            self.is_interrupted(now) || self.ledger.in_flight(now) >= self.flight_max(now);
        if is_full {
            paced.max(self.last_sent + self.trickle_interval())
        } else {
            paced
        }
    }

    /// Returns how many bytes may be sent now: none while [`Self::ready_at`] is in the future.
    pub fn allowance(&mut self, now: Time) -> u64 {
        if !self.is_limiting() {
            return u64::MAX;
        }
        if self.ready_at(now) > now {
            return 0;
        }
        let paced = self.pacer.allowance(now, self.pacing_rate(now));
        let flight = self
            .flight_max(now)
            .saturating_sub(self.ledger.in_flight(now));
        paced.min(flight).max(1)
    }

    /// Returns the interval at which a packet is sent though too much is on the way.
    pub(super) fn trickle_interval(&self) -> Duration {
        let half = Bitrate::from_bps(self.estimate.as_bps() / 2);
        let interval = half.time_to_send(LARGE_PACKET).unwrap_or(TRICKLE_MAX);
        interval.clamp(TRICKLE_MIN, TRICKLE_MAX)
    }

    /// Returns whether packets are held back: only where the peer sends feedback, and in a probe.
    pub(super) fn is_limiting(&self) -> bool {
        self.last_feedback.is_some() || self.prober.sending().is_some()
    }

    /// Returns the rate at which queued packets are sent.
    pub(super) fn pacing_rate(&self, now: Time) -> PacingRate {
        let percent = if self.is_even {
            EVEN_PERCENT
        } else if self.is_careful(now) {
            CAREFUL_PERCENT
        } else {
            USUAL_PERCENT
        };
        let rate = Bitrate::from_bps(self.estimate.as_bps() * percent / 100);
        let probe = self.prober.sending().map(|(_, rate)| rate);
        PacingRate {
            bitrate: probe.unwrap_or(rate),
            is_probe: probe.is_some(),
        }
    }

    /// Returns whether most of what is sent is audio of several people, whose arrival is not reported. It can fill the
    /// queue however little else is sent, so that a queue which stays tells nothing about other traffic.
    pub(super) fn is_mostly_unreported(&self) -> bool {
        self.unreported > self.arrived().max(ONE_VOICE_MAX)
    }

    /// Returns whether what is lost is most likely what did not fit into the queue of the path.
    pub fn loses_by_overflow(&self, now: Time) -> bool {
        let was_congested = self
            .congestion
            .is_some_and(|it| it.has_decreased_within(now, OVERFLOWED_FOR));
        was_congested && self.loss.inherent() < LOST_ANYHOW_MIN
    }

    /// Returns for how long a queue has been standing; `None` when none is.
    fn queue_standing_for(&self, now: Time) -> Option<Duration> {
        self.congestion.and_then(|it| it.standing_for(now))
    }

    /// Returns whether a queue is made to drain, which did not by itself.
    fn is_draining(&self, now: Time) -> bool {
        self.queue_standing_for(now)
            .is_some_and(|it| it > DRAINED_WITHIN)
    }

    /// Returns how many bytes may be on the way.
    pub(super) fn flight_max(&self, now: Time) -> u64 {
        let queue = if self.queue_standing_for(now).is_some() {
            QUEUE_ALLOWED_CONGESTED
        } else if self.is_even {
            QUEUE_ALLOWED_EVEN
        } else if self.is_careful(now) {
            QUEUE_ALLOWED
        } else {
            QUEUE_ALLOWED_UNCONGESTED
        };
        let (round_trip, least) = if self.is_draining(now) {
            // The round trip of the empty path: with that of the queue, the queue would stay as it is.
            let empty = self.round_trip.saturating_sub(self.queue.get());
            (empty, FLIGHT_MIN_DRAINING)
        } else {
            (self.round_trip, FLIGHT_MIN)
        };
        let millis = (round_trip + queue).as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        (self.estimate.as_bps().saturating_mul(millis) / 8_000).max(least)
    }
}
