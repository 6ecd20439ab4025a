//! Lifecycle of the program: binds the listeners, starts shards and hub, serves until a signal
//! arrives, and shuts everything down in order.

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use watersmeet_conference::Conference;
use watersmeet_conference::access::TokenKeys;
use watersmeet_engine::transport::dtls::{DtlsCertificate, DtlsVersion};
use watersmeet_engine::worker::WorkerConfig;

use crate::acme::AcmeCertificate;
use crate::app_error::AppError;
use crate::call_history::{CallHistory, Observer};
use crate::clock::Clock;
use crate::config::{Config, DtlsChoice, Loaded, is_documentation};
use crate::http::connection_limit::ConnectionLimit;
use crate::http::operators_context::OperatorsContext;
use crate::http::port_sharing::MediaPort;
use crate::http::redirect;
use crate::http::server::HttpServer;
use crate::http::site::SiteContext;
use crate::http::tls;
use crate::hub::Hub;
use crate::listeners::{self, BoundListeners};
use crate::logging::LogControl;
use crate::media_sockets::{ConnectionSender, MediaSockets};
use crate::room_events::RoomEventSender;
use crate::shard::{self, Shard, ShardHandle, ShardReport, ShardSetup};
use crate::shard_queues::ShardQueues;
use crate::turn_server::{BoundTurnListeners, RelayedAddresses, TurnServer, TurnSetup};
use crate::webhooks::Webhooks;
use crate::{
    conference_setup, file_descriptor_limit, http, ip_addresses, startup_banner, turn_server,
    watchdog,
};

/// Upper bound of threads of the tokio runtime, which serves signalling and HTTP. Shards have their own.
const SIGNALLING_THREADS_MAX: usize = 2;

/// Time limit for closing sessions when the program ends.
const SESSIONS_CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time limit for ending shards: each checks at least every 250 ms.
const SHARDS_END_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for which a peer may go without renewing its consent (RFC 7675 allows 30 s).
const CONSENT_TIMEOUT: Duration = Duration::from_secs(15);

/// Runs the program until a signal ends it. Operators change the filter of `log`.
///
/// # Errors
/// A socket, certificate, codec or secret cannot be used, or the hub task ended unexpectedly.
pub fn run(loaded: &Loaded, log: Arc<LogControl>) -> Result<(), AppError> {
    file_descriptor_limit::raise_to_maximum();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(signalling_threads())
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(loaded, log));
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

async fn serve(loaded: &Loaded, log: Arc<LogControl>) -> Result<(), AppError> {
    let config = &loaded.config;
    let mut signals = Signals::new()?;
    let clock = Clock::start();
    let bound = listeners::bind_all(config)?;
    loaded.store_new_secret()?;
    let turn_listeners = turn_server::bind(config, &bound.listeners)?;
    let (reports_sender, reports) = mpsc::channel(shard::REPORTS_MAX);
    let (announcer, announced) = watch::channel(ip_addresses::announced_ips(config).await?);
    warn_of_examples(&announced.borrow());
    let StartedShards {
        shards,
        threads,
        media,
        connections,
    } = start_shards(config, clock, &reports_sender, &announced, &bound)?;
    let announced_names = ip_addresses::watch_announced_names(config.clone(), announcer);
    tokio::spawn(announced_names);
    let heartbeats: Vec<_> = shards.iter().map(ShardHandle::heartbeat).collect();
    let shard_metrics = shards.iter().map(ShardHandle::metrics).collect();
    let keys = Arc::new(config.keys().map_err(AppError::Keys)?);
    let room_events = RoomEventSender::default();
    let webhooks = start_webhooks(config, &room_events, clock)?;
    let conference = new_conference(config, &keys, clock)?;
    let relayed = Arc::default();
    let (history, observer) = start_history(config, clock, &relayed)?;
    let (hub, hub_handle) = Hub::new(conference, clock, shards, reports, room_events, observer);
    let (stop, stopped) = watch::channel(false);
    let mut hub = tokio::spawn(hub.run(stopped.clone()));
    let site = SiteContext::new(
        hub_handle.clone(),
        (heartbeats.clone(), shard_metrics),
        clock,
        config,
        keys,
        OperatorsContext::new(config, log, &bound.listeners),
    )?
    .with_history(history.clone(), relayed)
    .with_webhooks(&webhooks);
    let turn = start_turn(config, &site, media, announced, turn_listeners)?;
    tokio::spawn(watchdog::run(heartbeats));
    print_banner(loaded, &bound);
    let servers = HttpServers {
        config,
        site: &site,
        stopped: &stopped,
        hangups: count_hangups()?,
        turn: turn.filter(|_| config.shared_turn_port().is_some()),
    };
    let servers = servers.start(bound, connections);

    tokio::select! {
        () = signals.next() => tracing::info!("shutting down"),
        _ = &mut hub => return Err(AppError::HubEnded),
    }
    site.record_shutdown();
    let ended = async {
        let notice = Duration::from_secs(config.shutdown_notice_s.into());
        hub_handle.announce_shutdown(notice).await;
        stop.send_replace(true);
        shut_down(hub, &servers, threads, webhooks, history).await;
    };
    tokio::select! {
        () = signals.next() => tracing::warn!("second signal: exiting without waiting for sessions"),
        () = ended => {}
    }
    Ok(())
}

/// Creates the conference, without rooms.
fn new_conference(
    config: &Config,
    keys: &Arc<TokenKeys>,
    clock: Clock,
) -> Result<Conference, AppError> {
    let settings = conference_setup::conference_config(config, Arc::clone(keys), clock)?;
    Ok(Conference::new(settings, shard::seeded_rng()?))
}

/// Starts the webhooks, which follow `events`.
fn start_webhooks(
    config: &Config,
    events: &RoomEventSender,
    clock: Clock,
) -> Result<Webhooks, AppError> {
    let rng = shard::seeded_rng()?;
    Webhooks::start(&config.webhooks, events, clock, rng)
        .map_err(|(number, error)| AppError::Webhook { number, error })
}

/// Prints the addresses of the page. A closed standard output does not keep the server from running.
fn print_banner(loaded: &Loaded, bound: &BoundListeners) {
    let banner = startup_banner::render(loaded, &bound.listeners);
    let _ = io::stdout().write_all(banner.as_bytes());
}

/// Starts the history of calls and what observes them for it, where it is kept.
fn start_history(
    config: &Config,
    clock: Clock,
    relayed: &Arc<RelayedAddresses>,
) -> io::Result<(Option<CallHistory>, Option<Observer>)> {
    let history = CallHistory::start(config, clock)?;
    let observer = history.clone().map(|history| {
        let interval = Duration::from_secs(config.history_interval_s.into());
        Observer::new(history, interval, Arc::clone(relayed))
    });
    Ok((history, observer))
}

/// Starts the TURN server, where there is one. `media` are the addresses of the media sockets.
fn start_turn(
    config: &Config,
    site: &SiteContext,
    media: Vec<SocketAddr>,
    announced: watch::Receiver<Vec<IpAddr>>,
    listeners: Option<BoundTurnListeners>,
) -> Result<Option<TurnServer>, AppError> {
    let setup = TurnSetup {
        media,
        announced,
        rates: Arc::clone(&site.rates),
        metrics: Arc::clone(&site.turn_metrics),
        relayed: Arc::clone(&site.relayed),
        clock: site.clock,
    };
    let turn = TurnServer::new(config, setup)?;
    if let (Some(turn), Some(listeners)) = (&turn, listeners) {
        turn.start(listeners, config);
    }
    Ok(turn)
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

/// Starts the HTTP servers of all listeners with the same state.
struct HttpServers<'a> {
    /// The configuration.
    config: &'a Config,
    /// State of their handlers.
    site: &'a SiteContext,
    /// Becomes true at shutdown.
    stopped: &'a watch::Receiver<bool>,
    /// TURN server, where it shares the port of the page.
    turn: Option<TurnServer>,
    /// Number of SIGHUP received.
    hangups: watch::Receiver<u64>,
}

impl HttpServers<'_> {
    /// Starts accepting connections on every listener, and loading or renewing their certificates. `connections`
    /// take ICE over TCP that arrives there, where media shares the port of the page.
    fn start(
        &self,
        mut bound: BoundListeners,
        connections: Vec<ConnectionSender>,
    ) -> Vec<HttpServer> {
        let shares_port = self.config.shares_page_port();
        let media = shares_port.then(|| MediaPort::new(connections));
        let (mut servers, mut certificates) = (Vec::new(), Vec::new());
        servers.extend(self.start_redirect(&mut bound));
        for listener in bound.listeners {
            let router = http::router(self.site.for_listener(&listener.config));
            let server = self
                .server(router, listener.tls)
                .with_media(media.clone())
                .with_turn(self.turn.clone());
            certificates.extend(listener.certificate);
            self.accept(&server, listener.sockets);
            servers.push(server);
        }
        tokio::spawn(tls::watch_files(certificates, self.hangups.clone()));
        if let Some(acme) = bound.acme {
            tokio::spawn(acme.maintain(self.hangups.clone()));
        }
        servers
    }

    /// Starts redirecting plain HTTP, where that has a port.
    fn start_redirect(&self, bound: &mut BoundListeners) -> Option<HttpServer> {
        let sockets = std::mem::take(&mut bound.redirect);
        let page_port = bound.page_addresses().first()?.port();
        if sockets.is_empty() {
            return None;
        }
        let challenges = bound.acme.as_mut().map(AcmeCertificate::answer_by_http);
        let router = redirect::router(challenges.unwrap_or_default(), page_port);
        let server = self.server(router, None);
        self.accept(&server, sockets);
        Some(server)
    }

    fn server(&self, router: Router, tls: Option<TlsAcceptor>) -> HttpServer {
        let limit = ConnectionLimit::new(&self.config.limits);
        HttpServer::new(router, tls, limit, self.site, self.stopped.clone())
    }

    fn accept(&self, server: &HttpServer, sockets: Vec<TcpListener>) {
        for socket in sockets {
            tokio::spawn(server.clone().accept_from(socket));
        }
    }
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

/// Waits until sessions, connections and shards have ended, and webhooks and history have what happened last. The hub
/// closes the sessions and drops the shard handles, which ends the shards.
async fn shut_down(
    hub: JoinHandle<()>,
    servers: &[HttpServer],
    threads: Vec<thread::JoinHandle<()>>,
    webhooks: Webhooks,
    history: Option<CallHistory>,
) {
    let sessions_closed = async {
        if hub.await.is_err() {
            tracing::error!("the conference task panicked during shutdown");
        }
        let idle = async {
            for server in servers {
                server.wait_until_idle().await;
            }
        };
        tokio::join!(idle, webhooks.flush());
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
    if let Some(history) = history {
        history.flush().await;
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

/// Media threads that run.
#[derive(Default)]
struct StartedShards {
    /// Handles of the shards.
    shards: Vec<ShardHandle>,
    /// Their threads.
    threads: Vec<thread::JoinHandle<()>>,
    /// UDP addresses that their media sockets are bound to.
    media: Vec<SocketAddr>,
    /// Hand connections of the page's port to each shard, where media shares it.
    connections: Vec<ConnectionSender>,
}

fn start_shards(
    config: &Config,
    clock: Clock,
    reports: &mpsc::Sender<ShardReport>,
    announced: &watch::Receiver<Vec<IpAddr>>,
    bound: &BoundListeners,
) -> Result<StartedShards, AppError> {
    let certificate = DtlsCertificate::generate()?;
    let mut started = StartedShards::default();
    let mut sockets = Vec::new();
    for index in 0..config.shard_count() {
        let opened = MediaSockets::open(config, clock, index, &bound.page_addresses())?;
        started.connections.extend(opened.connection_sender());
        sockets.push(opened);
    }
    let queues = ShardQueues::connect(sockets.iter().map(MediaSockets::waker));
    started.media = sockets
        .iter()
        .flat_map(MediaSockets::udp_addresses)
        .collect();
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
        started.shards.push(handle);
        started.threads.push(thread);
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
