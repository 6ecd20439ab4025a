//! The threads that move media. Each owns the transports of some peers and shares nothing with the
//! others: it is told what to do, and counts by itself.
//!
//! A thread sleeps for a tick and then looks at everything that is ready. It never waits for a
//! socket: on one machine with the server, the server's every packet would wake it, and the server
//! would pay for that. What is measured does not grow by the tick, since the kernel says when each
//! datagram came.

pub mod dtls;
pub mod feedback;
pub mod ice;
pub mod incoming;
pub mod offer;
pub mod outgoing;
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
use self::incoming::Expectation;
use self::outgoing::Outgoing;
use self::transport::{Transport, TransportPlan};
use crate::clock::Clock;
use crate::tally::{Tally, Window};

/// Sockets that one look finds ready.
const READY_MAX: usize = 1_024;

/// What all transports of a thread share.
pub struct Shared {
    /// The run's clock.
    pub clock: Clock,
    /// What peers show.
    pub identity: Identity,
    /// How sockets are opened.
    pub socket_options: ConnectedOptions,
    /// Of how many packets one is opened and checked.
    pub verify_every: u32,
    /// What was counted.
    pub tally: Tally,
    /// A datagram in the making.
    pub scratch: Vec<u8>,
}

/// What threads are started with.
#[derive(Clone)]
pub struct Settings {
    /// The run's clock.
    pub clock: Clock,
    /// What peers show.
    pub identity: Identity,
    /// How sockets are opened.
    pub socket_options: ConnectedOptions,
    /// Of how many packets one is opened and checked.
    pub verify_every: u32,
    /// Time between two looks.
    pub tick: Duration,
}

/// The name of a transport, chosen by who opens it.
pub type TransportNumber = u64;

/// What a thread is told.
pub enum Command {
    /// Open a transport.
    Open(TransportNumber, Box<TransportPlan>),
    /// Send a camera or microphone on it.
    Publish(TransportNumber, Box<Outgoing>),
    /// Expect a stream on it.
    Expect(TransportNumber, Box<Expectation>),
    /// Expect a stream no longer.
    Forget(TransportNumber, Ssrc),
    /// Close it.
    Close(TransportNumber),
    /// Count the packets that leave within this time.
    Begin(Window),
    /// Say what was counted.
    Collect(oneshot::Sender<Tally>),
}

/// A running thread.
pub struct MediaThread {
    commands: Sender<Command>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl MediaThread {
    /// Starts a thread.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(number: usize, settings: Settings) -> io::Result<Self> {
        let (sender, commands) = channel();
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let thread = std::thread::Builder::new()
            .name(format!("media-{number}"))
            .spawn(move || Loop::new(epoll, settings, commands).run())?;
        Ok(Self {
            commands: sender,
            thread: Some(thread),
        })
    }

    /// Tells it something. After its end nothing happens.
    pub fn tell(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Ends it.
    ///
    /// # Errors
    /// Why it had ended before.
    pub fn stop(mut self) -> io::Result<()> {
        drop(std::mem::replace(&mut self.commands, channel().0));
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(io::Error::other("a media thread panicked")),
            None => Ok(()),
        }
    }
}

/// Whether a thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    GoOn,
    End,
}

/// What a thread does.
struct Loop {
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
    tick: Duration,
    commands: Receiver<Command>,
    shared: Shared,
    inbox: SharedReceiveBatch,
    /// What is needed to tell the wall's clock from the run's: the wall's at the run's origin.
    wall_origin_ns: u64,
    transports: Map<TransportNumber, Transport>,
    timers: BTreeSet<(Time, TransportNumber)>,
}

impl Loop {
    fn new(epoll: OwnedFd, settings: Settings, commands: Receiver<Command>) -> Self {
        let since = settings.clock.now().as_micros() * 1_000;
        Self {
            epoll,
            ready: Vec::with_capacity(READY_MAX),
            tick: settings.tick,
            commands,
            inbox: SharedReceiveBatch::new(settings.socket_options),
            wall_origin_ns: Clock::wall_ns().saturating_sub(since),
            shared: Shared {
                clock: settings.clock,
                identity: settings.identity,
                socket_options: settings.socket_options,
                verify_every: settings.verify_every,
                tally: Tally::default(),
                scratch: Vec::new(),
            },
            transports: Map::new(),
            timers: BTreeSet::new(),
        }
    }

    fn run(mut self) -> io::Result<()> {
        loop {
            let begun = self.shared.clock.now();
            if self.obey() == Flow::End {
                return Ok(());
            }
            let more = self.receive()?;
            self.fire();
            if !more {
                let spent = self.shared.clock.now().since(begun);
                std::thread::sleep(self.tick.saturating_sub(spent));
            }
        }
    }

    /// Obeys what was told.
    fn obey(&mut self) -> Flow {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.obey_one(command),
                Err(TryRecvError::Empty) => return Flow::GoOn,
                Err(TryRecvError::Disconnected) => return Flow::End,
            }
        }
    }

    fn obey_one(&mut self, command: Command) {
        let now = self.shared.clock.now();
        match command {
            Command::Open(number, plan) => self.open(now, number, *plan),
            Command::Publish(number, outgoing) => {
                if let Some(transport) = self.transports.get_mut(&number) {
                    transport.publish(*outgoing);
                    arm(&mut self.timers, number, transport);
                }
            }
            Command::Expect(number, expected) => {
                if let Some(transport) = self.transports.get_mut(&number) {
                    transport.expect(now, *expected, &self.shared);
                    arm(&mut self.timers, number, transport);
                }
            }
            Command::Forget(number, ssrc) => {
                if let Some(transport) = self.transports.get_mut(&number) {
                    transport.forget(ssrc, &mut self.shared);
                }
            }
            Command::Close(number) => self.close(number),
            Command::Begin(window) => {
                self.shared.tally.begin(window);
                self.transports.values_mut().for_each(Transport::begin);
            }
            Command::Collect(answer) => {
                let mut tally = std::mem::take(&mut self.shared.tally);
                for transport in self.transports.values() {
                    tally.receptions.extend(transport.receptions());
                }
                // Nobody asks any more.
                let _ = answer.send(tally);
            }
        }
    }

    fn open(&mut self, now: Time, number: TransportNumber, plan: TransportPlan) {
        // Who waits for it learns by its end that there is no socket left.
        let Ok(mut transport) = Transport::open(now, plan, &self.shared) else {
            return;
        };
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        let data = epoll::EventData::new_u64(number);
        if epoll::add(&self.epoll, transport.socket(), data, flags).is_ok() {
            arm(&mut self.timers, number, &mut transport);
            self.transports.insert(number, transport);
        }
    }

    fn close(&mut self, number: TransportNumber) {
        if let Some(transport) = self.transports.remove(&number) {
            self.timers.remove(&(transport.armed, number));
            for reception in transport.receptions() {
                self.shared.tally.receptions.push(reception.partial());
            }
            // Closing the socket would do as well.
            let _ = epoll::delete(&self.epoll, transport.socket());
        }
    }

    /// Takes what has come. Whether there may be more.
    fn receive(&mut self) -> io::Result<bool> {
        let at_once = Timespec::default();
        self.ready.clear();
        let found = epoll::wait(&self.epoll, spare_capacity(&mut self.ready), Some(&at_once));
        match found {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => return Ok(true),
            Err(error) => return Err(error.into()),
        }
        let ready = std::mem::take(&mut self.ready);
        for event in &ready {
            self.empty(event.data.u64())?;
        }
        let more = ready.len() == READY_MAX;
        self.ready = ready;
        Ok(more)
    }

    /// Reads a socket until nothing is left: it is reported once for what came.
    fn empty(&mut self, number: TransportNumber) -> io::Result<()> {
        let Some(transport) = self.transports.get_mut(&number) else {
            return Ok(());
        };
        let mut more = true;
        while more {
            more = transport.socket().receive(&mut self.inbox)?;
            for arrival in self.inbox.datagrams() {
                let at_ns = arrival.at_ns.unwrap_or_else(Clock::wall_ns);
                let since_ns = at_ns.saturating_sub(self.wall_origin_ns);
                let now = Time::from_micros(since_ns / 1_000);
                transport.handle_datagram(now, at_ns, arrival.contents, &mut self.shared);
            }
        }
        arm(&mut self.timers, number, transport);
        Ok(())
    }

    /// Does what is due.
    fn fire(&mut self) {
        let now = self.shared.clock.now();
        while let Some((due, number)) = self.timers.first().copied() {
            if due > now {
                return;
            }
            self.timers.remove(&(due, number));
            if let Some(transport) = self.transports.get_mut(&number) {
                transport.armed = Time::FAR_FUTURE;
                transport.handle_timeout(now, &mut self.shared);
                arm(&mut self.timers, number, transport);
            }
        }
    }
}

/// Puts a transport where it belongs among the timers.
fn arm(
    timers: &mut BTreeSet<(Time, TransportNumber)>,
    number: TransportNumber,
    transport: &mut Transport,
) {
    let due = transport.poll_timeout();
    if due != transport.armed {
        timers.remove(&(transport.armed, number));
        if due != Time::FAR_FUTURE {
            timers.insert((due, number));
        }
        transport.armed = due;
    }
}
