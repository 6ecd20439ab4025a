//! ICE-lite agent: answers authenticated connectivity checks, and selects the path that the peer
//! nominates. It needs no remote credentials, and sends checks only to prove that the peer receives
//! at its address (`path_proof`). States are mediasoup's:
//!
//! 1. `New`: no authenticated check has arrived.
//! 2. `Connected`: one has arrived, and its path is selected. UDP is preferred to TCP.
//! 3. `Completed`: the peer nominated a path, by USE-CANDIDATE or a NOMINATION greater than before.
//! 4. `Disconnected`: no authenticated check arrived on any path within the consent timeout. Nothing
//!    is sent, and all paths are removed. An authenticated check reconnects. After a second consent
//!    timeout without one, consent is lost for good.
//!
//! A message that is not authenticated changes nothing and gets no response, and no response is
//! longer than its request, so that the agent cannot be used for reflection attacks.
//!
//! RFC 8445 §2.5, §7.3, §8.2; RFC 7675; draft-thatcher-ice-renomination.

mod credentials;
mod path_proof;
mod paths;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use watersmeet_wire::params::IceParameters;
use watersmeet_wire::stun::{
    BINDING, BindingRequest, Class, ErrorCode, IceRole, IntegrityKey, StunMessage, TransactionId,
    write_error, write_success,
};
use watersmeet_wire::units::{Rng, Time};

use self::credentials::Credentials;
use self::path_proof::TransactionIds;
use self::paths::{CheckedPath, Paths};
use crate::command::{IceState, Path};

pub use self::path_proof::{AMPLIFICATION_MAX, CHECKS_MAX};
pub use self::paths::{PATH_SWITCH_WINDOW, PATH_SWITCHES_MAX, PATHS_MAX};

/// Capacity of the event queue. One input queues at most ten events: eight removed paths, a state
/// change and the loss of consent.
pub const EVENTS_MAX: usize = 256;

/// Free entries of the event queue that an input needs.
const EVENTS_PER_INPUT_MAX: usize = 16;

/// Longest response in bytes. An error for unknown attributes, the longest, has 100.
const RESPONSE_LEN_MAX: usize = 128;

/// Upper bound of the length of our checks. One has about 100 bytes; the peer chooses half of the
/// USERNAME.
const CHECK_LEN_MAX: usize = 256;

/// PRIORITY of our checks: that of a host candidate (RFC 8445 §5.1.2.1). Peers ignore it.
const CHECK_PRIORITY: u32 = 0x7e00_00ff;

/// Time without a check after which a nominated path yields to one with checks. Browsers check the
/// selected path every 2.5 s or more often.
const NOMINATED_SILENCE_MAX: Duration = Duration::from_secs(5);

/// Reason a STUN message is discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceError {
    /// Not a STUN Binding message, or without FINGERPRINT.
    Malformed,
    /// Unknown USERNAME or wrong MESSAGE-INTEGRITY.
    NotAuthentic,
    /// Not a request, but an indication or a response.
    Unsolicited,
    /// The response would be longer than the request.
    TooShort,
    /// The event queue is full.
    Overloaded,
}

/// Event of the ICE agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceEvent {
    /// The state changed.
    StateChanged(IceState),
    /// A first authenticated check arrived on a path.
    PathAdded(Path),
    /// A path was removed.
    PathRemoved(Path),
    /// A username fragment is no longer valid.
    UfragRetired(String),
    /// No authenticated check arrived for twice the consent timeout.
    ConsentLost,
}

/// ICE-lite agent of one transport.
pub struct IceAgent {
    /// Credentials known to signalling.
    current: Credentials,
    /// Credentials from before a restart, until the peer uses the current ones. Boxed because they
    /// are large and rarely present.
    previous: Option<Box<Credentials>>,
    /// Current state.
    state: IceState,
    /// Paths with authenticated checks.
    paths: Paths,
    /// Greatest NOMINATION value since the last restart.
    nomination_max: u32,
    /// Time of the last authenticated check on any path.
    last_check_at: Time,
    /// Time without an authenticated check after which consent expires.
    consent_timeout: Duration,
    /// Whether consent can expire: from the first authenticated check until consent is lost for
    /// good.
    has_consent_timer: bool,
    /// The peer's username fragment, from its last authenticated check.
    peer_ufrag: String,
    /// Whether that check was written by libwebrtc.
    peer_is_libwebrtc: bool,
    /// Generator of the transaction ids of our checks.
    transaction_ids: TransactionIds,
    /// Our check to send next.
    check: Option<(Path, Vec<u8>)>,
    /// Queued events, oldest first.
    events: VecDeque<IceEvent>,
}

impl IceAgent {
    /// Creates an agent in state `New`.
    pub fn new(ufrag: String, consent_timeout: Duration, rng: &mut Rng) -> Self {
        Self {
            current: Credentials::generate(ufrag, rng),
            previous: None,
            state: IceState::New,
            paths: Paths::default(),
            nomination_max: 0,
            last_check_at: Time::ZERO,
            consent_timeout,
            has_consent_timer: false,
            peer_ufrag: String::new(),
            peer_is_libwebrtc: false,
            transaction_ids: TransactionIds::new(rng),
            check: None,
            events: VecDeque::new(),
        }
    }

    /// Returns our credentials, for the peer.
    pub fn parameters(&self) -> IceParameters {
        IceParameters {
            username_fragment: self.current.ufrag.clone(),
            password: self.current.password.clone(),
            ice_lite: true,
        }
    }

    /// Returns the state.
    pub const fn state(&self) -> IceState {
        self.state
    }

    /// Returns the selected path. `None` without consent.
    pub const fn selected_path(&self) -> Option<Path> {
        self.paths.selected()
    }

    /// Returns whether `path` had an authenticated check and consent has not expired.
    pub fn is_authenticated(&self, path: Path) -> bool {
        self.paths.contains(path)
    }

    /// Returns whether the peer's last check was written by libwebrtc.
    pub const fn peer_is_libwebrtc(&self) -> bool {
        self.peer_is_libwebrtc
    }

    /// Returns whether it is proven that the peer receives at `path`.
    #[inline]
    pub fn is_proven(&self, path: Path) -> bool {
        self.paths.is_proven(path)
    }

    /// Returns whether this many more bytes may be sent to `path`.
    pub fn allows(&self, path: Path, len: usize) -> bool {
        self.paths.allows(path, len)
    }

    /// Counts bytes received from `path`.
    #[inline]
    pub fn record_received(&mut self, path: Path, len: usize) {
        self.paths.record_received(path, len as u64);
    }

    /// Counts bytes sent to `path`.
    pub fn record_sent(&mut self, path: Path, len: usize) {
        self.paths.record_sent(path, len as u64);
    }

    /// Requires that the selected path is proven, because something waits for that. A handshake usually
    /// proves it without a check of ours.
    pub fn require_proof(&mut self, now: Time) {
        self.paths.require_proof();
        self.write_due_check(now);
    }

    /// Records that an SRTP packet of the peer, authentic and new, arrived on an unknown path: a NAT gave
    /// the peer another port. The path is selected once it is proven. Consent is not extended. The packet
    /// is counted by [`Self::record_received`] afterwards, and our check is then due.
    pub fn add_media_path(&mut self, now: Time, path: Path) {
        if !self.has_event_capacity() || self.paths.selected().is_none() {
            return;
        }
        self.add_path(now, path, 0);
        self.paths.switch_to(now, path);
    }

    /// Records that the peer receives at `path`.
    pub fn prove(&mut self, now: Time, path: Path) {
        self.paths.prove(now, path);
    }

    /// Returns our next check.
    pub fn poll_transmit(&mut self) -> Option<(Path, Vec<u8>)> {
        self.check.take()
    }

    /// Generates new credentials. Those in use stay valid until the peer uses the new ones; those
    /// that it never used are retired at once.
    pub fn restart(&mut self, ufrag: String, rng: &mut Rng) -> IceParameters {
        let unused = std::mem::replace(&mut self.current, Credentials::generate(ufrag, rng));
        if self.previous.is_some() {
            self.events.push_back(IceEvent::UfragRetired(unused.ufrag));
        } else {
            self.previous = Some(Box::new(unused));
        }
        self.parameters()
    }

    /// Handles a STUN message and returns the response; a response itself gets none.
    ///
    /// # Errors
    /// Returns the reason the message is discarded. It then changed nothing.
    pub fn handle_packet(
        &mut self,
        now: Time,
        path: Path,
        packet: &[u8],
    ) -> Result<Option<Vec<u8>>, IceError> {
        if !self.has_event_capacity() {
            return Err(IceError::Overloaded);
        }
        let message = StunMessage::parse(packet).map_err(|_| IceError::Malformed)?;
        if message.method != BINDING {
            return Err(IceError::Malformed);
        }
        if matches!(message.class, Class::Success | Class::Error) {
            return self.handle_response(now, path, &message.transaction_id);
        }
        if !message.has_fingerprint {
            return Err(IceError::Malformed);
        }
        if message.class != Class::Request {
            return Err(IceError::Unsolicited);
        }
        let (local, remote) = message.ufrags().ok_or(IceError::NotAuthentic)?;
        let is_current = local == self.current.ufrag;
        let previous = self
            .previous
            .as_deref()
            .filter(|previous| local == previous.ufrag);
        let credentials = if is_current {
            Some(&self.current)
        } else {
            previous
        };
        let credentials = credentials
            .filter(|credentials| !remote.is_empty() && message.verify(&credentials.key))
            .ok_or(IceError::NotAuthentic)?;

        let (response, is_success) =
            write_response(&message, path, credentials).ok_or(IceError::TooShort)?;
        if response.len() > packet.len() {
            return Err(IceError::TooShort);
        }
        if is_success {
            if is_current {
                self.retire_previous();
            }
            if self.peer_ufrag != remote {
                remote.clone_into(&mut self.peer_ufrag);
            }
            self.peer_is_libwebrtc = message.has_network_info;
            self.accept_check(now, path, packet.len(), &message);
            self.write_due_check(now);
        }
        Ok(Some(response))
    }

    /// Handles the answer to a check of ours.
    fn handle_response(
        &mut self,
        now: Time,
        path: Path,
        transaction_id: &TransactionId,
    ) -> Result<Option<Vec<u8>>, IceError> {
        let proven = self.paths.find_check(path, transaction_id);
        let proven = proven.ok_or(IceError::Unsolicited)?;
        self.paths.prove(now, proven);
        Ok(None)
    }

    /// Writes our next check if one is due and may be sent.
    fn write_due_check(&mut self, now: Time) {
        let Some((path, transaction_id)) = self.paths.take_due_check(now) else {
            return;
        };
        let request = BindingRequest {
            transaction_id,
            username: &format!("{}:{}", self.peer_ufrag, self.current.ufrag),
            priority: CHECK_PRIORITY,
            role: IceRole::Controlled(0),
            use_candidate: false,
            nomination: None,
            network_info: None,
        };
        let mut out = [0; CHECK_LEN_MAX];
        let key = IntegrityKey::from_bytes(&transaction_id);
        let written = request.write(&mut out, &key).and_then(|len| out.get(..len));
        if let Some(check) = written.filter(|it| self.paths.allows(path, it.len())) {
            self.check = Some((path, check.to_vec()));
        }
    }

    /// Removes a path whose TCP connection closed.
    pub fn handle_path_closed(&mut self, now: Time, path: Path) {
        let was_selected = self.paths.selected() == Some(path);
        if !self.paths.remove(path) {
            return;
        }
        self.events.push_back(IceEvent::PathRemoved(path));
        if was_selected {
            match self.paths.most_recent() {
                Some(other) => self.paths.switch_to(now, other),
                None => self.set_state(IceState::Disconnected),
            }
        }
    }

    /// Expires consent, and makes a postponed path switch.
    pub fn handle_timeout(&mut self, now: Time) {
        if !self.has_event_capacity() {
            return;
        }
        self.paths.handle_timeout(now);
        self.write_due_check(now);
        if !self.has_consent_timer {
            return;
        }
        let silence = now.since(self.last_check_at);
        if silence >= self.consent_timeout && self.state != IceState::Disconnected {
            while let Some(path) = self.paths.remove_first() {
                self.events.push_back(IceEvent::PathRemoved(path));
            }
            self.set_state(IceState::Disconnected);
        }
        if silence >= self.consent_timeout.saturating_mul(2) {
            self.has_consent_timer = false;
            self.events.push_back(IceEvent::ConsentLost);
        }
    }

    /// Returns when to call [`Self::handle_timeout`].
    pub fn poll_timeout(&self) -> Time {
        let consent = match (self.has_consent_timer, self.state) {
            (false, _) => Time::FAR_FUTURE,
            (true, IceState::Disconnected) => {
                self.last_check_at + self.consent_timeout.saturating_mul(2)
            }
            (true, _) => self.last_check_at + self.consent_timeout,
        };
        let paths = self.paths.poll_timeout().min(self.paths.poll_check());
        consent.min(paths)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<IceEvent> {
        self.events.pop_front()
    }

    /// Returns all paths with authenticated checks.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.paths.iter()
    }

    /// Returns the valid username fragments.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.current)
            .chain(self.previous.as_deref())
            .map(|known| known.ufrag.as_str())
    }

    /// Treats `path` as authenticated and nominated. Consent does not expire.
    #[cfg(feature = "sim")]
    pub fn assume_connected(&mut self, now: Time, path: Path) {
        self.paths
            .record_check(now, path, 0, &mut self.transaction_ids);
        self.paths.prove(now, path);
        self.paths.switch_to(now, path);
        self.events.push_back(IceEvent::PathAdded(path));
        self.set_state(IceState::Completed);
    }

    /// Records an authenticated check, and selects its path if it is nominated or better.
    fn accept_check(&mut self, now: Time, path: Path, len: usize, message: &StunMessage<'_>) {
        self.last_check_at = now;
        self.has_consent_timer = true;
        let silence = self.paths.selected_silence(now);
        self.add_path(now, path, len);
        // With renomination only a greater NOMINATION value nominates.
        let is_nominated = match message.nomination {
            Some(nomination) => nomination > self.nomination_max,
            None => message.use_candidate,
        };
        self.nomination_max = self.nomination_max.max(message.nomination.unwrap_or(0));
        let was_nominated = self.state == IceState::Completed;
        let replaces_silent = was_nominated && silence >= NOMINATED_SILENCE_MAX;
        let is_first = self.paths.selected().is_none();
        let is_better = !was_nominated && self.paths.prefers(path);
        if is_first || is_nominated || replaces_silent || is_better {
            self.paths.switch_to(now, path);
        }
        self.set_state(if is_nominated || was_nominated {
            IceState::Completed
        } else {
            IceState::Connected
        });
    }

    /// Records `len` bytes from an authentic path, which is added when it is unknown.
    fn add_path(&mut self, now: Time, path: Path, len: usize) {
        let ids = &mut self.transaction_ids;
        let checked = self.paths.record_check(now, path, len as u64, ids);
        if let CheckedPath::Added { evicted } = checked {
            if let Some(evicted) = evicted {
                self.events.push_back(IceEvent::PathRemoved(evicted));
            }
            self.events.push_back(IceEvent::PathAdded(path));
        }
    }

    /// Retires the credentials from before a restart once the peer uses the current ones, and
    /// resets the greatest NOMINATION.
    fn retire_previous(&mut self) {
        if let Some(previous) = self.previous.take() {
            self.nomination_max = 0;
            self.events
                .push_back(IceEvent::UfragRetired(previous.ufrag));
        }
    }

    fn set_state(&mut self, state: IceState) {
        if state == IceState::Disconnected {
            self.nomination_max = 0;
        }
        if state != self.state {
            self.state = state;
            self.events.push_back(IceEvent::StateChanged(state));
        }
    }

    fn has_event_capacity(&self) -> bool {
        self.events.len() + EVENTS_PER_INPUT_MAX <= EVENTS_MAX
    }
}

/// Returns the response to an authenticated request, and whether it is a success. `None` when it
/// exceeds [`RESPONSE_LEN_MAX`], which no request of a browser causes.
fn write_response(
    message: &StunMessage<'_>,
    path: Path,
    credentials: &Credentials,
) -> Option<(Vec<u8>, bool)> {
    let mut out = [0; RESPONSE_LEN_MAX];
    let (id, key) = (&message.transaction_id, &credentials.key);
    let error = if !message.unknown_attributes.is_empty() {
        Some(ErrorCode::UnknownAttribute)
    } else if matches!(message.role, Some(IceRole::Controlled(_))) {
        // A lite agent is always controlled (RFC 8445 §6.1.1).
        Some(ErrorCode::RoleConflict)
    } else {
        None
    };
    let len = match error {
        Some(code) => write_error(&mut out, id, code, &message.unknown_attributes, Some(key))?,
        None => {
            let remote = SocketAddr::new(path.remote.ip().to_canonical(), path.remote.port());
            write_success(&mut out, id, remote, key)?
        }
    };
    Some((out.get(..len)?.to_vec(), error.is_none()))
}
