//! Which destinations have something to send, and when: control at once, media when its wait ends.
//!
//! Waits end in the order they began, so a queue is enough; destinations whose waits end close
//! together leave together, for one waking.

use std::collections::VecDeque;
use std::time::Duration;

use watersmeet_wire::units::{Histogram, Time};

use super::window::{EgressOptions, Leaving, WINDOW_MAX, Wait, Window};

/// Packets of one destination that wait for no more: their run is full.
pub const WAITING_MAX: usize = 64;

/// The part of its wait that a packet may be spared so that several destinations leave together:
/// a waking costs about 5 µs, and without this every destination has its own.
const SPARED: u32 = 4;

/// Bounds of the waits that are counted, in microseconds.
pub const WAIT_BOUNDS: [u64; 8] = [0, 250, 500, 750, 1_000, 1_500, 2_000, 5_000];

/// How long the first packet of each departure waited.
pub type WaitTimes = Histogram<8>;

/// One destination's part in the schedule.
#[derive(Debug, Default)]
pub struct Turn {
    /// Whether it stands in the list of those with something to send now.
    is_ready: bool,
    /// Whether its media may leave.
    is_media_due: bool,
    /// Its wait.
    wait: Wait,
}

/// Who sends when.
#[derive(Debug)]
pub struct Schedule {
    /// How long media waits.
    window: Window,
    /// Destinations with something to send now.
    ready: VecDeque<u32>,
    /// Destinations whose media waits, with the end of the wait. One that was closed meanwhile is
    /// skipped when it comes up.
    waiting: VecDeque<(Time, u32)>,
    /// How long media waited.
    waits: WaitTimes,
}

impl Schedule {
    /// Nobody has anything to send.
    pub fn new(options: EgressOptions) -> Self {
        Self {
            window: Window::new(options),
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            waits: Histogram::new(WAIT_BOUNDS),
        }
    }

    /// A destination has something that cannot wait.
    pub fn note_control(&mut self, key: u32, turn: &mut Turn) {
        if !turn.is_ready {
            turn.is_ready = true;
            self.ready.push_back(key);
        }
    }

    /// A destination has one more media packet, of `waiting` in all.
    #[inline]
    pub fn note_media(&mut self, now: Time, key: u32, turn: &mut Turn, waiting: usize) {
        self.window.note_packet(now);
        if turn.is_media_due {
            return;
        }
        match turn.wait.begin(now, &self.window) {
            Leaving::At(due) => self.waiting.push_back((due, key)),
            Leaving::Joined if waiting < WAITING_MAX => {}
            Leaving::Now | Leaving::Joined => self.let_go(now, key, turn),
        }
    }

    /// The next destination whose wait is over, with the moment it was to end. Whoever asks tells
    /// it by [`Self::end_wait`].
    pub fn pop_waiting(&mut self, now: Time) -> Option<(Time, u32)> {
        let horizon = now + self.window.length() / SPARED;
        let &(due, _) = self.waiting.front()?;
        if due > horizon {
            return None;
        }
        self.waiting.pop_front()
    }

    /// The wait that was to end at `due` ends, if it is still on.
    pub fn end_wait(&mut self, now: Time, due: Time, key: u32, turn: &mut Turn) {
        if turn.wait.is_due(due) {
            self.let_go(now, key, turn);
        }
    }

    fn let_go(&mut self, now: Time, key: u32, turn: &mut Turn) {
        self.waits.observe(turn.wait.end(now));
        turn.is_media_due = true;
        self.note_control(key, turn);
    }

    /// The next destination with something to send now.
    pub fn first_ready(&self) -> Option<u32> {
        self.ready.front().copied()
    }

    /// The first of those with something to send has nothing more.
    pub fn pop_ready(&mut self) {
        self.ready.pop_front();
    }

    /// A destination is no more. Its place may be given to another before the list is next walked.
    pub fn remove(&mut self, key: u32) {
        self.ready.retain(|ready| *ready != key);
    }

    /// When the next wait ends.
    pub fn poll_timeout(&self) -> Time {
        self.waiting
            .front()
            .map_or(Time::FAR_FUTURE, |&(due, _)| due)
    }

    /// The most bytes of padding for one packet now.
    pub const fn padding_max(&self) -> u8 {
        self.window.padding_max()
    }

    /// How long media may wait now.
    pub const fn window(&self) -> Duration {
        self.window.length()
    }

    /// How long media waited.
    pub const fn waits(&self) -> WaitTimes {
        self.waits
    }
}

impl Turn {
    /// Whether media may leave.
    pub const fn is_media_due(&self) -> bool {
        self.is_media_due
    }

    /// All that could leave has left.
    pub const fn end(&mut self) {
        self.is_ready = false;
        self.is_media_due = false;
    }
}

const _: () = assert!(
    WINDOW_MAX.as_micros() == 2_000,
    "the bounds of waits end there"
);

#[cfg(test)]
mod tests {
    use super::super::window::EgressWindow;
    use super::*;

    fn schedule(window: EgressWindow) -> Schedule {
        Schedule::new(EgressOptions {
            window,
            padding_max: 16,
        })
    }

    /// Ends the waits that are over; who may leave then.
    fn leaving(schedule: &mut Schedule, now: Time, turns: &mut [Turn]) -> Vec<u32> {
        while let Some((due, key)) = schedule.pop_waiting(now) {
            schedule.end_wait(now, due, key, &mut turns[key as usize]);
        }
        let mut left = Vec::new();
        while let Some(key) = schedule.first_ready() {
            schedule.pop_ready();
            turns[key as usize].end();
            left.push(key);
        }
        left
    }

    fn turns() -> Vec<Turn> {
        (0..4).map(|_| Turn::default()).collect()
    }

    #[test]
    fn without_a_window_everything_leaves_at_once() {
        let (mut schedule, mut turns) = (schedule(EgressWindow::Auto), turns());
        let now = Time::from_millis(1);
        schedule.note_media(now, 2, &mut turns[2], 1);
        schedule.note_media(now, 2, &mut turns[2], 2);
        schedule.note_control(2, &mut turns[2]);
        assert!(turns[2].is_media_due());
        assert_eq!(leaving(&mut schedule, now, &mut turns), [2]);
        assert_eq!(schedule.poll_timeout(), Time::FAR_FUTURE);
        assert_eq!(schedule.waits().buckets().next(), Some((Some(0), 1)));
    }

    #[test]
    fn media_leaves_when_its_own_wait_ends_and_control_does_not_wait() {
        let window = EgressWindow::Fixed(Duration::from_millis(2));
        let (mut schedule, mut turns) = (schedule(window), turns());
        let at = Time::from_micros;
        schedule.note_media(at(0), 0, &mut turns[0], 1);
        schedule.note_media(at(1_500), 1, &mut turns[1], 1);
        schedule.note_control(1, &mut turns[1]);
        assert!(!turns[1].is_media_due());
        assert_eq!(leaving(&mut schedule, at(1_499), &mut turns), [1]);
        assert_eq!(schedule.poll_timeout(), at(2_000));
        assert_eq!(leaving(&mut schedule, at(2_000), &mut turns), [0]);
        assert_eq!(leaving(&mut schedule, at(2_999), &mut turns), [0; 0]);
        assert_eq!(leaving(&mut schedule, at(3_500), &mut turns), [1]);
        assert_eq!(schedule.poll_timeout(), Time::FAR_FUTURE);
    }

    #[test]
    fn waits_that_end_close_together_end_together() {
        let window = EgressWindow::Fixed(Duration::from_millis(2));
        let (mut schedule, mut turns) = (schedule(window), turns());
        for (key, micros) in [(0, 0), (1, 500), (2, 501)] {
            let now = Time::from_micros(micros);
            schedule.note_media(now, key, &mut turns[key as usize], 1);
        }
        let due = schedule.poll_timeout();
        assert_eq!(leaving(&mut schedule, due, &mut turns), [0, 1]);
    }

    #[test]
    fn a_full_run_does_not_wait() {
        let window = EgressWindow::Fixed(Duration::from_millis(2));
        let (mut schedule, mut turns) = (schedule(window), turns());
        for waiting in 1..=WAITING_MAX {
            schedule.note_media(Time::ZERO, 0, &mut turns[0], waiting);
        }
        assert_eq!(leaving(&mut schedule, Time::ZERO, &mut turns), [0]);
        let later = Time::from_millis(2);
        assert_eq!(leaving(&mut schedule, later, &mut turns), [0; 0]);
    }

    #[test]
    fn a_place_that_was_given_to_another_does_not_inherit_the_wait() {
        let window = EgressWindow::Fixed(Duration::from_millis(2));
        let (mut schedule, mut turns) = (schedule(window), turns());
        schedule.note_media(Time::ZERO, 0, &mut turns[0], 1);
        schedule.remove(0);
        turns[0] = Turn::default();
        schedule.note_media(Time::from_millis(1), 0, &mut turns[0], 1);
        assert_eq!(
            leaving(&mut schedule, Time::from_millis(2), &mut turns),
            [0; 0]
        );
        assert_eq!(
            leaving(&mut schedule, Time::from_millis(3), &mut turns),
            [0]
        );
    }
}
