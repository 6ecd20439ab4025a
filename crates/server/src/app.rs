//! The life of the program, on one screen: bind, start the shards, start the hub, open the door,
//! wait for the end, and take it all down in order.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use thiserror::Error;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use watersmeet_conference::{Conference, ShardId};
use watersmeet_engine::ortc::NegotiationError;
use watersmeet_engine::transport::dtls::{CertificateError, DtlsCertificate, DtlsVersion};
use watersmeet_engine::worker::WorkerConfig;

use crate::clock::Clock;
use crate::config::{Config, DtlsChoice, Loaded};
use crate::http::server::HttpServer;
use crate::http::tls::TlsError;
use crate::http::{self, SiteContext};
use crate::hub::Hub;
use crate::listeners::{self, BoundListener};
use crate::media_sockets::{MediaSocketError, MediaSockets};
use crate::shard::{self, Shard, ShardHandle, ShardReport};
use crate::shard_queues::ShardQueues;
use crate::{conference_setup, file_descriptor_limit, ip_addresses, startup_banner, watchdog};

/// Threads for signalling and the page. MediaSockets has its own.
const SIGNALLING_THREADS: usize = 2;

/// How long sessions may take to say goodbye when the program ends.
const GOODBYES_MAX: Duration = Duration::from_secs(3);

/// How long the shards may take to end: each looks up at least every 250 ms.
const SHARDS_END_MAX: Duration = Duration::from_secs(1);

/// How long a peer may go without renewing its consent (RFC 7675 allows 30 s).
const CONSENT_TIMEOUT: Duration = Duration::from_secs(15);

/// Why the program cannot start, or could not go on.
#[derive(Debug, Error)]
pub enum AppError {
    /// The page's certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The page's port.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// The media sockets.
    #[error(transparent)]
    MediaSockets(#[from] MediaSocketError),
    /// The media certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The codecs of the rooms.
    #[error(transparent)]
    Codecs(#[from] NegotiationError),
    /// What signs tokens.
    #[error("`jwt_secret` {0}")]
    Keys(String),
    /// The operating system.
    #[error("the operating system refuses: {0}")]
    System(#[from] io::Error),
    /// The conference failed.
    #[error("the conference ended by itself")]
    HubEnded,
}

impl AppError {
    /// What the process ends with: 78 when the configuration is to blame.
    pub const fn exit_status(&self) -> u8 {
        match self {
            Self::Tls(_) | Self::Keys(_) => crate::EXIT_CONFIG,
            _ => 1,
        }
    }
}

/// Runs the program until it is told to stop.
pub fn run(loaded: &Loaded) -> Result<(), AppError> {
    file_descriptor_limit::raise();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SIGNALLING_THREADS)
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(loaded));
    // A shard that hangs must not keep the program from ending.
    runtime.shutdown_background();
    outcome
}

async fn serve(loaded: &Loaded) -> Result<(), AppError> {
    let config = &loaded.config;
    let mut signals = Signals::new()?;
    let clock = Clock::start();
    let bound = listeners::bind_all(config)?;
    let (reports_sender, reports) = mpsc::channel(shard::REPORTS_MAX);
    let (shards, threads) = start_shards(config, clock, &reports_sender)?;
    let pulses: Vec<_> = shards.iter().map(ShardHandle::pulse).collect();
    let meters = shards.iter().map(ShardHandle::meter).collect();
    let keys = Arc::new(config.keys().map_err(AppError::Keys)?);
    let rooms = conference_setup::conference_config(config, Arc::clone(&keys), clock)?;
    let conference = Conference::new(rooms, shard::seeded()?);
    let (hub, hub_handle) = Hub::new(conference, clock, shards, reports);
    let (stop, stopped) = watch::channel(false);
    let mut hub = tokio::spawn(hub.run(stopped.clone()));
    let site = SiteContext::new(hub_handle, (pulses.clone(), meters), clock, config, keys)?;
    tokio::spawn(watchdog::run(pulses));
    let greeting = startup_banner::text(loaded, &bound);
    // A closed standard output is no reason not to serve.
    let _ = io::stdout().write_all(greeting.as_bytes());
    let doors = open(bound, &site, &stopped);

    tokio::select! {
        () = signals.next() => tracing::info!("shutting down"),
        _ = &mut hub => return Err(AppError::HubEnded),
    }
    stop.send_replace(true);
    tokio::select! {
        () = signals.next() => tracing::warn!("told twice: leaving at once"),
        () = end(hub, &doors, threads) => {}
    }
    Ok(())
}

/// Opens every door.
fn open(
    bound: Vec<BoundListener>,
    site: &SiteContext,
    stopped: &watch::Receiver<bool>,
) -> Vec<HttpServer> {
    let mut doors = Vec::new();
    for bound in bound {
        let door = HttpServer::new(
            http::router(site.behind(&bound.listener)),
            bound.tls,
            stopped.clone(),
        );
        for socket in bound.sockets {
            tokio::spawn(door.clone().open(socket));
        }
        doors.push(door);
    }
    doors
}

/// Takes everything down: sessions hear goodbye, then the hub lets go of the shards, and they end.
async fn end(hub: JoinHandle<()>, doors: &[HttpServer], threads: Vec<thread::JoinHandle<()>>) {
    let goodbyes = async {
        if hub.await.is_err() {
            tracing::error!("the conference failed while ending");
        }
        for door in doors {
            door.emptied().await;
        }
    };
    if timeout(GOODBYES_MAX, goodbyes).await.is_err() {
        tracing::warn!("some clients did not answer the goodbye");
    }
    let joined = tokio::task::spawn_blocking(move || {
        threads
            .into_iter()
            .filter_map(|thread| thread.join().err())
            .count()
    });
    match timeout(SHARDS_END_MAX, joined).await {
        Ok(Ok(0)) => {}
        _ => tracing::error!("some shards did not end"),
    }
}

/// The signals that end the program.
struct Signals {
    /// Ctrl-C.
    interrupt: Signal,
    /// What service managers send.
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self {
            interrupt,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

type Started = (Vec<ShardHandle>, Vec<thread::JoinHandle<()>>);

fn start_shards(
    config: &Config,
    clock: Clock,
    reports: &mpsc::Sender<ShardReport>,
) -> Result<Started, AppError> {
    let certificate = DtlsCertificate::generate()?;
    let announced = ip_addresses::announced(config);
    let mut started = (Vec::new(), Vec::new());
    let mut sockets = Vec::new();
    for index in 0..config.shard_count() {
        sockets.push(MediaSockets::open(config, clock, index)?);
    }
    let desks = ShardQueues::connect(sockets.iter().map(MediaSockets::waker));
    for ((index, media), desk) in (0..=u8::MAX).zip(sockets).zip(desks) {
        let worker = WorkerConfig {
            listen: media.listen_addresses(&announced),
            certificate: certificate.clone(),
            dtls_version: dtls_version(config.dtls),
            epoch: clock.epoch(),
            unix_epoch: clock.unix_epoch(),
            consent_timeout: CONSENT_TIMEOUT,
            shard: index,
            egress: config.egress_options(),
        };
        let (id, reports) = (ShardId(index), reports.clone());
        let (handle, thread) =
            Shard::start(id, worker, clock, media, desk, reports, config.pin_cores)?;
        started.0.push(handle);
        started.1.push(thread);
    }
    Ok(started)
}

const fn dtls_version(choice: DtlsChoice) -> DtlsVersion {
    match choice {
        DtlsChoice::V12 => DtlsVersion::V12,
        DtlsChoice::V13 => DtlsVersion::V13,
        DtlsChoice::Auto => DtlsVersion::Auto,
    }
}
