//! Sends the traffic of a plan, in bursts of one run to each destination, as a server forwards a
//! packet to all receivers. Only encryption and system calls are measured, in CPU time of this thread.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use watersmeet_engine::transport::srtp::{SrtpKeyError, SrtpProfile, SrtpSender};
use watersmeet_net::udp::{Transmit, UdpOptions, UdpSocket};
use watersmeet_wire::units::{SeqNo, Ssrc};

use super::receiver::Receiver;
use super::send_plan::{Run, SendPlan};
use super::thread_cpu;

/// Bytes of the arena in which datagrams are encrypted, as in the server.
const ARENA_LEN: usize = 512 * 1_024;

/// Datagrams in flight. More could be dropped, which is cheap and would make the floor too low.
const OUTSTANDING_MAX: u64 = 8_192;

/// Interval at which the receiver's counter is polled.
const POLL_INTERVAL: Duration = Duration::from_micros(100);

/// Longest wait for the receiver.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(1);

/// Bytes of the RTP header, which is not encrypted.
const HEADER_LEN: usize = 12;

/// SSRC of the packets.
const SSRC: Ssrc = Ssrc(7);

/// Rate of sending.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SendRate {
    /// Datagrams per second.
    PerSecond(f64),
    /// As fast as the receiver reads.
    Unlimited,
}

/// Mean cost of a datagram.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SendCost {
    /// CPU time of encryption in microseconds.
    pub seal_us: f64,
    /// CPU time of the send call in microseconds.
    pub send_us: f64,
    /// Datagrams sent.
    sent: u64,
    /// Datagrams received.
    received: u64,
}

impl SendCost {
    /// Returns the CPU time of both in microseconds.
    pub fn total_us(&self) -> f64 {
        self.seal_us + self.send_us
    }

    /// Returns the share of datagrams that were not received.
    pub fn lost_share(&self) -> f64 {
        self.sent.saturating_sub(self.received) as f64 / self.sent.max(1) as f64
    }
}

/// A receiving socket.
struct Destination {
    /// Address of the socket.
    address: SocketAddr,
    /// SRTP context of its packets.
    srtp: SrtpSender,
    /// Sequence number of the last packet.
    seq: SeqNo,
}

/// Sends the traffic of a plan.
pub struct Sender {
    /// Sending socket.
    socket: UdpSocket,
    /// Receiving sockets.
    destinations: Vec<Destination>,
    /// Runs of the plan.
    runs: Vec<Run>,
    /// Index of the next run.
    next_run: usize,
    /// Bytes that encryption adds.
    overhead: usize,
    /// Arena of the current batch.
    arena: Vec<u8>,
    /// Datagrams of the current batch.
    transmits: Vec<Transmit>,
    /// Counter of received datagrams.
    received: Arc<AtomicU64>,
}

/// CPU time so far.
#[derive(Debug, Default, Clone, Copy)]
struct SpentTime {
    /// CPU time of encryption.
    seal: Duration,
    /// CPU time of send calls.
    send: Duration,
    /// Datagrams sent.
    sent: u64,
}

impl Sender {
    /// Creates a sender of `plan` to `receiver`.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn new(plan: &SendPlan, receiver: &Receiver) -> io::Result<Self> {
        let addresses = receiver.addresses().iter();
        let destinations = addresses.zip(0..).map(|(address, number)| {
            Ok(Destination {
                address: *address,
                srtp: srtp_sender(plan.profile, number).map_err(io::Error::other)?,
                seq: SeqNo::first(0),
            })
        });
        Ok(Self {
            socket: UdpSocket::bind(([127, 0, 0, 1], 0).into(), UdpOptions::default())?,
            destinations: destinations.collect::<io::Result<_>>()?,
            runs: plan.runs.clone(),
            next_run: 0,
            overhead: plan.profile.rtp_overhead(),
            arena: vec![0; ARENA_LEN],
            transmits: Vec::new(),
            received: receiver.counter(),
        })
    }

    /// Sends for `seconds`: encrypted and in runs, or one by one and not encrypted.
    ///
    /// # Errors
    /// Fails when the socket is broken or the receiver does not read.
    pub fn send(&mut self, rate: SendRate, seconds: f64, in_runs: bool) -> io::Result<SendCost> {
        let started = Instant::now();
        let before = self.received.load(Ordering::Relaxed);
        let mut spent_time = SpentTime::default();
        while started.elapsed().as_secs_f64() < seconds {
            self.burst(in_runs, before, &mut spent_time)?;
            if let SendRate::PerSecond(per_second) = rate {
                let due = spent_time.sent as f64 / per_second.max(1.0);
                let early = due - started.elapsed().as_secs_f64();
                std::thread::sleep(Duration::from_secs_f64(early.max(0.0)));
            }
        }
        let stopped = Instant::now();
        let mut received = 0;
        while received < spent_time.sent && stopped.elapsed() < RECEIVER_TIMEOUT {
            std::thread::sleep(POLL_INTERVAL);
            received = self.received.load(Ordering::Relaxed) - before;
        }
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / spent_time.sent.max(1) as f64;
        Ok(SendCost {
            seal_us: each(spent_time.seal),
            send_us: each(spent_time.send),
            sent: spent_time.sent,
            received,
        })
    }

    /// Sends one run to each destination, in batches that fit the arena.
    fn burst(&mut self, in_runs: bool, before: u64, spent_time: &mut SpentTime) -> io::Result<()> {
        let mut next = 0;
        while next < self.destinations.len() {
            let before_seal = thread_cpu::cpu_time();
            next = self.fill(next, in_runs);
            let after_seal = thread_cpu::cpu_time();
            self.flush()?;
            spent_time.send += thread_cpu::cpu_time().saturating_sub(after_seal);
            spent_time.seal += after_seal.saturating_sub(before_seal);
            let sent = self.transmits.iter().map(segments).sum::<u64>();
            spent_time.sent += sent;
            self.wait_for_receiver(before, spent_time.sent)?;
        }
        Ok(())
    }

    /// Writes runs for the destinations from index `next` on until the arena is full, and returns the
    /// index of the next destination.
    fn fill(&mut self, mut next: usize, in_runs: bool) -> usize {
        self.transmits.clear();
        let mut used = 0;
        while let Some(destination) = self.destinations.get_mut(next) {
            let Some(&run) = self.runs.get(self.next_run) else {
                self.next_run = 0;
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
                    source: None,
                    range: used..used + bytes,
                    segment_size: (run.segments > 1).then_some(run.len),
                });
            } else {
                let starts = (used..used + bytes).step_by(len);
                self.transmits.extend(starts.map(|start| Transmit {
                    destination: destination.address,
                    source: None,
                    range: start..start + len,
                    segment_size: None,
                }));
            }
            used += bytes;
            self.next_run += 1;
            next += 1;
        }
        next
    }

    /// Sends the current batch.
    fn flush(&mut self) -> io::Result<()> {
        let mut rest = &*self.transmits;
        while !rest.is_empty() {
            let taken = self.socket.send_batch(&self.arena, rest)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Waits while too many datagrams are in flight.
    fn wait_for_receiver(&self, before: u64, sent: u64) -> io::Result<()> {
        let started = Instant::now();
        while sent.saturating_sub(self.received.load(Ordering::Relaxed) - before) > OUTSTANDING_MAX
        {
            if started.elapsed() > RECEIVER_TIMEOUT {
                return Err(io::Error::other(
                    "the receiver of the floor measurement does not keep up",
                ));
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

/// Returns an SRTP context with a predictable key.
fn srtp_sender(profile: SrtpProfile, number: usize) -> Result<SrtpSender, SrtpKeyError> {
    let bytes = number.to_le_bytes();
    let master: Vec<u8> = bytes
        .into_iter()
        .cycle()
        .take(profile.master_len())
        .collect();
    SrtpSender::new(profile, &master)
}

/// Returns the number of datagrams of a transmit.
fn segments(transmit: &Transmit) -> u64 {
    let len = transmit
        .segment_size
        .map_or(transmit.range.len(), usize::from);
    transmit.range.len().div_ceil(len.max(1)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(gro: bool) -> SendPlan {
        let run = |segments, len| Run { segments, len };
        SendPlan {
            destinations: 7,
            runs: vec![run(1, 100), run(3, 1_200), run(2, 900)],
            datagrams_per_second: 4_000.0,
            gro,
            profile: SrtpProfile::AeadAes128Gcm,
        }
    }

    #[test]
    fn all_datagrams_arrive_and_have_a_cost() {
        for gro in [false, true] {
            let plan = plan(gro);
            let receiver = Receiver::start(plan.destinations, plan.gro, 1).unwrap();
            let mut sender = Sender::new(&plan, &receiver).unwrap();
            let rate = SendRate::PerSecond(plan.datagrams_per_second);
            for in_runs in [true, false] {
                let spent = sender.send(rate, 0.2, in_runs).unwrap();
                assert_eq!(spent.sent, spent.received);
                assert!((600..=1_100).contains(&spent.sent), "{spent:?}");
                assert!(spent.send_us > 0.0, "{spent:?}");
            }
            receiver.stop().unwrap();
        }
    }

    #[test]
    fn unlimited_sender_waits_for_the_receiver() {
        let plan = plan(true);
        let receiver = Receiver::start(plan.destinations, plan.gro, 1).unwrap();
        let mut sender = Sender::new(&plan, &receiver).unwrap();
        let spent = sender.send(SendRate::Unlimited, 0.2, true).unwrap();
        assert_eq!(spent.sent, spent.received);
        assert!(spent.seal_us > 0.0, "{spent:?}");
        receiver.stop().unwrap();
    }
}
