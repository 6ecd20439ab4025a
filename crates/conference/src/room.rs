//! One room: its participants in order of joining, its lobby, and its policy. Contains no media and
//! sends no messages.

mod audience;
mod breakouts;
mod conversation;
mod hosting;
mod last_n;
mod life;
mod presence;
mod speaker;

use std::sync::Arc;

use watersmeet_wire::units::{Map, Time};

use crate::bans::Bans;
use crate::limits::{CONNECTION_TEST_TRANSPORTS_MAX, ForwardingLimits};
use crate::message::{
    ClientDevice, ParticipantSummary, PeerId, Policy, ProducerSummary, Role, SessionId, User,
};
use crate::seats::{Identity, ResumeKey, Seats};

pub(crate) use self::breakouts::Breakouts;
use self::conversation::Conversation;
pub(crate) use self::conversation::{ChatEntry, NewPoll, PersonId};
pub(crate) use self::hosting::Hosting;
use self::last_n::LastN;
pub(crate) use self::life::{RoomLife, Stay};
pub(crate) use self::presence::{Presence, PresenceChange, PresenceLog, Scope, Visibility};
use self::speaker::RoomSpeaker;

/// Participants, lobby, policy and reservation of one room.
#[derive(Debug)]
pub(crate) struct Room {
    /// Participants, by number.
    participants: Map<u64, Participant>,
    /// Sessions that prepare to join and are not announced yet, by number.
    unseen: Map<u64, SessionId>,
    /// Participants that wait until a host admits them, by number.
    waiting: Map<u64, Participant>,
    /// Rule that decides who may enter.
    policy: Policy,
    /// Whether the policy is set. Otherwise the first participant may choose it.
    is_policy_set: bool,
    /// Time at which the room was created.
    created_at: Time,
    /// Name of the person who created it in advance.
    host_name: Option<Arc<str>>,
    /// Name of the meeting for people to read.
    title: Option<Arc<str>>,
    /// Whether those in the lobby were told that a host is in the room.
    is_lobby_told_of_host: bool,
    /// Whether tokens decide who is a host. Otherwise the first participant is the host.
    has_host_token: bool,
    /// Time until which the room is kept without participants.
    reserved_until: Option<Time>,
    /// Seats of participants whose connection was lost.
    pub(crate) seats: Seats,
    /// Participants that may not come back.
    pub(crate) bans: Bans,
    /// Spotlight, and the rule for sharing screens.
    pub(crate) hosting: Hosting,
    /// Its breakout rooms, while they are open.
    pub(crate) breakouts: Option<Breakouts>,
    /// Main room of a breakout room.
    main: Option<Arc<str>>,
    /// The connection test for which the room exists.
    connection_test: Option<ConnectionTest>,
    /// Number of the next session that enters or waits.
    next_number: u64,
    /// Changes of presence that were not told yet, and what was told of the number of participants.
    presence_log: PresenceLog,
    /// Active speaker, and the one of whom the participants were told last.
    pub(crate) speaker: RoomSpeaker,
    /// Chat, raised hands and polls.
    pub(crate) conversation: Conversation,
    /// Order of the cameras, where participants are sent only some.
    pub(crate) last_n: LastN,
    /// Voices that each participant is sent, the loudest ones; 0 means all.
    top_n_audio: u8,
    /// Its life, from the first participant on.
    pub(crate) life: Option<RoomLife>,
}

/// Properties of a room that is created in advance.
#[derive(Debug)]
pub(crate) struct Reservation {
    /// Name of the person who creates it.
    pub host_name: Option<Arc<str>>,
    /// Name of the meeting for people to read.
    pub title: Option<Arc<str>>,
    /// Policy of the room. `None` lets the first participant choose it.
    pub policy: Option<Policy>,
    /// Whether tokens decide who is a host.
    pub has_host_token: bool,
    /// Time until which the room is kept without participants.
    pub until: Time,
    /// Numbers of cameras and voices that are forwarded to each participant.
    pub forwarding: ForwardingLimits,
}

/// Participant of a room. Only the room itself changes it.
#[derive(Debug, Clone)]
pub(crate) struct Participant {
    /// Session of the participant's connection.
    pub session: SessionId,
    /// Id by which others know the participant.
    pub peer: PeerId,
    /// Name shown to others.
    pub display_name: Option<Arc<str>>,
    /// User named by its token.
    pub user: Option<User>,
    /// Whether the display name is that of a token, which its bearer may not change.
    pub has_signed_name: bool,
    /// Whether the id was chosen by the client and proves nothing.
    pub has_claimed_id: bool,
    /// Claimed user id, not verified.
    pub claimed_user: Option<Arc<str>>,
    /// Software of the client.
    pub device: Option<Arc<ClientDevice>>,
    /// Role in the room.
    pub role: Role,
    /// Whether nothing arrives from the participant at the moment.
    pub is_interrupted: bool,
    /// Whether the participant may receive media.
    pub can_subscribe: bool,
    /// Secret by which its client is recognised when it comes back.
    pub resume: Option<ResumeKey>,
    /// Visibility of the participant to others, and of others to it. The room decides it on entry.
    pub presence: Presence,
    /// Person that the participant is, also after it has come back. The room decides it on entry.
    pub person: PersonId,
    /// Its stay in the meeting, which begins when it enters.
    pub stay: Option<Stay>,
}

/// State of a connection test.
#[derive(Debug)]
struct ConnectionTest {
    /// Time at which it ends.
    until: Time,
    /// Transports that it has had, closed ones included.
    transports: usize,
}

impl Room {
    /// Returns an empty room.
    pub(crate) fn new(now: Time, policy: Policy, forwarding: ForwardingLimits) -> Self {
        Self {
            participants: Map::new(),
            unseen: Map::new(),
            waiting: Map::new(),
            policy,
            is_policy_set: false,
            created_at: now,
            host_name: None,
            title: None,
            is_lobby_told_of_host: false,
            has_host_token: false,
            reserved_until: None,
            seats: Seats::default(),
            bans: Bans::default(),
            hosting: Hosting::default(),
            breakouts: None,
            main: None,
            connection_test: None,
            next_number: 0,
            presence_log: PresenceLog::default(),
            speaker: RoomSpeaker::default(),
            conversation: Conversation::default(),
            last_n: LastN::new(forwarding.last_n_video),
            top_n_audio: forwarding.top_n_audio,
            life: None,
        }
    }

    /// Returns an empty room that is reserved for its first participant.
    pub(crate) fn reserved(now: Time, default_policy: Policy, reservation: Reservation) -> Self {
        let policy = reservation.policy.unwrap_or(default_policy);
        Self {
            is_policy_set: reservation.policy.is_some(),
            host_name: reservation.host_name,
            title: reservation.title,
            has_host_token: reservation.has_host_token,
            reserved_until: Some(reservation.until),
            ..Self::new(now, policy, reservation.forwarding)
        }
    }

    /// Adds a participant and returns its number. Up to `presence_max` participants are listed.
    pub(crate) fn enter(&mut self, mut participant: Participant, presence_max: usize) -> u64 {
        participant.presence = self.presence_on_join(participant.role, presence_max);
        participant.person = self.conversation.people.recognise(&participant.identity());
        self.count_entry(participant.presence);
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

    /// Adds a participant to the lobby and returns its number.
    pub(crate) fn enter_lobby(&mut self, participant: Participant) -> u64 {
        let number = self.next_number();
        self.waiting.insert(number, participant);
        number
    }

    /// Removes the participant or unseen session with this number. Returns the participant.
    pub(crate) fn leave(&mut self, number: u64) -> Option<Participant> {
        self.unseen.remove(&number);
        let left = self.participants.remove(&number)?;
        self.count_exit(left.presence);
        self.speaker.remove(&left.peer);
        self.last_n.remove(&left.peer);
        Some(left)
    }

    /// Removes the unseen session with this number.
    pub(crate) fn remove_unseen(&mut self, number: u64) {
        self.unseen.remove(&number);
    }

    /// Removes a participant from the lobby and returns it.
    pub(crate) fn leave_lobby(&mut self, number: u64) -> Option<Participant> {
        self.waiting.remove(&number)
    }

    /// Ends the reservation and returns its deadline.
    pub(crate) const fn end_reservation(&mut self) -> Option<Time> {
        self.reserved_until.take()
    }

    /// Returns the time until which the room is kept without participants.
    pub(crate) const fn reserved_until(&self) -> Option<Time> {
        self.reserved_until
    }

    /// Returns whether the room has neither participants nor unseen sessions.
    pub(crate) fn is_empty(&self) -> bool {
        self.participants.is_empty() && self.unseen.is_empty()
    }

    /// Returns whether the room has no participants, no lobby, no reservation and no host who is
    /// expected back.
    pub(crate) fn is_unused(&self) -> bool {
        self.is_empty()
            && self.waiting.is_empty()
            && self.reserved_until.is_none()
            && !self.seats.expects_host()
            && self.breakouts.is_none()
            && self.main.is_none()
    }

    /// Makes this the breakout room of a main room, from which hosts come.
    pub(crate) fn make_breakout(&mut self, main: Arc<str>, title: Arc<str>) {
        self.main = Some(main);
        self.title = Some(title);
        self.has_host_token = true;
    }

    /// Returns the main room of a breakout room.
    pub(crate) const fn main(&self) -> Option<&Arc<str>> {
        self.main.as_ref()
    }

    /// Returns an empty room for the connection test of one session, without hosts.
    pub(crate) fn for_connection_test(now: Time, until: Time) -> Self {
        Self {
            has_host_token: true,
            connection_test: Some(ConnectionTest {
                until,
                transports: 0,
            }),
            ..Self::new(now, Policy::Locked, ForwardingLimits::default())
        }
    }

    /// Returns the time at which the connection test ends for which the room exists.
    pub(crate) fn test_until(&self) -> Option<Time> {
        self.connection_test.as_ref().map(|it| it.until)
    }

    /// Returns whether the room exists for a connection test.
    pub(crate) const fn is_connection_test(&self) -> bool {
        self.connection_test.is_some()
    }

    /// Counts a transport, if the room is that of a connection test. Returns false, and counts nothing, when that
    /// has had as many as it may.
    pub(crate) fn take_test_transport(&mut self) -> bool {
        let Some(test) = &mut self.connection_test else {
            return true;
        };
        let is_left = test.transports < CONNECTION_TEST_TRANSPORTS_MAX;
        if is_left {
            test.transports += 1;
        }
        is_left
    }

    /// Returns whether nobody can join the room: those inside were moved there.
    pub(crate) const fn is_closed_to_joining(&self) -> bool {
        self.main.is_some() || self.is_connection_test()
    }

    /// Returns whether a host is in a breakout room, or expected back after a lost connection.
    fn expects_host(&self) -> bool {
        let away = self.breakouts.as_ref();
        self.seats.expects_host() || away.is_some_and(|it| it.hosts_away().next().is_some())
    }

    /// Returns whether the room has participants.
    pub(crate) fn has_participants(&self) -> bool {
        !self.participants.is_empty()
    }

    /// Returns whether the session with this number is unseen.
    pub(crate) fn is_unseen(&self, number: u64) -> bool {
        self.unseen.contains_key(&number)
    }

    /// Returns the number of participants and unseen sessions.
    pub(crate) fn occupants_len(&self) -> usize {
        self.participants.len() + self.unseen.len()
    }

    /// Returns the number of participants.
    pub(crate) fn participants_len(&self) -> usize {
        self.participants.len()
    }

    /// Returns the number of participants in the lobby.
    pub(crate) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// Returns the participants with their numbers, in order of joining.
    pub(crate) fn participants(&self) -> impl Iterator<Item = (u64, &Participant)> {
        self.participants.iter().map(|(number, it)| (*number, it))
    }

    /// Returns the participants in the lobby with their numbers, in order of arrival.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (u64, &Participant)> {
        self.waiting.iter().map(|(number, it)| (*number, it))
    }

    /// Returns the unseen sessions with their numbers.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = (u64, SessionId)> {
        self.unseen.iter().map(|(number, it)| (*number, *it))
    }

    /// Returns the sessions that may have media in the room: participants, then unseen sessions.
    pub(crate) fn occupants(&self) -> Vec<SessionId> {
        let seen = self.participants.values().map(|it| it.session);
        seen.chain(self.unseen.values().copied()).collect()
    }

    /// Returns all sessions in the room and its lobby.
    pub(crate) fn everyone(&self) -> Vec<SessionId> {
        let mut everyone = self.occupants();
        everyone.extend(self.waiting.values().map(|it| it.session));
        everyone
    }

    /// Returns the sessions of the participants, in order of joining.
    pub(crate) fn sessions(&self) -> Vec<SessionId> {
        self.participants.values().map(|it| it.session).collect()
    }

    /// Returns the participant with this number.
    pub(crate) fn participant(&self, number: u64) -> Option<&Participant> {
        self.participants.get(&number)
    }

    /// Returns the participant with this public name.
    pub(crate) fn participant_named(&self, peer: &str) -> Option<&Participant> {
        let mut participants = self.participants.values();
        participants.find(|it| it.peer.as_str() == peer)
    }

    /// Returns the session in the lobby with this public name.
    pub(crate) fn waiting_named(&self, peer: &str) -> Option<SessionId> {
        let mut waiting = self.waiting.values();
        let found = waiting.find(|it| it.peer.as_str() == peer);
        found.map(|it| it.session)
    }

    /// Returns the participant in the room or its lobby that is the same as one that joins on
    /// another session: it has the same client, or the same user and id.
    pub(crate) fn counterpart(
        &self,
        identity: &Identity,
        peer: &PeerId,
        except: SessionId,
    ) -> Option<&Participant> {
        let mut everyone = self.participants.values().chain(self.waiting.values());
        everyone.find(|it| {
            let is_same_client = it.resume.is_some() && it.resume == identity.resume;
            let is_same_user = it.peer == *peer && it.identity().matches(identity);
            it.session != except && (is_same_client || is_same_user)
        })
    }

    /// Returns the participant in the room or its lobby with this public name.
    pub(crate) fn anyone_named(&self, peer: &PeerId) -> Option<&Participant> {
        let mut everyone = self.participants.values().chain(self.waiting.values());
        everyone.find(|it| it.peer == *peer)
    }

    /// Returns the sessions of the hosts.
    pub(crate) fn hosts(&self) -> Vec<SessionId> {
        let participants = self.participants.values();
        let hosts = participants.filter(|it| it.role == Role::Host);
        hosts.map(|it| it.session).collect()
    }

    /// Returns whether a host is in the room.
    pub(crate) fn has_host(&self) -> bool {
        let mut participants = self.participants.values();
        participants.any(|it| it.role == Role::Host)
    }

    /// Records that those in the lobby are told whether a host is in the room. Returns whether that is news.
    pub(crate) fn record_lobby_told(&mut self) -> bool {
        let has_host = self.has_host();
        let before = std::mem::replace(&mut self.is_lobby_told_of_host, has_host);
        before != has_host
    }

    /// Returns the speaker to make the host when the last host has left: the first who joined.
    /// Returns `None` where tokens decide who is a host.
    pub(crate) fn next_host(&self) -> Option<SessionId> {
        if self.has_host_token || self.expects_host() || !self.hosts().is_empty() {
            return None;
        }
        let mut participants = self.participants.values();
        let speaker = participants.find(|it| it.role == Role::Speaker);
        speaker.map(|it| it.session)
    }

    /// Returns the role of a participant who joins now. The first is the host, unless tokens decide
    /// who is a host.
    pub(crate) fn role_on_join(&self, is_host: bool, can_publish: bool) -> Role {
        let is_first = self.participants.is_empty() && !self.has_host_token && !self.expects_host();
        if !can_publish {
            Role::Viewer
        } else if is_host || is_first {
            Role::Host
        } else {
            Role::Speaker
        }
    }

    /// Returns whether a host can admit waiting participants: the room has participants, or a host
    /// may join by token.
    pub(crate) fn can_admit(&self) -> bool {
        self.has_host_token
            || self.has_participants()
            || self.expects_host()
            || self.breakouts.is_some()
    }

    /// Returns the voices that each participant is sent; 0 means all.
    pub(crate) const fn top_n_audio(&self) -> u8 {
        self.top_n_audio
    }

    /// Returns the rule that decides who may enter.
    pub(crate) const fn policy(&self) -> Policy {
        self.policy
    }

    /// Returns whether a joining participant may not choose the policy any more.
    pub(crate) fn is_policy_fixed(&self) -> bool {
        self.is_policy_set
            || self.has_participants()
            || self.expects_host()
            || self.breakouts.is_some()
    }

    /// Sets the policy that a joining participant has chosen.
    pub(crate) const fn choose_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Sets the policy at the request of a host. Returns whether that changed it.
    pub(crate) fn set_policy(&mut self, policy: Policy) -> bool {
        if self.policy == policy {
            return false;
        }
        self.policy = policy;
        self.is_policy_set = true;
        true
    }

    /// Sets the role of a participant. Returns the participant, or `None` when it had the role
    /// already or is not in the room.
    pub(crate) fn set_role(&mut self, number: u64, role: Role) -> Option<&Participant> {
        let participant = self.participants.get_mut(&number)?;
        if participant.role == role {
            return None;
        }
        participant.role = role;
        Some(participant)
    }

    /// Records whether nothing arrives from a participant. Returns the participant, or `None` when that was
    /// known already or it is not in the room.
    pub(crate) fn set_interrupted(
        &mut self,
        number: u64,
        is_interrupted: bool,
    ) -> Option<&Participant> {
        let participant = self.participants.get_mut(&number)?;
        let before = std::mem::replace(&mut participant.is_interrupted, is_interrupted);
        (before != is_interrupted).then_some(participant)
    }

    /// Sets the display name of a participant and returns the previous one.
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

    /// Returns the time at which the room was created.
    pub(crate) const fn created_at(&self) -> Time {
        self.created_at
    }

    /// Returns the name of the meeting for people to read.
    pub(crate) const fn title(&self) -> Option<&Arc<str>> {
        self.title.as_ref()
    }

    /// Returns the name of the person who created it in advance.
    pub(crate) const fn host_name(&self) -> Option<&Arc<str>> {
        self.host_name.as_ref()
    }

    /// Returns a new number for a session that enters or waits.
    const fn next_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }
}

impl Participant {
    /// Returns the proofs by which the participant is recognised when it comes back.
    pub(crate) fn identity(&self) -> Identity {
        Identity {
            resume: self.resume.clone(),
            user: self.user.as_ref().map(|it| Arc::clone(&it.id)),
        }
    }

    /// Returns the user id in the token, or else the claimed one.
    pub(crate) fn known_as(&self) -> Option<Arc<str>> {
        let user = self.user.as_ref().map(|it| Arc::clone(&it.id));
        user.or_else(|| self.claimed_user.clone())
    }

    /// Returns whether a newcomer with the same id takes the place of this participant. A token
    /// proves that both are one user; an id that a client chose only counts against another one
    /// that was chosen, by a client with the same user or also without one.
    pub(crate) fn is_replaced_by(&self, newcomer: &Self) -> bool {
        !newcomer.has_claimed_id || (self.has_claimed_id && self.user == newcomer.user)
    }

    /// Describes the participant to others.
    pub(crate) fn summary(&self, producers: Vec<ProducerSummary>) -> ParticipantSummary {
        ParticipantSummary {
            peer: self.peer.clone(),
            display_name: self.display_name.clone(),
            user: self.user.clone(),
            claimed_user: self.claimed_user.clone(),
            device: self.device.clone(),
            role: self.role,
            is_interrupted: self.is_interrupted,
            producers,
        }
    }
}
