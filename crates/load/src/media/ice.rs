//! Controlling ICE agent for an ICE-lite server: checks that nominate at once, and consent renewal
//! (RFC 8445 §7, RFC 7675 §5.1).

use std::net::SocketAddr;
use std::time::Duration;

use watersmeet_wire::stun::{
    BindingRequest, Class, IceRole, IntegrityKey, StunMessage, TransactionId,
};
use watersmeet_wire::units::Time;

use crate::seeded_rng::SeededRng;

/// Time until the first retransmission of a check; doubles with each.
const RETRY_START: Duration = Duration::from_millis(100);

/// Checks sent to a candidate before the next is tried.
const CHECKS_MAX: u32 = 6;

/// Time between two consent checks.
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);

/// Time without a response after which consent is lost.
const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Priority of a host candidate over UDP.
const PRIORITY: u32 = 1_853_824_767;

/// Bytes of the longest request.
const REQUEST_LEN_MAX: usize = 600;

/// ICE parameters and candidates of the server.
#[derive(Debug, Clone)]
pub struct RemoteIce {
    /// Username fragment.
    pub ufrag: String,
    /// Password.
    pub password: String,
    /// Addresses of UDP candidates, the highest priority first.
    pub candidates: Vec<SocketAddr>,
}

/// State of an ICE agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceState {
    /// No candidate has responded yet.
    Checking,
    /// A candidate has responded.
    Connected,
    /// No candidate responded, or consent was lost.
    Failed,
}

/// ICE agent of a transport.
pub struct Ice {
    /// USERNAME attribute of the checks.
    username: String,
    key: IntegrityKey,
    candidates: Vec<SocketAddr>,
    /// Index of the candidate in use.
    current: usize,
    rng: SeededRng,
    tie_breaker: u64,
    state: IceState,
    /// Transaction of the last check.
    transaction: TransactionId,
    /// Checks since the last response or change of candidate.
    checks: u32,
    /// Time of the next check.
    next: Time,
    /// Arrival time of the last response.
    answered_at: Time,
}

/// Action that the transport must take.
#[derive(Debug, PartialEq, Eq)]
pub enum IceAction {
    /// Nothing.
    Nothing,
    /// Connect the socket to this candidate, and handle the timeout again.
    Connect(SocketAddr),
    /// Send this datagram.
    Send(Vec<u8>),
}

impl Ice {
    /// Creates an agent for `remote`.
    pub fn new(now: Time, remote: RemoteIce, mut rng: SeededRng) -> Self {
        let local = format!("{:08x}", rng.next_u32());
        Self {
            username: format!("{}:{local}", remote.ufrag),
            key: IntegrityKey::from_password(&remote.password),
            candidates: remote.candidates,
            current: 0,
            tie_breaker: u64::from(rng.next_u32()) << 32 | u64::from(rng.next_u32()),
            rng,
            state: IceState::Checking,
            transaction: TransactionId::default(),
            checks: 0,
            next: now,
            answered_at: now,
        }
    }

    /// Returns the state.
    pub const fn state(&self) -> IceState {
        self.state
    }

    /// Returns when [`Self::handle_timeout`] is to be called.
    pub const fn poll_timeout(&self) -> Time {
        match self.state {
            IceState::Failed => Time::FAR_FUTURE,
            _ => self.next,
        }
    }

    /// Returns the candidate in use.
    pub fn candidate(&self) -> Option<SocketAddr> {
        self.candidates.get(self.current).copied()
    }

    /// Handles a timeout.
    pub fn handle_timeout(&mut self, now: Time) -> IceAction {
        if now < self.poll_timeout() {
            return IceAction::Nothing;
        }
        if now.since(self.answered_at) > CONSENT_TIMEOUT {
            self.state = IceState::Failed;
            return IceAction::Nothing;
        }
        if self.state == IceState::Checking && self.checks >= CHECKS_MAX {
            return self.next_candidate();
        }
        let wait = match self.state {
            IceState::Checking => RETRY_START * (1 << self.checks.min(3)),
            _ => CONSENT_INTERVAL - Duration::from_millis(self.rng.below(1_000)),
        };
        self.next = now + wait;
        self.checks += 1;
        IceAction::Send(self.request())
    }

    /// Moves on to the next candidate.
    pub fn next_candidate(&mut self) -> IceAction {
        self.current += 1;
        self.checks = 0;
        match self.candidate() {
            Some(candidate) => IceAction::Connect(candidate),
            None => {
                self.state = IceState::Failed;
                IceAction::Nothing
            }
        }
    }

    /// Handles a STUN message. Returns whether it is the first authenticated response.
    pub fn handle_packet(&mut self, now: Time, packet: &[u8]) -> bool {
        let Ok(message) = StunMessage::parse(packet) else {
            return false;
        };
        let is_response = message.class == Class::Success
            && message.transaction_id == self.transaction
            && message.verify(&self.key);
        if !is_response {
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
        let mut id = self.rng.next_u32().to_be_bytes().into_iter().cycle();
        let prefix = u64::from(self.rng.next_u32()).to_be_bytes();
        let fresh = prefix.into_iter().chain(id.by_ref());
        self.transaction
            .iter_mut()
            .zip(fresh)
            .for_each(|(out, byte)| *out = byte);
        let request = BindingRequest {
            transaction_id: self.transaction,
            username: &self.username,
            priority: PRIORITY,
            role: IceRole::Controlling(self.tie_breaker),
            use_candidate: true,
            nomination: None,
            network_info: None,
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
    use crate::seeded_rng;

    fn ice(candidates: &[&str]) -> Ice {
        let remote = RemoteIce {
            ufrag: "server".to_owned(),
            password: "secret".to_owned(),
            candidates: candidates.iter().map(|it| it.parse().unwrap()).collect(),
        };
        Ice::new(
            Time::ZERO,
            remote,
            SeededRng::new(&mut seeded_rng::seeded(3)),
        )
    }

    fn response(request: &[u8], password: &str) -> Vec<u8> {
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
    fn authenticated_response_connects_once_and_consent_is_renewed() {
        let mut ice = ice(&["127.0.0.1:1"]);
        let IceAction::Send(request) = ice.handle_timeout(Time::ZERO) else {
            panic!("no check");
        };
        let now = Time::from_millis(2);
        assert!(!ice.handle_packet(now, &response(&request, "other")));
        assert!(ice.handle_packet(now, &response(&request, "secret")));
        assert_eq!(ice.state(), IceState::Connected);
        assert_eq!(
            ice.handle_timeout(Time::from_millis(4_900)),
            IceAction::Nothing
        );
        let IceAction::Send(renewal) = ice.handle_timeout(Time::from_millis(5_010)) else {
            panic!("no renewal");
        };
        assert!(
            !ice.handle_packet(now, &response(&request, "secret")),
            "the response is outdated"
        );
        assert!(
            !ice.handle_packet(now, &response(&renewal, "secret")),
            "the agent is connected already"
        );
    }

    #[test]
    fn next_candidate_is_tried_when_one_does_not_respond() {
        let mut ice = ice(&["127.0.0.1:1", "127.0.0.1:2"]);
        let mut now = Time::ZERO;
        let mut seen = Vec::new();
        while ice.state() == IceState::Checking {
            now = now.max(ice.poll_timeout());
            match ice.handle_timeout(now) {
                IceAction::Connect(candidate) => seen.push(candidate.port()),
                IceAction::Send(_) | IceAction::Nothing => {}
            }
        }
        assert_eq!(seen, [2]);
        assert_eq!(ice.state(), IceState::Failed);
    }

    #[test]
    fn agent_fails_when_consent_is_lost() {
        let mut ice = ice(&["127.0.0.1:1"]);
        let IceAction::Send(request) = ice.handle_timeout(Time::ZERO) else {
            panic!("no check");
        };
        ice.handle_packet(Time::ZERO, &response(&request, "secret"));
        while ice.state() == IceState::Connected {
            let now = ice.poll_timeout();
            assert!(now < Time::from_millis(60_000));
            ice.handle_timeout(now);
        }
        assert_eq!(ice.state(), IceState::Failed);
    }
}
