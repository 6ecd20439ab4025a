//! Round-trip time of a path, as reports measure it (RFC 3550 §6.4.1). A measurement is valid for some
//! seconds: afterwards the path may be another one.

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Time for which a measurement is valid. Peers report once a second on video, and every few seconds
/// on audio.
pub const VALID_FOR: Duration = Duration::from_secs(5);

/// Latest measurement of a round-trip time.
#[derive(Debug, Default, Clone, Copy)]
pub struct RoundTripTime {
    /// Measured value, and when it was measured.
    latest: Option<(Duration, Time)>,
}

impl RoundTripTime {
    /// Records a measurement.
    pub fn record(&mut self, now: Time, measured: Duration) {
        self.latest = Some((measured, now));
    }

    /// Forgets a measurement that is too old.
    pub fn expire(&mut self, now: Time) {
        self.latest = self.latest.filter(|_| self.get(now).is_some());
    }

    /// Returns the latest measurement that was not forgotten.
    pub fn latest(&self) -> Option<Duration> {
        self.latest.map(|(measured, _)| measured)
    }

    /// Returns the latest measurement; `None` before the first, and when it is too old.
    pub fn get(&self, now: Time) -> Option<Duration> {
        let (measured, at) = self.latest?;
        (now.since(at) <= VALID_FOR).then_some(measured)
    }
}

/// Shortest round-trip time of a path. It grows slowly, because the path may have become longer.
#[derive(Debug, Default, Clone, Copy)]
pub struct ShortestRoundTrip {
    /// Shortest value; `None` before the first measurement.
    shortest: Option<Duration>,
}

impl ShortestRoundTrip {
    /// Part by which it grows towards a longer measurement.
    const GROWTH: u32 = 64;

    /// Records a measurement.
    pub fn record(&mut self, measured: Duration) {
        let shortest = self.shortest.unwrap_or(measured);
        let longer = measured.saturating_sub(shortest);
        self.shortest = Some(shortest.min(measured) + longer / Self::GROWTH);
    }

    /// Returns the shortest round-trip time; zero before the first measurement.
    pub fn get(self) -> Duration {
        self.shortest.unwrap_or(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortest_round_trip_grows_slowly() {
        let mut shortest = ShortestRoundTrip::default();
        let millis = Duration::from_millis;
        for measured in [60, 40, 400, 400] {
            shortest.record(millis(measured));
        }
        assert!((millis(45)..millis(60)).contains(&shortest.get()));
        for _ in 0..400 {
            shortest.record(millis(400));
        }
        assert!(shortest.get() > millis(390));
    }

    #[test]
    fn measurement_expires() {
        let mut round_trip = RoundTripTime::default();
        assert_eq!(round_trip.get(Time::ZERO), None);
        let measured = Duration::from_millis(52);
        round_trip.record(Time::from_millis(1_000), measured);
        assert_eq!(round_trip.get(Time::from_millis(6_000)), Some(measured));
        assert_eq!(round_trip.get(Time::from_millis(6_001)), None);
        round_trip.expire(Time::from_millis(6_000));
        assert_eq!(round_trip.latest(), Some(measured));
        round_trip.expire(Time::from_millis(6_001));
        assert_eq!(round_trip.latest(), None);
    }
}
