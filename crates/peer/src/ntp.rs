//! NTP time as RTCP reports use it: seconds since 1900 in 32.32 fixed point (RFC 3550 §4).

use std::time::Duration;

use watersmeet_wire::units::Time;

/// Seconds from 1900 to 1970.
const NTP_TO_UNIX: u64 = 2_208_988_800;

/// Returns the NTP time at `now`, when the wall clock at `Time::ZERO` was `unix_epoch` after 1970.
pub fn timestamp(unix_epoch: Duration, now: Time) -> u64 {
    let wall = unix_epoch + now.since_origin();
    let seconds = wall.as_secs().wrapping_add(NTP_TO_UNIX);
    let fraction = (u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000;
    seconds << 32 | fraction
}

/// Returns the time since `Time::ZERO` in the same format, as devices without a wall clock report it.
pub fn since_start(now: Time) -> u64 {
    let wall = now.since_origin();
    let fraction = (u64::from(wall.subsec_nanos()) << 32) / 1_000_000_000;
    wall.as_secs() << 32 | fraction
}

/// Returns the microseconds from `earlier` to `later`, both NTP times; negative when `later` is
/// before `earlier`.
pub fn micros_between(earlier: u64, later: u64) -> i64 {
    let difference = i128::from(later.wrapping_sub(earlier).cast_signed());
    i64::try_from((difference * 1_000_000) >> 32).unwrap_or(0)
}

/// Converts a duration to 1/65,536 s, the unit of report blocks.
pub fn to_short(duration: Duration) -> u32 {
    u32::try_from((duration.as_micros() << 16) / 1_000_000).unwrap_or(u32::MAX)
}

/// Converts 1/65,536 s to a duration.
pub fn from_short(short: u32) -> Duration {
    Duration::from_micros((u64::from(short) * 1_000_000) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_second_is_one_in_the_upper_half() {
        let epoch = Duration::from_secs(1_700_000_000);
        let (one, two) = (
            timestamp(epoch, Time::ZERO),
            timestamp(epoch, Time::from_millis(1_500)),
        );
        assert_eq!(two - one, 3 << 31);
        assert_eq!(micros_between(one, two), 1_500_000);
        assert_eq!(micros_between(two, one), -1_500_000);
    }

    #[test]
    fn short_durations_read_back_within_their_precision() {
        assert_eq!(
            from_short(to_short(Duration::from_millis(250))),
            Duration::from_millis(250)
        );
    }
}
