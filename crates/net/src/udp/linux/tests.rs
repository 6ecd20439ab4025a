//! Tests of the send loop against a scripted kernel: full buffers, refused runs, broken sockets.
//! Loopback never refuses a send, so a real socket cannot cause these.

use std::cell::RefCell;
use std::collections::VecDeque;

use super::*;

/// Result of one call to the scripted kernel.
enum CallResult {
    /// This many messages are taken.
    Take(usize),
    /// The call fails with this error code.
    Fail(i32),
}

/// A kernel with scripted results. Takes everything once they are used up.
#[derive(Default)]
struct ScriptedKernel {
    /// Results of calls that send a batch.
    batches: RefCell<VecDeque<CallResult>>,
    /// Results of calls that send one datagram.
    singles: RefCell<VecDeque<CallResult>>,
    /// Messages taken: bytes, and segment length if a run.
    taken: RefCell<Vec<(Vec<u8>, Option<usize>)>>,
}

impl ScriptedKernel {
    fn new(batches: impl IntoIterator<Item = CallResult>) -> Self {
        Self {
            batches: RefCell::new(batches.into_iter().collect()),
            ..Self::default()
        }
    }

    fn singles(self, singles: impl IntoIterator<Item = CallResult>) -> Self {
        Self {
            singles: RefCell::new(singles.into_iter().collect()),
            ..self
        }
    }

    /// Returns the length of each message taken, and whether it was a run.
    fn taken(&self) -> Vec<(usize, bool)> {
        self.taken
            .borrow()
            .iter()
            .map(|(run, segment)| (run.len(), segment.is_some()))
            .collect()
    }
}

impl SendDatagram for ScriptedKernel {
    fn send_datagram(&self, datagram: &[u8], _: &Transmit) -> io::Result<()> {
        if let Some(CallResult::Fail(code)) = self.singles.borrow_mut().pop_front() {
            return Err(io::Error::from_raw_os_error(code));
        }
        self.taken.borrow_mut().push((datagram.to_vec(), None));
        Ok(())
    }
}

impl SendMessages for ScriptedKernel {
    fn send_messages(&self, messages: &[SendMessage<'_>]) -> io::Result<usize> {
        assert!((1..=SEND_MESSAGES_MAX).contains(&messages.len()));
        let count = match self.batches.borrow_mut().pop_front() {
            None => messages.len(),
            Some(CallResult::Take(count)) => count,
            Some(CallResult::Fail(code)) => return Err(io::Error::from_raw_os_error(code)),
        };
        for message in &messages[..count] {
            assert!(message.run.len() <= RUN_LEN_MAX);
            let segment = message.is_run().then(|| message.transmit.segment_len());
            assert!(segment.is_none_or(|len| message.run.len().div_ceil(len) <= RUN_SEGMENTS_MAX));
            self.taken
                .borrow_mut()
                .push((message.run.to_vec(), segment));
        }
        Ok(count)
    }
}

fn batch_sender() -> BatchSender {
    BatchSender {
        gso: true,
        refusals: 0,
    }
}

fn runs(count: usize, len: usize) -> Vec<Transmit> {
    let destination = SocketAddr::from(([127, 0, 0, 1], 9));
    (0..count)
        .map(|number| Transmit {
            destination,
            source: None,
            range: number * len..(number + 1) * len,
            segment_size: Some(100),
        })
        .collect()
}

#[test]
fn full_buffer_ends_the_batch_without_loss_or_repetition() {
    let arena: Vec<u8> = (0..=255).cycle().take(30_000).collect();
    let transmits = runs(100, 300);
    for first in 1..=64 {
        for code in [libc::EAGAIN, libc::ENOBUFS] {
            let kernel = ScriptedKernel::new([CallResult::Take(first), CallResult::Fail(code)]);
            let (mut sender, mut stats) = (batch_sender(), UdpStats::default());
            let taken = sender
                .send(&kernel, &arena, &transmits, &mut stats)
                .unwrap();
            assert_eq!(taken, first);
            let rest = sender
                .send(&kernel, &arena, &transmits[taken..], &mut stats)
                .unwrap();
            assert_eq!(taken + rest, 100);
            let sent: Vec<u8> = kernel
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
fn run_refused_by_one_path_is_sent_singly_and_later_runs_continue() {
    let kernel = ScriptedKernel::new([CallResult::Take(1), CallResult::Fail(libc::EINVAL)]);
    let (mut sender, mut stats) = (batch_sender(), UdpStats::default());
    assert_eq!(
        sender
            .send(&kernel, &[0; 900], &runs(3, 300), &mut stats)
            .unwrap(),
        3
    );
    let single = (100, false);
    assert_eq!(
        kernel.taken(),
        [(300, true), single, single, single, (300, true)]
    );
    assert_eq!((stats.run_refusals, stats.sent, stats.sent_runs), (1, 9, 5));
    assert!(sender.gso);
    assert_eq!(sender.refusals, 0);
}

#[test]
fn runs_stop_after_the_maximum_of_consecutive_refusals() {
    let most = RUN_REFUSALS_MAX as usize;
    let kernel = ScriptedKernel::new((0..most).map(|_| CallResult::Fail(libc::EINVAL)));
    let (mut sender, mut stats) = (batch_sender(), UdpStats::default());
    let transmits = runs(most + 10, 300);
    let arena = vec![0; (most + 10) * 300];
    let taken = sender
        .send(&kernel, &arena, &transmits, &mut stats)
        .unwrap();
    assert_eq!(taken, transmits.len());
    assert!(!sender.gso);
    assert!(kernel.taken().iter().all(|taken| *taken == (100, false)));
    assert_eq!(stats.sent, 3 * (most as u64 + 10));
}

#[test]
fn runs_stop_at_once_when_the_device_lacks_segmentation() {
    for code in [libc::EIO, libc::ENOPROTOOPT, libc::EOPNOTSUPP] {
        let kernel = ScriptedKernel::new([CallResult::Fail(code)]);
        let (mut sender, mut stats) = (batch_sender(), UdpStats::default());
        assert_eq!(
            sender
                .send(&kernel, &[0; 600], &runs(2, 300), &mut stats)
                .unwrap(),
            2
        );
        assert!(!sender.gso);
        assert_eq!(kernel.taken(), [(100, false); 6]);
        assert_eq!(stats.run_refusals, 1);
    }
}

#[test]
fn refused_run_is_offered_again_when_the_buffer_fills_midway() {
    let kernel = ScriptedKernel::new([CallResult::Fail(libc::EIO)])
        .singles([CallResult::Take(1), CallResult::Fail(libc::EAGAIN)]);
    let (mut sender, mut stats) = (batch_sender(), UdpStats::default());
    let transmits = runs(2, 300);
    assert_eq!(
        sender
            .send(&kernel, &[0; 600], &transmits, &mut stats)
            .unwrap(),
        0
    );
    assert_eq!(
        sender
            .send(&kernel, &[0; 600], &transmits, &mut stats)
            .unwrap(),
        2
    );
    assert_eq!(kernel.taken(), [(100, false); 7]);
}

#[test]
fn signals_are_ignored_and_each_refused_datagram_is_counted_once() {
    let kernel = ScriptedKernel::new([
        CallResult::Fail(libc::EINTR),
        CallResult::Fail(libc::ECONNREFUSED),
        CallResult::Fail(libc::EPERM),
    ]);
    let (mut sender, mut stats) = (batch_sender(), UdpStats::default());
    assert_eq!(
        sender
            .send(&kernel, &[0; 400], &runs(4, 100), &mut stats)
            .unwrap(),
        4
    );
    assert_eq!((stats.sent, stats.send_errors), (2, 2));
}

#[test]
fn bad_descriptor_is_returned_as_an_error() {
    let kernel = ScriptedKernel::new([CallResult::Fail(libc::EBADF)]);
    let (mut sender, mut stats) = (batch_sender(), UdpStats::default());
    assert!(
        sender
            .send(&kernel, &[0; 100], &runs(1, 100), &mut stats)
            .is_err()
    );
}

#[test]
fn addresses_survive_a_round_trip_through_the_kernels_layout() {
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
fn segment_length_is_found_behind_other_control_messages() {
    let mut control = ControlBuffer([0; CONTROL_LEN]);
    let read = |control: &_, len| Metadata::read(control, len).segment_len;
    assert_eq!(read(&control, 0), None);
    let mut bytes = Vec::new();
    for (level, kind, value) in [
        (libc::IPPROTO_IP, 8, 1),
        (libc::SOL_UDP, libc::UDP_GRO, 1_200),
    ] {
        bytes.extend((size_of::<libc::cmsghdr>() + 4).to_ne_bytes());
        bytes.extend(i32::to_ne_bytes(level));
        bytes.extend(i32::to_ne_bytes(kind));
        bytes.extend(i32::to_ne_bytes(value));
        bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
    }
    control.0[..bytes.len()].copy_from_slice(&bytes);
    assert_eq!(read(&control, bytes.len()), Some(1_200));
    assert_eq!(read(&control, bytes.len() / 2), None);
    // A length of zero must not cause an endless loop.
    assert_eq!(read(&ControlBuffer([0; CONTROL_LEN]), CONTROL_LEN), None);
}

#[test]
fn source_and_segment_length_survive_a_round_trip_through_control_messages() {
    for source in ["203.0.113.7", "2001:db8::7"] {
        let source: IpAddr = source.parse().unwrap();
        let mut control = ControlBuffer([0xff; CONTROL_LEN]);
        let mut writer = ControlWriter::new(&mut control);
        writer.push_segment_size(1_200);
        writer.push_source(source);
        let len = writer.len();
        assert!(len <= CONTROL_LEN && len.is_multiple_of(size_of::<usize>()));
        assert_eq!(Metadata::read(&control, len).local, Some(source));
    }
}

#[test]
fn runs_continue_after_refusals_of_a_removed_source_address() {
    let mut sender = batch_sender();
    let transmits = runs(1, 1_000).into_iter().map(|run| Transmit {
        source: Some([192, 0, 2, 1].into()),
        ..run
    });
    let transmits: Vec<_> = transmits.collect();
    for _ in 0..=RUN_REFUSALS_MAX {
        let kernel = ScriptedKernel::new([CallResult::Fail(libc::EINVAL)])
            .singles((0..10).map(|_| CallResult::Fail(libc::EINVAL)));
        let mut stats = UdpStats::default();
        let taken = sender.send(&kernel, &[0; 1_000], &transmits, &mut stats);
        assert_eq!((taken.unwrap(), stats.send_errors), (1, 10));
    }
    assert!(sender.gso);
}
