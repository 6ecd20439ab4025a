//! Batch of datagrams to send in one loop iteration: encrypted one after the other into one arena and
//! grouped into runs that the kernel can split (UDP segmentation offload). [`send_queue`] decides
//! which destinations send, [`window`] how long packets are collected, [`gso_order`] in which order
//! the packets of one destination are sent.
//!
//! Arena and lists keep their memory, so that sending allocates nothing once they have grown.

pub mod gso_order;
pub mod send_queue;
pub mod window;

use watersmeet_wire::params::MediaKind;

use crate::path::{Path, Protocol};

/// Upper bound of the bytes of one run: the largest UDP payload over IPv4.
const RUN_LEN_MAX: usize = 65_507;

/// Upper bound of the datagrams of one run: `UDP_MAX_SEGMENTS` of older kernels.
pub const RUN_SEGMENTS_MAX: u16 = 64;

/// Upper bound of the length of a datagram. Browsers keep to 1,200 B, FFmpeg fills 1,472 before
/// encryption, and a packet in IP fragments is better than none.
pub const DATAGRAM_LEN_MAX: usize = 2_400;

/// Upper bounds of the length of a datagram that Ethernet carries in one piece over IPv4 and IPv6.
/// Longer ones are not sent in runs, because the kernel does not split a run into IP fragments.
const UNFRAGMENTED_LEN_MAX: [usize; 2] = [1_472, 1_452];

/// Size of the arena in bytes; what does not fit is sent in another batch of the same iteration.
const ARENA_LEN: usize = 512 * 1_024;

/// Upper bound of the runs of one batch.
const TRANSMITS_MAX: usize = 512;

/// Upper bounds of the classes of [`RunLengths`], in datagrams.
pub const RUN_BOUNDS: [u16; 8] = [1, 2, 3, 4, 8, 16, 32, RUN_SEGMENTS_MAX];

/// A run: datagrams of equal length to one destination, of which the last may be shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmit {
    /// Path on which it is sent.
    pub path: Path,
    /// Position of its bytes in the arena.
    pub range: std::ops::Range<usize>,
    /// Length of each datagram but the last; absent for a single datagram.
    pub segment_size: Option<u16>,
    /// Contents of its first datagram, for TCP, where slow lines delay the less important.
    pub contents: Contents,
}

/// Contents of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contents {
    /// STUN, DTLS or RTCP.
    Control,
    /// Audio.
    Audio,
    /// Video.
    Video,
}

impl From<MediaKind> for Contents {
    fn from(kind: MediaKind) -> Self {
        match kind {
            MediaKind::Audio => Self::Audio,
            MediaKind::Video => Self::Video,
        }
    }
}

/// Histogram of the lengths of media runs over UDP.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct RunLengths {
    /// Number of runs per class: at most the bound in [`RUN_BOUNDS`], more than the bound before.
    pub runs: [u64; RUN_BOUNDS.len()],
    /// Number of datagrams in all runs.
    pub datagrams: u64,
}

/// Datagrams to send.
#[derive(Debug)]
pub struct Batch<'a> {
    /// Bytes of all runs.
    pub arena: &'a [u8],
    /// Runs, in the order in which to send them.
    pub transmits: &'a [Transmit],
}

/// Batch under construction.
#[derive(Debug)]
pub struct Egress {
    /// Bytes of the datagrams, up to `used`.
    arena: Vec<u8>,
    /// Number of bytes in use.
    used: usize,
    /// Runs, in order.
    transmits: Vec<Transmit>,
    /// Number of datagrams in the last run.
    segments: u16,
    /// Whether the last run can be extended.
    is_open: bool,
    /// Whether the last run contains media over UDP.
    has_media: bool,
    /// Lengths of the runs before the last one.
    lengths: RunLengths,
}

impl Default for Egress {
    fn default() -> Self {
        Self {
            arena: vec![0; ARENA_LEN],
            used: 0,
            transmits: Vec::with_capacity(TRANSMITS_MAX),
            segments: 0,
            is_open: false,
            has_media: false,
            lengths: RunLengths::default(),
        }
    }
}

impl Egress {
    /// Starts an empty batch.
    pub fn clear(&mut self) {
        self.count_run();
        self.used = 0;
        self.transmits.clear();
        self.is_open = false;
    }

    /// Returns whether this many more datagrams fit.
    #[inline]
    pub fn has_room(&self, datagrams: usize) -> bool {
        self.transmits.len() + datagrams <= TRANSMITS_MAX
            && self.arena.len() - self.used >= datagrams * DATAGRAM_LEN_MAX
    }

    /// Returns the space for the next datagram: write it there, then `push` its length.
    #[inline]
    pub fn slot(&mut self) -> &mut [u8] {
        let end = self.arena.len().min(self.used + DATAGRAM_LEN_MAX);
        self.arena.get_mut(self.used..end).unwrap_or_default()
    }

    /// Appends the media datagram that was written into the slot.
    #[inline]
    pub fn push_media(&mut self, path: Path, len: usize, kind: MediaKind) {
        self.append(path, len, kind.into());
        self.has_media |= path.protocol == Protocol::Udp;
    }

    /// Appends the control datagram that was written into the slot.
    #[inline]
    pub fn push(&mut self, path: Path, len: usize) {
        self.append(path, len, Contents::Control);
    }

    #[inline]
    fn append(&mut self, path: Path, len: usize, contents: Contents) {
        let start = self.used;
        self.used += len;
        if self.extend_run(path, len) {
            return;
        }
        self.count_run();
        self.transmits.push(Transmit {
            path,
            range: start..self.used,
            segment_size: None,
            contents,
        });
        self.segments = 1;
        let [v4, v6] = UNFRAGMENTED_LEN_MAX;
        let len_max = if path.remote.is_ipv4() { v4 } else { v6 };
        self.is_open = path.protocol == Protocol::Udp && len <= len_max;
    }

    /// Extends the last run by a datagram, if possible. Returns whether it did.
    #[inline]
    fn extend_run(&mut self, path: Path, len: usize) -> bool {
        let Some(run) = self
            .transmits
            .last_mut()
            .filter(|run| self.is_open && run.path == path)
        else {
            return false;
        };
        let segment = run.segment_size.map_or(run.range.len(), usize::from);
        let fits = len <= segment
            && self.segments < RUN_SEGMENTS_MAX
            && run.range.len() + len <= RUN_LEN_MAX;
        let Some(size) = u16::try_from(segment).ok().filter(|_| fits) else {
            return false;
        };
        run.range.end = self.used;
        run.segment_size = Some(size);
        self.segments += 1;
        self.is_open = len == segment;
        true
    }

    /// Counts the last run, which is complete.
    #[inline]
    fn count_run(&mut self) {
        if self.has_media {
            self.lengths.add(self.segments);
            self.has_media = false;
        }
    }

    /// Returns the lengths of the runs of all earlier batches.
    pub const fn run_lengths(&self) -> RunLengths {
        self.lengths
    }

    /// Returns the batch; `None` when it is empty.
    pub fn batch(&self) -> Option<Batch<'_>> {
        let arena = self.arena.get(..self.used)?;
        (!self.transmits.is_empty()).then_some(Batch {
            arena,
            transmits: &self.transmits,
        })
    }
}

impl RunLengths {
    /// Counts one run.
    #[inline]
    fn add(&mut self, datagrams: u16) {
        let class = RUN_BOUNDS.iter().position(|&bound| datagrams <= bound);
        if let Some(runs) = class.and_then(|class| self.runs.get_mut(class)) {
            *runs += 1;
        }
        self.datagrams += u64::from(datagrams);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(protocol: Protocol, port: u16) -> Path {
        let remote = ([127, 0, 0, 1], port).into();
        match protocol {
            Protocol::Udp => Path::udp(remote),
            Protocol::Tcp => Path::tcp(remote, 0),
        }
    }

    fn runs(egress: &Egress) -> Vec<(u16, usize, Option<u16>)> {
        let Some(batch) = egress.batch() else {
            return Vec::new();
        };
        let run = |it: &Transmit| (it.path.remote.port(), it.range.len(), it.segment_size);
        batch.transmits.iter().map(run).collect()
    }

    #[test]
    fn equal_datagrams_to_one_destination_form_one_run() {
        let mut egress = Egress::default();
        let udp = path(Protocol::Udp, 1);
        for len in [100, 100, 60, 100, 101] {
            egress.push(udp, len);
        }
        egress.push(path(Protocol::Udp, 2), 101);
        let expected = [
            (1, 260, Some(100)),
            (1, 100, None),
            (1, 101, None),
            (2, 101, None),
        ];
        assert_eq!(runs(&egress), expected);
    }

    #[test]
    fn runs_are_bounded() {
        let mut egress = Egress::default();
        for _ in 0..RUN_SEGMENTS_MAX + 1 {
            egress.push(path(Protocol::Udp, 1), 100);
        }
        assert_eq!(runs(&egress), [(1, 6_400, Some(100)), (1, 100, None)]);
        egress.clear();
        for _ in 0..60 {
            egress.push(path(Protocol::Udp, 1), 1_400);
        }
        assert_eq!(
            runs(&egress),
            [(1, 46 * 1_400, Some(1_400)), (1, 14 * 1_400, Some(1_400))]
        );
    }

    #[test]
    fn datagrams_that_need_ip_fragments_are_not_grouped() {
        let v6 = Path::udp("[2001:db8::1]:1".parse().unwrap());
        for (path, len) in [(path(Protocol::Udp, 1), 1_472), (v6, 1_452)] {
            let mut egress = Egress::default();
            for len in [len + 1, len + 1, len, len] {
                egress.push(path, len);
            }
            let segment = u16::try_from(len).unwrap();
            let expected = [
                (1, len + 1, None),
                (1, len + 1, None),
                (1, 2 * len, Some(segment)),
            ];
            assert_eq!(runs(&egress), expected);
        }
    }

    #[test]
    fn tcp_frames_are_not_grouped() {
        let mut egress = Egress::default();
        egress.push(path(Protocol::Tcp, 1), 100);
        egress.push(path(Protocol::Tcp, 1), 100);
        assert_eq!(runs(&egress), [(1, 100, None), (1, 100, None)]);
    }

    #[test]
    fn full_arena_has_no_room() {
        let mut egress = Egress::default();
        let mut pushed = 0;
        while egress.has_room(1) {
            assert!(egress.slot().len() >= DATAGRAM_LEN_MAX);
            egress.push(path(Protocol::Udp, 1), DATAGRAM_LEN_MAX);
            pushed += 1;
        }
        assert_eq!(pushed, ARENA_LEN / DATAGRAM_LEN_MAX);
        egress.clear();
        assert!(egress.batch().is_none() && egress.has_room(ARENA_LEN / DATAGRAM_LEN_MAX));
        assert!(!egress.has_room(TRANSMITS_MAX + 1));
    }

    #[test]
    fn lengths_of_media_runs_are_counted() {
        let mut egress = Egress::default();
        for _ in 0..3 {
            egress.push_media(path(Protocol::Udp, 1), 100, MediaKind::Video);
        }
        egress.push(path(Protocol::Udp, 2), 100);
        egress.push_media(path(Protocol::Tcp, 3), 100, MediaKind::Video);
        egress.push_media(path(Protocol::Udp, 4), 100, MediaKind::Video);
        egress.clear();
        egress.clear();
        for _ in 0..=RUN_SEGMENTS_MAX {
            egress.push_media(path(Protocol::Udp, 5), 100, MediaKind::Video);
        }
        egress.clear();
        let expected = RunLengths {
            runs: [2, 0, 1, 0, 0, 0, 0, 1],
            datagrams: 3 + 1 + u64::from(RUN_SEGMENTS_MAX) + 1,
        };
        assert_eq!(egress.run_lengths(), expected);
    }
}
