//! Encodes notices about breakout rooms.

use std::time::Duration;

use super::frame::frame;
use super::payloads::*;
use crate::message::{self, Notice};

/// Added to a time before it is cut to whole seconds.
const ROUND_UP: Duration = Duration::from_millis(999);

/// Encodes a notice about breakout rooms. Returns `None` for other notices.
pub(super) fn encode_breakout_notice(notice: &Notice) -> Option<String> {
    let id = &None;
    Some(match notice {
        Notice::Breakouts(state) => frame("breakouts", id, breakouts(state)),
        Notice::BreakoutMoved(moved) => frame("breakoutMoved", id, person(moved)),
        Notice::BreakoutsClosed => frame("breakoutsClosed", id, Empty {}),
        _ => return None,
    })
}

/// Returns the payload of `breakouts`. The rest of a second counts as one.
fn breakouts(state: &message::BreakoutState) -> Breakouts {
    let rooms = state.rooms.iter().map(|it| BreakoutRoom {
        room_id: it.room.to_string(),
        name: it.name.to_string(),
    });
    let people = state.people.as_ref();
    Breakouts {
        rooms: rooms.collect(),
        current: state.current.as_deref().map(str::to_owned),
        assigned: state.assigned.as_deref().map(str::to_owned),
        closes_in_s: state.closes_in.map(|it| (it + ROUND_UP).as_secs()),
        people: people.map(|it| it.iter().map(person).collect()),
    }
}

/// Returns a participant and where it is.
fn person(person: &message::BreakoutPerson) -> BreakoutPerson {
    BreakoutPerson {
        peer_id: person.peer.to_string(),
        display_name: person.display_name.as_deref().map(str::to_owned),
        room_id: person.room.as_deref().map(str::to_owned),
    }
}
