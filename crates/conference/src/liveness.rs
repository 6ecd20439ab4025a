//! Time of the last frame of a client, and state of the check of its silence. Keeps no timer and sends nothing.

use watersmeet_wire::units::Time;

/// Last frame of one client, and state of the check of its silence.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    /// Arrival of the last frame.
    last_frame: Time,
    /// Time at which the silence is checked; `None` while no timer runs.
    timer: Option<Time>,
    /// Transports whose shard has not yet said for how long nothing has arrived.
    awaited: usize,
    /// Whether something arrives on one of the transports.
    is_media_alive: bool,
    /// Whether the others were told that nothing arrives.
    is_interrupted: bool,
}

impl Liveness {
    /// Records that a frame has arrived. Returns whether the others have to be told that the client is back.
    pub(crate) const fn record_frame(&mut self, now: Time) -> bool {
        self.last_frame = now;
        std::mem::replace(&mut self.is_interrupted, false)
    }

    /// Returns when the last frame arrived.
    pub(crate) const fn last_frame(&self) -> Time {
        self.last_frame
    }

    /// Sets the time of the next check. Returns false when a check is due or under way already.
    pub(crate) const fn start_timer(&mut self, at: Time) -> bool {
        let is_free = self.timer.is_none() && self.awaited == 0 && !self.is_interrupted;
        if is_free {
            self.timer = Some(at);
        }
        is_free
    }

    /// Takes the time of the next check, which is done now or no longer needed.
    pub(crate) const fn take_timer(&mut self) -> Option<Time> {
        self.timer.take()
    }

    /// Records that the shards of this number of transports were asked.
    pub(crate) const fn expect_replies(&mut self, transports: usize) {
        self.awaited = transports;
        self.is_media_alive = false;
    }

    /// Records the reply of a shard. Returns whether something arrives on any transport once all have replied.
    pub(crate) const fn record_reply(&mut self, is_alive: bool) -> Option<bool> {
        if self.awaited == 0 {
            return None;
        }
        self.awaited -= 1;
        self.is_media_alive |= is_alive;
        match self.awaited {
            0 => Some(self.is_media_alive),
            _ => None,
        }
    }

    /// Records that the others are told that nothing arrives.
    pub(crate) const fn record_interruption(&mut self) {
        self.is_interrupted = true;
    }

    /// Forgets everything but the last frame: the client has left its room. Returns the time of the check that
    /// is no longer needed.
    pub(crate) const fn reset(&mut self) -> Option<Time> {
        self.awaited = 0;
        self.is_interrupted = false;
        self.timer.take()
    }
}
