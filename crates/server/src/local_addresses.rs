//! Local addresses that peers have sent datagrams to, numbered for [`Path`]s: a response leaves from
//! the address that was asked (RFC 8445 §7.3.1.3). Needed by a socket bound to the unspecified
//! address, whose datagrams the kernel would send from an address of its own choice.
//!
//! [`Path`]: watersmeet_engine::command::Path

use std::net::IpAddr;
use std::time::Duration;

use watersmeet_engine::command::LocalAddress;
use watersmeet_wire::units::Time;

/// Upper bound of numbered addresses. A machine has a few; an IPv6 one that changes its temporary
/// address daily needs a new number each day.
const ADDRESSES_MAX: usize = 255;

/// Number of an address for which there is no room: the kernel chooses the source.
const UNNUMBERED: LocalAddress = LocalAddress(u8::MAX);

/// Silence after which the number of an address is given to another. No path lives that long without
/// a datagram from its peer.
const SILENCE_MIN: Duration = Duration::from_secs(120);

/// A numbered address.
#[derive(Debug, Clone, Copy)]
struct NumberedAddress {
    address: IpAddr,
    /// Time of the last datagram that was sent to it.
    asked_at: Time,
}

/// Local addresses of one socket, by number. Without any, the kernel chooses, or has no choice.
#[derive(Debug, Default)]
pub struct LocalAddresses {
    /// Addresses in the order of their numbers.
    numbered: Vec<NumberedAddress>,
    /// Number of the address that was asked last.
    last: usize,
    /// Whether the kernel would choose the only numbered address by itself.
    is_chosen_by_kernel: bool,
}

impl LocalAddresses {
    /// Returns the addresses of a socket on a machine that has `present` of the socket's family. A
    /// single one is what the kernel chooses, so that nothing needs to be stated while only that is
    /// asked.
    pub fn new(present: &[IpAddr]) -> Self {
        let only = match present {
            [only] => Some(*only),
            _ => None,
        };
        let numbered = only.map(|address| NumberedAddress {
            address,
            asked_at: Time::ZERO,
        });
        Self {
            numbered: numbered.into_iter().collect(),
            last: 0,
            is_chosen_by_kernel: only.is_some(),
        }
    }

    /// Returns the number of the address that a datagram was sent to.
    pub fn number(&mut self, now: Time, asked: Option<IpAddr>) -> LocalAddress {
        let Some(asked) = asked else {
            return LocalAddress::default();
        };
        let is_last = |it: &NumberedAddress| it.address == asked;
        if !self.numbered.get(self.last).is_some_and(is_last) {
            match self.find_or_add(now, asked) {
                Some(index) => self.last = index,
                None => return UNNUMBERED,
            }
        }
        if let Some(last) = self.numbered.get_mut(self.last) {
            last.asked_at = now;
        }
        u8::try_from(self.last).map_or(UNNUMBERED, LocalAddress)
    }

    /// Returns the address to send from on a path with this number; `None` if the kernel chooses it.
    pub fn source(&self, number: LocalAddress) -> Option<IpAddr> {
        if self.is_chosen_by_kernel {
            return None;
        }
        let numbered = self.numbered.get(usize::from(number.0))?;
        Some(numbered.address)
    }

    /// Returns the index of an address, which may replace a silent one when all numbers are taken.
    fn find_or_add(&mut self, now: Time, asked: IpAddr) -> Option<usize> {
        let known = self.numbered.iter().position(|it| it.address == asked);
        if known.is_some() {
            return known;
        }
        self.is_chosen_by_kernel = false;
        let added = NumberedAddress {
            address: asked,
            asked_at: now,
        };
        if self.numbered.len() < ADDRESSES_MAX {
            self.numbered.push(added);
            return Some(self.numbered.len() - 1);
        }
        let (index, oldest) = self
            .numbered
            .iter_mut()
            .enumerate()
            .min_by_key(|(_, it)| it.asked_at)?;
        if now.since(oldest.asked_at) < SILENCE_MIN {
            tracing::debug!("datagram to one of too many local addresses: the kernel answers");
            return None;
        }
        *oldest = added;
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_millis(1_000);

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn only_address_of_a_machine_is_left_to_the_kernel_until_another_is_asked() {
        let mut addresses = LocalAddresses::new(&[ip(1)]);
        let first = addresses.number(NOW, Some(ip(1)));
        assert_eq!(addresses.source(first), None);
        let second = addresses.number(NOW, Some(ip(2)));
        assert_eq!(addresses.source(second), Some(ip(2)));
        assert_eq!(addresses.number(NOW, Some(ip(1))), first);
        assert_eq!(addresses.source(first), Some(ip(1)));
    }

    #[test]
    fn the_asked_address_of_several_is_the_source() {
        let mut addresses = LocalAddresses::new(&[ip(1), ip(2)]);
        let asked = addresses.number(NOW, Some(ip(2)));
        assert_eq!(addresses.source(asked), Some(ip(2)));
        let mut bound = LocalAddresses::default();
        let number = bound.number(NOW, None);
        assert_eq!((number, bound.source(number)), (LocalAddress(0), None));
    }

    #[test]
    fn numbers_are_bounded_and_those_of_silent_addresses_are_reused() {
        let mut addresses = LocalAddresses::new(&[]);
        let address = |number: usize| {
            let number = u16::try_from(number).unwrap().to_be_bytes();
            IpAddr::from([10, 0, number[0], number[1]])
        };
        for number in 0..ADDRESSES_MAX {
            let expected = LocalAddress(u8::try_from(number).unwrap());
            assert_eq!(addresses.number(NOW, Some(address(number))), expected);
        }
        let extra = address(ADDRESSES_MAX);
        let unnumbered = addresses.number(NOW, Some(extra));
        assert_eq!(addresses.source(unnumbered), None);
        let later = NOW + SILENCE_MIN;
        addresses.number(later, Some(address(0)));
        let reused = addresses.number(later, Some(extra));
        assert_eq!(reused, LocalAddress(1));
        assert_eq!(addresses.source(reused), Some(extra));
    }
}
