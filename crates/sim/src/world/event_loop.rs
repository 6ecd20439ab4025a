//! Event loop: delivers what is due, and drains all outputs before time advances.

use std::time::Duration;

use watersmeet_engine::command::{CloseReason, Event, Path, TransportId};
use watersmeet_engine::transport::srtp::SrtpError;
use watersmeet_engine::worker::Worker;
use watersmeet_peer::browser::{BrowserEvent, Direction};
use watersmeet_peer::receiver::ReceivedPacket;
use watersmeet_wire::units::Time;

use super::setup::{path_of, shard_id};
use super::{InFlight, World};
use crate::network::OVERHEAD_LEN;
use crate::participant::ClientTransport;

/// Round trips of ICE and DTLS 1.2 until keys are available: a check and two flights.
const HANDSHAKE_ROUND_TRIPS: u32 = 3;

/// Time after a pause in which media that is still forwarded may have been captured.
const PAUSE_GRACE: Duration = Duration::from_secs(2);

/// Transit time of messages between workers: about one loop iteration of a busy shard.
const SHARD_MESSAGE_DELAY: Duration = Duration::from_micros(200);

/// Most rounds of draining outputs without an advance of time.
const DRAIN_ROUNDS_MAX: usize = 100_000;

impl World {
    /// Returns the time of the next event.
    pub(super) fn next_event_time(&self) -> Option<Time> {
        let item = self.in_flight.first_key_value().map(|((at, _), _)| *at);
        let workers = self.workers.iter().map(|worker| worker.poll_timeout());
        let here = self
            .participants
            .iter()
            .filter(|participant| participant.is_connected);
        let participants = here.map(|participant| participant.due);
        let conference = std::iter::once(self.conference.poll_timeout());
        let tcp_flows = self.tcp_flows.iter().map(|flow| flow.poll_timeout());
        let due = item
            .into_iter()
            .chain(tcp_flows)
            .chain(workers)
            .chain(participants)
            .chain(conference)
            .min();
        due.filter(|due| *due < Time::FAR_FUTURE)
    }

    /// Processes everything that is due now.
    pub(super) fn process_due(&mut self) {
        let now = self.now;
        while let Some(entry) = self
            .in_flight
            .first_entry()
            .filter(|entry| entry.key().0 <= now)
        {
            let item = entry.remove();
            self.deliver(item);
        }
        self.conference.handle_timeout(now);
        for flow in &mut self.tcp_flows {
            flow.handle_timeout(now);
        }
        for worker in &mut self.workers {
            worker.handle_timeout(now);
        }
        for participant in self
            .participants
            .iter_mut()
            .filter(|participant| participant.is_connected)
        {
            if participant.is_touched {
                participant.due = participant.browser.poll_timeout();
            }
            if participant.due <= now {
                participant.browser.handle_timeout(now);
                participant.is_touched = true;
            }
        }
    }

    /// Drains the outputs of conference, workers and participants until there are none.
    pub(super) fn drain_outputs(&mut self) {
        for _ in 0..DRAIN_ROUNDS_MAX {
            let mut progressed = false;
            while let Some(output) = self.conference.poll_output() {
                self.handle_output(output);
                progressed = true;
            }
            for shard in 0..self.workers.len() {
                progressed |= self.collect_from_worker(shard);
            }
            for participant in 0..self.participants.len() {
                progressed |= self.collect_from_participant(participant);
            }
            progressed |= self.send_tcp_segments();
            if !progressed {
                return;
            }
        }
        self.oracle
            .record_fault(self.now, "outputs do not end".to_owned());
    }

    /// Drains datagrams, events and messages of a worker; returns whether there were any.
    fn collect_from_worker(&mut self, shard: usize) -> bool {
        let now = self.now;
        let preserves_order = self.preserves_order();
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
        let mut messages = Vec::new();
        while let Some(message) = worker.poll_shard_message() {
            messages.push(message);
        }
        let progressed = !(datagrams.is_empty() && events.is_empty() && messages.is_empty());
        for (to, message) in messages {
            let item = InFlight::ShardMessage {
                from: shard,
                to: usize::from(to),
                message,
            };
            self.schedule(now + SHARD_MESSAGE_DELAY, item);
        }
        for (path, datagram) in datagrams {
            self.transmit_to_participant(path, &datagram, preserves_order);
        }
        for event in events {
            if let Event::TransportClosed {
                reason: CloseReason::Fault,
                transport,
            } = &event
            {
                self.oracle
                    .record_fault(now, format!("a worker panicked in {transport}"));
            }
            self.conference.handle_event(now, shard_id(shard), event);
        }
        progressed
    }

    /// Sends a datagram of a worker over the link of the participant on `path`.
    fn transmit_to_participant(&mut self, path: Path, datagram: &[u8], preserves_order: bool) {
        let now = self.now;
        let Some((index, direction)) = self.path_owners.get(&path).copied() else {
            self.oracle
                .record_fault(now, format!("a worker sent to unknown {path:?}"));
            return;
        };
        let left = self.pass_bottleneck(index, datagram.len());
        let Some(participant) = self.participants.get_mut(index) else {
            return;
        };
        participant.offered_bytes += (datagram.len() + OVERHEAD_LEN) as u64;
        if let Some(client) = participant.transports.get(&direction) {
            self.oracle
                .record_datagram(now, client.transport, datagram, preserves_order);
        }
        let Some(left) = left else {
            return;
        };
        for at in participant
            .down
            .transmit(left, datagram.len())
            .into_iter()
            .flatten()
        {
            let datagram = datagram.to_vec();
            self.schedule(
                at,
                InFlight::ToParticipant {
                    participant: index,
                    direction,
                    datagram,
                },
            );
        }
    }

    /// Drains frames, packets and events of a participant; returns whether there were any.
    fn collect_from_participant(&mut self, index: usize) -> bool {
        let now = self.now;
        let mut in_flight = Vec::new();
        let mut events = Vec::new();
        let Some(participant) = self
            .participants
            .get_mut(index)
            .filter(|participant| participant.is_connected && participant.is_touched)
        else {
            return false;
        };
        let mut progressed = false;
        while let Some(text) = participant.browser.poll_frame() {
            let at = participant.up.transmit_reliably(now);
            in_flight.push((
                at,
                InFlight::FrameToServer {
                    session: participant.session,
                    text,
                },
            ));
            progressed = true;
        }
        while let Some((direction, packet)) = participant.browser.poll_packet(now) {
            progressed = true;
            let Some(client) = participant.transports.get_mut(&direction) else {
                continue;
            };
            let shard = self.shards.get(&client.transport).copied().unwrap_or(0);
            let path = client.path;
            let Some(datagram) = client.protect(packet) else {
                continue;
            };
            for at in participant
                .up
                .transmit(now, datagram.len())
                .into_iter()
                .flatten()
            {
                let datagram = datagram.clone();
                in_flight.push((
                    at,
                    InFlight::ToWorker {
                        shard,
                        path,
                        datagram,
                    },
                ));
            }
        }
        while let Some(event) = participant.browser.poll_event() {
            events.push(event);
        }
        progressed |= !events.is_empty();
        participant.is_touched = progressed;
        participant.due = participant.browser.poll_timeout();
        in_flight
            .into_iter()
            .for_each(|(at, item)| self.schedule(at, item));
        events
            .into_iter()
            .for_each(|event| self.handle_browser_event(index, event));
        progressed
    }

    /// Handles an event of a browser.
    fn handle_browser_event(&mut self, index: usize, event: BrowserEvent) {
        let Some(participant) = self.participants.get_mut(index) else {
            return;
        };
        match event {
            BrowserEvent::TransportReady { .. } if participant.is_blocked => {}
            BrowserEvent::TransportReady {
                transport,
                direction,
            } => {
                let round_trip = participant.up.profile().delay + participant.down.profile().delay;
                let at = self.now + round_trip * HANDSHAKE_ROUND_TRIPS;
                match TransportId::parse(&transport) {
                    Some(transport) => {
                        self.schedule(
                            at,
                            InFlight::HandshakeDone {
                                participant: index,
                                transport,
                                direction,
                            },
                        );
                    }
                    None => self
                        .oracle
                        .record_fault(self.now, format!("{transport} is not a transport id")),
                }
            }
            BrowserEvent::TransportClosed { transport } => {
                participant
                    .transports
                    .retain(|_, client| client.transport.to_string() != transport);
            }
        }
    }

    /// Returns when a worker next processes received packets: now, or at the end of its window.
    fn next_batch_time(&self, shard: usize) -> Time {
        let window = self.workers.get(shard).map(Worker::window);
        let micros = window.map_or(0, |it| u64::try_from(it.as_micros()).unwrap_or(0));
        Time::from_micros(self.now.as_micros().next_multiple_of(micros.max(1)))
    }

    fn deliver(&mut self, item: InFlight) {
        let now = self.now;
        if let InFlight::ToWorker { shard, .. } | InFlight::ShardMessage { to: shard, .. } = item {
            let batch_time = self.next_batch_time(shard);
            if batch_time > now {
                self.schedule(batch_time, item);
                return;
            }
        }
        match item {
            InFlight::ToWorker {
                shard,
                path,
                mut datagram,
            } => {
                if let Some(worker) = self.workers.get_mut(shard) {
                    worker.handle_datagram(now, path, &mut datagram);
                }
            }
            InFlight::ToParticipant {
                participant,
                direction,
                datagram,
            } => {
                self.receive(participant, direction, datagram);
            }
            InFlight::ShardMessage { from, to, message } => {
                if let Some(worker) = self.workers.get_mut(to) {
                    worker.handle_shard_message(now, shard_id(from).0, message);
                }
            }
            InFlight::FrameToServer { session, text } => {
                self.conference.handle_frame(now, session, &text)
            }
            InFlight::FrameToParticipant { participant, text } => {
                let participant = self
                    .participants
                    .get_mut(participant)
                    .filter(|participant| participant.is_connected);
                if let Some(participant) = participant {
                    participant.is_touched = true;
                    participant.browser.handle_frame(now, &text);
                }
            }
            InFlight::ConnectionOpened { session } => self.open_session(session),
            InFlight::ConnectionClosed { session } => self.conference.handle_close(now, session),
            InFlight::TcpAck { flow, number } => {
                if let Some(flow) = self.tcp_flows.get_mut(flow) {
                    flow.handle_ack(now, number);
                }
            }
            InFlight::HandshakeDone {
                participant,
                transport,
                direction,
            } => {
                self.connect_transport(participant, transport, direction);
            }
        }
    }

    /// Gives both sides of a transport their keys.
    fn connect_transport(&mut self, index: usize, transport: TransportId, direction: Direction) {
        let (up, down) = (self.generate_key(), self.generate_key());
        let path = path_of(index, direction);
        let shard = self.shards.get(&transport).copied().unwrap_or(0);
        let (Some(worker), Some(participant)) = (
            self.workers.get_mut(shard),
            self.participants.get_mut(index),
        ) else {
            return;
        };
        if !participant.is_connected {
            return;
        }
        let result = worker.assume_connected(self.now, transport, path, self.profile, &down, &up);
        if let Err(refusal) = result {
            self.oracle.record_fault(
                self.now,
                format!("{transport} cannot be connected: {refusal}"),
            );
            return;
        }
        if let Some(client) = ClientTransport::new(transport, path, self.profile, &up, &down) {
            participant.transports.insert(direction, client);
        }
        self.path_owners.insert(path, (index, direction));
        participant.is_touched = true;
        participant.browser.handle_connected(self.now, direction);
    }

    /// Delivers a datagram to a participant.
    fn receive(&mut self, index: usize, direction: Direction, datagram: Vec<u8>) {
        let Some(participant) = self
            .participants
            .get_mut(index)
            .filter(|participant| participant.is_connected)
        else {
            return;
        };
        // Closing a transport sends a DTLS alert; DTLS is not simulated.
        let is_media = datagram
            .first()
            .is_some_and(|first| (128..=191).contains(first));
        let Some(client) = participant
            .transports
            .get_mut(&direction)
            .filter(|_| is_media)
        else {
            return;
        };
        match client.unprotect(datagram) {
            Ok(packet) => {
                participant.is_touched = true;
                let received = participant
                    .browser
                    .handle_packet(self.now, direction, &packet);
                if let Some(received) = received {
                    self.check_visibility(index, received);
                }
            }
            // A duplicate from the link, or a late packet.
            Err(SrtpError::Replayed) => {}
            Err(_) => participant.undecryptable += 1,
        }
    }

    /// Checks that the participant may receive this packet.
    fn check_visibility(&mut self, index: usize, received: ReceivedPacket) {
        let Some(participant) = self.participants.get(index) else {
            return;
        };
        let browser = &participant.browser;
        let owner = self
            .sources
            .get(&received.signature.source)
            .and_then(|owner| self.participants.get(*owner));
        let stream = browser
            .consumed_streams()
            .find(|it| it.ssrc == received.ssrc);
        let problem = match (owner, stream) {
            (None, _) => Some("from an unknown source"),
            // The consumer was closed just now; the receiver itself detects unknown streams.
            (_, None) => None,
            (Some(owner), Some(stream)) => {
                let paused_since = stream.paused_since;
                if owner.browser.peer() != Some(stream.peer.as_str()) {
                    Some("of another participant than announced")
                } else if received.signature.room != browser.options().room_number {
                    Some("from another room")
                } else if owner.name == participant.name {
                    Some("of its own")
                } else if paused_since.is_some_and(|since| received.signature.captured > since + PAUSE_GRACE)
                    // The notice that its publisher goes on comes later than the first media.
                    && (stream.paused || !owner.browser.sends_source(received.signature.source))
                {
                    Some("of a paused consumer")
                } else {
                    None
                }
            }
        };
        if let Some(problem) = problem {
            let what = format!(
                "{} receives media {problem}: {received:?}",
                participant.name
            );
            self.oracle.record_fault(self.now, what);
        }
    }
}
