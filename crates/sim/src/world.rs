//! The simulated world: owns the conference, the workers, the participants and their links, and
//! advances virtual time. Events are processed in the order of their times, and events at the same
//! time in the order in which they were scheduled.
//!
//! ICE and DTLS handshakes use randomness of their own, so they are not simulated: both sides get
//! the same keys after as many round trips as the handshakes take.

mod event_loop;
mod setup;
pub mod shared_link;
mod statistics;

use std::collections::BTreeMap;
use std::time::Duration;

use rand_chacha::rand_core::Rng as _;
use serde_json::json;
use watersmeet_conference::dialect::native;
use watersmeet_conference::message::Policy;
use watersmeet_conference::turn::IceServers;
use watersmeet_conference::{
    Conference, ConferenceConfig, ConferenceLimits, ConnectRequest, DialectKind, ForwardingLimits,
    Output, SessionId,
};
use watersmeet_engine::command::{Path, TransportId, TransportOptions};
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::ortc;
use watersmeet_engine::shard_message::ShardMessage;
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::Worker;
use watersmeet_peer::browser::{Browser, BrowserOptions, Direction, MediaSource, ScriptedSource};
use watersmeet_wire::units::{Map, Rng, Time};

use self::setup::{UNIX_EPOCH, create_workers, without_fingerprint};
use crate::cross_traffic::TcpFlow;
use crate::network::{Link, LinkProfile};
use crate::oracle::Oracle;
use crate::participant::Participant;
use crate::profiles::AccessLink;
use crate::seeds;

/// Most steps without an advance of time; more are a fault.
const IDLE_STEPS_MAX: u32 = 10_000;

/// Something in flight.
#[derive(Debug)]
enum InFlight {
    /// A datagram to a worker.
    ToWorker {
        /// Shard of the worker.
        shard: usize,
        /// Path it arrives on.
        path: Path,
        /// Encrypted bytes.
        datagram: Vec<u8>,
    },
    /// A datagram to a participant.
    ToParticipant {
        /// Index of the participant.
        participant: usize,
        /// Direction of the transport.
        direction: Direction,
        /// Encrypted bytes.
        datagram: Vec<u8>,
    },
    /// A signalling frame to the server.
    FrameToServer {
        /// Session that sent it.
        session: SessionId,
        /// Text of the frame.
        text: String,
    },
    /// A signalling frame to a participant.
    FrameToParticipant {
        /// Index of the participant.
        participant: usize,
        /// Text of the frame.
        text: String,
    },
    /// A signalling connection opens.
    ConnectionOpened {
        /// Session of the connection.
        session: SessionId,
    },
    /// A signalling connection closes.
    ConnectionClosed {
        /// Session of the connection.
        session: SessionId,
    },
    /// A message from one worker to another.
    ShardMessage {
        /// Sending shard.
        from: usize,
        /// Receiving shard.
        to: usize,
        /// The message.
        message: ShardMessage,
    },
    /// The acknowledgement of a TCP segment.
    TcpAck {
        /// Index of the flow.
        flow: usize,
        /// Number of the segment.
        number: u64,
    },
    /// ICE and DTLS of a transport complete.
    HandshakeDone {
        /// Index of the participant.
        participant: usize,
        /// Id of the transport.
        transport: TransportId,
        /// Direction of the transport.
        direction: Direction,
    },
}

/// Simulated world.
pub struct World {
    /// Seed of all randomness.
    seed: u64,
    /// Current time.
    now: Time,
    /// Random generator of the master keys.
    rng: Rng,
    /// Conference with all rooms.
    conference: Conference,
    /// Workers, by shard.
    workers: Vec<Worker>,
    /// Shard of each transport.
    shards: Map<TransportId, usize>,
    /// All participants, including disconnected ones.
    participants: Vec<Participant>,
    /// Participant and direction of each path.
    path_owners: Map<Path, (usize, Direction)>,
    /// Participant that publishes each source number.
    sources: Map<u32, usize>,
    /// Names of the rooms, by number.
    rooms: Vec<String>,
    /// Bottleneck that some participants share.
    bottleneck: Option<Link>,
    /// TCP flows through the bottleneck.
    tcp_flows: Vec<TcpFlow>,
    /// Everything in flight, by arrival time and order of scheduling.
    in_flight: BTreeMap<(Time, u64), InFlight>,
    /// Number of items scheduled so far.
    next_sequence: u64,
    /// SRTP profile of all transports.
    profile: SrtpProfile,
    /// Checks of the invariants.
    pub oracle: Oracle,
    /// Whether a link had an outage.
    had_outage: bool,
    /// Room that new participants join.
    pub(crate) room: String,
}

impl World {
    /// Creates a world with one shard and no participants.
    pub fn new(seed: u64) -> Self {
        Self::with_shards(seed, 1)
    }

    /// Creates a world with several shards and no participants. Each room stays on one shard.
    pub fn with_shards(seed: u64, shards: u8) -> Self {
        Self::with_config(seed, shards, 600, true, ForwardingLimits::default())
    }

    /// Creates a world with several shards and no participants. Each participant is served by the
    /// least loaded shard, so that every room spreads over all shards.
    pub fn with_spread_rooms(seed: u64, shards: u8) -> Self {
        Self::with_limits(seed, shards, ForwardingLimits::default())
    }

    /// Creates a world like [`Self::new`], or like [`Self::with_spread_rooms`] with more than one shard, in
    /// which all viewers are sent the layers they ask for, whatever their lines carry.
    pub fn with_fixed_layers(seed: u64, shards: u8) -> Self {
        let spread_above_permille = if shards > 1 { 0 } else { 600 };
        let limits = ForwardingLimits::default();
        Self::with_config(seed, shards, spread_above_permille, false, limits)
    }

    /// Creates a world like [`Self::with_spread_rooms`] whose participants are sent only some of a room's media.
    pub fn with_limits(seed: u64, shards: u8, forwarding: ForwardingLimits) -> Self {
        Self::with_config(seed, shards, 0, true, forwarding)
    }

    fn with_config(
        seed: u64,
        shards: u8,
        spread_above_permille: u16,
        adapts_to_bandwidth: bool,
        forwarding: ForwardingLimits,
    ) -> Self {
        let mut media_codecs = ortc::default_codecs();
        media_codecs.push(ortc::redundant_audio_codec());
        #[expect(clippy::expect_used, reason = "these codecs are supported")]
        let capabilities = ortc::router_capabilities(&media_codecs).expect("capabilities");
        let config = ConferenceConfig {
            media_codecs,
            capabilities,
            transport_options: TransportOptions {
                adapts_to_bandwidth,
                ..TransportOptions::default()
            },
            shards,
            spread_above_permille,
            limits: ConferenceLimits::default(),
            forwarding,
            native: native::Config::default(),
            keys: None,
            expired_tokens_disconnect: false,
            policy: Policy::Open,
            rooms_need_token: false,
            default_room: "lobby".into(),
            ice_servers: IceServers::default(),
            unix_epoch: std::time::Duration::ZERO,
        };
        Self {
            seed,
            now: Time::ZERO,
            rng: seeds::generator(seed, "world"),
            conference: Conference::new(config, seeds::generator(seed, "conference")),
            workers: create_workers(seed, shards, EgressOptions::default()),
            shards: Map::new(),
            participants: Vec::new(),
            path_owners: Map::new(),
            sources: Map::new(),
            rooms: Vec::new(),
            bottleneck: None,
            tcp_flows: Vec::new(),
            in_flight: BTreeMap::new(),
            next_sequence: 0,
            profile: SrtpProfile::AeadAes128Gcm,
            oracle: Oracle::default(),
            had_outage: false,
            room: "room".to_owned(),
        }
    }

    /// Uses the longest egress window, with padding. Without it there is no window here, because
    /// too little media is forwarded.
    #[must_use]
    pub fn with_egress_window(mut self) -> Self {
        let shards = u8::try_from(self.workers.len()).unwrap_or(u8::MAX);
        let egress = EgressOptions {
            window: EgressWindow::Fixed(WINDOW_MAX),
            ..EgressOptions::default()
        };
        self.workers = create_workers(self.seed, shards, egress);
        self
    }

    /// Uses this SRTP profile.
    #[must_use]
    pub const fn with_profile(mut self, profile: SrtpProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Returns the seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the current time.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Returns the conference.
    pub const fn conference(&self) -> &Conference {
        &self.conference
    }

    /// Returns the workers, by shard.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Returns all participants, including disconnected ones.
    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    /// Returns the last participant with this name.
    pub fn participant(&self, name: &str) -> Option<&Participant> {
        self.participants
            .iter()
            .rev()
            .find(|participant| participant.name == name)
    }

    /// Returns the last participant with this name for changes, which take effect at once.
    pub fn participant_mut(&mut self, name: &str) -> Option<&mut Participant> {
        let mut newest_first = self.participants.iter_mut().rev();
        let participant = newest_first.find(|participant| participant.name == name)?;
        participant.is_touched = true;
        Some(participant)
    }

    /// Adds a participant, which opens a connection and joins the current room.
    pub fn add_participant(
        &mut self,
        name: &str,
        access: AccessLink,
        media: Vec<MediaSource>,
        subscribes: bool,
    ) {
        let index = self.participants.len();
        let room = self.room.clone();
        let room_number = self.room_number(&room);
        let mut sources = Vec::new();
        for source in media {
            let number = u32::try_from(self.sources.len()).unwrap_or(u32::MAX) + 1;
            self.sources.insert(number, index);
            sources.push(ScriptedSource { number, source });
        }
        let fingerprint = ["AB"; 32].join(":");
        let options = BrowserOptions {
            room,
            name: name.to_owned(),
            room_number,
            sources,
            subscribes,
            dtls: json!({
                "role": "client",
                "fingerprints": [{"algorithm": "sha-256", "value": fingerprint}],
            }),
            unix_epoch: UNIX_EPOCH,
        };
        let part = |part: &str| seeds::generator(self.seed, &format!("{part}{index}"));
        let session = SessionId(index as u64 + 1);
        let mut up = Link::new(access.up, part("up"));
        let opened = up.transmit_reliably(self.now);
        self.participants.push(Participant {
            name: name.to_owned(),
            session,
            browser: Browser::new(options, part("browser")),
            up,
            down: Link::new(access.down, part("down")),
            transports: Map::new(),
            offered_bytes: 0,
            is_touched: true,
            due: Time::ZERO,
            is_behind_bottleneck: false,
            is_blocked: false,
            is_connected: true,
            undecryptable: 0,
        });
        self.schedule(opened, InFlight::ConnectionOpened { session });
    }

    /// Closes the connection of a participant.
    pub fn disconnect(&mut self, name: &str) {
        let last = self
            .participants
            .iter()
            .rposition(|participant| participant.name == name);
        if let Some(index) = last {
            self.disconnect_index(index);
        }
    }

    fn disconnect_index(&mut self, index: usize) {
        let now = self.now;
        let participant = self
            .participants
            .get_mut(index)
            .filter(|participant| participant.is_connected);
        if let Some(participant) = participant {
            participant.is_connected = false;
            let (session, at) = (participant.session, participant.up.transmit_reliably(now));
            self.schedule(at, InFlight::ConnectionClosed { session });
        }
    }

    /// Changes the link of a participant.
    pub fn change_link(&mut self, name: &str, change: impl Fn(&mut LinkProfile, &mut LinkProfile)) {
        if let Some(participant) = self.participant_mut(name) {
            let (mut up, mut down) = (*participant.up.profile(), *participant.down.profile());
            change(&mut up, &mut down);
            participant.up.set_profile(up);
            participant.down.set_profile(down);
        }
    }

    /// Starts an outage of the link of a participant.
    pub fn start_outage(&mut self, name: &str, outage: Duration) {
        let until = self.now + outage;
        self.had_outage = true;
        if let Some(participant) = self.participant_mut(name) {
            participant.up.start_outage(until);
            participant.down.start_outage(until);
        }
    }

    /// Advances time, then checks the invariants.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut idle_steps = 0;
        self.drain_outputs();
        while let Some(next) = self.next_event_time().filter(|next| *next <= end) {
            idle_steps = if next > self.now { 0 } else { idle_steps + 1 };
            if idle_steps > IDLE_STEPS_MAX {
                let overdue = self.overdue_components();
                self.oracle
                    .record_fault(self.now, format!("time does not advance: {overdue}"));
                break;
            }
            self.now = next.max(self.now);
            self.process_due();
            self.drain_outputs();
        }
        self.now = end;
        self.assert_no_faults();
    }

    /// Describes the components whose time-out has passed, for messages.
    fn overdue_components(&self) -> String {
        let participants = self
            .participants
            .iter()
            .map(|it| (it.name.clone(), it.browser.poll_timeout()));
        let shards = self.workers.iter().enumerate();
        let shards = shards.map(|(shard, it)| (format!("worker {shard}"), it.poll_timeout()));
        let rooms = ("the conference".to_owned(), self.conference.poll_timeout());
        let due = participants
            .chain(shards)
            .chain([rooms])
            .filter(|(_, due)| *due <= self.now);
        due.map(|(overdue, due)| format!("{overdue} is due at {due:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Panics when a fault, violation, refused request or unanswered command was recorded.
    pub fn assert_no_faults(&mut self) {
        let mut faults = self.oracle.faults().to_vec();
        for participant in &self.participants {
            let name = &participant.name;
            let mut add_fault = |what: String| faults.push(format!("{name}: {what}"));
            participant
                .browser
                .receiver
                .violations()
                .iter()
                .for_each(|it| add_fault(format!("{it:?}")));
            participant
                .browser
                .refused_requests()
                .iter()
                .for_each(|it| add_fault(format!("{it:?}")));
            participant
                .browser
                .unexpected_frames()
                .iter()
                .for_each(|it| add_fault(format!("unexpected frame: {it}")));
            if participant.undecryptable > 0 {
                add_fault(format!(
                    "{} packets that cannot be decrypted",
                    participant.undecryptable
                ));
            }
        }
        let pending = self.conference.gauges().pending;
        if pending > 0 {
            faults.push(format!("{pending} commands without a reply"));
        }
        assert!(
            faults.is_empty(),
            "seed {} at {:.3} s:\n{}",
            self.seed,
            self.now.since_origin().as_secs_f64(),
            faults.join("\n"),
        );
    }

    /// Disconnects all participants, then checks that conference and workers hold no objects.
    pub fn finish(&mut self) {
        for participant in &self.participants {
            let pending: Vec<&str> = participant.browser.pending_requests().collect();
            let name = &participant.name;
            assert!(
                !participant.is_connected || pending.is_empty(),
                "seed {}: {name} has pending requests: {pending:?}",
                self.seed,
            );
        }
        (0..self.participants.len()).for_each(|index| self.disconnect_index(index));
        self.run(Duration::from_secs(5));
        let counts = self.conference.gauges();
        let left = (
            counts.sessions,
            counts.rooms,
            counts.transports,
            counts.consumers,
        );
        assert_eq!(
            left,
            (0, 0, 0, 0),
            "seed {}: the conference still holds objects",
            self.seed
        );
        for worker in &self.workers {
            let held_objects = worker.object_counts();
            assert_eq!(
                held_objects,
                Default::default(),
                "seed {}: a worker still holds objects",
                self.seed
            );
        }
    }

    fn room_number(&mut self, room: &str) -> u32 {
        let known = self.rooms.iter().position(|it| it == room);
        let index = known.unwrap_or_else(|| {
            self.rooms.push(room.to_owned());
            self.rooms.len() - 1
        });
        u32::try_from(index).unwrap_or(u32::MAX) + 1
    }

    fn schedule(&mut self, at: Time, item: InFlight) {
        self.next_sequence += 1;
        self.in_flight.insert((at, self.next_sequence), item);
    }

    /// Returns whether all packets reach the workers, in order.
    fn preserves_order(&self) -> bool {
        // What was lost in an outage is sent again after it.
        let participants = &self.participants;
        !self.had_outage
            && participants
                .iter()
                .all(|participant| participant.up.profile().preserves_order())
    }

    /// Generates a master key with its salt.
    fn generate_key(&mut self) -> Vec<u8> {
        let mut key = vec![0; self.profile.master_len()];
        self.rng.fill_bytes(&mut key);
        key
    }

    /// Handles an output of the conference.
    fn handle_output(&mut self, output: Output) {
        match output {
            Output::Frame { session, text, .. } => {
                self.oracle
                    .record_frame(self.now, &without_fingerprint(&text));
                let now = self.now;
                let found = self.participants.iter_mut().enumerate();
                let Some((participant, found)) =
                    found.into_iter().find(|(_, it)| it.session == session)
                else {
                    return;
                };
                let at = found.down.transmit_reliably(now);
                self.schedule(at, InFlight::FrameToParticipant { participant, text });
            }
            Output::Close {
                session,
                code,
                reason,
            } => {
                self.oracle
                    .record_fault(self.now, format!("{session:?} was closed: {code} {reason}"));
            }
            Output::RoomEvent(_) => {}
            Output::Command {
                shard,
                token,
                command,
            } => {
                let index = usize::from(shard.0);
                let Some(worker) = self.workers.get_mut(index) else {
                    self.oracle
                        .record_fault(self.now, format!("there is no {shard:?}"));
                    return;
                };
                if let watersmeet_engine::command::Command::CreateTransport { transport, .. } =
                    &command
                {
                    self.shards.insert(*transport, index);
                }
                let result = worker.handle_command(self.now, command);
                self.conference.handle_reply(self.now, token, result);
            }
        }
    }

    /// Opens the session of a connection.
    fn open_session(&mut self, session: SessionId) {
        self.conference
            .handle_open(self.now, session, ConnectRequest::new(DialectKind::Native));
    }
}
