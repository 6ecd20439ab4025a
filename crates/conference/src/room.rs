//! One room: its participants in the order they came, who waits for it, and who may enter. It knows
//! no media and sends nothing.

use std::sync::Arc;

use watersmeet_wire::units::{Map, Time};

use crate::message::{PeerId, Policy, Role, SessionId, User};

/// One room.
#[derive(Debug)]
pub(crate) struct Room {
    /// Participants, by number.
    participants: Map<u64, Participant>,
    /// Sessions that prepare to join and that others do not see yet, by number.
    unseen: Map<u64, SessionId>,
    /// Participants that wait until a host admits them, by number.
    waiting: Map<u64, Participant>,
    /// Who may enter.
    policy: Policy,
    /// Whether the policy is set. Otherwise the first participant may choose it.
    is_policy_set: bool,
    /// Time of creation.
    created_at: Time,
    /// Name of who created it in advance.
    host_name: Option<Arc<str>>,
    /// Whether hosts are known by their tokens. Otherwise the first who joins is the host.
    has_host_token: bool,
    /// Time until which it stays though nobody has joined yet.
    reserved_until: Option<Time>,
    /// Number of the next who comes.
    next_number: u64,
}

/// How a room that is created in advance differs from one that its first participant creates.
#[derive(Debug)]
pub(crate) struct Reservation {
    /// Name of who creates it.
    pub host_name: Option<Arc<str>>,
    /// Policy, when it is set.
    pub policy: Option<Policy>,
    /// Whether hosts are known by their tokens.
    pub has_host_token: bool,
    /// Time until which it stays though nobody has joined.
    pub until: Time,
}

/// Participant of a room. Only the room itself changes it.
#[derive(Debug)]
pub(crate) struct Participant {
    /// Connection.
    pub session: SessionId,
    /// Public name.
    pub peer: PeerId,
    /// Name shown to others.
    pub display_name: Option<Arc<str>>,
    /// User named by its token.
    pub user: Option<User>,
    /// User that it claims to be, shown to hosts.
    pub claimed_user: Option<Arc<str>>,
    /// Role in the room.
    pub role: Role,
    /// Whether it may receive media.
    pub can_subscribe: bool,
}

impl Room {
    /// Returns an empty room.
    pub(crate) const fn new(now: Time, policy: Policy) -> Self {
        Self {
            participants: Map::new(),
            unseen: Map::new(),
            waiting: Map::new(),
            policy,
            is_policy_set: false,
            created_at: now,
            host_name: None,
            has_host_token: false,
            reserved_until: None,
            next_number: 0,
        }
    }

    /// Returns an empty room that stays for its first participant.
    pub(crate) fn reserved(now: Time, default_policy: Policy, reservation: Reservation) -> Self {
        let policy = reservation.policy.unwrap_or(default_policy);
        Self {
            is_policy_set: reservation.policy.is_some(),
            host_name: reservation.host_name,
            has_host_token: reservation.has_host_token,
            reserved_until: Some(reservation.until),
            ..Self::new(now, policy)
        }
    }

    /// Adds a participant and returns its number.
    pub(crate) fn enter(&mut self, participant: Participant) -> u64 {
        let number = self.next_number();
        self.participants.insert(number, participant);
        self.reserved_until = None;
        number
    }

    /// Adds an unseen session and returns its number.
    pub(crate) fn enter_unseen(&mut self, session: SessionId) -> u64 {
        let number = self.next_number();
        self.unseen.insert(number, session);
        number
    }

    /// Adds a participant that waits and returns its number.
    pub(crate) fn enter_lobby(&mut self, participant: Participant) -> u64 {
        let number = self.next_number();
        self.waiting.insert(number, participant);
        number
    }

    /// Removes the participant or unseen session of a number. Returns the participant.
    pub(crate) fn leave(&mut self, number: u64) -> Option<Participant> {
        self.unseen.remove(&number);
        self.participants.remove(&number)
    }

    /// Removes the unseen session of a number.
    pub(crate) fn remove_unseen(&mut self, number: u64) {
        self.unseen.remove(&number);
    }

    /// Removes a participant that waits.
    pub(crate) fn leave_lobby(&mut self, number: u64) -> Option<Participant> {
        self.waiting.remove(&number)
    }

    /// Ends the reservation and returns the time at which it would have ended.
    pub(crate) const fn end_reservation(&mut self) -> Option<Time> {
        self.reserved_until.take()
    }

    /// Time until which it stays though nobody has joined.
    pub(crate) const fn reserved_until(&self) -> Option<Time> {
        self.reserved_until
    }

    /// Whether it has neither participants nor unseen sessions.
    pub(crate) fn is_empty(&self) -> bool {
        self.participants.is_empty() && self.unseen.is_empty()
    }

    /// Whether it has no participants, no lobby and no reservation.
    pub(crate) fn is_unused(&self) -> bool {
        self.is_empty() && self.waiting.is_empty() && self.reserved_until.is_none()
    }

    /// Whether it has participants.
    pub(crate) fn has_participants(&self) -> bool {
        !self.participants.is_empty()
    }

    /// Whether the session of a number is unseen.
    pub(crate) fn is_unseen(&self, number: u64) -> bool {
        self.unseen.contains_key(&number)
    }

    /// Number of participants and unseen sessions.
    pub(crate) fn occupants_len(&self) -> usize {
        self.participants.len() + self.unseen.len()
    }

    /// Number of participants.
    pub(crate) fn participants_len(&self) -> usize {
        self.participants.len()
    }

    /// Number of participants that wait.
    pub(crate) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Participants with their numbers, longest here first.
    pub(crate) fn participants(&self) -> impl Iterator<Item = (u64, &Participant)> {
        self.participants.iter().map(|(number, it)| (*number, it))
    }

    /// Participants that wait with their numbers, longest first.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (u64, &Participant)> {
        self.waiting.iter().map(|(number, it)| (*number, it))
    }

    /// Unseen sessions with their numbers.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = (u64, SessionId)> {
        self.unseen.iter().map(|(number, it)| (*number, *it))
    }

    /// Sessions that may have media here: participants, then unseen ones.
    pub(crate) fn occupants(&self) -> Vec<SessionId> {
        let seen = self.participants.values().map(|it| it.session);
        seen.chain(self.unseen.values().copied()).collect()
    }

    /// Sessions that are here or wait.
    pub(crate) fn everyone(&self) -> Vec<SessionId> {
        let mut everyone = self.occupants();
        everyone.extend(self.waiting.values().map(|it| it.session));
        everyone
    }

    /// Sessions of the participants, longest here first.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        self.participants.values().map(|it| it.session).collect()
    }

    /// Participant of a number.
    pub(crate) fn participant(&self, number: u64) -> Option<&Participant> {
        self.participants.get(&number)
    }

    /// Participant of a public name.
    pub(crate) fn participant_named(&self, peer: &str) -> Option<&Participant> {
        let mut participants = self.participants.values();
        participants.find(|it| it.peer.as_str() == peer)
    }

    /// Session that waits under a public name.
    pub(crate) fn waiting_named(&self, peer: &str) -> Option<SessionId> {
        let mut waiting = self.waiting.values();
        let found = waiting.find(|it| it.peer.as_str() == peer);
        found.map(|it| it.session)
    }

    /// Session that is here or waits under a public name.
    pub(crate) fn session_named(&self, peer: &PeerId) -> Option<SessionId> {
        let mut everyone = self.participants.values().chain(self.waiting.values());
        everyone.find(|it| it.peer == *peer).map(|it| it.session)
    }

    /// Sessions of the hosts.
    pub(crate) fn hosts(&self) -> Vec<SessionId> {
        let participants = self.participants.values();
        let hosts = participants.filter(|it| it.role == Role::Host);
        hosts.map(|it| it.session).collect()
    }

    /// Speaker who becomes the host now: the one longest here, when the last host has left. Where
    /// hosts are known by their tokens, the room waits for one.
    pub(crate) fn next_host(&self) -> Option<SessionId> {
        if self.has_host_token || !self.hosts().is_empty() {
            return None;
        }
        let mut participants = self.participants.values();
        let speaker = participants.find(|it| it.role == Role::Speaker);
        speaker.map(|it| it.session)
    }

    /// Role of a participant who joins now. The first is the host, unless hosts are known by tokens.
    pub(crate) fn role_on_join(&self, is_host: bool, can_publish: bool) -> Role {
        let is_first = self.participants.is_empty() && !self.has_host_token;
        if !can_publish {
            Role::Viewer
        } else if is_host || is_first {
            Role::Host
        } else {
            Role::Speaker
        }
    }

    /// Whether a host can come who admits those that wait: one is here, or is known by its token.
    pub(crate) fn can_admit(&self) -> bool {
        self.has_host_token || self.has_participants()
    }

    /// Who may enter.
    pub(crate) const fn policy(&self) -> Policy {
        self.policy
    }

    /// Whether the next who joins may not choose the policy.
    pub(crate) fn is_policy_fixed(&self) -> bool {
        self.is_policy_set || self.has_participants()
    }

    /// Takes the policy that a joining participant may choose.
    pub(crate) const fn choose_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Sets the policy by a host's decision. Returns whether that changed it.
    pub(crate) fn set_policy(&mut self, policy: Policy) -> bool {
        if self.policy == policy {
            return false;
        }
        self.policy = policy;
        self.is_policy_set = true;
        true
    }

    /// Sets the role of a participant. Returns the participant when that changed it, `None` when it
    /// had the role or is not here.
    pub(crate) fn set_role(&mut self, number: u64, role: Role) -> Option<&Participant> {
        let participant = self.participants.get_mut(&number)?;
        if participant.role == role {
            return None;
        }
        participant.role = role;
        Some(participant)
    }

    /// Sets the display name of a participant and returns the one before.
    pub(crate) fn set_display_name(
        &mut self,
        number: u64,
        display_name: Option<Arc<str>>,
    ) -> Option<Option<Arc<str>>> {
        let participant = self.participants.get_mut(&number)?;
        Some(std::mem::replace(
            &mut participant.display_name,
            display_name,
        ))
    }

    /// Time of creation.
    pub(crate) const fn created_at(&self) -> Time {
        self.created_at
    }

    /// Name of who created it in advance.
    pub(crate) const fn host_name(&self) -> Option<&Arc<str>> {
        self.host_name.as_ref()
    }

    /// Draws the number of the next who comes.
    const fn next_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }
}

impl Participant {
    /// User that it is by its token, or else claims to be.
    pub(crate) fn known_as(&self) -> Option<Arc<str>> {
        let user = self.user.as_ref().map(|it| Arc::clone(&it.id));
        user.or_else(|| self.claimed_user.clone())
    }
}
