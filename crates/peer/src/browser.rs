//! A whole scripted browser: it speaks the native signalling protocol, publishes what its script
//! says, receives everybody else, and keeps what was answered and refused. It never sees the
//! network: frames and packets go in and come out.
//!
//! Its flow, in order: 1. `connected`; 2. capabilities; 3. the room; 4. two transports; 5. each is
//! connected, and the owner of the network is told; 6. it publishes when it can send, and asks for
//! every producer it hears of; 7. it resumes each consumer it is given.

mod replies;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_wire::units::{Map, Rng, Ssrc, Time};

use crate::packet::Packet;
use crate::receiver::report::{AudioReport, VideoReport};
use crate::receiver::{Receiver, Seen};
use crate::sender::camera::CameraOptions;
use crate::sender::{Sender, SourceId};
use crate::tag::Tag;

/// Most refusals that are kept.
pub const REFUSALS_MAX: usize = 64;

/// What one browser is to do.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// The room to enter.
    pub room: String,
    /// The name to enter it with.
    pub name: String,
    /// How the room is numbered in signatures.
    pub room_number: u32,
    /// What it publishes, in this order.
    pub sources: Vec<Published>,
    /// Whether it receives the others.
    pub watches: bool,
    /// Role and fingerprint of its DTLS, as JSON.
    pub dtls: Value,
    /// The wall clock at `Time::ZERO`.
    pub unix_epoch: Duration,
}

/// Something to publish.
#[derive(Debug, Clone)]
pub struct Published {
    /// How it is numbered in signatures.
    pub number: u32,
    /// What it is.
    pub medium: Medium,
}

/// A source of media.
#[derive(Debug, Clone)]
pub enum Medium {
    /// Pictures.
    Camera(CameraOptions),
    /// A voice, with pauses or without.
    Microphone {
        /// Whether it pauses.
        pauses: bool,
    },
}

impl Medium {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Camera(_) => "video",
            Self::Microphone { .. } => "audio",
        }
    }
}

/// Which way media goes on a transport, as the browser sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// It sends.
    Send,
    /// It receives.
    Recv,
}

/// What the owner of the network must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrowserEvent {
    /// The server made a transport, and is being told the browser's fingerprint: ICE and DTLS begin.
    /// [`Browser::handle_connected`] says that they are done.
    TransportReady {
        /// Its id.
        transport: String,
        /// What it is for.
        direction: Direction,
    },
    /// The server closed a transport.
    TransportClosed {
        /// Its id.
        transport: String,
    },
}

/// What a request was about, until it is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    /// Capabilities.
    Capabilities,
    /// The room.
    Join,
    /// A transport.
    Create(Direction),
    /// To publish what has this place in the script.
    Produce(usize),
    /// To receive a producer, and since when.
    Consume(Time),
    /// Anything whose answer changes nothing here.
    Other,
}

/// A consumer of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumption {
    /// Its id.
    pub consumer: String,
    /// What it receives.
    pub producer: String,
    /// Whose that is.
    pub peer: String,
    /// The stream.
    pub ssrc: Ssrc,
    /// Whether it is video.
    pub video: bool,
    /// Whether we paused it.
    pub paused: bool,
    /// Whether its producer is paused.
    pub producer_paused: bool,
    /// Since when nothing is meant to come.
    pub quiet_since: Option<Time>,
}

impl Consumption {
    /// Keeps `quiet_since` true after a change of the two pauses.
    fn settle(&mut self, now: Time) {
        let is_quiet = self.paused || self.producer_paused;
        self.quiet_since = if is_quiet {
            self.quiet_since.or(Some(now))
        } else {
            None
        };
    }
}

/// A producer of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Publication {
    /// What feeds it.
    source: SourceId,
    /// Its id; none until the server gave one.
    producer: Option<String>,
}

/// A request that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its type.
    pub request: String,
    /// The stable code.
    pub code: String,
    /// The text.
    pub message: String,
}

/// A scripted browser.
#[derive(Debug)]
pub struct Browser {
    /// What it is to do.
    options: BrowserOptions,
    /// Its public name, once it was told.
    peer: Option<String>,
    /// What the router can forward.
    capabilities: Value,
    /// Requests that were not answered yet, by id: type and meaning.
    asked: Map<u64, (String, Asked)>,
    /// The next id.
    next_id: u64,
    /// Its transports.
    transports: Map<Direction, String>,
    /// What it publishes, by its place in the script.
    publications: Map<usize, Publication>,
    /// What it receives, by producer.
    consumptions: Map<String, Consumption>,
    /// Frames to send.
    frames: VecDeque<String>,
    /// What the owner of the network must know.
    events: VecDeque<BrowserEvent>,
    /// What was refused.
    refusals: Vec<Refused>,
    /// Frames that answer nothing that was asked, or nothing known.
    strays: Vec<String>,
    /// What it sends.
    pub sender: Sender,
    /// What it receives.
    pub receiver: Receiver,
}

impl Browser {
    /// A browser that has not yet heard of the server.
    pub fn new(options: BrowserOptions, rng: Rng) -> Self {
        let sender = Sender::new(format!("cname-{}", options.name), options.unix_epoch, rng);
        let receiver = Receiver::new(options.unix_epoch);
        Self {
            options,
            peer: None,
            capabilities: Value::Null,
            asked: Map::new(),
            next_id: 1,
            transports: Map::new(),
            publications: Map::new(),
            consumptions: Map::new(),
            frames: VecDeque::new(),
            events: VecDeque::new(),
            refusals: Vec::new(),
            strays: Vec::new(),
            sender,
            receiver,
        }
    }

    /// What it is to do.
    pub const fn options(&self) -> &BrowserOptions {
        &self.options
    }

    /// Its public name.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// What it receives.
    pub fn consumptions(&self) -> impl Iterator<Item = &Consumption> {
        self.consumptions.values()
    }

    /// What was refused.
    pub fn refusals(&self) -> &[Refused] {
        &self.refusals
    }

    /// Frames that answer nothing.
    pub fn strays(&self) -> &[String] {
        &self.strays
    }

    /// Requests that were not answered yet.
    pub fn unanswered(&self) -> impl Iterator<Item = &str> {
        self.asked.values().map(|(kind, _)| kind.as_str())
    }

    /// ICE and DTLS of a transport are done.
    pub fn handle_connected(&mut self, now: Time, direction: Direction) {
        if direction == Direction::Send {
            self.sender.connect(now);
            for place in 0..self.options.sources.len() {
                self.publish(now, place);
            }
        }
    }

    /// Takes a plain packet that came on the transport of this direction; whose media it was.
    pub fn handle_packet(
        &mut self,
        now: Time,
        direction: Direction,
        packet: &[u8],
    ) -> Option<Seen> {
        let rtcp = packet
            .get(1)
            .is_some_and(|second| watersmeet_wire::rtcp::is_rtcp(*second));
        match (direction, rtcp) {
            (Direction::Send, true) => {
                self.sender.handle_rtcp(now, packet);
                if let Some(rtt) = self.sender.rtt() {
                    self.receiver.set_rtt(rtt);
                }
                None
            }
            (Direction::Recv, true) => {
                self.receiver.handle_rtcp(now, packet);
                None
            }
            (_, false) => self.receiver.handle_rtp(now, packet),
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.sender.handle_timeout(now);
        self.receiver.handle_timeout(now);
    }

    /// When something is due.
    pub fn poll_timeout(&self) -> Time {
        self.sender.poll_timeout().min(self.receiver.poll_timeout())
    }

    /// The next packet to send now, and on which transport.
    pub fn poll_packet(&mut self, now: Time) -> Option<(Direction, Packet)> {
        if let Some(report) = self.receiver.poll_rtcp() {
            return Some((Direction::Recv, Packet::Rtcp(report)));
        }
        self.sender
            .poll_packet(now)
            .map(|packet| (Direction::Send, packet))
    }

    /// The next frame to send.
    pub fn poll_frame(&mut self) -> Option<String> {
        self.frames.pop_front()
    }

    /// What the owner of the network must know next.
    pub fn poll_event(&mut self) -> Option<BrowserEvent> {
        self.events.pop_front()
    }

    /// Mutes what has this place in the script, or lets it go on: the source falls silent and the
    /// server is told.
    pub fn pause(&mut self, now: Time, place: usize, paused: bool) {
        let Some(publication) = self.publications.get(&place) else {
            return;
        };
        self.sender.set_enabled(now, publication.source, !paused);
        if let Some(producer) = publication.producer.clone() {
            let kind = if paused {
                "pauseProducer"
            } else {
                "resumeProducer"
            };
            self.ask(kind, json!({"producerId": producer}), Asked::Other);
        }
    }

    /// Ends what has this place in the script.
    pub fn unpublish(&mut self, place: usize) {
        let Some(publication) = self.publications.remove(&place) else {
            return;
        };
        self.sender.remove(publication.source);
        if let Some(producer) = publication.producer {
            self.ask(
                "closeProducer",
                json!({"producerId": producer}),
                Asked::Other,
            );
        }
    }

    /// Publishes what has this place in the script, once more perhaps.
    pub fn publish(&mut self, now: Time, place: usize) {
        let Some(published) = self.options.sources.get(place).cloned() else {
            return;
        };
        let Some(transport) = self.transports.get(&Direction::Send).cloned() else {
            return;
        };
        let signature = Tag {
            room: self.options.room_number,
            source: published.number,
            layer: 0,
            temporal: 0,
            keyframe: false,
            needs: [0, 0],
            frame: 0,
            index: 0,
            count: 0,
            captured: now,
        };
        let (source, parameters) = match &published.medium {
            Medium::Camera(options) => self.sender.add_camera(now, signature, options),
            Medium::Microphone { pauses } => self.sender.add_microphone(now, signature, *pauses),
        };
        self.publications.insert(
            place,
            Publication {
                source,
                producer: None,
            },
        );
        let payload = json!({
            "transportId": transport,
            "kind": published.medium.kind(),
            "rtpParameters": parameters,
        });
        self.ask("produce", payload, Asked::Produce(place));
    }

    /// Stops receiving what this person publishes of this kind, or goes on.
    pub fn pause_consumers(&mut self, now: Time, peer: &str, video: bool, paused: bool) {
        let mut requests = Vec::new();
        for consumption in self.consumptions.values_mut() {
            if consumption.peer == peer && consumption.video == video {
                consumption.paused = paused;
                consumption.settle(now);
                requests.push(consumption.consumer.clone());
                if paused {
                    self.receiver.hold(now, consumption.ssrc);
                } else {
                    self.receiver.expect(now, consumption.ssrc);
                }
            }
        }
        let kind = if paused {
            "pauseConsumer"
        } else {
            "resumeConsumer"
        };
        for consumer in requests {
            self.ask(kind, json!({"consumerId": consumer}), Asked::Other);
        }
    }

    /// Wishes for a layer of this person's video.
    pub fn prefer(&mut self, peer: &str, spatial: u8, temporal: Option<u8>) {
        let mut payloads = Vec::new();
        for it in self
            .consumptions
            .values()
            .filter(|it| it.peer == peer && it.video)
        {
            let mut payload = json!({"consumerId": it.consumer, "spatialLayer": spatial});
            if let (Some(temporal), Some(object)) = (temporal, payload.as_object_mut()) {
                object.insert("temporalLayer".to_owned(), temporal.into());
            }
            payloads.push(payload);
        }
        for payload in payloads {
            self.ask("setPreferredLayers", payload, Asked::Other);
        }
    }

    /// Leaves the room and keeps the connection.
    pub fn leave(&mut self, now: Time) {
        self.ask("leaveRoom", json!({}), Asked::Other);
        let places: Vec<usize> = self.publications.keys().copied().collect();
        for place in places {
            if let Some(publication) = self.publications.remove(&place) {
                self.sender.remove(publication.source);
            }
        }
        self.drop_consumptions(now, |_| true);
        for transport in std::mem::take(&mut self.transports).into_values() {
            self.events
                .push_back(BrowserEvent::TransportClosed { transport });
        }
    }

    /// How the video of this person looks.
    pub fn video_of(&self, now: Time, peer: &str) -> Option<VideoReport> {
        let ssrc = self.stream_of(peer, true)?;
        self.receiver.video_report(now, ssrc)
    }

    /// How this person sounds.
    pub fn audio_of(&self, now: Time, peer: &str) -> Option<AudioReport> {
        let ssrc = self.stream_of(peer, false)?;
        self.receiver.audio_report(now, ssrc)
    }

    /// What it published: number in signatures and producer, where the server made one.
    pub fn published(&self) -> impl Iterator<Item = (u32, &str)> {
        self.publications.iter().filter_map(|(place, publication)| {
            let number = self.options.sources.get(*place)?.number;
            Some((number, publication.producer.as_deref()?))
        })
    }

    fn stream_of(&self, peer: &str, video: bool) -> Option<Ssrc> {
        let mut of_peer = self.consumptions.values().filter(|it| it.peer == peer);
        of_peer.find(|it| it.video == video).map(|it| it.ssrc)
    }

    /// Stops expecting what fits.
    fn drop_consumptions(&mut self, now: Time, fits: impl Fn(&Consumption) -> bool) {
        let receiver = &mut self.receiver;
        self.consumptions.retain(|_, consumption| {
            let dropped = fits(consumption);
            if dropped {
                receiver.remove(now, consumption.ssrc);
            }
            !dropped
        });
    }

    fn ask(&mut self, kind: &str, payload: Value, meaning: Asked) {
        let id = self.next_id;
        self.next_id += 1;
        self.asked.insert(id, (kind.to_owned(), meaning));
        let frame = json!({"type": kind, "payload": payload, "id": id});
        self.frames.push_back(frame.to_string());
    }
}
