//! Sends the participants of a room only some of its cameras, where that is set: holds the consumers of the
//! others back without closing them. Shared screens, and consumers to which a client has given a higher
//! priority, do not count and are never held back.

use std::sync::Arc;

use watersmeet_engine::command::{Command, ProducerId};
use watersmeet_wire::units::Map;

use super::Conference;
use crate::message::SessionId;

/// Cameras of a room in the order in which they are sent.
struct CameraOrder {
    /// Cameras that each participant is sent.
    places: usize,
    /// Position of each camera.
    positions: Map<ProducerId, usize>,
}

impl Conference {
    /// Chooses the cameras of all participants anew when that is allowed next, because a camera was switched
    /// on, off or closed.
    pub(super) fn schedule_last_n(&mut self, name: &Arc<str>) {
        let room = self.rooms.get_mut(name);
        if room.is_some_and(|it| it.last_n.record_change()) {
            self.set_presence_timer(name);
        }
    }

    /// Chooses the cameras of all participants of a room.
    pub(super) fn apply_last_n(&mut self, name: &str) {
        let Some(order) = self.camera_order(name) else {
            return;
        };
        let room = self.rooms.get(name);
        let sessions = room.map(|it| it.sessions()).unwrap_or_default();
        let participants = sessions.len();
        let mut is_changed = false;
        for session in sessions {
            is_changed |= self.choose_cameras(session, &order);
        }
        if let Some(room) = self.rooms.get_mut(name) {
            room.last_n
                .record_choice(self.now, participants, is_changed);
        }
    }

    /// Chooses the cameras of one participant, which has another consumer or wants another one before others.
    pub(super) fn apply_last_n_to(&mut self, session: SessionId) {
        let membership = self.sessions.membership(session);
        let order = membership.and_then(|it| self.camera_order(&it.room));
        if let Some(order) = order {
            self.choose_cameras(session, &order);
        }
    }

    /// Holds the consumers of a participant back that receive other cameras than the first ones, and lets the
    /// others go on. Returns whether that changed any.
    fn choose_cameras(&mut self, session: SessionId, order: &CameraOrder) -> bool {
        let mut consumers = self.media.camera_consumers(session, &order.positions);
        consumers.sort_unstable();
        let (mut shown, mut is_changed) = (0, false);
        for it in consumers {
            let held = !it.is_pinned && shown >= order.places;
            shown += usize::from(!it.is_pinned);
            let consumer = it.consumer;
            if !self.media.set_held(session, consumer, held) {
                continue;
            }
            is_changed = true;
            if let Ok(shard) = self.media.own_consumer(session, consumer) {
                self.send_command(shard, Command::HoldConsumer { consumer, held });
            }
        }
        is_changed
    }

    /// Returns the order of a room's cameras: those of the latest speakers first, then those of who came first,
    /// and then those that are paused. `None` where all are sent.
    fn camera_order(&self, name: &str) -> Option<CameraOrder> {
        let room = self.rooms.get(name)?;
        let places = room.last_n.places()?;
        let mut cameras = Vec::new();
        for (number, participant) in room.participants() {
            let rank = room.last_n.rank(&participant.peer);
            let own = self.media.cameras_of(participant.session).zip(0..);
            cameras.extend(own.map(|((camera, is_paused), index): (_, usize)| {
                ((is_paused, rank, number, index), camera)
            }));
        }
        cameras.sort_unstable_by_key(|(order, _)| *order);
        let positions = cameras.iter().enumerate();
        Some(CameraOrder {
            places,
            positions: positions.map(|(at, (_, camera))| (*camera, at)).collect(),
        })
    }
}
