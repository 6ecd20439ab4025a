//! Permissions and channels of one allocation (RFC 8656 §9 and §12), as a table of times: no sockets,
//! no messages. Which peers may be permitted at all is decided by `peers`.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Lifetime of a permission (RFC 8656 §9).
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);

/// Lifetime of a channel binding (RFC 8656 §12).
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// Numbers of channels (RFC 8656 §12).
const CHANNEL_NUMBERS: std::ops::RangeInclusive<u16> = 0x4000..=0x4FFF;

/// Upper bound of permitted addresses. As many as the server announces would do.
pub const PERMISSIONS_MAX: usize = 16;

/// Upper bound of channels: an address of each family for every shard of a large machine.
pub const CHANNELS_MAX: usize = 128;

/// Reason why a permission or channel is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindError {
    /// The number is no channel's, or the number or the peer belongs to another binding.
    Conflict,
    /// The table is full.
    Full,
}

/// How a datagram of a peer is sent to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// As data of this channel.
    Channel(u16),
    /// In a Data indication.
    Indication,
}

/// Address from which the client receives, and to which it may send.
#[derive(Debug)]
struct Permission {
    peer: IpAddr,
    expires_at: Instant,
}

/// Channel number of a peer.
#[derive(Debug)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    expires_at: Instant,
}

/// Permissions and channels of an allocation.
#[derive(Debug, Default)]
pub struct Bindings {
    permissions: Vec<Permission>,
    channels: Vec<Channel>,
}

impl Bindings {
    /// Installs or refreshes permissions for all of `peers`, or for none.
    ///
    /// # Errors
    /// There are too many.
    pub fn permit(&mut self, now: Instant, peers: &[IpAddr]) -> Result<(), BindError> {
        self.permissions.retain(|it| it.expires_at > now);
        let is_new = |ip: &&IpAddr| self.permissions.iter().all(|it| it.peer != **ip);
        if self.permissions.len() + peers.iter().filter(is_new).count() > PERMISSIONS_MAX {
            return Err(BindError::Full);
        }
        let expires_at = now + PERMISSION_LIFETIME;
        for &peer in peers {
            match self.permissions.iter_mut().find(|it| it.peer == peer) {
                Some(known) => known.expires_at = expires_at,
                None => self.permissions.push(Permission { peer, expires_at }),
            }
        }
        Ok(())
    }

    /// Binds or refreshes a channel, and the permission of its peer.
    ///
    /// # Errors
    /// The channel or the peer has another binding, or there are too many.
    pub fn bind(&mut self, now: Instant, number: u16, peer: SocketAddr) -> Result<(), BindError> {
        self.channels.retain(|it| it.expires_at > now);
        let mut others = self.channels.iter();
        if !CHANNEL_NUMBERS.contains(&number)
            || others.any(|it| (it.number == number) != (it.peer == peer))
        {
            return Err(BindError::Conflict);
        }
        let known = self.channels.iter().position(|it| it.number == number);
        if known.is_none() && self.channels.len() >= CHANNELS_MAX {
            return Err(BindError::Full);
        }
        self.permit(now, &[peer.ip()])?;
        let expires_at = now + CHANNEL_LIFETIME;
        match known.and_then(|index| self.channels.get_mut(index)) {
            Some(known) => known.expires_at = expires_at,
            None => self.channels.push(Channel {
                number,
                peer,
                expires_at,
            }),
        }
        Ok(())
    }

    /// Returns whether the client may send to an address and receive from it.
    pub fn is_permitted(&self, now: Instant, peer: IpAddr) -> bool {
        let mut permissions = self.permissions.iter();
        permissions.any(|it| it.peer == peer && it.expires_at > now)
    }

    /// Returns the peer of a channel.
    pub fn peer_of(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        let mut channels = self.channels.iter();
        let channel = channels.find(|it| it.number == number && it.expires_at > now)?;
        Some(channel.peer)
    }

    /// Returns how a datagram of a peer is sent to the client; `None` without a permission.
    pub fn route_from(&self, now: Instant, peer: SocketAddr) -> Option<Route> {
        if !self.is_permitted(now, peer.ip()) {
            return None;
        }
        let mut channels = self.channels.iter();
        let channel = channels.find(|it| it.peer == peer && it.expires_at > now);
        Some(channel.map_or(Route::Indication, |it| Route::Channel(it.number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, host], port))
    }

    #[test]
    fn permission_is_for_an_address_and_expires_unless_refreshed() {
        let start = Instant::now();
        let mut bindings = Bindings::default();
        bindings.permit(start, &[peer(1, 0).ip()]).unwrap();
        let last = start + PERMISSION_LIFETIME - Duration::from_millis(1);
        assert_eq!(
            bindings.route_from(last, peer(1, 5000)),
            Some(Route::Indication)
        );
        assert_eq!(bindings.route_from(last, peer(2, 5000)), None);
        assert_eq!(
            bindings.route_from(start + PERMISSION_LIFETIME, peer(1, 5000)),
            None
        );
        bindings.permit(last, &[peer(1, 0).ip()]).unwrap();
        assert!(bindings.is_permitted(start + PERMISSION_LIFETIME, peer(1, 0).ip()));
    }

    #[test]
    fn channel_has_one_peer_and_a_peer_one_channel() {
        let start = Instant::now();
        let mut bindings = Bindings::default();
        bindings.bind(start, 0x4000, peer(1, 5000)).unwrap();
        bindings.bind(start, 0x4000, peer(1, 5000)).unwrap();
        for (number, peer) in [
            (0x4000, peer(1, 5001)),
            (0x4001, peer(1, 5000)),
            (0x3FFF, peer(1, 5002)),
            (0x5000, peer(1, 5002)),
        ] {
            let refused = bindings.bind(start, number, peer);
            assert_eq!(refused, Err(BindError::Conflict), "{number:x} {peer}");
        }
        assert_eq!(bindings.peer_of(start, 0x4000), Some(peer(1, 5000)));
        assert_eq!(
            bindings.route_from(start, peer(1, 5000)),
            Some(Route::Channel(0x4000))
        );
        assert_eq!(bindings.peer_of(start + CHANNEL_LIFETIME, 0x4000), None);
    }

    #[test]
    fn permissions_and_channels_are_bounded() {
        let start = Instant::now();
        let mut bindings = Bindings::default();
        for number in 0..u8::try_from(PERMISSIONS_MAX).unwrap() {
            bindings.permit(start, &[peer(number, 0).ip()]).unwrap();
        }
        let more = [peer(0, 0).ip(), peer(200, 0).ip()];
        assert_eq!(bindings.permit(start, &more), Err(BindError::Full));
        assert!(!bindings.is_permitted(start, more[1]));
        for number in 0..u16::try_from(CHANNELS_MAX).unwrap() {
            bindings
                .bind(start, 0x4000 + number, peer(0, number))
                .unwrap();
        }
        let refused = bindings.bind(start, 0x4FFF, peer(0, 9_999));
        assert_eq!(refused, Err(BindError::Full));
        let later = start + CHANNEL_LIFETIME;
        bindings.bind(later, 0x4FFF, peer(0, 9_999)).unwrap();
    }
}
