//! Registry of WHIP sessions by the secret part of their URLs. Whoever knows a URL may end its session, so
//! that its id has 128 random bits (RFC 9725 §5).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use watersmeet_wire::sdp::IceFragment;

use super::super::connection_limit::ConnectionPermit;
use super::super::random_id;
use super::error::WhipError;

/// Most sessions at a time. Rooms have lower limits.
const SESSIONS_MAX: usize = 10_000;

/// Most commands that wait for one session; further ones wait in their requests.
const COMMANDS_MAX: usize = 4;

/// A request concerning a session.
#[derive(Debug)]
pub enum Command {
    /// Changes ICE.
    UpdateIce(IceUpdate),
    /// Ends the session.
    End {
        /// Channel that is told when the session has ended.
        response_sender: oneshot::Sender<()>,
    },
}

/// A change of ICE.
#[derive(Debug)]
pub struct IceUpdate {
    /// Value of `If-Match`.
    pub if_match: String,
    /// Candidates, or the credentials of a restart.
    pub fragment: IceFragment,
    /// Channel for the outcome.
    pub response_sender: oneshot::Sender<Result<Updated, WhipError>>,
}

/// Outcome of a change of ICE.
#[derive(Debug)]
pub enum Updated {
    /// The candidates belong to the current credentials.
    Candidates,
    /// ICE was restarted.
    Restarted {
        /// Tag of the new state.
        etag: String,
        /// Credentials and candidates of the server.
        fragment: String,
    },
}

/// Sessions of all listeners.
#[derive(Debug, Default)]
pub struct WhipSessions {
    /// Channels to the sessions, by id.
    sessions: Mutex<BTreeMap<String, mpsc::Sender<Command>>>,
    /// Sessions that were opened since the start.
    opened: AtomicU64,
}

/// Place of one session in the registry, until it is dropped.
#[derive(Debug)]
pub struct SessionSlot {
    /// Id of the session.
    id: String,
    /// Commands for the session.
    pub commands: mpsc::Receiver<Command>,
    /// The registry.
    registry: Arc<WhipSessions>,
    /// Permit of the connection over which the session was requested: it counts as a connection of its client.
    _permit: Option<Arc<ConnectionPermit>>,
}

impl WhipSessions {
    /// Registers a new session; `None` when there are too many, or the system has no randomness.
    pub fn reserve(self: &Arc<Self>, permit: Option<Arc<ConnectionPermit>>) -> Option<SessionSlot> {
        let id = random_id::generate()?;
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() >= SESSIONS_MAX {
            return None;
        }
        sessions.insert(id.clone(), sender);
        self.opened.fetch_add(1, Ordering::Relaxed);
        Some(SessionSlot {
            id,
            commands,
            registry: Arc::clone(self),
            _permit: permit,
        })
    }

    /// Returns the channel to a session.
    pub fn find(&self, id: &str) -> Option<mpsc::Sender<Command>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.get(id).cloned()
    }

    /// Returns the number of sessions.
    pub fn len(&self) -> usize {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.len()
    }

    /// Returns the number of sessions that were opened since the start.
    pub fn opened(&self) -> u64 {
        self.opened.load(Ordering::Relaxed)
    }
}

impl SessionSlot {
    /// Returns the id of the session.
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        let sessions = &self.registry.sessions;
        let mut sessions = sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_bounded_and_found_until_they_end() {
        let registry = Arc::new(WhipSessions::default());
        let mut slots: Vec<_> = (0..SESSIONS_MAX)
            .map(|_| registry.reserve(None).unwrap())
            .collect();
        assert!(registry.reserve(None).is_none());
        let ended = slots.pop().unwrap().id().to_owned();
        assert!(registry.find(&ended).is_none());
        assert!(registry.find(slots[0].id()).is_some());
        assert_eq!(registry.len(), SESSIONS_MAX - 1);
        assert!(registry.reserve(None).is_some());
    }

    #[test]
    fn ids_have_128_random_bits() {
        let registry = Arc::new(WhipSessions::default());
        let ids = [
            registry.reserve(None).unwrap(),
            registry.reserve(None).unwrap(),
        ];
        assert_ne!(ids[0].id(), ids[1].id());
        // Base64 has 6 bits per character.
        assert!(ids[0].id().len() * 6 >= 128);
    }
}
