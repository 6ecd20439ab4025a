//! Scripted browser: speaks the native signalling protocol, publishes the sources of its script,
//! subscribes to all other participants, and records refused requests. It has no network of its
//! own: the caller passes frames and packets in and out.
//!
//! Sequence: 1. `connected`; 2. capabilities; 3. join the room; 4. create two transports; 5.
//! connect each, and notify the caller; 6. publish when the send transport is connected, and
//! consume every announced producer; 7. resume each consumer.

mod replies;

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_wire::units::{Map, Rng, Ssrc, Time};

use crate::negotiation::AudioRepair;
use crate::packet::Packet;
use crate::receiver::report::{AudioReport, VideoReport};
use crate::receiver::{ReceivedPacket, Receiver};
use crate::sender::media_source::CameraOptions;
use crate::sender::{Sender, SourceId};
use crate::signature::PacketSignature;

/// Most refused requests, and most unexpected frames, that are kept.
pub const REFUSALS_MAX: usize = 64;

/// Script of a browser.
#[derive(Debug, Clone)]
pub struct BrowserOptions {
    /// Room to join.
    pub room: String,
    /// Display name.
    pub name: String,
    /// Number of the room in signatures.
    pub room_number: u32,
    /// Sources to publish, in this order.
    pub sources: Vec<ScriptedSource>,
    /// Whether it subscribes to the other participants.
    pub subscribes: bool,
    /// DTLS parameters, as JSON.
    pub dtls: Value,
    /// Wall clock at `Time::ZERO`.
    pub unix_epoch: Duration,
}

/// Source to publish.
#[derive(Debug, Clone)]
pub struct ScriptedSource {
    /// Number of the source in signatures.
    pub number: u32,
    /// Camera or microphone.
    pub source: MediaSource,
}

/// Media source of a script.
#[derive(Debug, Clone)]
pub enum MediaSource {
    /// A camera.
    Camera(CameraOptions),
    /// A microphone.
    Microphone {
        /// Whether the speech has pauses.
        pauses: bool,
    },
}

impl MediaSource {
    const fn kind(&self) -> &'static str {
        match self {
            Self::Camera(_) => "video",
            Self::Microphone { .. } => "audio",
        }
    }
}

/// Direction of the media on a transport, seen from the browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// The browser sends.
    Send,
    /// The browser receives.
    Recv,
}

/// Event for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrowserEvent {
    /// The server created a transport, and the browser sent its fingerprint: ICE and DTLS can
    /// start. The caller reports their completion to [`Browser::handle_connected`].
    TransportReady {
        /// Id of the transport.
        transport: String,
        /// Direction of its media.
        direction: Direction,
    },
    /// A transport was closed.
    TransportClosed {
        /// Id of the transport.
        transport: String,
    },
}

/// Request that waits for its response.
#[derive(Debug, Clone, PartialEq, Eq)]
enum PendingRequest {
    /// Router capabilities.
    Capabilities,
    /// Join of the room.
    Join,
    /// Creation of a transport.
    Create(Direction),
    /// Publication of the source with this index in the script.
    Produce(usize),
    /// Subscription to a producer, with the time of the request.
    Consume(Time),
    /// A request whose response needs no handling.
    Other,
}

/// Received stream: a consumer of the browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumedStream {
    /// Id of the consumer.
    pub consumer: String,
    /// Id of the producer.
    pub producer: String,
    /// Peer that publishes it.
    pub peer: String,
    /// SSRC of the stream.
    pub ssrc: Ssrc,
    /// Whether it is video; audio otherwise.
    pub video: bool,
    /// Whether the browser paused it.
    pub paused: bool,
    /// Whether its producer is paused.
    pub producer_paused: bool,
    /// Start of the pause on either side.
    pub paused_since: Option<Time>,
    /// Time of the notice that the server forwards nothing, while that holds.
    pub withheld_since: Option<Time>,
}

impl ConsumedStream {
    /// Updates `paused_since` after a change of one of the pauses.
    fn update_paused_since(&mut self, now: Time) {
        let is_paused = self.paused || self.producer_paused;
        self.paused_since = if is_paused {
            self.paused_since.or(Some(now))
        } else {
            None
        };
    }
}

/// Source that the browser publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct PublishedSource {
    /// Source in the sender.
    source: SourceId,
    /// Id of the producer, once the server has created it.
    producer: Option<String>,
    /// Whether it is muted.
    paused: bool,
}

/// Request that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRequest {
    /// Type of the request.
    pub request: String,
    /// Error code.
    pub code: String,
    /// Error message.
    pub message: String,
}

/// Scripted browser.
#[derive(Debug)]
pub struct Browser {
    /// Script.
    options: BrowserOptions,
    /// Peer id, once the server has assigned it.
    peer: Option<String>,
    /// Peer id of the active speaker.
    active_speaker: Option<String>,
    /// Capabilities of the router.
    capabilities: Value,
    /// How it repairs lost audio.
    audio_repair: AudioRepair,
    /// Whether it reports arrivals by congestion control feedback instead of transport-wide.
    congestion_feedback: bool,
    /// Pending requests by id, with their types.
    pending: Map<u64, (String, PendingRequest)>,
    /// Id of the next request.
    next_id: u64,
    /// Ids of the transports.
    transports: Map<Direction, String>,
    /// Published sources, by index in the script.
    published_sources: Map<usize, PublishedSource>,
    /// Received streams, by producer.
    consumed_streams: Map<String, ConsumedStream>,
    /// Outgoing frames.
    frames: VecDeque<String>,
    /// Events for the caller.
    events: VecDeque<BrowserEvent>,
    /// Refused requests.
    refused_requests: Vec<RefusedRequest>,
    /// Frames that match no pending request and are no known notification.
    unexpected_frames: Vec<String>,
    /// Whether it sends only the encodings that the others want, as the server tells it.
    pub follows_demand: bool,
    /// Sending half.
    pub sender: Sender,
    /// Receiving half.
    pub receiver: Receiver,
}

impl Browser {
    /// Creates a browser that waits for the server.
    pub fn new(options: BrowserOptions, rng: Rng) -> Self {
        let sender = Sender::new(format!("cname-{}", options.name), options.unix_epoch, rng);
        let receiver = Receiver::new(options.unix_epoch);
        Self {
            options,
            follows_demand: false,
            peer: None,
            active_speaker: None,
            capabilities: Value::Null,
            audio_repair: AudioRepair::default(),
            congestion_feedback: false,
            pending: Map::new(),
            next_id: 1,
            transports: Map::new(),
            published_sources: Map::new(),
            consumed_streams: Map::new(),
            frames: VecDeque::new(),
            events: VecDeque::new(),
            refused_requests: Vec::new(),
            unexpected_frames: Vec::new(),
            sender,
            receiver,
        }
    }

    /// Returns the script.
    pub const fn options(&self) -> &BrowserOptions {
        &self.options
    }

    /// Sets how it repairs lost audio of streams that it consumes from now on.
    pub const fn set_audio_repair(&mut self, audio_repair: AudioRepair) {
        self.audio_repair = audio_repair;
    }

    /// Reports arrivals of streams that it consumes by congestion control feedback (RFC 8888), and does not
    /// know transport-wide numbers. Must be called before it joins.
    pub fn use_congestion_feedback(&mut self) {
        self.congestion_feedback = true;
        self.receiver.send_congestion_feedback();
    }

    /// Returns the peer id, once the server has assigned it.
    pub fn peer(&self) -> Option<&str> {
        self.peer.as_deref()
    }

    /// Returns the peer id of the active speaker, as the server has told.
    pub fn active_speaker(&self) -> Option<&str> {
        self.active_speaker.as_deref()
    }

    /// Returns the received streams.
    pub fn consumed_streams(&self) -> impl Iterator<Item = &ConsumedStream> {
        self.consumed_streams.values()
    }

    /// Returns the refused requests.
    pub fn refused_requests(&self) -> &[RefusedRequest] {
        &self.refused_requests
    }

    /// Returns frames that match no pending request and are no known notification.
    pub fn unexpected_frames(&self) -> &[String] {
        &self.unexpected_frames
    }

    /// Returns the types of the pending requests.
    pub fn pending_requests(&self) -> impl Iterator<Item = &str> {
        self.pending.values().map(|(kind, _)| kind.as_str())
    }

    /// Handles the completion of ICE and DTLS on a transport.
    pub fn handle_connected(&mut self, now: Time, direction: Direction) {
        if direction == Direction::Send {
            self.sender.connect(now);
            for index in 0..self.options.sources.len() {
                self.publish(now, index);
            }
        }
    }

    /// Reports what only a page knows of its call.
    pub fn report_quality(&mut self, report: Value) {
        self.request("reportQuality", report, PendingRequest::Other);
    }

    /// Handles a decrypted packet of the transport with this direction; returns the origin of
    /// media.
    pub fn handle_packet(
        &mut self,
        now: Time,
        direction: Direction,
        packet: &[u8],
    ) -> Option<ReceivedPacket> {
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

    /// Does everything that is due.
    pub fn handle_timeout(&mut self, now: Time) {
        self.sender.handle_timeout(now);
        self.receiver.handle_timeout(now);
    }

    /// Returns when something is due.
    pub fn poll_timeout(&self) -> Time {
        self.sender.poll_timeout().min(self.receiver.poll_timeout())
    }

    /// Returns the next packet to send now, and the direction of its transport.
    pub fn poll_packet(&mut self, now: Time) -> Option<(Direction, Packet)> {
        if let Some(report) = self.receiver.poll_rtcp() {
            return Some((Direction::Recv, Packet::Rtcp(report)));
        }
        self.sender
            .poll_packet(now)
            .map(|packet| (Direction::Send, packet))
    }

    /// Returns the next frame to send.
    pub fn poll_frame(&mut self) -> Option<String> {
        self.frames.pop_front()
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<BrowserEvent> {
        self.events.pop_front()
    }

    /// Pauses or resumes the source with this index in the script, and notifies the server.
    pub fn set_source_paused(&mut self, now: Time, index: usize, paused: bool) {
        let Some(published) = self.published_sources.get_mut(&index) else {
            return;
        };
        published.paused = paused;
        self.sender.set_enabled(now, published.source, !paused);
        if let Some(producer) = published.producer.clone() {
            let kind = if paused {
                "pauseProducer"
            } else {
                "resumeProducer"
            };
            self.request(kind, json!({"producerId": producer}), PendingRequest::Other);
        }
    }

    /// Returns whether the source with this number is published and not muted.
    pub fn sends_source(&self, number: u32) -> bool {
        let mut sources = self.options.sources.iter();
        let index = sources.position(|it| it.number == number);
        let published = index.and_then(|it| self.published_sources.get(&it));
        published.is_some_and(|it| !it.paused)
    }

    /// Turns an encoding of the camera with this index in the script on or off.
    pub fn set_encoding_active(&mut self, index: usize, encoding: usize, active: bool) {
        if let Some(published) = self.published_sources.get(&index) {
            self.sender
                .set_encoding_active(published.source, encoding, active);
        }
    }

    /// Closes the producer of the source with this index in the script.
    pub fn unpublish(&mut self, index: usize) {
        let Some(published) = self.published_sources.remove(&index) else {
            return;
        };
        self.sender.remove(published.source);
        if let Some(producer) = published.producer {
            self.request(
                "closeProducer",
                json!({"producerId": producer}),
                PendingRequest::Other,
            );
        }
    }

    /// Publishes the source with this index in the script.
    pub fn publish(&mut self, now: Time, index: usize) {
        let Some(published) = self.options.sources.get(index).cloned() else {
            return;
        };
        let Some(transport) = self.transports.get(&Direction::Send).cloned() else {
            return;
        };
        let signature = PacketSignature {
            room: self.options.room_number,
            source: published.number,
            layer: 0,
            temporal: 0,
            keyframe: false,
            reference_distances: [0, 0],
            frame: 0,
            index: 0,
            count: 0,
            captured: now,
        };
        let (source, parameters) = match &published.source {
            MediaSource::Camera(options) => self.sender.add_camera(now, signature, options),
            MediaSource::Microphone { pauses } => {
                self.sender.add_microphone(now, signature, *pauses)
            }
        };
        self.published_sources.insert(
            index,
            PublishedSource {
                source,
                producer: None,
                paused: false,
            },
        );
        let mut payload = json!({
            "transportId": transport,
            "kind": published.source.kind(),
            "rtpParameters": parameters,
        });
        if let (
            MediaSource::Camera(CameraOptions {
                is_screen: true, ..
            }),
            Some(fields),
        ) = (&published.source, payload.as_object_mut())
        {
            fields.insert("source".to_owned(), "screen".into());
        }
        self.request("produce", payload, PendingRequest::Produce(index));
    }

    /// Pauses or resumes the consumers of the video or audio of `peer`.
    pub fn set_consumers_paused(&mut self, now: Time, peer: &str, video: bool, paused: bool) {
        let mut requests = Vec::new();
        for stream in self.consumed_streams.values_mut() {
            if stream.peer == peer && stream.video == video {
                stream.paused = paused;
                stream.update_paused_since(now);
                requests.push(stream.consumer.clone());
                if paused {
                    self.receiver.pause_stream(now, stream.ssrc);
                } else {
                    self.receiver.resume_stream(now, stream.ssrc);
                }
            }
        }
        let kind = if paused {
            "pauseConsumer"
        } else {
            "resumeConsumer"
        };
        for consumer in requests {
            self.request(kind, json!({"consumerId": consumer}), PendingRequest::Other);
        }
    }

    /// Sets the preferred layers of the video of `peer`.
    pub fn set_preferred_layers(&mut self, peer: &str, spatial: u8, temporal: Option<u8>) {
        let mut payloads = Vec::new();
        for it in self
            .consumed_streams
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
            self.request("setPreferredLayers", payload, PendingRequest::Other);
        }
    }

    /// Leaves the room and keeps the connection.
    pub fn leave(&mut self, now: Time) {
        self.request("leaveRoom", json!({}), PendingRequest::Other);
        let indices: Vec<usize> = self.published_sources.keys().copied().collect();
        for index in indices {
            if let Some(published) = self.published_sources.remove(&index) {
                self.sender.remove(published.source);
            }
        }
        self.drop_streams(now, |_| true);
        for transport in std::mem::take(&mut self.transports).into_values() {
            self.events
                .push_back(BrowserEvent::TransportClosed { transport });
        }
    }

    /// Returns the measurements of the video of `peer`.
    pub fn video_report(&self, now: Time, peer: &str) -> Option<VideoReport> {
        let ssrc = self.stream_of(peer, true)?;
        self.receiver.video_report(now, ssrc)
    }

    /// Returns the measurements of the audio of `peer`.
    pub fn audio_report(&self, now: Time, peer: &str) -> Option<AudioReport> {
        let ssrc = self.stream_of(peer, false)?;
        self.receiver.audio_report(now, ssrc)
    }

    /// Returns number in signatures and producer id of each published source.
    pub fn producers(&self) -> impl Iterator<Item = (u32, &str)> {
        self.published_sources
            .iter()
            .filter_map(|(index, published)| {
                let number = self.options.sources.get(*index)?.number;
                Some((number, published.producer.as_deref()?))
            })
    }

    fn stream_of(&self, peer: &str, video: bool) -> Option<Ssrc> {
        let mut of_peer = self.consumed_streams.values().filter(|it| it.peer == peer);
        of_peer.find(|it| it.video == video).map(|it| it.ssrc)
    }

    /// Removes the received streams that match.
    fn drop_streams(&mut self, now: Time, matches: impl Fn(&ConsumedStream) -> bool) {
        let receiver = &mut self.receiver;
        self.consumed_streams.retain(|_, stream| {
            let dropped = matches(stream);
            if dropped {
                receiver.remove_stream(now, stream.ssrc);
            }
            !dropped
        });
    }

    fn request(&mut self, kind: &str, payload: Value, request_kind: PendingRequest) {
        let id = self.next_id;
        self.next_id += 1;
        self.pending.insert(id, (kind.to_owned(), request_kind));
        let frame = json!({"type": kind, "payload": payload, "id": id});
        self.frames.push_back(frame.to_string());
    }
}
