//! A video conference for browsers in one file: the engine, one UDP socket for media, and HTTP for
//! signalling. The page beside it uses mediasoup-client, which has to be bundled first:
//!
//! ```text
//! npm --prefix web ci
//! web/node_modules/.bin/rolldown web/node_modules/mediasoup-client/lib/index.js \
//!     --format esm --platform browser --file target/mediasoup-client.js
//! MEDIASOUP_CLIENT=target/mediasoup-client.js cargo run -p watersmeet-engine --example forward
//! ```
//!
//! Then open <http://127.0.0.1:3000> in two windows on this machine. The example has one room, no
//! access control and no TCP; it shows how a program drives a [`Worker`].

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program has a clock and a socket, which the engine does not"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rand_chacha::rand_core::SeedableRng;
use serde::Deserialize;
use serde_json::{Value, json};
use watersmeet_engine::command::{
    Command, ConsumerId, DegradationPreference, Event, ListenAddress, Path, ProducerId, Protocol,
    Reply, RouterId, TransportId, TransportOptions,
};
use watersmeet_engine::egress::window::EgressOptions;
use watersmeet_engine::ortc;
use watersmeet_engine::transport::CONSENT_TIMEOUT;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::worker::{Worker, WorkerConfig};
use watersmeet_wire::params::{DtlsParameters, MediaKind, RtpCapabilities, RtpParameters};
use watersmeet_wire::units::{Rng, Time};

/// Longest wait for a datagram: a signalling request waits at most this long.
const WAIT_MAX: Duration = Duration::from_millis(5);

/// Longest body of a signalling request in bytes.
const BODY_LEN_MAX: u64 = 64 * 1024;

/// A signalling request of a page.
#[derive(Deserialize)]
#[serde(
    tag = "request",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum Request {
    RouterCapabilities,
    CreateTransport,
    ConnectTransport {
        transport_id: TransportId,
        dtls_parameters: DtlsParameters,
    },
    Produce {
        transport_id: TransportId,
        kind: MediaKind,
        rtp_parameters: RtpParameters,
    },
    ListProducers,
    Consume {
        transport_id: TransportId,
        producer_id: ProducerId,
        rtp_capabilities: RtpCapabilities,
    },
    ResumeConsumer {
        consumer_id: ConsumerId,
    },
    CloseTransport {
        transport_id: TransportId,
    },
}

/// A request and the channel for its response.
type Call = (Request, Sender<Result<Value, String>>);

fn main() -> Result<(), Box<dyn Error>> {
    let bundle = std::env::var("MEDIASOUP_CLIENT")
        .map_err(|_| "MEDIASOUP_CLIENT must name the bundle of mediasoup-client")?;
    let bundle = std::fs::read_to_string(bundle)?;
    let port = std::env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let pages = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    let (calls_sender, calls) = channel();
    std::thread::spawn(move || {
        for connection in pages.incoming().flatten() {
            let (calls, bundle) = (calls_sender.clone(), bundle.clone());
            std::thread::spawn(move || serve_page(connection, &bundle, &calls));
        }
    });
    println!("open http://127.0.0.1:{port} in two windows");
    Sfu::new()?.run(&calls)
}

/// The engine, with the state that a program adds to it.
struct Sfu {
    worker: Worker,
    socket: UdpSocket,
    /// The `Instant` of `Time::ZERO`.
    epoch: Instant,
    /// Generates ids.
    rng: Rng,
    router: RouterId,
    router_capabilities: RtpCapabilities,
    /// Open producers, and the transport that each one arrives on.
    producers: BTreeMap<ProducerId, TransportId>,
}

impl Sfu {
    fn new() -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let local = socket.local_addr()?;
        let epoch = Instant::now();
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).map_err(|_| "no random numbers")?;
        let mut rng = Rng::from_seed(seed);
        let config = WorkerConfig {
            listen: vec![ListenAddress {
                protocol: Protocol::Udp,
                ip: local.ip(),
                port: local.port(),
            }],
            certificate: DtlsCertificate::generate()?,
            dtls_version: DtlsVersion::default(),
            epoch,
            unix_epoch: SystemTime::now().duration_since(UNIX_EPOCH)?,
            consent_timeout: CONSENT_TIMEOUT,
            shard: 0,
            egress: EgressOptions::default(),
        };
        let router = RouterId::generate(&mut rng);
        let mut worker = Worker::new(config, Rng::from_rng(&mut rng));
        let create_router = Command::CreateRouter {
            router,
            media_codecs: ortc::default_codecs(),
        };
        let Reply::Router { capabilities } = worker.handle_command(Time::ZERO, create_router)?
        else {
            return Err("the worker did not create a router".into());
        };
        Ok(Self {
            worker,
            socket,
            epoch,
            rng,
            router,
            router_capabilities: capabilities,
            producers: BTreeMap::new(),
        })
    }

    /// Runs the loop: requests, one datagram, timers, and everything to send.
    fn run(&mut self, calls: &Receiver<Call>) -> Result<(), Box<dyn Error>> {
        let mut buffer = [0; 1_500];
        loop {
            for (request, response) in calls.try_iter() {
                // A page that closed its connection needs no response.
                let _ = response.send(self.handle_request(request));
            }
            let wait = self.worker.poll_timeout().since(self.now());
            let wait = wait.clamp(Duration::from_micros(1), WAIT_MAX);
            self.socket.set_read_timeout(Some(wait))?;
            if let Ok((len, remote)) = self.socket.recv_from(&mut buffer)
                && let Some(datagram) = buffer.get_mut(..len)
            {
                self.worker
                    .handle_datagram(self.now(), Path::udp(remote), datagram);
            }
            self.worker.handle_timeout(self.now());
            self.send_all();
            while let Some(event) = self.worker.poll_event() {
                if let Event::ProducerClosed { producer } = event {
                    self.producers.remove(&producer);
                }
            }
        }
    }

    /// Sends every datagram that the worker has. The segments of a run have equal lengths.
    fn send_all(&mut self) {
        let now = self.now();
        while let Some(batch) = self.worker.poll_transmit(now) {
            for transmit in batch.transmits {
                let run = batch.arena.get(transmit.range.clone()).unwrap_or(&[]);
                let segment_len = transmit.segment_size.map_or(run.len(), usize::from);
                for datagram in run.chunks(segment_len.max(1)) {
                    // A datagram that cannot be sent is lost, as on the network.
                    let _ = self.socket.send_to(datagram, transmit.path.remote);
                }
            }
        }
    }

    fn now(&self) -> Time {
        Time::ZERO + self.epoch.elapsed()
    }

    /// Translates a page's request to a command, and the worker's reply to JSON.
    fn handle_request(&mut self, request: Request) -> Result<Value, String> {
        let command = match request {
            Request::RouterCapabilities => return Ok(json!(self.router_capabilities)),
            Request::ListProducers => {
                let producers = self.producers.iter();
                let producers =
                    producers.map(|(id, on)| json!({"producerId": id, "transportId": on}));
                return Ok(producers.collect());
            }
            Request::CreateTransport => return self.create_transport(),
            Request::Produce {
                transport_id,
                kind,
                rtp_parameters,
            } => return self.produce(transport_id, kind, rtp_parameters),
            Request::Consume {
                transport_id,
                producer_id,
                rtp_capabilities,
            } => return self.consume(transport_id, producer_id, rtp_capabilities),
            Request::ConnectTransport {
                transport_id,
                dtls_parameters,
            } => Command::ConnectTransport {
                transport: transport_id,
                dtls: dtls_parameters,
            },
            Request::ResumeConsumer { consumer_id } => Command::ResumeConsumer {
                consumer: consumer_id,
            },
            Request::CloseTransport { transport_id } => {
                self.producers.retain(|_, on| *on != transport_id);
                Command::CloseTransport {
                    transport: transport_id,
                }
            }
        };
        self.command(command).map(|_| Value::Null)
    }

    fn create_transport(&mut self) -> Result<Value, String> {
        let transport = TransportId::generate(&mut self.rng);
        let reply = self.command(Command::CreateTransport {
            router: self.router,
            transport,
            options: TransportOptions::default(),
        })?;
        match reply {
            Reply::Transport {
                ice,
                candidates,
                dtls,
            } => Ok(json!({
                "id": transport,
                "iceParameters": ice,
                "iceCandidates": candidates,
                "dtlsParameters": dtls,
            })),
            other => Err(format!("unexpected reply {other:?}")),
        }
    }

    fn produce(
        &mut self,
        transport: TransportId,
        kind: MediaKind,
        rtp: RtpParameters,
    ) -> Result<Value, String> {
        let producer = ProducerId::generate(&mut self.rng);
        self.command(Command::Produce {
            transport,
            producer,
            kind,
            rtp,
            paused: false,
            is_screen: false,
        })?;
        self.producers.insert(producer, transport);
        Ok(json!({ "id": producer }))
    }

    /// Creates a paused consumer: the page resumes it when it can receive, and gets a keyframe
    /// first.
    fn consume(
        &mut self,
        transport: TransportId,
        producer: ProducerId,
        capabilities: RtpCapabilities,
    ) -> Result<Value, String> {
        let consumer = ConsumerId::generate(&mut self.rng);
        let reply = self.command(Command::Consume {
            transport,
            consumer,
            producer,
            capabilities,
            paused: true,
            preferred_layers: None,
            priority: 1,
            degradation_preference: DegradationPreference::MaintainFramerate,
        })?;
        match reply {
            Reply::Consumer { kind, rtp, .. } => Ok(json!({
                "id": consumer,
                "producerId": producer,
                "kind": kind,
                "rtpParameters": rtp,
            })),
            other => Err(format!("unexpected reply {other:?}")),
        }
    }

    fn command(&mut self, command: Command) -> Result<Reply, String> {
        let reply = self.worker.handle_command(self.now(), command);
        reply.map_err(|refusal| refusal.to_string())
    }
}

/// Serves one HTTP request: a script, a signalling request, or the page.
fn serve_page(connection: TcpStream, bundle: &str, calls: &Sender<Call>) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut request_line = String::new();
    reader.read_line(&mut request_line)?;
    let mut body_len = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        match header.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                body_len = value.trim().parse().unwrap_or(0);
            }
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    let mut reader = reader.take(BODY_LEN_MAX.min(body_len));
    reader.read_to_end(&mut body)?;
    let (status, content_type, response) = match request_line.split(' ').nth(1) {
        Some("/api") => match call(&body, calls) {
            Ok(response) => ("200 OK", "application/json", response.to_string()),
            Err(error) => ("400 Bad Request", "text/plain", error),
        },
        Some("/client.js") => {
            let script = include_str!("forward/client.js");
            ("200 OK", "text/javascript", script.to_owned())
        }
        Some("/mediasoup-client.js") => ("200 OK", "text/javascript", bundle.to_owned()),
        _ => {
            let page = include_str!("forward/index.html");
            ("200 OK", "text/html", page.to_owned())
        }
    };
    let mut connection = reader.into_inner().into_inner();
    write!(
        connection,
        "HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{response}",
        response.len()
    )
}

/// Passes a signalling request to the media loop and waits for its response.
fn call(body: &[u8], calls: &Sender<Call>) -> Result<Value, String> {
    let request = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let (sender, receiver) = channel();
    calls
        .send((request, sender))
        .map_err(|_| "the media loop ended".to_owned())?;
    receiver.recv().map_err(|error| error.to_string())?
}
