//! The world: it owns the conference, the workers, the people and their links, and it alone lets
//! time pass. Always the earliest of all that is due happens next; what happens at the same moment
//! happens in the order it was caused.
//!
//! Handshakes draw randomness of their own, so people start at "keys agreed": after as many round
//! trips as ICE and DTLS take, both sides are given the same keys.

mod passing;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rand_chacha::rand_core::Rng as _;
use serde_json::json;
use watersmeet_conference::dialect::native;
use watersmeet_conference::message::Policy;
use watersmeet_conference::turn::IceServers;
use watersmeet_conference::{
    Conference, ConferenceConfig, ConferenceLimits, ConnectRequest, DialectKind, Output, SessionId,
    ShardId,
};
use watersmeet_engine::command::{ListenAddress, Path, Protocol, TransportId, TransportOptions};
use watersmeet_engine::egress::window::{EgressOptions, EgressWindow, WINDOW_MAX};
use watersmeet_engine::ortc;
use watersmeet_engine::shard_message::ShardMessage;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::transport::srtp::SrtpProfile;
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_peer::browser::{Browser, BrowserOptions, Direction, MediaSource, Published};
use watersmeet_wire::units::{Map, Rng, Time};

use crate::network::{Link, LinkProfile};
use crate::oracle::Oracle;
use crate::person::Person;
use crate::profiles::Access;
use crate::seeds;

/// The wall clock at the origin of time: an afternoon in 2026.
const UNIX_EPOCH: Duration = Duration::from_secs(1_790_000_000);

/// Most that may happen without time passing.
const STILL_MAX: u32 = 10_000;

/// What is on its way.
#[derive(Debug)]
enum Flight {
    /// A datagram to a worker.
    ToWorker {
        /// Which worker.
        shard: usize,
        /// The path it comes on.
        path: Path,
        /// Its bytes.
        datagram: Vec<u8>,
    },
    /// A datagram to a person.
    ToPerson {
        /// Which person.
        person: usize,
        /// On which of their transports.
        direction: Direction,
        /// Its bytes.
        datagram: Vec<u8>,
    },
    /// A frame to the server.
    Said {
        /// Who said it.
        session: SessionId,
        /// The frame.
        text: String,
    },
    /// A frame to a person.
    Told {
        /// Which person.
        person: usize,
        /// The frame.
        text: String,
    },
    /// A connection to the server opens.
    Opened {
        /// Whose.
        session: SessionId,
    },
    /// A connection to the server ends.
    Hung {
        /// Whose.
        session: SessionId,
    },
    /// What one worker has for another.
    ShardMessage {
        /// Whose.
        from: usize,
        /// For whom.
        to: usize,
        /// What.
        crossing: ShardMessage,
    },
    /// ICE and DTLS of a transport are done.
    Agreed {
        /// Whose.
        person: usize,
        /// Which transport.
        transport: TransportId,
        /// Which of theirs it is.
        direction: Direction,
    },
}

/// The world.
pub struct World {
    /// What everything random was made from.
    seed: u64,
    /// The present.
    now: Time,
    /// Draws keys.
    rng: Rng,
    /// The rooms.
    conference: Conference,
    /// The workers, by shard.
    workers: Vec<Worker>,
    /// Which shard each transport was made on.
    shards: Map<TransportId, usize>,
    /// Everybody who ever was here.
    people: Vec<Person>,
    /// Whose each path is.
    owners: Map<Path, (usize, Direction)>,
    /// Who publishes under each number.
    sources: Map<u32, usize>,
    /// Rooms, by number.
    rooms: Vec<String>,
    /// What is on its way, by arrival and cause.
    flights: BTreeMap<(Time, u64), Flight>,
    /// How many flights there were.
    flown: u64,
    /// Which ciphers are used.
    profile: SrtpProfile,
    /// What must hold.
    pub oracle: Oracle,
    /// The room that scenarios speak of.
    pub(crate) room: String,
}

/// The certificate of this process. Its value reaches nothing but fingerprints.
fn certificate() -> DtlsCertificate {
    static CERTIFICATE: OnceLock<DtlsCertificate> = OnceLock::new();
    #[expect(
        clippy::expect_used,
        reason = "without a certificate there is nothing to simulate"
    )]
    let make = || DtlsCertificate::generate().expect("a certificate");
    CERTIFICATE.get_or_init(make).clone()
}

impl World {
    /// A world with one shard and nobody in it.
    pub fn new(seed: u64) -> Self {
        Self::with_shards(seed, 1)
    }

    /// A world with so many shards and nobody in it. A room stays on one of them.
    pub fn with_shards(seed: u64, shards: u8) -> Self {
        Self::made_of(seed, shards, 600)
    }

    /// A world with so many shards and nobody in it. Whoever comes to a room is served by the shard
    /// with the least to do, so that every room is spread over all of them.
    pub fn spread(seed: u64, shards: u8) -> Self {
        Self::made_of(seed, shards, 0)
    }

    fn made_of(seed: u64, shards: u8, spread_above_permille: u16) -> Self {
        let media_codecs = ortc::default_codecs();
        #[expect(clippy::expect_used, reason = "the default codecs are supported")]
        let capabilities = ortc::router_capabilities(&media_codecs).expect("capabilities");
        let config = ConferenceConfig {
            media_codecs,
            capabilities,
            transport_options: TransportOptions::default(),
            shards,
            spread_above_permille,
            limits: ConferenceLimits::default(),
            native: native::Config::default(),
            keys: None,
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
            workers: workers(seed, shards, EgressOptions::default()),
            shards: Map::new(),
            people: Vec::new(),
            owners: Map::new(),
            sources: Map::new(),
            rooms: Vec::new(),
            flights: BTreeMap::new(),
            flown: 0,
            profile: SrtpProfile::AeadAes128Gcm,
            oracle: Oracle::default(),
            room: "room".to_owned(),
        }
    }

    /// Gathers media before it leaves, as long as a worker ever does, and pads it. As little is
    /// forwarded here, none is gathered otherwise.
    #[must_use]
    pub fn gathering(mut self) -> Self {
        let shards = u8::try_from(self.workers.len()).unwrap_or(u8::MAX);
        let egress = EgressOptions {
            window: EgressWindow::Fixed(WINDOW_MAX),
            ..EgressOptions::default()
        };
        self.workers = workers(self.seed, shards, egress);
        self
    }

    /// Uses other ciphers.
    #[must_use]
    pub const fn with_profile(mut self, profile: SrtpProfile) -> Self {
        self.profile = profile;
        self
    }

    /// What everything random was made from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The present.
    pub const fn now(&self) -> Time {
        self.now
    }

    /// The rooms.
    pub const fn conference(&self) -> &Conference {
        &self.conference
    }

    /// The workers, by shard.
    pub fn workers(&self) -> &[Worker] {
        &self.workers
    }

    /// Everybody who ever was here.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The last person of this name.
    pub fn person(&self, name: &str) -> Option<&Person> {
        self.people.iter().rev().find(|person| person.name == name)
    }

    /// The last person of this name, to tell them what to do; it happens at once.
    pub fn person_mut(&mut self, name: &str) -> Option<&mut Person> {
        self.people
            .iter_mut()
            .rev()
            .find(|person| person.name == name)
    }

    /// Somebody comes, opens a connection and enters the room.
    pub fn enter(&mut self, name: &str, access: Access, media: Vec<MediaSource>, subscribes: bool) {
        let index = self.people.len();
        let room = self.room.clone();
        let room_number = self.room_number(&room);
        let mut sources = Vec::new();
        for source in media {
            let number = u32::try_from(self.sources.len()).unwrap_or(u32::MAX) + 1;
            self.sources.insert(number, index);
            sources.push(Published { number, source });
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
        let opened = up.carry_reliably(self.now);
        self.people.push(Person {
            name: name.to_owned(),
            session,
            browser: Browser::new(options, part("browser")),
            up,
            down: Link::new(access.down, part("down")),
            pipes: Map::new(),
            is_here: true,
            unopened: 0,
        });
        self.fly(opened, Flight::Opened { session });
    }

    /// Somebody closes the page.
    pub fn hang_up(&mut self, name: &str) {
        let last = self.people.iter().rposition(|person| person.name == name);
        if let Some(index) = last {
            self.hang_up_person(index);
        }
    }

    fn hang_up_person(&mut self, index: usize) {
        let now = self.now;
        let person = self.people.get_mut(index).filter(|person| person.is_here);
        if let Some(person) = person {
            person.is_here = false;
            let (session, at) = (person.session, person.up.carry_reliably(now));
            self.fly(at, Flight::Hung { session });
        }
    }

    /// Changes somebody's link.
    pub fn relink(&mut self, name: &str, change: impl Fn(&mut LinkProfile, &mut LinkProfile)) {
        if let Some(person) = self.person_mut(name) {
            let (mut up, mut down) = (*person.up.profile(), *person.down.profile());
            change(&mut up, &mut down);
            person.up.change(up);
            person.down.change(down);
        }
    }

    /// Lets nothing pass on somebody's link for so long.
    pub fn darken(&mut self, name: &str, outage: Duration) {
        let until = self.now + outage;
        if let Some(person) = self.person_mut(name) {
            person.up.darken(until);
            person.down.darken(until);
        }
    }

    /// Lets time pass; then everything that must hold is checked.
    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        let mut still = 0;
        self.settle();
        while let Some(next) = self.next_moment().filter(|next| *next <= end) {
            still = if next > self.now { 0 } else { still + 1 };
            if still > STILL_MAX {
                let who = self.who_is_due();
                self.oracle
                    .fault(self.now, format!("time stands still: {who}"));
                break;
            }
            self.now = next.max(self.now);
            self.happen();
            self.settle();
        }
        self.now = end;
        self.assert_sound();
    }

    /// Who wants to be called now, in words.
    fn who_is_due(&self) -> String {
        let people = self
            .people
            .iter()
            .map(|it| (it.name.clone(), it.browser.poll_timeout()));
        let shards = self.workers.iter().enumerate();
        let shards = shards.map(|(shard, it)| (format!("worker {shard}"), it.poll_timeout()));
        let rooms = ("the conference".to_owned(), self.conference.poll_timeout());
        let due = people
            .chain(shards)
            .chain([rooms])
            .filter(|(_, due)| *due <= self.now);
        due.map(|(who, due)| format!("{who} is due at {due:?}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Fails when something does not hold.
    pub fn assert_sound(&mut self) {
        let mut faults = self.oracle.faults().to_vec();
        for person in &self.people {
            let name = &person.name;
            let mut record_violation = |what: String| faults.push(format!("{name}: {what}"));
            person
                .browser
                .receiver
                .violations()
                .iter()
                .for_each(|it| record_violation(format!("{it:?}")));
            person
                .browser
                .refused_requests()
                .iter()
                .for_each(|it| record_violation(format!("{it:?}")));
            person
                .browser
                .unexpected_frames()
                .iter()
                .for_each(|it| record_violation(format!("unasked: {it}")));
            if person.unopened > 0 {
                record_violation(format!("{} packets that it cannot open", person.unopened));
            }
        }
        let pending = self.conference.gauges().pending;
        if pending > 0 {
            faults.push(format!("{pending} commands without an answer"));
        }
        assert!(
            faults.is_empty(),
            "seed {} at {:.3} s:\n{}",
            self.seed,
            self.now.since_origin().as_secs_f64(),
            faults.join("\n"),
        );
    }

    /// Everybody closes the page; then nothing may be left of anybody.
    pub fn end(&mut self) {
        for person in &self.people {
            let unanswered: Vec<&str> = person.browser.unanswered().collect();
            let name = &person.name;
            assert!(
                !person.is_here || unanswered.is_empty(),
                "seed {}: {name} was never answered: {unanswered:?}",
                self.seed,
            );
        }
        (0..self.people.len()).for_each(|index| self.hang_up_person(index));
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
            "seed {}: something is left in the rooms",
            self.seed
        );
        for worker in &self.workers {
            let census = worker.object_counts();
            assert_eq!(
                census,
                Default::default(),
                "seed {}: the worker kept something",
                self.seed
            );
        }
    }

    fn room_number(&mut self, room: &str) -> u32 {
        let known = self.rooms.iter().position(|it| it == room);
        let place = known.unwrap_or_else(|| {
            self.rooms.push(room.to_owned());
            self.rooms.len() - 1
        });
        u32::try_from(place).unwrap_or(u32::MAX) + 1
    }

    fn fly(&mut self, at: Time, flight: Flight) {
        self.flown += 1;
        self.flights.insert((at, self.flown), flight);
    }

    /// Whether packets reach the workers in the order they were sent, all of them.
    fn is_orderly(&self) -> bool {
        self.people
            .iter()
            .all(|person| person.up.profile().is_orderly())
    }

    /// Draws a master key with its salt.
    fn draw_key(&mut self) -> Vec<u8> {
        let mut key = vec![0; self.profile.master_len()];
        self.rng.fill_bytes(&mut key);
        key
    }

    /// The conference speaks.
    fn obey(&mut self, output: Output) {
        match output {
            Output::Frame { session, text } => {
                self.oracle.told(self.now, &unsigned(&text));
                let now = self.now;
                let found = self.people.iter_mut().enumerate();
                let Some((person, found)) = found.into_iter().find(|(_, it)| it.session == session)
                else {
                    return;
                };
                let at = found.down.carry_reliably(now);
                self.fly(at, Flight::Told { person, text });
            }
            Output::Close {
                session,
                code,
                reason,
            } => {
                self.oracle
                    .fault(self.now, format!("{session:?} was closed: {code} {reason}"));
            }
            Output::Command {
                shard,
                token,
                command,
            } => {
                let index = usize::from(shard.0);
                let Some(worker) = self.workers.get_mut(index) else {
                    self.oracle
                        .fault(self.now, format!("there is no {shard:?}"));
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

    /// Somebody's connection opens.
    fn open(&mut self, session: SessionId) {
        self.conference
            .handle_open(self.now, session, ConnectRequest::new(DialectKind::Native));
    }
}

/// A text without the value of our certificate's fingerprint, which differs between processes.
fn unsigned(text: &str) -> String {
    let certificate = certificate();
    let values = certificate
        .fingerprints()
        .iter()
        .map(|fingerprint| &fingerprint.value);
    values.fold(text.to_owned(), |text, value| {
        text.replace(value.as_str(), "")
    })
}

/// Makes the worker of a shard.
fn workers(seed: u64, shards: u8, egress: EgressOptions) -> Vec<Worker> {
    (0..shards)
        .map(|shard| worker(seed, shard, egress))
        .collect()
}

fn worker(seed: u64, shard: u8, egress: EgressOptions) -> Worker {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    let listen = [Protocol::Udp, Protocol::Tcp].map(|protocol| ListenAddress {
        protocol,
        ip: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
        port: 44_444 + u16::from(shard),
    });
    let config = WorkerConfig {
        listen: listen.to_vec(),
        certificate: certificate(),
        dtls_version: DtlsVersion::V12,
        epoch: *EPOCH.get_or_init(Instant::now),
        unix_epoch: UNIX_EPOCH,
        consent_timeout: Duration::from_secs(15),
        shard,
        egress,
    };
    Worker::new(config, seeds::generator(seed, &format!("worker{shard}")))
}

/// Where the `person`th person is on one of their transports.
fn path_of(person: usize, direction: Direction) -> Path {
    let [high, low] = u16::try_from(person).unwrap_or(u16::MAX).to_be_bytes();
    let port = match direction {
        Direction::Send => 50_000,
        Direction::Recv => 50_001,
    };
    let remote = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 1, high, low)), port);
    Path::udp(remote)
}

/// The shard with this index.
fn shard_id(index: usize) -> ShardId {
    ShardId(u8::try_from(index).unwrap_or(u8::MAX))
}
