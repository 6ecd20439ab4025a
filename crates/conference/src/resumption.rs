//! State by which a client resumes its session over another connection: the frames that the client has not
//! confirmed, by number, and the id of the last request that arrived.
//!
//! TCP delivers a prefix of what was sent. So the number of the last frame that the client has, and the id
//! of the last request that the server has, say what each side must send again: nothing is lost, and no
//! request is carried out twice (docs/decisions/0040-resuming-signalling.md).

use std::collections::VecDeque;

use serde_json::Value;
use watersmeet_wire::units::Time;

use crate::limits::RESUME_TIMEOUT;
use crate::seats::ResumeKey;

/// Upper bound of the frames that a session keeps. A room of 200 causes about ten per second.
pub(crate) const FRAMES_MAX: usize = 1_024;

/// Upper bound of their bytes.
pub(crate) const FRAMES_LEN_MAX: usize = 256 * 1024;

/// A frame that the client has not confirmed.
#[derive(Debug)]
struct SentFrame {
    /// Number of the frame.
    seq: u64,
    /// Time at which it was sent.
    sent_at: Time,
    /// Text of the frame, with its number.
    text: String,
}

/// State by which a session outlives its connection.
#[derive(Debug)]
pub(crate) struct Resumption {
    /// Secret that the client has to show.
    key: ResumeKey,
    /// Frames that the client has not confirmed, oldest first.
    frames: VecDeque<SentFrame>,
    /// Bytes of these frames.
    frames_len: usize,
    /// Number of the latest frame.
    last_seq: u64,
    /// Id of the last request that arrived.
    last_request: Option<Value>,
    /// Time at which the session ends; `None` while it has a connection.
    ends_at: Option<Time>,
}

impl Resumption {
    /// Returns the state of a session whose client shows this secret.
    pub(crate) const fn new(key: ResumeKey) -> Self {
        Self {
            key,
            frames: VecDeque::new(),
            frames_len: 0,
            last_seq: 0,
            last_request: None,
            ends_at: None,
        }
    }

    /// Returns whether a client shows the secret of this session.
    pub(crate) fn is_key(&self, key: &ResumeKey) -> bool {
        self.key == *key
    }

    /// Replaces the secret: the client has joined again.
    pub(crate) fn set_key(&mut self, key: ResumeKey) {
        self.key = key;
    }

    /// Returns the number of the next frame.
    pub(crate) const fn next_seq(&self) -> u64 {
        self.last_seq + 1
    }

    /// Keeps the next frame. Gives up the oldest ones when there are too many, or when they are older than
    /// any session that waits for its client.
    pub(crate) fn record_frame(&mut self, now: Time, text: String) {
        self.last_seq += 1;
        self.frames_len += text.len();
        self.frames.push_back(SentFrame {
            seq: self.last_seq,
            sent_at: now,
            text,
        });
        while self.frames.front().is_some_and(|oldest| {
            self.frames.len() > FRAMES_MAX
                || self.frames_len > FRAMES_LEN_MAX
                || now.since(oldest.sent_at) > RESUME_TIMEOUT
        }) {
            self.remove_oldest();
        }
    }

    /// Forgets the frames up to this number, which the client has.
    pub(crate) fn confirm(&mut self, seq: u64) {
        while self.frames.front().is_some_and(|it| it.seq <= seq) {
            self.remove_oldest();
        }
    }

    /// Removes the oldest frame.
    fn remove_oldest(&mut self) {
        let oldest = self.frames.pop_front();
        self.frames_len -= oldest.map_or(0, |it| it.text.len());
    }

    /// Returns the frames after a number; `None` when they are not all kept.
    pub(crate) fn frames_after(&self, seq: u64) -> Option<Vec<String>> {
        let first = self.frames.front().map_or(self.next_seq(), |it| it.seq);
        if seq > self.last_seq || seq + 1 < first {
            return None;
        }
        let missed = self.frames.iter().filter(|it| it.seq > seq);
        Some(missed.map(|it| it.text.clone()).collect())
    }

    /// Records the id of a request that arrived.
    pub(crate) fn record_request(&mut self, id: Option<Value>) {
        if id.is_some() {
            self.last_request = id;
        }
    }

    /// Returns the id of the last request that arrived.
    pub(crate) const fn last_request(&self) -> Option<&Value> {
        self.last_request.as_ref()
    }

    /// Records when the session ends unless its client comes back. Returns the time before.
    pub(crate) const fn set_end(&mut self, at: Option<Time>) -> Option<Time> {
        std::mem::replace(&mut self.ends_at, at)
    }
}

/// Returns when a session ends whose connection is lost: some time after the last sign of life, so that
/// others see a participant who is gone for no longer than that.
pub(crate) fn end_of_session(last_frame: Time) -> Time {
    last_frame + RESUME_TIMEOUT
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn resumption() -> Resumption {
        Resumption::new(ResumeKey::new("secret"))
    }

    fn texts(resumption: &Resumption, seq: u64) -> Option<String> {
        resumption.frames_after(seq).map(|it| it.join(" "))
    }

    #[test]
    fn frames_after_a_number_are_kept_until_they_are_confirmed() {
        let mut kept = resumption();
        assert_eq!(texts(&kept, 0).as_deref(), Some(""));
        for text in ["a", "b", "c"] {
            kept.record_frame(Time::ZERO, text.to_owned());
        }
        assert_eq!(texts(&kept, 0).as_deref(), Some("a b c"));
        assert_eq!(texts(&kept, 2).as_deref(), Some("c"));
        assert_eq!(texts(&kept, 3).as_deref(), Some(""));
        assert_eq!(texts(&kept, 4), None, "a number of another session");
        kept.confirm(2);
        assert_eq!(texts(&kept, 1), None);
        assert_eq!(texts(&kept, 2).as_deref(), Some("c"));
        kept.confirm(9);
        assert_eq!(texts(&kept, 3).as_deref(), Some(""));
    }

    #[test]
    fn frames_are_bounded_in_number_bytes_and_time() {
        let mut many = resumption();
        for _ in 0..=FRAMES_MAX {
            many.record_frame(Time::ZERO, "x".to_owned());
        }
        assert_eq!(texts(&many, 0), None);
        assert_eq!(many.frames_after(1).map(|it| it.len()), Some(FRAMES_MAX));
        let mut large = resumption();
        for _ in 0..3 {
            large.record_frame(Time::ZERO, "x".repeat(FRAMES_LEN_MAX / 2));
        }
        assert_eq!(large.frames_after(0), None);
        assert_eq!(large.frames_after(1).map(|it| it.len()), Some(2));
        let mut old = resumption();
        old.record_frame(Time::ZERO, "old".to_owned());
        old.record_frame(
            Time::ZERO + RESUME_TIMEOUT + Duration::from_millis(1),
            "new".to_owned(),
        );
        assert_eq!(texts(&old, 0), None);
        assert_eq!(texts(&old, 1).as_deref(), Some("new"));
    }
}
