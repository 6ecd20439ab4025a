//! Media threads. Each owns the transports of some peers and its own counters, and receives commands.
//!
//! A thread sleeps for a tick and then polls its sockets. It never blocks on them: on one machine
//! each of the server's packets would then wake it, at the server's expense. The tick does not
//! lengthen measured latencies, since datagrams carry the kernel's receive timestamp.

mod arrival_log;
pub mod dtls;
pub mod ice;
pub mod published_track;
pub mod received_stream;
mod srtp_offer;
mod thread_state;
pub mod transport;

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll;
use tokio::sync::oneshot;
use watersmeet_net::udp::connected::{ConnectedOptions, SharedReceiveBatch};
use watersmeet_wire::units::{Map, Ssrc, Time};

use self::dtls::Identity;
use self::published_track::PublishedTrack;
use self::received_stream::ExpectedStream;
use self::thread_state::ThreadState;
use self::transport::{Transport, TransportPlan};
use crate::clock::Clock;
use crate::traffic_stats::{MeasurementWindow, TrafficStats};

/// Sockets that one poll reports.
const READY_MAX: usize = 1_024;

/// Settings of a media thread.
#[derive(Clone)]
pub struct Settings {
    /// The run's clock.
    pub clock: Clock,
    /// Certificate of all peers.
    pub identity: Identity,
    /// Options of the sockets.
    pub socket_options: ConnectedOptions,
    /// One of this many packets is decrypted and checked.
    pub verify_every: u32,
    /// Time between two polls.
    pub tick: Duration,
}

/// Identifies a transport; chosen by its peer.
pub type TransportNumber = u64;

/// A command to a media thread.
pub enum Command {
    /// Opens a transport.
    Open(TransportNumber, Box<TransportPlan>),
    /// Sends a camera or microphone on the transport.
    Publish(TransportNumber, Box<PublishedTrack>),
    /// Receives a stream on the transport.
    Receive(TransportNumber, Box<ExpectedStream>),
    /// Stops receiving a stream.
    StopReceiving(TransportNumber, Ssrc),
    /// Closes the transport.
    Close(TransportNumber),
    /// Starts counting packets sent within this window.
    StartCounting(MeasurementWindow),
    /// Returns the counters.
    Collect(oneshot::Sender<TrafficStats>),
}

/// Handle of a running media thread.
pub struct MediaThread {
    commands: Sender<Command>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl MediaThread {
    /// Starts a thread.
    ///
    /// # Errors
    /// Errors of the operating system.
    pub fn start(number: usize, settings: Settings) -> io::Result<Self> {
        let (sender, commands) = channel();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let thread = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || MediaLoop::new(epoll, settings, commands).run())?;
        Ok(Self {
            commands: sender,
            thread: Some(thread),
        })
    }

    /// Sends a command. Has no effect after the thread has ended.
    pub fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Stops the thread and waits for its end.
    ///
    /// # Errors
    /// Returns the error with which the thread ended early.
    pub fn stop(mut self) -> io::Result<()> {
        drop(std::mem::replace(&mut self.commands, channel().0));
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("media thread panicked")),
            None => Ok(()),
        }
    }
}

/// Decision whether the loop continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LoopControl {
    Continue,
    Stop,
}

/// The loop of a media thread.
struct MediaLoop {
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
    tick: Duration,
    commands: Receiver<Command>,
    state: ThreadState,
    batch: SharedReceiveBatch,
    /// Wall clock at the origin of the run's clock, for converting receive timestamps.
    wall_origin_ns: u64,
    transports: Map<TransportNumber, Transport>,
    timers: BTreeSet<(Time, TransportNumber)>,
}

impl MediaLoop {
    fn new(epoll: OwnedFd, settings: Settings, commands: Receiver<Command>) -> Self {
        let since = settings.clock.now().as_micros() * 1_000;
        Self {
            epoll,
            ready: Vec::with_capacity(READY_MAX),
            tick: settings.tick,
            commands,
            batch: SharedReceiveBatch::new(settings.socket_options),
            wall_origin_ns: Clock::wall_ns().saturating_sub(since),
            state: ThreadState {
                clock: settings.clock,
                identity: settings.identity,
                socket_options: settings.socket_options,
                verify_every: settings.verify_every,
                stats: TrafficStats::default(),
                scratch: Vec::new(),
            },
            transports: Map::new(),
            timers: BTreeSet::new(),
        }
    }

    fn run(mut self) -> io::Result<()> {
        loop {
            let started = self.state.clock.now();
            if self.handle_commands() == LoopControl::Stop {
                return Ok(());
            }
            let has_more = self.receive()?;
            self.handle_timers();
            if !has_more {
                let spent = self.state.clock.now().since(started);
                std::thread::sleep(self.tick.saturating_sub(spent));
            }
        }
    }

    /// Executes all waiting commands.
    fn handle_commands(&mut self) -> LoopControl {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.handle_command(command),
                Err(TryRecvError::Empty) => return LoopControl::Continue,
                Err(TryRecvError::Disconnected) => return LoopControl::Stop,
            }
        }
    }

    fn handle_command(&mut self, command: Command) {
        let now = self.state.clock.now();
        match command {
            Command::Open(number, plan) => self.open(now, number, *plan),
            Command::Publish(number, track) => {
                if let Some(transport) = self.transports.get_mut(&number) {
                    transport.publish(*track);
                    update_timer(&mut self.timers, number, transport);
                }
            }
            Command::Receive(number, expected) => {
                if let Some(transport) = self.transports.get_mut(&number) {
                    transport.receive_stream(now, *expected, &self.state);
                    update_timer(&mut self.timers, number, transport);
                }
            }
            Command::StopReceiving(number, ssrc) => {
                if let Some(transport) = self.transports.get_mut(&number) {
                    transport.stop_receiving(ssrc, &mut self.state);
                }
            }
            Command::Close(number) => self.close(number),
            Command::StartCounting(window) => {
                self.state.stats.start_counting(window);
                self.transports
                    .values_mut()
                    .for_each(Transport::start_counting);
            }
            Command::Collect(response) => {
                let mut stats = std::mem::take(&mut self.state.stats);
                for transport in self.transports.values() {
                    stats.consumers.extend(transport.consumer_stats());
                }
                // The receiver may be gone.
                let _ = response.send(stats);
            }
        }
    }

    fn open(&mut self, now: Time, number: TransportNumber, plan: TransportPlan) {
        // Dropping the plan reports to its peer that there is no socket left.
        let Ok(mut transport) = Transport::open(now, plan, &self.state) else {
            return;
        };
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        let data = epoll::EventData::new_u64(number);
        if epoll::add(&self.epoll, transport.socket(), data, flags).is_ok() {
            update_timer(&mut self.timers, number, &mut transport);
            self.transports.insert(number, transport);
        }
    }

    fn close(&mut self, number: TransportNumber) {
        if let Some(transport) = self.transports.remove(&number) {
            self.timers.remove(&(transport.timer, number));
            for stats in transport.consumer_stats() {
                self.state.stats.consumers.push(stats.partial());
            }
            // Closing the socket also removes it.
            let _ = epoll::delete(&self.epoll, transport.socket());
        }
    }

    /// Receives from all ready sockets. Returns whether more may be ready.
    fn receive(&mut self) -> io::Result<bool> {
        let no_wait = Timespec::default();
        self.ready.clear();
        let found = epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&no_wait));
        match found {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        let ready = std::mem::take(&mut self.ready);
        for event in &ready {
            self.drain_socket(event.data.u64())?;
        }
        let has_more = ready.len() == READY_MAX;
        self.ready = ready;
        Ok(has_more)
    }

    /// Reads a socket until it is empty, since readiness is edge-triggered.
    fn drain_socket(&mut self, number: TransportNumber) -> io::Result<()> {
        let Some(transport) = self.transports.get_mut(&number) else {
            return Ok(());
        };
        let mut has_more = true;
        while has_more {
            has_more = transport.socket().receive(&mut self.batch)?;
            for datagram in self.batch.datagrams() {
                let at_ns = datagram.at_ns.unwrap_or_else(Clock::wall_ns);
                let since_ns = at_ns.saturating_sub(self.wall_origin_ns);
                let now = Time::from_micros(since_ns / 1_000);
                transport.handle_datagram(now, at_ns, datagram.contents, &mut self.state);
            }
        }
        update_timer(&mut self.timers, number, transport);
        Ok(())
    }

    /// Runs the timers that are due.
    fn handle_timers(&mut self) {
        let now = self.state.clock.now();
        while let Some((due, number)) = self.timers.first().copied() {
            if due > now {
                return;
            }
            self.timers.remove(&(due, number));
            if let Some(transport) = self.transports.get_mut(&number) {
                transport.timer = Time::FAR_FUTURE;
                transport.handle_timeout(now, &mut self.state);
                update_timer(&mut self.timers, number, transport);
            }
        }
    }
}

/// Sets the timer of a transport to its next deadline.
fn update_timer(
    timers: &mut BTreeSet<(Time, TransportNumber)>,
    number: TransportNumber,
    transport: &mut Transport,
) {
    let due = transport.poll_timeout();
    if due != transport.timer {
        timers.remove(&(transport.timer, number));
        if due != Time::FAR_FUTURE {
            timers.insert((due, number));
        }
        transport.timer = due;
    }
}
