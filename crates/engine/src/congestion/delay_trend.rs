//! Whether the delay of packets grows: slope of the one-way delay over groups of packets, by linear
//! regression, compared with a threshold that adapts to how much the delay varies
//! (draft-ietf-rmcat-gcc-02 §5.3 and §5.4, with a trend line instead of the Kalman filter).

use std::collections::VecDeque;

use watersmeet_wire::units::Time;

/// Packets sent within this time belong to one group, in microseconds.
const GROUP_MICROS: i64 = 5_000;

/// Number of groups that the slope is taken of.
const GROUPS: usize = 20;

/// Weight of the former value in the smoothed delay.
const SMOOTHING: f64 = 0.9;

/// Factor from slope to the value compared with the threshold, in milliseconds.
const GAIN: f64 = 4.0;

/// Number of deltas up to which the slope is trusted less.
const DELTAS_MAX: f64 = 60.0;

/// Bounds and initial value of the threshold, in milliseconds.
const THRESHOLD_MIN: f64 = 6.0;
const THRESHOLD_MAX: f64 = 600.0;
const THRESHOLD_START: f64 = 12.5;

/// Adaptation of the threshold per millisecond, upwards and downwards.
const ADAPTATION_UP: f64 = 0.008_7;
const ADAPTATION_DOWN: f64 = 0.039;

/// Difference to the threshold beyond which a value is a spike, which the threshold ignores.
const SPIKE: f64 = 15.0;

/// Time for which the slope must be above the threshold, in milliseconds.
const OVERUSE_MILLIS: f64 = 10.0;

/// Gap between groups after which the slope starts anew, in microseconds.
const GAP_MICROS: i64 = 3_000_000;

/// Direction in which the one-way delay changes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Trend {
    /// It stays.
    #[default]
    Steady,
    /// It grows: more is sent than the path carries.
    Growing,
    /// It falls: a queue empties.
    Falling,
}

/// Packets sent together.
#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: i64,
    last_sent: i64,
    last_arrival: i64,
}

/// Slope of the delay.
#[derive(Debug)]
pub struct DelayTrend {
    group: Option<Group>,
    former: Option<Group>,
    /// Arrival and smoothed delay of the latest groups, in milliseconds.
    points: VecDeque<(f64, f64)>,
    first_arrival: i64,
    deltas: f64,
    accumulated: f64,
    smoothed: f64,
    threshold: f64,
    over_for: f64,
    former_slope: f64,
    updated: Option<i64>,
    trend: Trend,
}

impl Default for DelayTrend {
    fn default() -> Self {
        Self {
            group: None,
            former: None,
            points: VecDeque::new(),
            first_arrival: 0,
            deltas: 0.0,
            accumulated: 0.0,
            smoothed: 0.0,
            threshold: THRESHOLD_START,
            over_for: 0.0,
            former_slope: 0.0,
            updated: None,
            trend: Trend::Steady,
        }
    }
}

/// Converts a difference of microseconds to milliseconds; beyond half an hour it does not matter.
fn millis(micros: i64) -> f64 {
    let bound = 2_000_000_000;
    f64::from(i32::try_from(micros.clamp(-bound, bound)).unwrap_or(0)) / 1_000.0
}

impl DelayTrend {
    /// Records a packet that was sent at `sent` and arrived at `arrival`, in microseconds of the
    /// peer's clock.
    pub fn record(&mut self, sent: Time, arrival: i64) {
        let sent = i64::try_from(sent.as_micros()).unwrap_or(i64::MAX);
        let Some(group) = &mut self.group else {
            self.group = Some(Group::new(sent, arrival));
            self.first_arrival = arrival;
            return;
        };
        if sent < group.first_sent {
            // Reordered into an earlier group.
            return;
        }
        if sent - group.first_sent <= GROUP_MICROS {
            group.last_sent = group.last_sent.max(sent);
            group.last_arrival = group.last_arrival.max(arrival);
            return;
        }
        let complete = std::mem::replace(group, Group::new(sent, arrival));
        if let Some(former) = self.former.replace(complete) {
            let sent_delta = complete.last_sent - former.last_sent;
            if sent_delta > GAP_MICROS {
                self.restart();
                return;
            }
            let delta = millis(complete.last_arrival - former.last_arrival - sent_delta);
            self.add_delta(delta, millis(sent_delta), complete.last_arrival);
        }
    }

    /// Returns the direction in which the delay changes.
    pub const fn get(&self) -> Trend {
        self.trend
    }

    /// Starts anew, with the threshold found so far.
    pub fn restart(&mut self) {
        *self = Self {
            threshold: self.threshold,
            ..Self::default()
        };
    }

    fn add_delta(&mut self, delta: f64, sent_delta: f64, arrival: i64) {
        self.deltas = (self.deltas + 1.0).min(1_000.0);
        self.accumulated += delta;
        self.smoothed = SMOOTHING.mul_add(self.smoothed, (1.0 - SMOOTHING) * self.accumulated);
        let point = (millis(arrival - self.first_arrival), self.smoothed);
        self.points.push_back(point);
        if self.points.len() > GROUPS {
            self.points.pop_front();
        }
        let slope = if self.points.len() == GROUPS {
            slope(&self.points).unwrap_or(self.former_slope)
        } else {
            0.0
        };
        self.judge(slope, sent_delta, arrival);
    }

    fn judge(&mut self, slope: f64, sent_delta: f64, arrival: i64) {
        let value = self.deltas.min(DELTAS_MAX) * slope * GAIN;
        if value > self.threshold {
            self.over_for += sent_delta;
            if self.over_for > OVERUSE_MILLIS && slope >= self.former_slope {
                self.trend = Trend::Growing;
            }
        } else {
            self.over_for = 0.0;
            self.trend = if value < -self.threshold {
                Trend::Falling
            } else {
                Trend::Steady
            };
        }
        self.former_slope = slope;
        self.adapt(value, arrival);
    }

    fn adapt(&mut self, value: f64, arrival: i64) {
        let since = self.updated.replace(arrival).map_or(0, |at| arrival - at);
        let distance = value.abs() - self.threshold;
        if distance > SPIKE {
            return;
        }
        let rate = if distance < 0.0 {
            ADAPTATION_DOWN
        } else {
            ADAPTATION_UP
        };
        let change = rate * distance * millis(since).clamp(0.0, 100.0);
        self.threshold = (self.threshold + change).clamp(THRESHOLD_MIN, THRESHOLD_MAX);
    }
}

impl Group {
    const fn new(sent: i64, arrival: i64) -> Self {
        Self {
            first_sent: sent,
            last_sent: sent,
            last_arrival: arrival,
        }
    }
}

/// Returns the slope of the regression line; `None` when all points have one x.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let count = f64::from(u32::try_from(points.len()).ok()?);
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let covariance = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y));
    let variance = points.iter().map(|(x, _)| (x - mean_x).powi(2));
    let (covariance, variance) = (covariance.sum::<f64>(), variance.sum::<f64>());
    (variance > f64::EPSILON).then(|| covariance / variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a packet every 10 ms with the delay that `delay_micros` gives, and returns what was
    /// noticed.
    fn noticed(count: i64, delay_micros: impl Fn(i64) -> i64) -> Vec<Trend> {
        let mut trend = DelayTrend::default();
        let mut noticed = Vec::new();
        for index in 0..count {
            let sent = index * 10_000;
            trend.record(
                Time::from_micros(sent.unsigned_abs()),
                sent + 1_000_000 + delay_micros(index),
            );
            noticed.push(trend.get());
        }
        noticed
    }

    #[test]
    fn constant_delay_is_steady() {
        assert!(
            noticed(500, |_| 40_000)
                .iter()
                .all(|it| *it == Trend::Steady)
        );
    }

    #[test]
    fn queue_that_fills_is_noticed_within_a_second_and_then_its_emptying() {
        let noticed = noticed(300, |index| match index {
            ..100 => 40_000,
            100..200 => 40_000 + (index - 100) * 2_000,
            _ => 40_000 + (300 - index) * 2_000,
        });
        let grew = noticed.iter().position(|it| *it == Trend::Growing);
        assert!(grew.is_some_and(|at| (100..160).contains(&at)), "{grew:?}");
        assert!(noticed.iter().skip(200).any(|it| *it == Trend::Falling));
    }

    #[test]
    fn jitter_is_mostly_steady() {
        let noticed = noticed(2_000, |index| 40_000 + index * 7_919 % 31 * 1_000);
        let growing = noticed.iter().filter(|it| **it == Trend::Growing).count();
        assert!(growing < 100, "{growing}");
    }

    #[test]
    fn clock_that_jumps_breaks_nothing() {
        let mut trend = DelayTrend::default();
        for index in 0..1_000_u64 {
            let arrival = if index % 7 == 0 {
                i64::MIN / 2
            } else {
                i64::MAX / 2
            };
            trend.record(Time::from_millis(index * 10), arrival / 1_000_000);
        }
        assert!(trend.threshold <= THRESHOLD_MAX);
    }
}
