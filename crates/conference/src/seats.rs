//! Seats that a room keeps for participants whose connection was lost: their role, until they come
//! back or the time is over. A participant is recognised by the secret of its client, which a page
//! keeps over a reload, or by the user in its token.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use watersmeet_wire::units::Time;

use crate::message::Role;

/// Upper bound of seats that a room keeps. The oldest is given up for a new one.
const SEATS_MAX: usize = 256;

/// Secret by which a client is recognised when it comes back, as its hash: comparing hashes reveals
/// nothing about the secret.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ResumeKey(Arc<[u8]>);

impl ResumeKey {
    /// Returns the key of a secret.
    pub(crate) fn new(secret: &str) -> Self {
        Self(digest(&SHA256, secret.as_bytes()).as_ref().into())
    }
}

impl fmt::Debug for ResumeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResumeKey")
    }
}

/// Proofs by which a participant is recognised.
#[derive(Debug, Clone, Default)]
pub(crate) struct Identity {
    /// Secret of its client.
    pub resume: Option<ResumeKey>,
    /// User in its token.
    pub user: Option<Arc<str>>,
}

impl Identity {
    /// Returns whether both have the same client or the same user.
    pub(crate) fn matches(&self, other: &Self) -> bool {
        let is_same_client = self.resume.is_some() && self.resume == other.resume;
        is_same_client || (self.user.is_some() && self.user == other.user)
    }

    /// Returns the proofs of a client with this secret and without a user.
    #[cfg(test)]
    pub(crate) fn of_client(secret: &str) -> Self {
        Self {
            resume: Some(ResumeKey::new(secret)),
            user: None,
        }
    }

    /// Returns whether nothing recognises the participant.
    pub(crate) const fn is_empty(&self) -> bool {
        self.resume.is_none() && self.user.is_none()
    }
}

/// A seat that waits for its participant.
#[derive(Debug)]
pub(crate) struct Seat {
    /// Proofs of its participant.
    pub identity: Identity,
    /// Role of its participant.
    pub role: Role,
    /// Whether a host showed its participant large to everybody.
    pub is_spotlit: bool,
    /// Time at which it is given up.
    pub until: Time,
}

/// Seats of a room, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    /// Seats that wait.
    seats: Vec<Seat>,
    /// Time at which the conference looks for seats to give up.
    timer: Option<Time>,
}

impl Seats {
    /// Keeps the seat of a participant that is recognised.
    pub(crate) fn keep(&mut self, seat: Seat) {
        if seat.identity.is_empty() {
            return;
        }
        self.seats.retain(|it| !it.identity.matches(&seat.identity));
        if self.seats.len() >= SEATS_MAX {
            self.seats.remove(0);
        }
        self.seats.push(seat);
    }

    /// Returns the role of a participant that comes back.
    pub(crate) fn role_of(&self, identity: &Identity) -> Option<Role> {
        self.of(identity).map(|it| it.role)
    }

    /// Returns whether a host showed a participant that comes back large to everybody.
    pub(crate) fn is_spotlit(&self, identity: &Identity) -> bool {
        self.of(identity).is_some_and(|it| it.is_spotlit)
    }

    /// Returns the seat of a participant.
    fn of(&self, identity: &Identity) -> Option<&Seat> {
        self.seats.iter().find(|it| it.identity.matches(identity))
    }

    /// Removes the seat of a participant, which has come back or may not.
    pub(crate) fn remove(&mut self, identity: &Identity) {
        self.seats.retain(|it| !it.identity.matches(identity));
    }

    /// Gives up the seats whose time is over.
    pub(crate) fn expire(&mut self, now: Time) {
        self.seats.retain(|it| it.until > now);
        self.timer = None;
    }

    /// Gives up all seats.
    pub(crate) fn clear(&mut self) {
        self.seats.clear();
    }

    /// Returns whether the host is expected back. Only the secret of its client counts: a page
    /// sends it by itself, while nobody knows whether a user will come again.
    pub(crate) fn expects_host(&self) -> bool {
        let mut seats = self.seats.iter();
        seats.any(|it| it.role == Role::Host && it.identity.resume.is_some())
    }

    /// Returns the time for a timer that has to be started; `None` when one runs or none is needed.
    pub(crate) fn start_timer(&mut self) -> Option<Time> {
        if self.timer.is_some() {
            return None;
        }
        self.timer = self.seats.iter().map(|it| it.until).min();
        self.timer
    }

    /// Returns the time of the running timer.
    pub(crate) const fn timer(&self) -> Option<Time> {
        self.timer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(identity: Identity, role: Role, until: Time) -> Seat {
        Seat {
            identity,
            role,
            is_spotlit: false,
            until,
        }
    }

    #[test]
    fn the_oldest_seat_is_given_up_when_there_are_too_many() {
        let mut seats = Seats::default();
        let until = Time::from_millis(1);
        for n in 0..=SEATS_MAX {
            seats.keep(seat(
                Identity::of_client(&format!("secret {n}")),
                Role::Speaker,
                until,
            ));
        }
        assert_eq!(seats.role_of(&Identity::of_client("secret 0")), None);
        assert_eq!(
            seats.role_of(&Identity::of_client("secret 1")),
            Some(Role::Speaker)
        );
        assert_eq!(seats.seats.len(), SEATS_MAX);
    }

    #[test]
    fn participants_without_proof_match_nobody() {
        let nobody = Identity::default();
        assert!(!nobody.matches(&Identity::default()));
        assert!(!nobody.matches(&Identity::of_client("x")));
        let mut seats = Seats::default();
        seats.keep(seat(nobody, Role::Host, Time::from_millis(1)));
        assert!(!seats.expects_host());
    }

    #[test]
    fn one_timer_runs_at_a_time() {
        let mut seats = Seats::default();
        assert_eq!(seats.start_timer(), None);
        seats.keep(seat(
            Identity::of_client("a"),
            Role::Host,
            Time::from_millis(5),
        ));
        seats.keep(seat(
            Identity::of_client("b"),
            Role::Host,
            Time::from_millis(9),
        ));
        assert_eq!(seats.start_timer(), Some(Time::from_millis(5)));
        assert_eq!(seats.start_timer(), None);
        seats.expire(Time::from_millis(5));
        assert_eq!(seats.start_timer(), Some(Time::from_millis(9)));
    }
}
