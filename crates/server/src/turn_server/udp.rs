//! Clients over UDP. Only those with an allocation are kept; requests of others are answered and
//! forgotten, so that forged addresses take no memory.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::client::{ClientSink, ClientSocket, UdpPath};
use super::context::TurnContext;
use super::metrics::DropReason;
use super::session::ClientSession;

/// Interval at which allocations that were not refreshed end.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Pause after a failure to receive, so that the task does not spin.
const RECEIVE_BACKOFF: Duration = Duration::from_millis(100);

/// Serves the clients of a socket for as long as the program runs.
pub async fn serve(server: Arc<TurnContext>, socket: ClientSocket) {
    let socket = Arc::new(socket);
    let mut batch = socket.new_batch();
    // Bounded by the quota of allocations.
    let mut sessions: HashMap<UdpPath, ClientSession> = HashMap::new();
    let mut sweep = interval(SWEEP_INTERVAL);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let received = tokio::select! {
            received = socket.receive(&mut batch) => received,
            _ = sweep.tick() => {
                let now = Instant::now();
                sessions.retain(|_, session| {
                    session.handle_timeout(now);
                    session.allocated_until().is_some()
                });
                continue;
            }
        };
        if let Err(error) = received {
            tracing::error!(%error, "receiving on the UDP socket of the TURN server failed");
            sleep(RECEIVE_BACKOFF).await;
            continue;
        }
        let now = Instant::now();
        for datagram in batch.datagrams() {
            let path = UdpPath {
                client: datagram.source,
                local: datagram.local,
            };
            handle(
                &server,
                &socket,
                &mut sessions,
                now,
                path,
                datagram.contents,
            );
        }
    }
}

/// Handles a datagram and sends the response.
fn handle(
    server: &Arc<TurnContext>,
    socket: &Arc<ClientSocket>,
    sessions: &mut HashMap<UdpPath, ClientSession>,
    now: Instant,
    path: UdpPath,
    datagram: &[u8],
) {
    let sink = ClientSink::Udp {
        socket: Arc::clone(socket),
        path,
    };
    let response = match sessions.get_mut(&path) {
        Some(session) => {
            let response = session.handle(server, now, datagram);
            if session.allocated_until().is_none() {
                sessions.remove(&path);
            }
            response
        }
        None => {
            let mut session = ClientSession::new(path.client, sink.clone());
            let response = session.handle(server, now, datagram);
            if session.allocated_until().is_some() {
                sessions.insert(path, session);
            }
            response
        }
    };
    if let Some(response) = response
        && !sink.send(&response)
    {
        server.metrics.record_drop(DropReason::QueueFull);
    }
}
