//! Task of an Engine.IO session: handles the client's packets one at a time, throttled, and opens,
//! feeds and closes the conference sessions of its namespaces. A task for each namespace sends its
//! frames. Reads packet headers, not payloads.

use std::sync::Arc;
use std::time::Duration;

use engineioxide::{DisconnectReason, Socket, Str};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Utf8Bytes};

use watersmeet_conference::socketio::{self, Packet, PacketKind};
use watersmeet_conference::{ConnectRequest, DialectKind, Namespace, SessionId};

use super::engineio_session::{EndReason, EngineIoSession};
use crate::http::throttle::{Admission, Throttle};
use crate::http::websocket::WRITE_TIMEOUT;
use crate::hub::HubHandle;
use crate::session_outbox::{self, Frame, OutboxReceiver};

/// Time for which a client may be connected to no namespace.
const NO_NAMESPACE_TIMEOUT: Duration = Duration::from_secs(10);

/// Time limit for sending the last packets.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Close code of a session that ended normally (RFC 6455 §7.4.1): its connection stays open.
const NORMAL: u16 = 1_000;

/// Close codes after which a client should reconnect: the server shuts down, restarts or is
/// overloaded (RFC 6455 §7.4.1 and IANA's registry). A Socket.IO client reconnects when its
/// connection ends, but not when its namespace was disconnected before.
const RECONNECT_CODES: [u16; 3] = [1_001, 1_012, 1_013];

/// Task of an Engine.IO session.
pub struct SessionTask {
    /// Handle of the hub.
    hub: HubHandle,
    /// Engine.IO socket of the library.
    socket: Arc<Socket<()>>,
    /// State of the session.
    engineio: Arc<EngineIoSession>,
    /// Whether clients of this listener need a token.
    token_required: bool,
    /// Open namespaces, each with at most one conference session.
    namespaces: Vec<OpenNamespace>,
    /// Tasks that send the frames of the namespaces.
    senders: JoinSet<(SessionId, SenderEnd)>,
}

/// An open namespace.
#[derive(Debug)]
struct OpenNamespace {
    /// The namespace.
    namespace: Namespace,
    /// Its conference session.
    session: SessionId,
    /// Aborts the task that sends its frames.
    sender: AbortHandle,
}

/// Reason why the sending task of a namespace ended.
#[derive(Debug)]
enum SenderEnd {
    /// The conference closed the session with this code.
    Closed(u16),
    /// The Engine.IO session has to end.
    EndSession(EndReason),
}

impl SessionTask {
    /// Creates the task of a session without namespaces.
    pub fn new(
        hub: HubHandle,
        socket: Arc<Socket<()>>,
        engineio: Arc<EngineIoSession>,
        token_required: bool,
    ) -> Self {
        Self {
            hub,
            socket,
            engineio,
            token_required,
            namespaces: Vec::new(),
            senders: JoinSet::new(),
        }
    }

    /// Runs until the session ends, then closes its namespaces.
    pub async fn run(mut self, mut packets: mpsc::Receiver<Str>) {
        let engineio = Arc::clone(&self.engineio);
        let reason = tokio::select! {
            biased;
            reason = engineio.wait_until_ended() => reason,
            reason = self.handle_packets(&mut packets) => reason,
        };
        if matches!(reason, EndReason::Closed(_) | EndReason::GoingAway) {
            // Gives the client a moment to read the last packets.
            let _ = timeout(CLOSE_TIMEOUT, engineio.send_window.wait_until_empty()).await;
        }
        engineio.end(reason);
        self.senders.shutdown().await;
        self.socket.close(DisconnectReason::TransportClose);
        for open in self.namespaces {
            self.hub.close_session(open.session).await;
        }
        tracing::info!(?reason, "Engine.IO session closed");
    }

    async fn handle_packets(&mut self, packets: &mut mpsc::Receiver<Str>) -> EndReason {
        let hub = self.hub.clone();
        let mut throttle = Throttle::new(Instant::now());
        let mut no_namespace_since = Instant::now();
        loop {
            let has_none = self.namespaces.is_empty();
            let outcome = tokio::select! {
                biased;
                Some(ended) = self.senders.join_next() => {
                    match ended {
                        Ok((session, ended)) => self.close_namespace(session, &ended).await,
                        // Aborted because the client closed its namespace.
                        Err(error) if error.is_cancelled() => Ok(()),
                        Err(_) => Err(EndReason::Disconnected),
                    }
                }
                () = hub.ended() => Err(EndReason::GoingAway),
                () = sleep_until(no_namespace_since + NO_NAMESPACE_TIMEOUT), if has_none => Err(EndReason::NoNamespace),
                packet = packets.recv() => match packet {
                    Some(text) => {
                        let len = text.len();
                        let outcome = self.handle_packet(&mut throttle, text).await;
                        self.engineio.packet_handled(len);
                        outcome
                    }
                    None => Err(EndReason::Disconnected),
                },
            };
            if let Err(reason) = outcome {
                return reason;
            }
            if !has_none && self.namespaces.is_empty() {
                no_namespace_since = Instant::now();
            }
        }
    }

    /// Handles one packet.
    async fn handle_packet(&mut self, throttle: &mut Throttle, text: Str) -> Result<(), EndReason> {
        let packet = socketio::parse(&text).map_err(|_| EndReason::Malformed)?;
        match throttle.admit(Instant::now()) {
            Admission::Now => {}
            Admission::After(delay) => sleep(delay).await,
        }
        let mut namespaces = self.namespaces.iter();
        let open = namespaces.find(|open| open.namespace.name() == packet.namespace);
        let session = open.map(|open| open.session);
        match (packet.kind, session) {
            (PacketKind::Connect, None) => self.connect_namespace(&packet).await,
            (PacketKind::Disconnect, Some(session)) => {
                if let Some(open) = self.remove_namespace(session) {
                    // Frames of this session must not be sent to the next one of the namespace.
                    open.sender.abort();
                    self.hub.close_session(session).await;
                }
                Ok(())
            }
            (PacketKind::Event | PacketKind::Ack, Some(session)) => {
                let bytes = Bytes::from(text);
                let text = Utf8Bytes::try_from(bytes).map_err(|_| EndReason::Malformed)?;
                let taken = self.hub.send_frame(session, text).await;
                taken.then_some(()).ok_or(EndReason::GoingAway)
            }
            // The namespace may have been closed while the packet was in flight.
            (PacketKind::Disconnect | PacketKind::Event | PacketKind::Ack, None) => Ok(()),
            (PacketKind::Connect, Some(_)) | (PacketKind::ConnectError, _) => {
                Err(EndReason::Malformed)
            }
        }
    }

    /// Opens a namespace.
    async fn connect_namespace(&mut self, packet: &Packet<'_>) -> Result<(), EndReason> {
        let token = socketio::parse_auth_token(packet.data).map_err(|_| EndReason::Malformed)?;
        let Some(namespace) = Namespace::parse(packet.namespace) else {
            let refusal = socketio::write_connect_error(packet.namespace, "Invalid namespace");
            return send_packet(&self.socket, &self.engineio, refusal).await;
        };
        let query = &self.engineio.query;
        let opening = ConnectRequest {
            dialect: DialectKind::SocketIo(namespace),
            room: query.room.clone(),
            peer: None,
            token: token.or_else(|| query.token.clone()),
            token_required: self.token_required,
            client: self.engineio.abuse.client_key(),
        };
        let (outbox, frames) = session_outbox::channel();
        let session = self.hub.open_session(outbox, opening).await;
        let session = session.ok_or(EndReason::GoingAway)?;
        let (socket, engineio) = (Arc::clone(&self.socket), Arc::clone(&self.engineio));
        let sender = self
            .senders
            .spawn(async move { (session, send_frames(&socket, &engineio, frames).await) });
        self.namespaces.push(OpenNamespace {
            namespace,
            session,
            sender,
        });
        Ok(())
    }

    fn remove_namespace(&mut self, session: SessionId) -> Option<OpenNamespace> {
        let mut namespaces = self.namespaces.iter();
        let index = namespaces.position(|open| open.session == session)?;
        Some(self.namespaces.swap_remove(index))
    }

    /// Closes a namespace whose sending task has ended.
    async fn close_namespace(
        &mut self,
        session: SessionId,
        ended: &SenderEnd,
    ) -> Result<(), EndReason> {
        let Some(open) = self.remove_namespace(session) else {
            // The client closed it before.
            return Ok(());
        };
        self.hub.close_session(session).await;
        let code = match ended {
            SenderEnd::Closed(code) => *code,
            SenderEnd::EndSession(reason) => return Err(*reason),
        };
        if RECONNECT_CODES.contains(&code) {
            return Err(EndReason::GoingAway);
        }
        let packet = socketio::write_disconnect(open.namespace.name());
        send_packet(&self.socket, &self.engineio, packet).await?;
        if code == NORMAL {
            Ok(())
        } else {
            Err(EndReason::Closed(code))
        }
    }
}

/// Sends the frames of one namespace until its session ends.
async fn send_frames(
    socket: &Socket<()>,
    engineio: &EngineIoSession,
    mut frames: OutboxReceiver,
) -> SenderEnd {
    let overflow = frames.overflow();
    loop {
        let frame = tokio::select! {
            biased;
            () = overflow.wait() => return SenderEnd::EndSession(EndReason::NotReading),
            frame = frames.next() => frame,
        };
        let text = match frame {
            Some(Frame::Text(text) | Frame::DroppableText(text)) => text,
            Some(Frame::LimitedAction(action)) if engineio.abuse.record_action(action).is_err() => {
                return SenderEnd::EndSession(EndReason::RateLimited);
            }
            Some(Frame::LimitedAction(_)) => continue,
            Some(Frame::Close { code, .. }) => return SenderEnd::Closed(code),
            // The last frame of a session is `Close`, unless the hub itself ended.
            None => return SenderEnd::EndSession(EndReason::GoingAway),
        };
        let len = text.len();
        let sent = tokio::select! {
            sent = send_packet(socket, engineio, text) => sent,
            () = overflow.wait() => Err(EndReason::NotReading),
        };
        frames.release(len);
        if let Err(reason) = sent {
            return SenderEnd::EndSession(reason);
        }
    }
}

/// Sends one packet as soon as the send window has room.
///
/// # Errors
/// The client does not read, or is disconnected.
async fn send_packet(
    socket: &Socket<()>,
    engineio: &EngineIoSession,
    text: String,
) -> Result<(), EndReason> {
    let room = engineio.reserve_send(text.len());
    if timeout(WRITE_TIMEOUT, room).await.is_err() {
        return Err(EndReason::NotReading);
    }
    socket.emit(text).map_err(|_| EndReason::Disconnected)
}
