//! The sending loop against a scripted kernel: full buffers, refused runs, broken sockets.
//! Loopback delivers at once and never refuses, so no real socket shows these.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::*;

/// One answer of the scripted kernel.
enum Answer {
    /// So many messages are taken.
    Take(usize),
    /// This error.
    Fail(i32),
}

/// A kernel that answers as it was told, and takes everything when it was told nothing more.
#[derive(Default)]
struct Script {
    /// Answers to batches.
    batches: RefCell<VecDeque<Answer>>,
    /// Answers to single datagrams.
    singles: RefCell<VecDeque<Answer>>,
    /// What was taken: bytes and segment length of each message.
    taken: RefCell<Vec<(Vec<u8>, Option<usize>)>>,
}

impl Script {
    fn new(batches: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            batches: RefCell::new(batches.into_iter().collect()),
            ..Self::default()
        }
    }

    fn singles(self, singles: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            singles: RefCell::new(singles.into_iter().collect()),
            ..self
        }
    }

    /// The lengths of what was taken, and whether each was a run.
    fn taken(&self) -> Vec<(usize, bool)> {
        self.taken
            .borrow()
            .iter()
            .map(|(run, segment)| (run.len(), segment.is_some()))
            .collect()
    }
}

impl SendOne for Script {
    fn send_one(&self, datagram: &[u8], _: SocketAddr) -> io::Result<usize> {
        if let Some(Answer::Fail(code)) = self.singles.borrow_mut().pop_front() {
            return Err(io::Error::from_raw_os_error(code));
        }
        self.taken.borrow_mut().push((datagram.to_vec(), None));
        Ok(datagram.len())
    }
}

impl Carrier for Script {
    fn send_messages(&self, pieces: &[Piece<'_>]) -> io::Result<usize> {
        assert!((1..=SEND_MESSAGES_MAX).contains(&pieces.len()));
        let count = match self.batches.borrow_mut().pop_front() {
            None => pieces.len(),
            Some(Answer::Take(count)) => count,
            Some(Answer::Fail(code)) => return Err(io::Error::from_raw_os_error(code)),
        };
        for piece in &pieces[..count] {
            assert!(piece.run.len() <= RUN_LEN_MAX);
            let segment = piece.is_run().then(|| piece.transmit.segment_len());
            assert!(segment.is_none_or(|len| piece.run.len().div_ceil(len) <= RUN_SEGMENTS_MAX));
            self.taken.borrow_mut().push((piece.run.to_vec(), segment));
        }
        Ok(count)
    }
}

fn batcher() -> Batcher {
    Batcher {
        gro: true,
        gso: true,
        refusals: 0,
    }
}

fn runs(count: usize, len: usize) -> Vec<Transmit> {
    let destination = SocketAddr::from(([127, 0, 0, 1], 9));
    (0..count)
        .map(|number| Transmit {
            destination,
            range: number * len..(number + 1) * len,
            segment_size: Some(100),
        })
        .collect()
}

#[test]
fn a_full_buffer_ends_the_batch_and_nothing_is_lost_or_repeated() {
    let arena: Vec<u8> = (0..=255).cycle().take(30_000).collect();
    let transmits = runs(100, 300);
    for first in 1..=64 {
        for code in [libc::EAGAIN, libc::ENOBUFS] {
            let script = Script::new([Answer::Take(first), Answer::Fail(code)]);
            let (mut batcher, mut stats) = (batcher(), UdpStats::default());
            let taken = batcher
                .send(&script, &arena, &transmits, &mut stats)
                .unwrap();
            assert_eq!(taken, first);
            let rest = batcher
                .send(&script, &arena, &transmits[taken..], &mut stats)
                .unwrap();
            assert_eq!(taken + rest, 100);
            let sent: Vec<u8> = script
                .taken
                .borrow()
                .iter()
                .flat_map(|(run, _)| run)
                .copied()
                .collect();
            assert_eq!(sent, arena);
            assert_eq!(
                (stats.sent, stats.sent_runs, stats.send_errors),
                (300, 100, 0)
            );
        }
    }
}

#[test]
fn a_run_that_the_path_refuses_is_sent_singly_and_runs_go_on() {
    let script = Script::new([Answer::Take(1), Answer::Fail(libc::EINVAL)]);
    let (mut batcher, mut stats) = (batcher(), UdpStats::default());
    assert_eq!(
        batcher
            .send(&script, &[0; 900], &runs(3, 300), &mut stats)
            .unwrap(),
        3
    );
    let single = (100, false);
    assert_eq!(
        script.taken(),
        [(300, true), single, single, single, (300, true)]
    );
    assert_eq!((stats.run_refusals, stats.sent, stats.sent_runs), (1, 9, 5));
    assert!(batcher.gso);
    assert_eq!(batcher.refusals, 0);
}

#[test]
fn refusals_without_end_stop_the_runs() {
    let most = RUN_REFUSALS_MAX as usize;
    let script = Script::new((0..most).map(|_| Answer::Fail(libc::EINVAL)));
    let (mut batcher, mut stats) = (batcher(), UdpStats::default());
    let transmits = runs(most + 10, 300);
    let arena = vec![0; (most + 10) * 300];
    let taken = batcher
        .send(&script, &arena, &transmits, &mut stats)
        .unwrap();
    assert_eq!(taken, transmits.len());
    assert!(!batcher.gso);
    assert!(script.taken().iter().all(|taken| *taken == (100, false)));
    assert_eq!(stats.sent, 3 * (most as u64 + 10));
}

#[test]
fn a_device_without_segmentation_stops_the_runs_at_once() {
    for code in [libc::EIO, libc::ENOPROTOOPT, libc::EOPNOTSUPP] {
        let script = Script::new([Answer::Fail(code)]);
        let (mut batcher, mut stats) = (batcher(), UdpStats::default());
        assert_eq!(
            batcher
                .send(&script, &[0; 600], &runs(2, 300), &mut stats)
                .unwrap(),
            2
        );
        assert!(!batcher.gso);
        assert_eq!(script.taken(), [(100, false); 6]);
        assert_eq!(stats.run_refusals, 1);
    }
}

#[test]
fn a_buffer_that_fills_amid_a_refused_run_has_the_run_offered_again() {
    let script = Script::new([Answer::Fail(libc::EIO)])
        .singles([Answer::Take(1), Answer::Fail(libc::EAGAIN)]);
    let (mut batcher, mut stats) = (batcher(), UdpStats::default());
    let transmits = runs(2, 300);
    assert_eq!(
        batcher
            .send(&script, &[0; 600], &transmits, &mut stats)
            .unwrap(),
        0
    );
    assert_eq!(
        batcher
            .send(&script, &[0; 600], &transmits, &mut stats)
            .unwrap(),
        2
    );
    assert_eq!(script.taken(), [(100, false); 7]);
}

#[test]
fn a_signal_is_no_failure_and_a_refused_datagram_is_one_count() {
    let script = Script::new([
        Answer::Fail(libc::EINTR),
        Answer::Fail(libc::ECONNREFUSED),
        Answer::Fail(libc::EPERM),
    ]);
    let (mut batcher, mut stats) = (batcher(), UdpStats::default());
    assert_eq!(
        batcher
            .send(&script, &[0; 400], &runs(4, 100), &mut stats)
            .unwrap(),
        4
    );
    assert_eq!((stats.sent, stats.send_errors), (2, 2));
}

#[test]
fn a_broken_socket_is_an_error() {
    let script = Script::new([Answer::Fail(libc::EBADF)]);
    let (mut batcher, mut stats) = (batcher(), UdpStats::default());
    assert!(
        batcher
            .send(&script, &[0; 100], &runs(1, 100), &mut stats)
            .is_err()
    );
}

#[test]
fn addresses_survive_the_kernels_form() {
    for text in [
        "127.0.0.1:9",
        "203.0.113.7:65535",
        "[::1]:443",
        "[fe80::1%7]:1",
    ] {
        let address: SocketAddr = text.parse().unwrap();
        let mut name = Name([0; NAME_LEN]);
        write_name(&mut name, address);
        assert_eq!(read_name(&name), Some(address));
    }
    assert_eq!(read_name(&Name([0; NAME_LEN])), None);
}

#[test]
fn the_segment_size_is_found_behind_other_messages() {
    let mut control = Control([0; CONTROL_LEN]);
    assert_eq!(read_segment_size(&control, 0), None);
    let mut bytes = Vec::new();
    for (level, kind, value) in [
        (libc::IPPROTO_IP, 8, 1),
        (libc::SOL_UDP, libc::UDP_GRO, 1_200),
    ] {
        bytes.extend((CONTROL_HEADER_LEN + 4).to_ne_bytes());
        bytes.extend(i32::to_ne_bytes(level));
        bytes.extend(i32::to_ne_bytes(kind));
        bytes.extend(i32::to_ne_bytes(value));
        bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
    }
    control.0[..bytes.len()].copy_from_slice(&bytes);
    assert_eq!(read_segment_size(&control, bytes.len()), Some(1_200));
    assert_eq!(read_segment_size(&control, bytes.len() / 2), None);
    // A length of zero must not hold the search for ever.
    assert_eq!(
        read_segment_size(&Control([0; CONTROL_LEN]), CONTROL_LEN),
        None
    );
}
