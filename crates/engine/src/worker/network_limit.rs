//! Limits STUN responses to addresses of which it is not proven that a peer receives there, per network.
//! A peer that forges its source address cannot use the server to flood that network, however many
//! transports it has.

use std::hash::{DefaultHasher, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::units::{Rng, Time};

/// Number of counters. Networks share them by hash, so that their number is bounded.
const COUNTERS: usize = 4_096;

/// Interval of responses to one network in the long run: a hundred a second.
const INTERVAL: Duration = Duration::from_millis(10);

/// Number of responses that may be sent at once. A participant needs two or three until its paths are
/// proven, so that three hundred of one company join at once.
const BURST: u32 = 1_000;

/// Limiter of a worker.
pub struct NetworkLimit {
    /// Random number, so that nobody can choose networks that share a counter.
    secret: u64,
    /// For each counter the time until which its responses are spread at [`INTERVAL`]. Empty before the
    /// first use.
    spread_until: Vec<Time>,
    /// Responses refused.
    refused: u64,
}

impl NetworkLimit {
    /// Creates a limiter.
    pub fn new(rng: &mut Rng) -> Self {
        Self {
            secret: rng.next_u64(),
            spread_until: Vec::new(),
            refused: 0,
        }
    }

    /// Returns the number of responses refused.
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Returns whether a response may be sent to `ip` now, and counts it. Nobody outside can forge a
    /// loopback address.
    pub fn allows(&mut self, now: Time, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        if ip.is_loopback() {
            return true;
        }
        if self.spread_until.is_empty() {
            self.spread_until.resize(COUNTERS, Time::ZERO);
        }
        let index = self.index(ip);
        let Some(until) = self.spread_until.get_mut(index) else {
            return true;
        };
        if until.since(now) >= INTERVAL.saturating_mul(BURST) {
            self.refused += 1;
            return false;
        }
        *until = (*until).max(now) + INTERVAL;
        true
    }

    /// Returns the counter of a network: /24 for IPv4, /48 for IPv6.
    fn index(&self, ip: IpAddr) -> usize {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.secret);
        match ip {
            IpAddr::V4(ip) => hasher.write_u32(ip.to_bits() >> 8),
            IpAddr::V6(ip) => hasher.write_u128(ip.to_bits() >> 80),
        }
        usize::try_from(hasher.finish() % COUNTERS as u64).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;

    use super::*;

    fn sent(limit: &mut NetworkLimit, from: Time, seconds: u64, ip: &str) -> u64 {
        let ip: IpAddr = ip.parse().unwrap();
        let times = (0..seconds * 1_000).map(|ms| from + Duration::from_millis(ms));
        times.filter(|now| limit.allows(*now, ip)).count() as u64
    }

    #[test]
    fn responses_to_one_network_are_limited_to_a_hundred_a_second_after_a_burst() {
        let mut limit = NetworkLimit::new(&mut Rng::seed_from_u64(1));
        let total = sent(&mut limit, Time::ZERO, 20, "192.0.2.7");
        assert_eq!(total, u64::from(BURST) + 2_000);
        assert_eq!(limit.refused(), 20_000 - total);
        let later = Time::from_millis(20_000);
        assert!(sent(&mut limit, later, 1, "192.0.2.99") <= 101);
        assert_eq!(sent(&mut limit, later, 1, "198.51.100.1"), 1_000);
        assert_eq!(sent(&mut limit, later, 1, "127.0.0.1"), 1_000);
        let later = Time::from_millis(60_000);
        let v6 = sent(&mut limit, later, 20, "2001:db8:1::1");
        assert_eq!(v6, u64::from(BURST) + 2_000);
        let neighbour = sent(&mut limit, Time::from_millis(80_000), 1, "2001:db8:1:2::9");
        assert!(neighbour <= 101);
    }
}
