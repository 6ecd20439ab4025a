//! Cameras, and the consumers that receive them. A shared screen is no camera.

use watersmeet_engine::command::{ConsumerId, ProducerId};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::Map;

use super::MediaOwnership;
use crate::message::SessionId;

/// A consumer that receives a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CameraConsumer {
    /// Position of the camera in the order of its room.
    pub position: usize,
    /// Id of the consumer.
    pub consumer: ConsumerId,
    /// Whether its client has asked for it before others.
    pub is_pinned: bool,
}

impl MediaOwnership {
    /// Returns the announced cameras of a session, oldest first, and whether each is paused.
    pub fn cameras_of(&self, session: SessionId) -> impl Iterator<Item = (ProducerId, bool)> {
        let summaries = self.announced_by(session).map(|it| &it.summary);
        let cameras = summaries.filter(|it| it.kind == MediaKind::Video && !it.is_screen());
        cameras.map(|it| (it.producer, it.paused))
    }

    /// Returns the consumers of a session that receive cameras at these positions.
    pub fn camera_consumers(
        &self,
        session: SessionId,
        positions: &Map<ProducerId, usize>,
    ) -> Vec<CameraConsumer> {
        let consumers = self.of(session).into_iter().flat_map(|it| &it.consumers);
        let consumers = consumers.filter_map(|(id, it)| {
            Some(CameraConsumer {
                position: *positions.get(&it.producer)?,
                consumer: *id,
                is_pinned: it.is_pinned,
            })
        });
        consumers.collect()
    }

    /// Records whether a session's client has asked for a consumer before others.
    pub fn set_pinned(&mut self, session: SessionId, consumer: ConsumerId, is_pinned: bool) {
        let media = self.by_session.get_mut(&session);
        if let Some(consumer) = media.and_then(|it| it.consumers.get_mut(&consumer)) {
            consumer.is_pinned = is_pinned;
        }
    }

    /// Records whether a session's consumer is held back. Returns whether that changed.
    pub fn set_held(&mut self, session: SessionId, consumer: ConsumerId, is_held: bool) -> bool {
        let media = self.by_session.get_mut(&session);
        let consumer = media.and_then(|it| it.consumers.get_mut(&consumer));
        consumer.is_some_and(|it| std::mem::replace(&mut it.is_held, is_held) != is_held)
    }
}
