//! Who sends: what a plan says, in bursts of one run to each destination, as a packet leaves that
//! has come in for all of them. Only the sealing and the system calls are counted, on the clock of
//! this thread's processor time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use watersmeet_engine::transport::srtp::{SrtpKeyError, SrtpProfile, SrtpSender};
use watersmeet_net::udp::{Transmit, UdpOptions, UdpSocket};
use watersmeet_wire::units::{SeqNo, Ssrc};

use super::cpu;
use super::plan::{Plan, Run};
use super::sink::Sink;

/// Bytes of the arena that datagrams are sealed in, as the server has it.
const ARENA_LEN: usize = 512 * 1_024;

/// Datagrams on their way at most: what overflows would be dropped, which is cheap and would make
/// the floor too low.
const OUTSTANDING_MAX: u64 = 8_192;

/// The wait for the receiver when so many are on their way.
const BREATH: Duration = Duration::from_micros(100);

/// How long the last datagrams may take.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Bytes at the start of each datagram that stay readable: an RTP header.
const HEADER_LEN: usize = 12;

/// The stream that is pretended to be sent.
const SSRC: Ssrc = Ssrc(7);

/// How fast is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// So many datagrams a second.
    PerSecond(f64),
    /// As fast as the receiver follows.
    AsFastAsItGoes,
}

/// What one datagram cost on average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spent {
    /// For sealing it.
    pub seal_us: f64,
    /// For giving it to the kernel.
    pub send_us: f64,
    /// Datagrams that were sent.
    sent: u64,
    /// Datagrams that came.
    received: u64,
}

impl Spent {
    /// For both.
    pub fn sum_us(&self) -> f64 {
        self.seal_us + self.send_us
    }

    /// The share that did not come.
    pub fn lost_share(&self) -> f64 {
        self.sent.saturating_sub(self.received) as f64 / self.sent.max(1) as f64
    }
}

/// One of those that are sent to.
struct Destination {
    /// Where it is.
    address: SocketAddr,
    /// Its key.
    srtp: SrtpSender,
    /// The number of its last packet.
    seq: SeqNo,
}

/// Sends what a plan says.
pub struct Sender {
    /// From here.
    socket: UdpSocket,
    /// To these.
    destinations: Vec<Destination>,
    /// This, in turn.
    runs: Vec<Run>,
    /// The place in `runs`.
    at: usize,
    /// Bytes that sealing adds.
    overhead: usize,
    /// Where datagrams are sealed.
    arena: Vec<u8>,
    /// What is sealed there.
    transmits: Vec<Transmit>,
    /// Datagrams that came.
    received: Arc<AtomicU64>,
}

/// Time that was spent so far.
#[derive(Debug, Default, Clone, Copy)]
struct Account {
    /// On sealing.
    seal: Duration,
    /// On sending.
    send: Duration,
    /// Datagrams.
    sent: u64,
}

impl Sender {
    /// A sender of `plan` to `sink`.
    ///
    /// # Errors
    /// Those of the system.
    pub fn new(plan: &Plan, sink: &Sink) -> io::Result<Self> {
        let addresses = sink.addresses().iter();
        let destinations = addresses.zip(0..).map(|(address, number)| {
            Ok(Destination {
                address: *address,
                srtp: sender_of(plan.profile, number).map_err(io::Error::other)?,
                seq: SeqNo::first(0),
            })
        });
        Ok(Self {
            socket: UdpSocket::bind(([127, 0, 0, 1], 0).into(), UdpOptions::default())?,
            destinations: destinations.collect::<io::Result<_>>()?,
            runs: plan.runs.clone(),
            at: 0,
            overhead: plan.profile.rtp_overhead(),
            arena: vec![0; ARENA_LEN],
            transmits: Vec::new(),
            received: sink.counter(),
        })
    }

    /// Sends for so many `seconds`; in runs, or each datagram alone and then unsealed.
    ///
    /// # Errors
    /// When the socket is broken, or the receiver takes nothing.
    pub fn send(&mut self, pace: Pace, seconds: f64, in_runs: bool) -> io::Result<Spent> {
        let begun = Instant::now();
        let before = self.received.load(Ordering::Relaxed);
        let mut account = Account::default();
        while begun.elapsed().as_secs_f64() < seconds {
            self.burst(in_runs, before, &mut account)?;
            if let Pace::PerSecond(rate) = pace {
                let due = account.sent as f64 / rate.max(1.0);
                let early = due - begun.elapsed().as_secs_f64();
                std::thread::sleep(Duration::from_secs_f64(early.max(0.0)));
            }
        }
        let last = Instant::now();
        let mut received = 0;
        while received < account.sent && last.elapsed() < LAST_WAIT {
            std::thread::sleep(BREATH);
            received = self.received.load(Ordering::Relaxed) - before;
        }
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / account.sent.max(1) as f64;
        Ok(Spent {
            seal_us: each(account.seal),
            send_us: each(account.send),
            sent: account.sent,
            received,
        })
    }

    /// One run to each destination, as many at a time as the arena holds.
    fn burst(&mut self, in_runs: bool, before: u64, account: &mut Account) -> io::Result<()> {
        let mut next = 0;
        while next < self.destinations.len() {
            let mark = cpu::spent();
            next = self.fill(next, in_runs);
            let sealed = cpu::spent();
            self.flush()?;
            account.send += cpu::spent().saturating_sub(sealed);
            account.seal += sealed.saturating_sub(mark);
            let sent = self.transmits.iter().map(segments).sum::<u64>();
            account.sent += sent;
            self.await_receiver(before, account.sent)?;
        }
        Ok(())
    }

    /// Seals runs for the destinations from `next` on until the arena is full; who is next then.
    fn fill(&mut self, mut next: usize, in_runs: bool) -> usize {
        self.transmits.clear();
        let mut used = 0;
        while let Some(destination) = self.destinations.get_mut(next) {
            let Some(&run) = self.runs.get(self.at) else {
                self.at = 0;
                continue;
            };
            let len = usize::from(run.len);
            let bytes = len * run.segments as usize;
            let Some(slots) = self.arena.get_mut(used..used + bytes) else {
                break;
            };
            if in_runs {
                let plain_len = len.saturating_sub(self.overhead).max(HEADER_LEN);
                for slot in slots.chunks_exact_mut(len) {
                    destination.seq = SeqNo(destination.seq.0 + 1);
                    let seq = destination.seq;
                    let sealed = destination
                        .srtp
                        .protect_rtp(SSRC, seq, slot, HEADER_LEN, plain_len);
                    debug_assert!(sealed.is_some());
                }
                self.transmits.push(Transmit {
                    destination: destination.address,
                    range: used..used + bytes,
                    segment_size: (run.segments > 1).then_some(run.len),
                });
            } else {
                let starts = (used..used + bytes).step_by(len);
                self.transmits.extend(starts.map(|start| Transmit {
                    destination: destination.address,
                    range: start..start + len,
                    segment_size: None,
                }));
            }
            used += bytes;
            self.at += 1;
            next += 1;
        }
        next
    }

    /// Gives everything to the kernel.
    fn flush(&mut self) -> io::Result<()> {
        let mut rest = &*self.transmits;
        while !rest.is_empty() {
            let taken = self.socket.send_batch(&self.arena, rest)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Waits while too much is on its way.
    fn await_receiver(&self, before: u64, sent: u64) -> io::Result<()> {
        let begun = Instant::now();
        while sent.saturating_sub(self.received.load(Ordering::Relaxed) - before) > OUTSTANDING_MAX
        {
            if begun.elapsed() > LAST_WAIT {
                return Err(io::Error::other("the floor's receiver does not keep up"));
            }
            std::thread::sleep(BREATH);
        }
        Ok(())
    }
}

/// A sender with a key of its own, which nobody needs to guess.
fn sender_of(profile: SrtpProfile, number: usize) -> Result<SrtpSender, SrtpKeyError> {
    let bytes = number.to_le_bytes();
    let master: Vec<u8> = bytes
        .into_iter()
        .cycle()
        .take(profile.master_len())
        .collect();
    SrtpSender::new(profile, &master)
}

/// How many datagrams a run holds.
fn segments(transmit: &Transmit) -> u64 {
    let len = transmit
        .segment_size
        .map_or(transmit.range.len(), usize::from);
    transmit.range.len().div_ceil(len.max(1)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(gro: bool) -> Plan {
        let run = |segments, len| Run { segments, len };
        Plan {
            destinations: 7,
            runs: vec![run(1, 100), run(3, 1_200), run(2, 900)],
            datagrams_per_second: 4_000.0,
            gro,
            profile: SrtpProfile::AeadAes128Gcm,
        }
    }

    #[test]
    fn everything_that_is_sent_arrives_and_costs_something() {
        for gro in [false, true] {
            let plan = plan(gro);
            let sink = Sink::start(plan.destinations, plan.gro, 1).unwrap();
            let mut sender = Sender::new(&plan, &sink).unwrap();
            let pace = Pace::PerSecond(plan.datagrams_per_second);
            for in_runs in [true, false] {
                let spent = sender.send(pace, 0.2, in_runs).unwrap();
                assert_eq!(spent.sent, spent.received);
                assert!((600..=1_100).contains(&spent.sent), "{spent:?}");
                assert!(spent.send_us > 0.0, "{spent:?}");
            }
            sink.stop().unwrap();
        }
    }

    #[test]
    fn a_fast_sender_waits_for_its_receiver() {
        let plan = plan(true);
        let sink = Sink::start(plan.destinations, plan.gro, 1).unwrap();
        let mut sender = Sender::new(&plan, &sink).unwrap();
        let spent = sender.send(Pace::AsFastAsItGoes, 0.2, true).unwrap();
        assert_eq!(spent.sent, spent.received);
        assert!(spent.seal_us > 0.0, "{spent:?}");
        sink.stop().unwrap();
    }
}
