//! Names of requests, and the fixed error message of each.

/// Enters a room.
pub(super) const JOIN_ROOM: &str = "join-room";
/// Enters a room, or starts peer-to-peer calls in the current one.
pub(super) const READY: &str = "ready";
/// Leaves the room.
pub(super) const LEAVE: &str = "user-left";
/// Requests a producer.
pub(super) const CREATE_PRODUCER: &str = "create-producer";
/// Resumes a consumer.
pub(super) const RESUME_CONSUMER: &str = "resume-consumer";
/// Pauses a consumer.
pub(super) const PAUSE_CONSUMER: &str = "pause-consumer";
/// Pauses a producer.
pub(super) const PAUSE_PRODUCER: &str = "pause-producer";
/// Closes a producer.
pub(super) const CLOSE_PRODUCER: &str = "close-producer";

/// Tag of the dialect's own requests to consume a producer.
pub(super) const CONSUME: &str = "consume";
/// Tag of the dialect's own requests to close a transport that the client replaced.
pub(super) const REPLACE: &str = "replace";
/// Tag of the dialect's own messages to announce that the client accepts peer-to-peer calls.
pub(super) const ANNOUNCE: &str = "announce";

/// All requests of clients, each with the message of its `error`.
pub(super) const REQUESTS: [(&str, &str); 15] = [
    (JOIN_ROOM, "Failed to join room"),
    (READY, "Failed to join room"),
    (LEAVE, "Failed to leave room"),
    ("create-webrtc-transport", "Failed to create transport"),
    ("connect-webrtc-transport", "Failed to connect transport"),
    ("set-rtp-capabilities", "Failed to set RTP capabilities"),
    (CREATE_PRODUCER, "Failed to create producer"),
    (PAUSE_PRODUCER, "Failed to pause producer"),
    ("resume-producer", "Failed to resume producer"),
    (CLOSE_PRODUCER, "Failed to close producer"),
    (RESUME_CONSUMER, "Failed to resume consumer"),
    (PAUSE_CONSUMER, "Failed to pause consumer"),
    ("resume-all-consumers", "Failed to resume consumers"),
    ("media-state-change", "Failed to update media state"),
    ("get-participant-stats", "Failed to get participant stats"),
];

/// Returns the request of this name with its error message.
pub(super) fn find_request(name: &str) -> Option<(&'static str, &'static str)> {
    REQUESTS.into_iter().find(|(it, _)| *it == name)
}
