//! Frames that wait until a connection's peer reads. Short, so that a slow line delays a call by less
//! than a second: frames are dropped, the oldest of the lowest priority first.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::frame::{FRAME_LEN_MAX, LENGTH_LEN, write};

/// Capacity of the write queue in bytes: a quarter of a second at 8 Mbit/s. Older media is useless to
/// a call.
pub const WRITE_QUEUE_BYTES_MAX: usize = 256 << 10;

/// Longest time that a frame waits, by priority. A keyframe of 80 KB takes 0.6 s at 1 Mbit/s; audio
/// waits for no video but the little that was given to the kernel.
pub const WAIT_MAX: [Duration; 3] = [
    Duration::from_secs(5),
    Duration::from_millis(500),
    Duration::from_millis(800),
];

/// Bytes taken from the queues for one write, so that small frames share a system call.
const CHUNK_LEN: usize = 16 << 10;

/// Bytes of memory that an empty queue keeps.
const EMPTY_QUEUE_CAPACITY: usize = 16 << 10;

/// Priority of a frame, in the order in which frames are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Written first and dropped last: the connection depends on it.
    High,
    /// Written before, and dropped after, frames of low priority.
    Normal,
    /// Dropped first.
    Low,
}

impl Priority {
    /// All priorities, from high to low.
    const ALL: [Self; 3] = [Self::High, Self::Normal, Self::Low];
}

/// Frames of one priority, oldest first.
#[derive(Debug, Default)]
struct Frames {
    /// The frames with their lengths, one after the other, from `start`.
    bytes: Vec<u8>,
    /// Bytes at the beginning that are not needed any more.
    start: usize,
    /// Length of each frame in `bytes`, and the time at which it was queued.
    lengths: VecDeque<(usize, Instant)>,
}

/// Write queue of one connection.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    /// Frames by priority.
    frames: [Frames; 3],
    /// Bytes taken for writing. The first `written` are written.
    chunk: Vec<u8>,
    written: usize,
    /// Frames dropped although they were queued.
    dropped: u64,
}

impl WriteQueue {
    /// Queues a frame, and drops others if there is no room. Returns false when it is dropped itself.
    pub(super) fn push(&mut self, now: Instant, contents: &[u8], priority: Priority) -> bool {
        let len = LENGTH_LEN + contents.len();
        if contents.len() > FRAME_LEN_MAX || !self.make_room(len, priority) {
            return false;
        }
        let frames = self.frames_mut(priority);
        write(&mut frames.bytes, contents);
        frames.lengths.push_back((len, now));
        true
    }

    /// Returns whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes to write next. [`mark_written`](Self::mark_written) reports how many were.
    pub(super) fn next_chunk(&mut self, now: Instant) -> &[u8] {
        if self.written >= self.chunk.len() {
            self.chunk.clear();
            self.written = 0;
            self.drop_outdated(now);
            for frames in &mut self.frames {
                while self.chunk.len() < CHUNK_LEN && frames.move_first(&mut self.chunk) {}
            }
        }
        self.chunk.get(self.written..).unwrap_or_default()
    }

    /// Records that `len` bytes of the chunk were written.
    pub(super) fn mark_written(&mut self, len: usize) {
        self.written += len;
        if self.is_empty() {
            self.chunk.clear();
            self.written = 0;
            for bytes in self
                .frames
                .iter_mut()
                .map(|it| &mut it.bytes)
                .chain([&mut self.chunk])
            {
                bytes.shrink_to(EMPTY_QUEUE_CAPACITY);
            }
        }
    }

    /// Returns the number of frames dropped since the last call.
    pub(super) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Returns the number of bytes that wait.
    fn len(&self) -> usize {
        let waiting: usize = self.frames.iter().map(Frames::len).sum();
        waiting + self.chunk.len() - self.written
    }

    /// Drops frames of this or a lower priority until `len` more bytes fit. Returns whether they do.
    fn make_room(&mut self, len: usize, priority: Priority) -> bool {
        let droppable = Priority::ALL.into_iter().rev();
        for lower in droppable.take_while(|lower| *lower >= priority) {
            while self.len() + len > WRITE_QUEUE_BYTES_MAX && self.frames_mut(lower).drop_first() {
                self.dropped += 1;
            }
        }
        self.len() + len <= WRITE_QUEUE_BYTES_MAX
    }

    /// Drops frames that have waited for too long.
    fn drop_outdated(&mut self, now: Instant) {
        for (frames, wait_max) in self.frames.iter_mut().zip(WAIT_MAX) {
            while let Some((_, queued_at)) = frames.lengths.front()
                && now.saturating_duration_since(*queued_at) > wait_max
                && frames.drop_first()
            {
                self.dropped += 1;
            }
        }
    }

    fn frames_mut(&mut self, priority: Priority) -> &mut Frames {
        let [high, normal, low] = &mut self.frames;
        match priority {
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
        }
    }
}

impl Frames {
    /// Returns the number of bytes that wait.
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    /// Moves the oldest frame to the end of `out`. Returns false when there is none.
    fn move_first(&mut self, out: &mut Vec<u8>) -> bool {
        let Some((len, _)) = self.lengths.front() else {
            return false;
        };
        let frame = self.bytes.get(self.start..self.start + len);
        out.extend_from_slice(frame.unwrap_or_default());
        self.drop_first()
    }

    /// Removes the oldest frame. Returns false when there is none.
    fn drop_first(&mut self) -> bool {
        let Some((len, _)) = self.lengths.pop_front() else {
            return false;
        };
        self.start += len;
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads all of a queue as a peer would, and returns the first byte of each frame.
    fn drain(queue: &mut WriteQueue, now: Instant, piece: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while !queue.is_empty() {
            let chunk = queue.next_chunk(now);
            let len = chunk.len().min(piece);
            bytes.extend_from_slice(&chunk[..len]);
            queue.mark_written(len);
        }
        let mut frames = Vec::new();
        let mut rest = &bytes[..];
        while let [high, low, first, ..] = rest {
            frames.push(*first);
            rest = &rest[LENGTH_LEN + usize::from(u16::from_be_bytes([*high, *low]))..];
        }
        frames
    }

    #[test]
    fn frames_are_written_by_priority_and_never_cut() {
        let now = Instant::now();
        for piece in [1, 700, usize::MAX] {
            let mut queue = WriteQueue::default();
            for (first, priority) in [
                (1, Priority::Low),
                (2, Priority::Normal),
                (3, Priority::High),
                (4, Priority::Low),
            ] {
                assert!(queue.push(now, &[first; 900], priority));
            }
            let first = queue.next_chunk(now)[2];
            queue.mark_written(1);
            assert!(queue.push(now, &[5; 900], Priority::High));
            assert_eq!(first, 3);
            queue.written = 0;
            assert_eq!(drain(&mut queue, now, piece), [3, 2, 1, 4, 5]);
        }
    }

    #[test]
    fn oldest_frames_of_the_lowest_priority_are_dropped_first() {
        let now = Instant::now();
        let mut queue = WriteQueue::default();
        let mut audio = 0;
        for number in 0..2_000_u32 {
            let first = u8::try_from(number / 10).unwrap();
            assert!(queue.push(now, &[first; 1_200], Priority::Low));
            if number % 10 == 0 {
                assert!(queue.push(now, &[200; 160], Priority::Normal));
                audio += 1;
            }
            assert!(queue.len() <= WRITE_QUEUE_BYTES_MAX);
        }
        let frames = drain(&mut queue, now, usize::MAX);
        let heard = frames.iter().filter(|first| **first == 200).count();
        assert_eq!(heard, audio, "audio is dropped after all video");
        assert_eq!(frames.last(), Some(&199), "the newest is kept");
        assert!(!frames.contains(&0), "the oldest is dropped");
        assert_eq!(
            queue.take_dropped(),
            2_000 + audio as u64 - frames.len() as u64
        );
        assert!(!queue.push(now, &[0; FRAME_LEN_MAX + 1], Priority::High));
    }

    #[test]
    fn frames_do_not_wait_for_longer_than_a_second() {
        let now = Instant::now();
        let mut queue = WriteQueue::default();
        for (first, priority) in [
            (1, Priority::Low),
            (2, Priority::Normal),
            (3, Priority::High),
        ] {
            assert!(queue.push(now, &[first; 900], priority));
        }
        let later = now + Duration::from_secs(1);
        assert!(queue.push(later, &[4; 900], Priority::Low));
        assert_eq!(drain(&mut queue, later, usize::MAX), [3, 4]);
    }
}
