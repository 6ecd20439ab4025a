//! How time passes: what is due happens, and what it causes settles before time goes on.

use std::time::Duration;

use watersmeet_engine::command::{CloseReason, Event, TransportId};
use watersmeet_engine::transport::srtp::SrtpError;
use watersmeet_engine::worker::Worker;
use watersmeet_peer::browser::{BrowserEvent, Direction};
use watersmeet_peer::receiver::ReceivedPacket;
use watersmeet_wire::units::Time;

use super::{Flight, World, path_of, shard_id};
use crate::person::Pipe;

/// Round trips that ICE and DTLS 1.2 take before keys are agreed: a check, and two flights.
const HANDSHAKE_ROUND_TRIPS: u32 = 3;

/// How long after a pause media may still come: what is on its way, and what was asked for again.
const PAUSE_GRACE: Duration = Duration::from_secs(2);

/// How long what one worker has for another is on its way: about as long as a busy shard takes for a
/// turn.
const CROSSING_DELAY: Duration = Duration::from_micros(200);

/// Most that may be caused without time passing.
const SETTLING_MAX: usize = 100_000;

impl World {
    /// When something happens next.
    pub(super) fn next_moment(&self) -> Option<Time> {
        let flight = self.flights.first_key_value().map(|((at, _), _)| *at);
        let workers = self.workers.iter().map(|worker| worker.poll_timeout());
        let here = self.people.iter().filter(|person| person.is_here);
        let people = here.map(|person| person.browser.poll_timeout());
        let conference = std::iter::once(self.conference.poll_timeout());
        let due = flight
            .into_iter()
            .chain(workers)
            .chain(people)
            .chain(conference)
            .min();
        due.filter(|due| *due < Time::FAR_FUTURE)
    }

    /// Does everything that is due now.
    pub(super) fn happen(&mut self) {
        let now = self.now;
        while let Some(entry) = self
            .flights
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            let flight = entry.remove();
            self.arrive(flight);
        }
        self.conference.handle_timeout(now);
        for worker in &mut self.workers {
            worker.handle_timeout(now);
        }
        for person in self.people.iter_mut().filter(|person| person.is_here) {
            if person.browser.poll_timeout() <= now {
                person.browser.handle_timeout(now);
            }
        }
    }

    /// Carries away whatever anybody has to say, until nobody has.
    pub(super) fn settle(&mut self) {
        for _ in 0..SETTLING_MAX {
            let mut moved = false;
            while let Some(output) = self.conference.poll_output() {
                self.obey(output);
                moved = true;
            }
            for shard in 0..self.workers.len() {
                moved |= self.collect(shard);
            }
            for person in 0..self.people.len() {
                moved |= self.listen_to(person);
            }
            if !moved {
                return;
            }
        }
        self.oracle
            .fault(self.now, "the world does not come to rest".to_owned());
    }

    /// Carries away what a worker sends and reports.
    fn collect(&mut self, shard: usize) -> bool {
        let now = self.now;
        let is_orderly = self.is_orderly();
        let Some(worker) = self.workers.get_mut(shard) else {
            return false;
        };
        let mut datagrams = Vec::new();
        while let Some(batch) = worker.poll_transmit(now) {
            for transmit in batch.transmits {
                let run = batch.arena.get(transmit.range.clone()).unwrap_or_default();
                let len = transmit.segment_size.map_or(run.len(), usize::from).max(1);
                datagrams.extend(run.chunks(len).map(|it| (transmit.path, it.to_vec())));
            }
        }
        let mut events = Vec::new();
        while let Some(event) = worker.poll_event() {
            events.push(event);
        }
        let mut crossings = Vec::new();
        while let Some(crossing) = worker.poll_shard_message() {
            crossings.push(crossing);
        }
        let moved = !(datagrams.is_empty() && events.is_empty() && crossings.is_empty());
        for (to, crossing) in crossings {
            let flight = Flight::ShardMessage {
                from: shard,
                to: usize::from(to),
                crossing,
            };
            self.fly(now + CROSSING_DELAY, flight);
        }
        for (path, datagram) in datagrams {
            let Some((index, direction)) = self.owners.get(&path).copied() else {
                self.oracle
                    .fault(now, format!("a worker sent to {path:?}, where nobody is"));
                continue;
            };
            let Some(person) = self.people.get_mut(index) else {
                continue;
            };
            if let Some(pipe) = person.pipes.get(&direction) {
                self.oracle.sent(now, pipe.transport, &datagram, is_orderly);
            }
            for at in person.down.carry(now, datagram.len()).into_iter().flatten() {
                let datagram = datagram.clone();
                self.fly(
                    at,
                    Flight::ToPerson {
                        person: index,
                        direction,
                        datagram,
                    },
                );
            }
        }
        for event in events {
            if let Event::TransportClosed {
                reason: CloseReason::Fault,
                transport,
            } = &event
            {
                self.oracle
                    .fault(now, format!("the worker failed in {transport}"));
            }
            self.conference.handle_event(now, shard_id(shard), event);
        }
        moved
    }

    /// Carries away what somebody says and sends.
    fn listen_to(&mut self, index: usize) -> bool {
        let now = self.now;
        let mut flights = Vec::new();
        let mut events = Vec::new();
        let Some(person) = self.people.get_mut(index).filter(|person| person.is_here) else {
            return false;
        };
        let mut moved = false;
        while let Some(text) = person.browser.poll_frame() {
            let at = person.up.carry_reliably(now);
            flights.push((
                at,
                Flight::Said {
                    session: person.session,
                    text,
                },
            ));
            moved = true;
        }
        while let Some((direction, packet)) = person.browser.poll_packet(now) {
            moved = true;
            let Some(pipe) = person.pipes.get_mut(&direction) else {
                continue;
            };
            let shard = self.shards.get(&pipe.transport).copied().unwrap_or(0);
            let path = pipe.path;
            let Some(datagram) = pipe.seal(packet) else {
                continue;
            };
            for at in person.up.carry(now, datagram.len()).into_iter().flatten() {
                let datagram = datagram.clone();
                flights.push((
                    at,
                    Flight::ToWorker {
                        shard,
                        path,
                        datagram,
                    },
                ));
            }
        }
        while let Some(event) = person.browser.poll_event() {
            events.push(event);
        }
        moved |= !events.is_empty();
        flights
            .into_iter()
            .for_each(|(at, flight)| self.fly(at, flight));
        events.into_iter().for_each(|event| self.heed(index, event));
        moved
    }

    /// Does what a browser leaves to its owner.
    fn heed(&mut self, index: usize, event: BrowserEvent) {
        let Some(person) = self.people.get_mut(index) else {
            return;
        };
        match event {
            BrowserEvent::TransportReady {
                transport,
                direction,
            } => {
                let there = person.up.profile().delay + person.down.profile().delay;
                let at = self.now + there * HANDSHAKE_ROUND_TRIPS;
                match TransportId::parse(&transport) {
                    Some(transport) => {
                        self.fly(
                            at,
                            Flight::Agreed {
                                person: index,
                                transport,
                                direction,
                            },
                        );
                    }
                    None => self
                        .oracle
                        .fault(self.now, format!("{transport} names nothing")),
                }
            }
            BrowserEvent::TransportClosed { transport } => {
                person
                    .pipes
                    .retain(|_, pipe| pipe.transport.to_string() != transport);
            }
        }
    }

    /// When a worker next looks at what has come: now, or at the end of its window.
    fn next_look(&self, shard: usize) -> Time {
        let window = self.workers.get(shard).map(Worker::window);
        let micros = window.map_or(0, |it| u64::try_from(it.as_micros()).unwrap_or(0));
        Time::from_micros(self.now.as_micros().next_multiple_of(micros.max(1)))
    }

    fn arrive(&mut self, flight: Flight) {
        let now = self.now;
        if let Flight::ToWorker { shard, .. } | Flight::ShardMessage { to: shard, .. } = flight {
            let look = self.next_look(shard);
            if look > now {
                self.fly(look, flight);
                return;
            }
        }
        match flight {
            Flight::ToWorker {
                shard,
                path,
                mut datagram,
            } => {
                if let Some(worker) = self.workers.get_mut(shard) {
                    worker.handle_datagram(now, path, &mut datagram);
                }
            }
            Flight::ToPerson {
                person,
                direction,
                datagram,
            } => {
                self.receive(person, direction, datagram);
            }
            Flight::ShardMessage { from, to, crossing } => {
                if let Some(worker) = self.workers.get_mut(to) {
                    worker.handle_shard_message(now, shard_id(from).0, crossing);
                }
            }
            Flight::Said { session, text } => self.conference.handle_frame(now, session, &text),
            Flight::Told { person, text } => {
                let person = self.people.get_mut(person).filter(|person| person.is_here);
                if let Some(person) = person {
                    person.browser.handle_frame(now, &text);
                }
            }
            Flight::Opened { session } => self.open(session),
            Flight::Hung { session } => self.conference.handle_close(now, session),
            Flight::Agreed {
                person,
                transport,
                direction,
            } => {
                self.agree(person, transport, direction);
            }
        }
    }

    /// Gives both sides of a transport their keys.
    fn agree(&mut self, index: usize, transport: TransportId, direction: Direction) {
        let (up, down) = (self.draw_key(), self.draw_key());
        let path = path_of(index, direction);
        let shard = self.shards.get(&transport).copied().unwrap_or(0);
        let (Some(worker), Some(person)) =
            (self.workers.get_mut(shard), self.people.get_mut(index))
        else {
            return;
        };
        if !person.is_here {
            return;
        }
        let agreed = worker.assume_connected(self.now, transport, path, self.profile, &down, &up);
        if let Err(refusal) = agreed {
            self.oracle
                .fault(self.now, format!("{transport} cannot be used: {refusal}"));
            return;
        }
        if let Some(pipe) = Pipe::new(transport, path, self.profile, &up, &down) {
            person.pipes.insert(direction, pipe);
        }
        self.owners.insert(path, (index, direction));
        person.browser.handle_connected(self.now, direction);
    }

    /// Somebody gets a datagram.
    fn receive(&mut self, index: usize, direction: Direction, datagram: Vec<u8>) {
        let Some(person) = self.people.get_mut(index).filter(|person| person.is_here) else {
            return;
        };
        // DTLS says goodbye when a transport is closed; handshakes are not played.
        let is_media = datagram
            .first()
            .is_some_and(|first| (128..=191).contains(first));
        let Some(pipe) = person.pipes.get_mut(&direction).filter(|_| is_media) else {
            return;
        };
        match pipe.open(datagram) {
            Ok(packet) => {
                let seen = person.browser.handle_packet(self.now, direction, &packet);
                if let Some(seen) = seen {
                    self.judge(index, seen);
                }
            }
            // The link doubled it, or it is a straggler.
            Err(SrtpError::Replayed) => {}
            Err(_) => person.unopened += 1,
        }
    }

    /// Whether this person may see that.
    fn judge(&mut self, index: usize, seen: ReceivedPacket) {
        let Some(person) = self.people.get(index) else {
            return;
        };
        let browser = &person.browser;
        let owner = self
            .sources
            .get(&seen.signature.source)
            .and_then(|owner| self.people.get(*owner));
        let stream = browser.consumed_streams().find(|it| it.ssrc == seen.ssrc);
        let wrong = match (owner, stream) {
            (None, _) => Some("comes from nobody"),
            // It ended a moment ago; the receiver knows stragglers from strangers.
            (_, None) => None,
            (Some(owner), Some(stream)) => {
                let quiet = stream.paused_since;
                if owner.browser.peer() != Some(stream.peer.as_str()) {
                    Some("is another person's than announced")
                } else if seen.signature.room != browser.options().room_number {
                    Some("comes from another room")
                } else if owner.name == person.name {
                    Some("is one's own")
                } else if quiet.is_some_and(|since| self.now.since(since) > PAUSE_GRACE) {
                    Some("comes though it is paused")
                } else {
                    None
                }
            }
        };
        if let Some(wrong) = wrong {
            let what = format!("{} sees what {wrong}: {seen:?}", person.name);
            self.oracle.fault(self.now, what);
        }
    }
}
