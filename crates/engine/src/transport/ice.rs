//! ICE as a lite agent speaks it: peers send checks, we answer the authentic ones, and media goes
//! where the peer nominated. We make no checks of our own and learn no remote credentials; the
//! states are mediasoup's.
//!
//! 1. `New`: no authentic check came.
//! 2. `Connected`: one came; its path is used. UDP takes over from TCP.
//! 3. `Completed`: the peer nominated a path (USE-CANDIDATE, or a NOMINATION greater than before).
//! 4. `Disconnected`: no authentic check on any path for the consent time; nothing is sent and all
//!    paths are forgotten. One authentic check leads back. After the consent time again without
//!    one, consent counts as lost for good.
//!
//! A message that is not authentic changes nothing and gets no answer, and no answer is longer
//! than its request: there is nothing here to reflect an attack with.
//!
//! Not built: proof that a new path is reachable before more than three times the bytes received
//! on it are sent there. It takes checks of our own, and for those the peer's password, which
//! mediasoup's signalling does not carry. What bounds an authenticated peer who forges his
//! address: eight paths, two moves a second, and consent.
//!
//! RFC 8445 §2.5, §7.3, §8.2; RFC 7675; draft-thatcher-ice-renomination.

mod credentials;
mod paths;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use watersmeet_wire::params::IceParameters;
use watersmeet_wire::stun::{
    BINDING, Class, ErrorCode, IceRole, StunMessage, write_error, write_success,
};
use watersmeet_wire::units::{Rng, Time};

use self::credentials::Credentials;
use self::paths::{Heard, Paths};
use crate::command::{IceState, Path};

pub use self::paths::{PATH_SWITCH_WINDOW, PATH_SWITCHES_MAX, PATHS_MAX};

/// Events waiting to be read. One input makes ten at most: eight paths gone, a change of state,
/// and the end.
pub const EVENTS_MAX: usize = 256;

/// Events that one input may make.
const EVENTS_PER_INPUT_MAX: usize = 16;

/// Room for any answer; the longest, a refusal of unknown attributes, has 100 B.
const ANSWER_LEN_MAX: usize = 128;

/// How long a nominated path may be silent before another one that is not is used. Browsers check
/// the path in use every 2.5 s at least.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Why a STUN message was thrown away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceError {
    /// No STUN message of ICE, or without FINGERPRINT.
    Malformed,
    /// Not from somebody who knows the password.
    NotAuthentic,
    /// Nothing that could be answered: an indication, or an answer to no question.
    Unsolicited,
    /// The answer would be longer than the request.
    TooShort,
    /// Events were not read for too long.
    Overloaded,
}

/// What happened to ICE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IceEvent {
    /// The state is another.
    StateChanged(IceState),
    /// A path was authenticated.
    PathAdded(Path),
    /// A path is no longer this transport's.
    PathRemoved(Path),
    /// A user fragment names this transport no more.
    UfragRetired(String),
    /// The peer stayed away for twice the consent time.
    ConsentLost,
}

/// One transport's ICE.
pub struct Ice {
    /// Named in signalling.
    current: Credentials,
    /// From before a restart, until the peer uses the current ones. Rarely there, and large.
    previous: Option<Box<Credentials>>,
    /// Where it stands.
    state: IceState,
    /// Where the peer was heard.
    paths: Paths,
    /// Greatest NOMINATION since the last restart.
    nomination_max: u32,
    /// The last authentic check on any path.
    heard_at: Time,
    /// How long consent lasts.
    consent_timeout: Duration,
    /// Whether consent can run out: from the first authentic check until it is lost for good.
    is_watched: bool,
    /// Waiting to be read, oldest first.
    events: VecDeque<IceEvent>,
}

impl Ice {
    /// ICE that waits for its peer.
    pub fn new(ufrag: String, consent_timeout: Duration, rng: &mut Rng) -> Self {
        Self {
            current: Credentials::draw(ufrag, rng),
            previous: None,
            state: IceState::New,
            paths: Paths::default(),
            nomination_max: 0,
            heard_at: Time::ZERO,
            consent_timeout,
            is_watched: false,
            events: VecDeque::new(),
        }
    }

    /// What the peer must know.
    pub fn parameters(&self) -> IceParameters {
        IceParameters {
            username_fragment: self.current.ufrag.clone(),
            password: self.current.password.clone(),
            ice_lite: true,
        }
    }

    /// Where it stands.
    pub const fn state(&self) -> IceState {
        self.state
    }

    /// Where to send; none without consent.
    pub const fn selected(&self) -> Option<Path> {
        self.paths.selected()
    }

    /// Whether an authentic check came on `path`, and consent lasts.
    pub fn is_authenticated(&self, path: Path) -> bool {
        self.paths.contains(path)
    }

    /// Draws new credentials. Those that the peer uses hold until it uses the new ones; those that
    /// it never used are retired at once.
    pub fn restart(&mut self, ufrag: String, rng: &mut Rng) -> IceParameters {
        let unused = std::mem::replace(&mut self.current, Credentials::draw(ufrag, rng));
        if self.previous.is_some() {
            self.events.push_back(IceEvent::UfragRetired(unused.ufrag));
        } else {
            self.previous = Some(Box::new(unused));
        }
        self.parameters()
    }

    /// Takes a STUN message; the answer, if it deserves one.
    ///
    /// # Errors
    /// Why it was thrown away, to be counted. It changed nothing then.
    pub fn handle_packet(
        &mut self,
        now: Time,
        path: Path,
        packet: &[u8],
    ) -> Result<Vec<u8>, IceError> {
        if !self.has_room() {
            return Err(IceError::Overloaded);
        }
        let message = StunMessage::parse(packet).map_err(|_| IceError::Malformed)?;
        if message.method != BINDING || !message.has_fingerprint {
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

        let (answer, is_success) = answer(&message, path, credentials).ok_or(IceError::TooShort)?;
        if answer.len() > packet.len() {
            return Err(IceError::TooShort);
        }
        if is_success {
            if is_current {
                self.retire_previous();
            }
            self.accept(now, path, &message);
        }
        Ok(answer)
    }

    /// A path's connection ended.
    pub fn handle_path_closed(&mut self, now: Time, path: Path) {
        let was_selected = self.paths.selected() == Some(path);
        if !self.paths.remove(path) {
            return;
        }
        self.events.push_back(IceEvent::PathRemoved(path));
        if was_selected {
            match self.paths.latest() {
                Some(other) => self.paths.choose(now, other),
                None => self.enter(IceState::Disconnected),
            }
        }
    }

    /// Lets consent run out, and makes the move that was put off.
    pub fn handle_timeout(&mut self, now: Time) {
        if !self.has_room() {
            return;
        }
        self.paths.handle_timeout(now);
        if !self.is_watched {
            return;
        }
        let silence = now.since(self.heard_at);
        if silence >= self.consent_timeout && self.state != IceState::Disconnected {
            while let Some(path) = self.paths.pop() {
                self.events.push_back(IceEvent::PathRemoved(path));
            }
            self.enter(IceState::Disconnected);
        }
        if silence >= self.consent_timeout.saturating_mul(2) {
            self.is_watched = false;
            self.events.push_back(IceEvent::ConsentLost);
        }
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Time {
        let consent = match (self.is_watched, self.state) {
            (false, _) => Time::FAR_FUTURE,
            (true, IceState::Disconnected) => {
                self.heard_at + self.consent_timeout.saturating_mul(2)
            }
            (true, _) => self.heard_at + self.consent_timeout,
        };
        consent.min(self.paths.poll_timeout())
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<IceEvent> {
        self.events.pop_front()
    }

    /// All paths on which the peer was heard.
    pub fn paths(&self) -> impl Iterator<Item = Path> + '_ {
        self.paths.iter()
    }

    /// The user fragments that name this transport.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.current)
            .chain(self.previous.as_deref())
            .map(|known| known.ufrag.as_str())
    }

    /// Takes `path` for authenticated and nominated, and consent for everlasting.
    #[cfg(feature = "sim")]
    pub fn assume_connected(&mut self, now: Time, path: Path) {
        self.paths.hear(now, path);
        self.paths.choose(now, path);
        self.events.push_back(IceEvent::PathAdded(path));
        self.enter(IceState::Completed);
    }

    /// An authentic check came.
    fn accept(&mut self, now: Time, path: Path, message: &StunMessage<'_>) {
        self.heard_at = now;
        self.is_watched = true;
        let silence = self.paths.silence(now);
        if let Heard::New { evicted } = self.paths.hear(now, path) {
            if let Some(evicted) = evicted {
                self.events.push_back(IceEvent::PathRemoved(evicted));
            }
            self.events.push_back(IceEvent::PathAdded(path));
        }
        // Renomination: the attribute decides, and only a greater one moves the path.
        let is_nominated = match message.nomination {
            Some(nomination) => nomination > self.nomination_max,
            None => message.use_candidate,
        };
        self.nomination_max = self.nomination_max.max(message.nomination.unwrap_or(0));
        let was_nominated = self.state == IceState::Completed;
        let is_rescue = was_nominated && silence >= SILENCE_MAX;
        let is_first = self.paths.selected().is_none();
        let is_better = !was_nominated && self.paths.prefers(path);
        if is_first || is_nominated || is_rescue || is_better {
            self.paths.choose(now, path);
        }
        self.enter(if is_nominated || was_nominated {
            IceState::Completed
        } else {
            IceState::Connected
        });
    }

    /// The peer uses the current credentials: those from before the restart are over, and
    /// nominations count from the beginning.
    fn retire_previous(&mut self) {
        if let Some(previous) = self.previous.take() {
            self.nomination_max = 0;
            self.events
                .push_back(IceEvent::UfragRetired(previous.ufrag));
        }
    }

    fn enter(&mut self, state: IceState) {
        if state == IceState::Disconnected {
            self.nomination_max = 0;
        }
        if state != self.state {
            self.state = state;
            self.events.push_back(IceEvent::StateChanged(state));
        }
    }

    fn has_room(&self) -> bool {
        self.events.len() + EVENTS_PER_INPUT_MAX <= EVENTS_MAX
    }
}

/// The answer to an authentic request, and whether it is a success. `None` when it does not fit,
/// which no request of a browser causes.
fn answer(
    message: &StunMessage<'_>,
    path: Path,
    credentials: &Credentials,
) -> Option<(Vec<u8>, bool)> {
    let mut out = [0; ANSWER_LEN_MAX];
    let (id, key) = (&message.transaction_id, &credentials.key);
    let refusal = if !message.unknown_attributes.is_empty() {
        Some(ErrorCode::UnknownAttribute)
    } else if matches!(message.role, Some(IceRole::Controlled(_))) {
        // A lite agent is always controlled (RFC 8445 §6.1.1).
        Some(ErrorCode::RoleConflict)
    } else {
        None
    };
    let len = match refusal {
        Some(code) => write_error(&mut out, id, code, &message.unknown_attributes, Some(key))?,
        None => {
            let remote = SocketAddr::new(path.remote.ip().to_canonical(), path.remote.port());
            write_success(&mut out, id, remote, key)?
        }
    };
    Some((out.get(..len)?.to_vec(), refusal.is_none()))
}
