//! Tells participants who is in their room, and who is speaking. Decides when; `room::presence` decides
//! who is told of whom.

use std::sync::Arc;

use super::Conference;
use super::timers::Timer;
use crate::message::{Notice, Role, SessionId};
use crate::room::{Participant, Presence, PresenceChange, Scope, Visibility};

impl Conference {
    /// Tells the others of a participant that entered.
    pub(super) fn tell_arrival(&mut self, name: &Arc<str>, number: u64) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let change = room.participant(number).and_then(|it| {
            Some(PresenceChange {
                subject: it.session,
                number,
                receivers: 0..number,
                scope: Scope::of(it.presence.visibility)?,
                notice: arrival(it),
            })
        });
        if let Some(change) = change {
            room.log_presence(change);
        }
        self.tell_presence(name);
    }

    /// Tells the others that a participant has left. `left` is its record in the room.
    pub(super) fn tell_departure(
        &mut self,
        name: &Arc<str>,
        number: u64,
        left: &Participant,
        notice: Notice,
    ) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        if let Some(scope) = Scope::of(left.presence.visibility) {
            let receivers = 0..room.numbers_end();
            room.log_presence(PresenceChange {
                subject: left.session,
                number,
                receivers,
                scope,
                notice,
            });
        }
        self.tell_presence(name);
        self.list_audience(name);
    }

    /// Makes a participant visible to everybody, because it publishes or its role is raised. A host
    /// is also told of the listed participants.
    pub(super) fn show_to_everybody(&mut self, name: &str, number: u64, role: Role) {
        let Some((name, room)) = self.rooms.get_key_value(name) else {
            return;
        };
        let name = Arc::clone(name);
        let Some(participant) = room.participant(number) else {
            return;
        };
        let (session, before) = (participant.session, participant.presence);
        let change = PresenceChange {
            subject: session,
            number,
            receivers: 0..room.numbers_end(),
            scope: match before.visibility {
                Visibility::Listed => Scope::SeesNoList,
                Visibility::Everybody | Visibility::Counted => Scope::All,
            },
            notice: arrival(participant),
        };
        let presence = Presence {
            visibility: Visibility::Everybody,
            sees_list: before.sees_list || role == Role::Host,
        };
        if presence.sees_list && !before.sees_list {
            let is_new = |it: &Participant| presence.sees(it.presence) && !before.sees(it.presence);
            self.tell_of(&name, session, is_new);
        }
        let Some(room) = self.rooms.get_mut(&name) else {
            return;
        };
        room.set_presence(number, presence);
        if before.visibility != Visibility::Everybody {
            room.log_presence(change);
            self.tell_presence(&name);
        }
    }

    /// Notifies the participants that see another one.
    pub(super) fn notify_viewers_of(&mut self, room: &str, subject: SessionId, notice: &Notice) {
        self.flush_presence(room);
        let Some(room) = self.rooms.get(room) else {
            return;
        };
        let participants = || room.participants().map(|(_, it)| it);
        let Some(shown) = participants().find(|it| it.session == subject) else {
            return;
        };
        let viewers = participants().filter(|it| it.session != subject);
        let viewers = viewers.filter(|it| it.presence.sees(shown.presence));
        let viewers: Vec<_> = viewers.map(|it| it.session).collect();
        for session in viewers {
            self.notify(session, notice);
        }
    }

    /// Notifies all participants of a room.
    pub(super) fn notify_everybody(&mut self, room: &str, notice: &Notice) {
        self.flush_presence(room);
        let sessions = self.rooms.get(room).map(|it| it.sessions());
        for session in sessions.unwrap_or_default() {
            self.notify(session, notice);
        }
    }

    /// Notifies the hosts of a room.
    pub(super) fn notify_hosts(&mut self, room: &str, notice: &Notice) {
        self.flush_presence(room);
        let hosts = self.rooms.get(room).map(|it| it.hosts());
        for session in hosts.unwrap_or_default() {
            self.notify(session, notice);
        }
    }

    /// Tells the collected changes, the number of participants, the active speaker and the votes in polls, and
    /// chooses the cameras that are sent, as far as that is due. Sets the timer for the rest.
    pub(super) fn tell_presence(&mut self, name: &Arc<str>) {
        let now = self.now;
        let due = |it: Option<&crate::room::Room>| it.and_then(|it| it.presence_due(now));
        if due(self.rooms.get(name)).is_some_and(|it| it <= now) {
            self.flush_presence(name);
        }
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        if room.count_due(now).is_some_and(|it| it <= now) {
            let count = room.record_count_told(now);
            for session in room.sessions() {
                self.notify(session, &Notice::ParticipantCount { count });
            }
        }
        let room = self.rooms.get(name);
        let speaker_due = room.and_then(|it| it.speaker.due(now));
        if speaker_due.is_some_and(|it| it <= now) {
            self.tell_speaker(name);
        }
        let room = self.rooms.get(name);
        let choice_due = room.and_then(|it| it.last_n.due(now));
        if choice_due.is_some_and(|it| it <= now) {
            self.apply_last_n(name);
        }
        let room = self.rooms.get(name);
        let polls_due = room.and_then(|it| it.conversation.polls.due());
        if polls_due.is_some_and(|it| it <= now) {
            self.tell_poll_results(name);
        }
        self.set_presence_timer(name);
    }

    /// Sets the timer for what is to be told next in a room.
    pub(super) fn set_presence_timer(&mut self, name: &Arc<str>) {
        let now = self.now;
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let next = room
            .presence_due(now)
            .into_iter()
            .chain(room.count_due(now))
            .chain(room.speaker.due(now))
            .chain(room.last_n.due(now))
            .chain(room.conversation.polls.due());
        let (former, next) = room.set_presence_timer(next.min());
        if former != next {
            if let Some(at) = former {
                self.timers.cancel(at, Timer::Presence(Arc::clone(name)));
            }
            if let Some(at) = next {
                self.timers.schedule(at, Timer::Presence(Arc::clone(name)));
            }
        }
    }

    /// Tells all collected changes now. Called before every other notice for a room, so that each
    /// participant is told of events in their order.
    pub(super) fn flush_presence(&mut self, name: &str) {
        let Some(room) = self.rooms.get_mut(name) else {
            return;
        };
        let changes = room.take_presence(self.now);
        if changes.is_empty() {
            return;
        }
        let told = room.participants().map(|(number, receiver)| {
            let concerning = changes.iter().enumerate();
            let concerning = concerning
                .filter(|(_, it)| it.concerns(number, receiver.session, receiver.presence));
            let indexes: Vec<_> = concerning.map(|(index, _)| index).collect();
            (receiver.session, indexes)
        });
        let told: Vec<_> = told.filter(|(_, indexes)| !indexes.is_empty()).collect();
        for (session, indexes) in told {
            for change in indexes.into_iter().filter_map(|index| changes.get(index)) {
                self.notify(session, &change.notice);
            }
        }
    }

    /// Lists everybody in a room that has become small.
    fn list_audience(&mut self, name: &Arc<str>) {
        let presence_max = self.config.limits.presence_max;
        let room = self.rooms.get(name);
        let Some(room) = room.filter(|it| it.can_list_audience(presence_max)) else {
            return;
        };
        let all = room
            .participants()
            .map(|(number, it)| (number, it.session, it.presence));
        let all: Vec<_> = all.collect();
        self.flush_presence(name);
        for (_, session, presence) in &all {
            self.tell_of(name, *session, |it| !presence.sees(it.presence));
        }
        if let Some(room) = self.rooms.get_mut(name) {
            for (number, _, presence) in all {
                let visibility = match presence.visibility {
                    Visibility::Everybody => Visibility::Everybody,
                    Visibility::Listed | Visibility::Counted => Visibility::Listed,
                };
                let sees_list = true;
                room.set_presence(
                    number,
                    Presence {
                        visibility,
                        sees_list,
                    },
                );
            }
        }
        self.tell_presence(name);
    }

    /// Tells one participant of those others that `is_told` accepts.
    fn tell_of(&mut self, name: &str, to: SessionId, is_told: impl Fn(&Participant) -> bool) {
        let Some(room) = self.rooms.get(name) else {
            return;
        };
        let others = room.participants().map(|(_, it)| it);
        let others = others.filter(|it| it.session != to && is_told(it));
        let notices: Vec<_> = others.map(arrival).collect();
        for notice in &notices {
            self.notify(to, notice);
        }
    }
}

/// Returns the notice that a participant is in the room.
fn arrival(participant: &Participant) -> Notice {
    Notice::ParticipantJoined(Box::new(participant.summary(Vec::new())))
}
