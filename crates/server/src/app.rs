//! Lifecycle of the program: binds the listeners, starts shards and hub, serves until a signal
//! arrives, and shuts everything down in order.

use std::io::{self, Write as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use watersmeet_conference::Conference;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::worker::WorkerConfig;

use crate::app_error::AppError;
use crate::clock::Clock;
use crate::config::{Config, DtlsChoice, Loaded, is_documentation};
use crate::http::connection_limit::ConnectionLimit;
use crate::http::server::HttpServer;
use crate::http::site::SiteContext;
use crate::http::tls::{self, ReloadingCertificate};
use crate::hub::Hub;
use crate::listeners::{self, BoundListener};
use crate::media_sockets::MediaSockets;
use crate::shard::{self, Shard, ShardHandle, ShardReport, ShardSetup};
use crate::shard_queues::ShardQueues;
use crate::{
    conference_setup, file_descriptor_limit, http, ip_addresses, startup_banner, watchdog,
};

/// Upper bound of threads of the tokio runtime, which serves signalling and HTTP. Shards have their own.
const SIGNALLING_THREADS_MAX: usize = 2;

/// Time limit for closing sessions when the program ends.
const SESSIONS_CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time limit for ending shards: each checks at least every 250 ms.
const SHARDS_END_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for which a peer may go without renewing its consent (RFC 7675 allows 30 s).
const CONSENT_TIMEOUT: Duration = Duration::from_secs(15);

/// Runs the program until a signal ends it.
///
/// # Errors
/// A socket, certificate, codec or secret cannot be used, or the hub task ended unexpectedly.
pub fn run(loaded: &Loaded) -> Result<(), AppError> {
    file_descriptor_limit::raise_to_maximum();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(signalling_threads())
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(loaded));
    // Does not wait for blocking tasks: a shard that hangs must not keep the program from ending.
    runtime.shutdown_background();
    outcome
}

/// Returns the number of threads for signalling and HTTP. On few cores a second thread only costs: each
/// frame that arrives wakes both.
fn signalling_threads() -> usize {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, SIGNALLING_THREADS_MAX)
}

async fn serve(loaded: &Loaded) -> Result<(), AppError> {
    let config = &loaded.config;
    let mut signals = Signals::new()?;
    let clock = Clock::start();
    let bound = listeners::bind_all(config)?;
    let (reports_sender, reports) = mpsc::channel(shard::REPORTS_MAX);
    let (announcer, announced) = watch::channel(ip_addresses::announced_ips(config).await?);
    warn_of_examples(&announced.borrow());
    let (shards, threads) = start_shards(config, clock, &reports_sender, &announced)?;
    tokio::spawn(ip_addresses::watch_announced_names(
        config.clone(),
        announcer,
    ));
    let heartbeats: Vec<_> = shards.iter().map(ShardHandle::heartbeat).collect();
    let shard_metrics = shards.iter().map(ShardHandle::metrics).collect();
    let keys = Arc::new(config.keys().map_err(AppError::Keys)?);
    let conference_config = conference_setup::conference_config(config, Arc::clone(&keys), clock)?;
    let conference = Conference::new(conference_config, shard::seeded_rng()?);
    let (hub, hub_handle) = Hub::new(conference, clock, shards, reports);
    let (stop, stopped) = watch::channel(false);
    let mut hub = tokio::spawn(hub.run(stopped.clone()));
    let site = SiteContext::new(
        hub_handle.clone(),
        (heartbeats.clone(), shard_metrics),
        clock,
        config,
        keys,
    )?;
    tokio::spawn(watchdog::run(heartbeats));
    let banner = startup_banner::render(loaded, &bound);
    // A closed standard output does not keep the server from running.
    let _ = io::stdout().write_all(banner.as_bytes());
    let (servers, certificates) = start_http_servers(bound, config, &site, &stopped);
    tokio::spawn(tls::watch_files(certificates, count_hangups()?));

    tokio::select! {
        () = signals.next() => tracing::info!("shutting down"),
        _ = &mut hub => return Err(AppError::HubEnded),
    }
    site.record_shutdown();
    let notice = Duration::from_secs(config.shutdown_notice_s.into());
    let ended = async {
        hub_handle.announce_shutdown(notice).await;
        stop.send_replace(true);
        shut_down(hub, &servers, threads).await;
    };
    tokio::select! {
        () = signals.next() => tracing::warn!("second signal: exiting without waiting for sessions"),
        () = ended => {}
    }
    Ok(())
}

/// Logs announced addresses that are reserved for examples and that this machine does not have: a line of a
/// sample file was left as it is.
fn warn_of_examples(announced: &[IpAddr]) {
    let own = ip_addresses::local_ips();
    let is_example = |ip: &&IpAddr| is_documentation(**ip) && !own.contains(ip);
    for ip in announced.iter().filter(is_example) {
        tracing::warn!(
            %ip,
            "this announced address is reserved for examples, so media will not connect: set \
             `announced_ips` to the address under which browsers reach this machine"
        );
    }
}

/// Starts accepting connections on every listener. Returns the certificates that can be loaded again.
fn start_http_servers(
    bound: Vec<BoundListener>,
    config: &Config,
    site: &SiteContext,
    stopped: &watch::Receiver<bool>,
) -> (Vec<HttpServer>, Vec<ReloadingCertificate>) {
    let (mut servers, mut certificates) = (Vec::new(), Vec::new());
    for bound in bound {
        let server = HttpServer::new(
            http::router(site.for_listener(&bound.config)),
            bound.tls,
            ConnectionLimit::new(&config.limits),
            site,
            stopped.clone(),
        );
        certificates.extend(bound.certificate);
        for socket in bound.sockets {
            tokio::spawn(server.clone().accept_from(socket));
        }
        servers.push(server);
    }
    (servers, certificates)
}

/// Counts SIGHUP, which asks to load certificates again. Without this it would end the program.
fn count_hangups() -> io::Result<watch::Receiver<u64>> {
    let mut hangups = signal(SignalKind::hangup())?;
    let (sender, receiver) = watch::channel(0);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            tracing::info!("SIGHUP: looking for changed certificates");
            sender.send_modify(|count| *count += 1);
        }
    });
    Ok(receiver)
}

/// Waits until sessions, connections and shards have ended. The hub closes the sessions and drops
/// the shard handles, which ends the shards.
async fn shut_down(
    hub: JoinHandle<()>,
    servers: &[HttpServer],
    threads: Vec<thread::JoinHandle<()>>,
) {
    let sessions_closed = async {
        if hub.await.is_err() {
            tracing::error!("the conference task panicked during shutdown");
        }
        for server in servers {
            server.wait_until_idle().await;
        }
    };
    if timeout(SESSIONS_CLOSE_TIMEOUT, sessions_closed)
        .await
        .is_err()
    {
        tracing::warn!("some clients did not close their connection in time");
    }
    let joined = tokio::task::spawn_blocking(move || {
        threads
            .into_iter()
            .filter_map(|thread| thread.join().err())
            .count()
    });
    match timeout(SHARDS_END_TIMEOUT, joined).await {
        Ok(Ok(0)) => {}
        _ => tracing::error!("some shards did not end in time"),
    }
}

/// The signals that end the program.
struct Signals {
    /// SIGINT, sent by Ctrl-C.
    interrupt: Signal,
    /// SIGTERM, sent by service managers.
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

type StartedShards = (Vec<ShardHandle>, Vec<thread::JoinHandle<()>>);

fn start_shards(
    config: &Config,
    clock: Clock,
    reports: &mpsc::Sender<ShardReport>,
    announced: &watch::Receiver<Vec<IpAddr>>,
) -> Result<StartedShards, AppError> {
    let certificate = DtlsCertificate::generate()?;
    let mut started = (Vec::new(), Vec::new());
    let mut sockets = Vec::new();
    for index in 0..config.shard_count() {
        sockets.push(MediaSockets::open(config, clock, index)?);
    }
    let queues = ShardQueues::connect(sockets.iter().map(MediaSockets::waker));
    for ((index, sockets), queues) in (0..=u8::MAX).zip(sockets).zip(queues) {
        let worker = WorkerConfig {
            listen: sockets.listen_addresses(&announced.borrow()),
            certificate: certificate.clone(),
            dtls_version: dtls_version(config.dtls),
            epoch: clock.epoch(),
            unix_epoch: clock.unix_epoch(),
            consent_timeout: CONSENT_TIMEOUT,
            shard: index,
            egress: config.egress_options(),
        };
        let setup = ShardSetup {
            config: worker,
            announced: announced.clone(),
            is_pinned: config.pin_cores,
        };
        let (handle, thread) = Shard::start(setup, clock, sockets, queues, reports.clone())?;
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
