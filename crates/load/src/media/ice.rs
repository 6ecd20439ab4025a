//! The controlling side of ICE towards a server that is ICE-lite: checks that nominate at once, and
//! consent that is renewed (RFC 8445 §7, RFC 7675 §5.1).

use std::net::SocketAddr;
use std::time::Duration;

use watersmeet_wire::stun::{
    BindingRequest, Class, IceRole, IntegrityKey, StunMessage, TransactionId,
};
use watersmeet_wire::units::Time;

use crate::chance::Chance;

/// Wait before a check is sent again; doubled each time.
const RETRY_START: Duration = Duration::from_millis(100);

/// Checks of one candidate before the next is tried.
const CHECKS_MAX: u32 = 6;

/// Time between two renewals of consent.
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);

/// Without an answer for this long the server is gone.
const CONSENT_TIME_MAX: Duration = Duration::from_secs(30);

/// Priority of a host candidate over UDP.
const PRIORITY: u32 = 1_853_824_767;

/// Bytes of the longest request.
const REQUEST_LEN_MAX: usize = 600;

/// What the server said of itself.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Its name in checks.
    pub ufrag: String,
    /// What checks are signed with.
    pub password: String,
    /// Where it may be reached over UDP, the best first.
    pub candidates: Vec<SocketAddr>,
}

/// Where ICE stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceState {
    /// No candidate has answered yet.
    Checking,
    /// One has.
    Connected,
    /// None has, or it no longer does.
    Failed,
}

/// One transport's ICE.
pub struct Ice {
    /// Both names, as checks carry them.
    username: String,
    key: IntegrityKey,
    candidates: Vec<SocketAddr>,
    /// Which candidate is tried or used.
    current: usize,
    chance: Chance,
    tie_breaker: u64,
    state: IceState,
    /// The request that waits for its answer.
    transaction: TransactionId,
    /// Checks since the last answer or the last change of candidate.
    checks: u32,
    /// When the next is sent.
    next: Time,
    /// When the last answer came.
    answered_at: Time,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing now.
    Nothing,
    /// Speak to this candidate from now on, and ask again.
    Connect(SocketAddr),
    /// Send this.
    Send(Vec<u8>),
}

impl Ice {
    /// ICE towards `remote`, whose first step is to connect.
    pub fn new(now: Time, remote: Remote, mut chance: Chance) -> Self {
        let local = format!("{:08x}", chance.word());
        Self {
            username: format!("{}:{local}", remote.ufrag),
            key: IntegrityKey::from_password(&remote.password),
            candidates: remote.candidates,
            current: 0,
            tie_breaker: u64::from(chance.word()) << 32 | u64::from(chance.word()),
            chance,
            state: IceState::Checking,
            transaction: TransactionId::default(),
            checks: 0,
            next: now,
            answered_at: now,
        }
    }

    /// Where it stands.
    pub const fn state(&self) -> IceState {
        self.state
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub const fn poll_timeout(&self) -> Time {
        match self.state {
            IceState::Failed => Time::FAR_FUTURE,
            _ => self.next,
        }
    }

    /// The candidate that is tried or used.
    pub fn candidate(&self) -> Option<SocketAddr> {
        self.candidates.get(self.current).copied()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) -> Step {
        if now < self.poll_timeout() {
            return Step::Nothing;
        }
        if now.since(self.answered_at) > CONSENT_TIME_MAX {
            self.state = IceState::Failed;
            return Step::Nothing;
        }
        if self.state == IceState::Checking && self.checks >= CHECKS_MAX {
            return self.give_up_candidate();
        }
        let wait = match self.state {
            IceState::Checking => RETRY_START * (1 << self.checks.min(3)),
            _ => CONSENT_INTERVAL - Duration::from_millis(self.chance.below(1_000)),
        };
        self.next = now + wait;
        self.checks += 1;
        Step::Send(self.request())
    }

    /// Tries the next candidate, after the current one turned out to be unreachable.
    pub fn give_up_candidate(&mut self) -> Step {
        self.current += 1;
        self.checks = 0;
        match self.candidate() {
            Some(candidate) => Step::Connect(candidate),
            None => {
                self.state = IceState::Failed;
                Step::Nothing
            }
        }
    }

    /// Takes a STUN message. Whether the transport is connected by it, for the first time.
    pub fn handle_packet(&mut self, now: Time, packet: &[u8]) -> bool {
        let Ok(message) = StunMessage::parse(packet) else {
            return false;
        };
        let is_answer = message.class == Class::Success
            && message.transaction_id == self.transaction
            && message.verify(&self.key);
        if !is_answer {
            return false;
        }
        self.answered_at = now;
        self.checks = 0;
        let is_first = self.state == IceState::Checking;
        if is_first {
            self.state = IceState::Connected;
            self.next = now + CONSENT_INTERVAL;
        }
        is_first
    }

    fn request(&mut self) -> Vec<u8> {
        let mut id = self.chance.word().to_be_bytes().into_iter().cycle();
        let stamp = u64::from(self.chance.word()).to_be_bytes();
        let fresh = stamp.into_iter().chain(id.by_ref());
        self.transaction
            .iter_mut()
            .zip(fresh)
            .for_each(|(place, byte)| *place = byte);
        let request = BindingRequest {
            transaction_id: self.transaction,
            username: &self.username,
            priority: PRIORITY,
            role: IceRole::Controlling(self.tie_breaker),
            use_candidate: true,
            nomination: None,
        };
        let mut out = vec![0; REQUEST_LEN_MAX];
        let len = request.write(&mut out, &self.key).unwrap_or(0);
        out.truncate(len);
        out
    }
}

#[cfg(test)]
mod tests {
    use watersmeet_wire::stun::write_success;

    use super::*;
    use crate::chance;

    fn ice(candidates: &[&str]) -> Ice {
        let remote = Remote {
            ufrag: "server".to_owned(),
            password: "secret".to_owned(),
            candidates: candidates.iter().map(|it| it.parse().unwrap()).collect(),
        };
        Ice::new(Time::ZERO, remote, Chance::new(&mut chance::seeded(3)))
    }

    fn answer(request: &[u8], password: &str) -> Vec<u8> {
        let message = StunMessage::parse(request).unwrap();
        assert!(message.use_candidate && message.has_fingerprint);
        assert!(message.verify(&IntegrityKey::from_password("secret")));
        let mut out = vec![0; 200];
        let key = IntegrityKey::from_password(password);
        let mapped = "127.0.0.1:9".parse().unwrap();
        let len = write_success(&mut out, &message.transaction_id, mapped, &key).unwrap();
        out.truncate(len);
        out
    }

    #[test]
    fn an_authentic_answer_connects_once_and_consent_goes_on() {
        let mut ice = ice(&["127.0.0.1:1"]);
        let Step::Send(request) = ice.handle_timeout(Time::ZERO) else {
            panic!("no check");
        };
        let now = Time::from_millis(2);
        assert!(!ice.handle_packet(now, &answer(&request, "other")));
        assert!(ice.handle_packet(now, &answer(&request, "secret")));
        assert_eq!(ice.state(), IceState::Connected);
        assert_eq!(ice.handle_timeout(Time::from_millis(4_900)), Step::Nothing);
        let Step::Send(renewal) = ice.handle_timeout(Time::from_millis(5_010)) else {
            panic!("no renewal");
        };
        assert!(
            !ice.handle_packet(now, &answer(&request, "secret")),
            "it is an old answer"
        );
        assert!(
            !ice.handle_packet(now, &answer(&renewal, "secret")),
            "it is connected already"
        );
    }

    #[test]
    fn a_silent_candidate_is_followed_by_the_next() {
        let mut ice = ice(&["127.0.0.1:1", "127.0.0.1:2"]);
        let mut now = Time::ZERO;
        let mut seen = Vec::new();
        while ice.state() == IceState::Checking {
            now = now.max(ice.poll_timeout());
            match ice.handle_timeout(now) {
                Step::Connect(candidate) => seen.push(candidate.port()),
                Step::Send(_) | Step::Nothing => {}
            }
        }
        assert_eq!(seen, [2]);
        assert_eq!(ice.state(), IceState::Failed);
    }

    #[test]
    fn without_consent_it_ends() {
        let mut ice = ice(&["127.0.0.1:1"]);
        let Step::Send(request) = ice.handle_timeout(Time::ZERO) else {
            panic!("no check");
        };
        ice.handle_packet(Time::ZERO, &answer(&request, "secret"));
        while ice.state() == IceState::Connected {
            let now = ice.poll_timeout();
            assert!(now < Time::from_millis(60_000));
            ice.handle_timeout(now);
        }
        assert_eq!(ice.state(), IceState::Failed);
    }
}
