//! The task of one Engine.IO session: it takes the client's packets one at a time, at the pace of
//! every client, and opens, feeds and closes the sessions of the conference that its namespaces
//! are. Each of them has a task of its own that sends its letters. It reads the heads of packets
//! and never what they say.

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

/// How long a client may be without a namespace.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// How long the last packets may take to leave.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// The close code of a session that ended as it should (RFC 6455 §7.4.1): its connection stays.
const NORMAL: u16 = 1_000;

/// The close codes after which a client shall come again by itself: the program ends, restarts, or
/// has too much to do (RFC 6455 §7.4.1 and IANA's registry). A Socket.IO client does so when its
/// connection just ends, and does not when its namespace was closed before.
const COME_AGAIN: [u16; 3] = [1_001, 1_012, 1_013];

/// An Engine.IO session as its task sees it.
pub struct SessionTask {
    /// Where frames go.
    hub: HubHandle,
    /// The library's end of the session.
    socket: Arc<Socket<()>>,
    /// What all sides share.
    carrier: Arc<EngineIoSession>,
    /// Whether nobody may come in without a token.
    token_required: bool,
    /// The open namespaces: at most one session for each there is.
    sessions: Vec<Open>,
    /// What sends their letters.
    letters: JoinSet<(SessionId, Ended)>,
}

/// An open namespace.
#[derive(Debug)]
struct Open {
    /// Which.
    namespace: Namespace,
    /// The session it is.
    session: SessionId,
    /// Ends what sends its letters.
    letters: AbortHandle,
}

/// How the letters of a namespace ended.
#[derive(Debug)]
enum Ended {
    /// The conference closed the session with this code.
    Closed(u16),
    /// The connection cannot take them.
    Stuck(EndReason),
}

impl SessionTask {
    /// A conversation in which nothing was said yet.
    pub fn new(
        hub: HubHandle,
        socket: Arc<Socket<()>>,
        carrier: Arc<EngineIoSession>,
        token_required: bool,
    ) -> Self {
        Self {
            hub,
            socket,
            carrier,
            token_required,
            sessions: Vec::new(),
            letters: JoinSet::new(),
        }
    }

    /// Talks until either side has enough, and leaves nothing behind.
    pub async fn run(mut self, mut packets: mpsc::Receiver<Str>) {
        let carrier = Arc::clone(&self.carrier);
        let fault = tokio::select! {
            biased;
            fault = carrier.over() => fault,
            fault = self.talk(&mut packets) => fault,
        };
        if matches!(fault, EndReason::Closed | EndReason::GoingAway) {
            // The last words are worth a moment; a client that does not take them loses them.
            let _ = timeout(GOODBYE_TIMEOUT, carrier.outward.emptied()).await;
        }
        carrier.end(fault);
        self.letters.shutdown().await;
        self.socket.close(DisconnectReason::TransportClose);
        for open in self.sessions {
            self.hub.close(open.session).await;
        }
        tracing::info!(?fault, "Engine.IO session closed");
    }

    async fn talk(&mut self, packets: &mut mpsc::Receiver<Str>) -> EndReason {
        let hub = self.hub.clone();
        let mut pace = Throttle::new(Instant::now());
        let mut silent_since = Instant::now();
        loop {
            let silent = self.sessions.is_empty();
            let outcome = tokio::select! {
                biased;
                Some(ended) = self.letters.join_next() => {
                    match ended {
                        Ok((session, ended)) => self.close(session, &ended).await,
                        // The client closed its namespace.
                        Err(error) if error.is_cancelled() => Ok(()),
                        Err(_) => Err(EndReason::Gone),
                    }
                }
                () = hub.ended() => Err(EndReason::GoingAway),
                () = sleep_until(silent_since + SILENCE_MAX), if silent => Err(EndReason::Silent),
                packet = packets.recv() => match packet {
                    Some(text) => {
                        let len = text.len();
                        let outcome = self.hear(&mut pace, text).await;
                        self.carrier.received(len);
                        outcome
                    }
                    None => Err(EndReason::Gone),
                },
            };
            if let Err(fault) = outcome {
                return fault;
            }
            if !silent && self.sessions.is_empty() {
                silent_since = Instant::now();
            }
        }
    }

    /// Takes one packet.
    async fn hear(&mut self, pace: &mut Throttle, text: Str) -> Result<(), EndReason> {
        let packet = socketio::parse(&text).map_err(|_| EndReason::Malformed)?;
        match pace.admit(Instant::now()) {
            Admission::Now => {}
            Admission::After(delay) => sleep(delay).await,
            Admission::Never => return Err(EndReason::TooFast),
        }
        let mut sessions = self.sessions.iter();
        let open = sessions.find(|open| open.namespace.name() == packet.namespace);
        let session = open.map(|open| open.session);
        match (packet.kind, session) {
            (PacketKind::Connect, None) => self.connect(&packet).await,
            (PacketKind::Disconnect, Some(session)) => {
                if let Some(open) = self.forget(session) {
                    // What was still to be said must not be heard in the next session's name.
                    open.letters.abort();
                    self.hub.close(session).await;
                }
                Ok(())
            }
            (PacketKind::Event | PacketKind::Ack, Some(session)) => {
                let bytes = Bytes::from(text);
                let text = Utf8Bytes::try_from(bytes).map_err(|_| EndReason::Malformed)?;
                let taken = self.hub.frame(session, text).await;
                taken.then_some(()).ok_or(EndReason::GoingAway)
            }
            // It may have been closed while the packet was on its way.
            (PacketKind::Disconnect | PacketKind::Event | PacketKind::Ack, None) => Ok(()),
            (PacketKind::Connect, Some(_)) | (PacketKind::ConnectError, _) => {
                Err(EndReason::Malformed)
            }
        }
    }

    /// Opens a namespace.
    async fn connect(&mut self, packet: &Packet<'_>) -> Result<(), EndReason> {
        let token = socketio::parse_auth_token(packet.data).map_err(|_| EndReason::Malformed)?;
        let Some(namespace) = Namespace::parse(packet.namespace) else {
            let refusal = socketio::write_connect_error(packet.namespace, "Invalid namespace");
            return say(&self.socket, &self.carrier, refusal).await;
        };
        let query = &self.carrier.query;
        let opening = ConnectRequest {
            dialect: DialectKind::SocketIo(namespace),
            room: query.room.clone(),
            peer: None,
            token: token.or_else(|| query.token.clone()),
            token_required: self.token_required,
        };
        let (outbox, mailbox) = session_outbox::pair();
        let session = self.hub.open(outbox, opening).await;
        let session = session.ok_or(EndReason::GoingAway)?;
        let (socket, carrier) = (Arc::clone(&self.socket), Arc::clone(&self.carrier));
        let letters = self
            .letters
            .spawn(async move { (session, deliver(&socket, &carrier, mailbox).await) });
        self.sessions.push(Open {
            namespace,
            session,
            letters,
        });
        Ok(())
    }

    fn forget(&mut self, session: SessionId) -> Option<Open> {
        let mut sessions = self.sessions.iter();
        let index = sessions.position(|open| open.session == session)?;
        Some(self.sessions.swap_remove(index))
    }

    /// Lets go of a namespace whose letters have ended.
    async fn close(&mut self, session: SessionId, ended: &Ended) -> Result<(), EndReason> {
        let Some(open) = self.forget(session) else {
            // The client closed it before.
            return Ok(());
        };
        self.hub.close(session).await;
        let code = match ended {
            Ended::Closed(code) => *code,
            Ended::Stuck(fault) => return Err(*fault),
        };
        if COME_AGAIN.contains(&code) {
            return Err(EndReason::GoingAway);
        }
        let goodbye = socketio::write_disconnect(open.namespace.name());
        say(&self.socket, &self.carrier, goodbye).await?;
        if code == NORMAL {
            Ok(())
        } else {
            Err(EndReason::Closed)
        }
    }
}

/// Sends the letters of one namespace until there are no more.
async fn deliver(
    socket: &Socket<()>,
    carrier: &EngineIoSession,
    mut mailbox: OutboxReceiver,
) -> Ended {
    let overflow = mailbox.overflow();
    loop {
        let letter = tokio::select! {
            biased;
            () = overflow.rung() => return Ended::Stuck(EndReason::NotReading),
            letter = mailbox.next() => letter,
        };
        let text = match letter {
            Some(Frame::Text(text)) => text,
            Some(Frame::LimitedAction(deed)) if carrier.account.note(deed).is_err() => {
                return Ended::Stuck(EndReason::RateLimited);
            }
            Some(Frame::LimitedAction(_)) => continue,
            Some(Frame::Close { code, .. }) => return Ended::Closed(code),
            // Sessions end with a letter, unless the hub itself ended.
            None => return Ended::Stuck(EndReason::GoingAway),
        };
        let len = text.len();
        let said = tokio::select! {
            said = say(socket, carrier, text) => said,
            () = overflow.rung() => Err(EndReason::NotReading),
        };
        mailbox.sent(len);
        if let Err(fault) = said {
            return Ended::Stuck(fault);
        }
    }
}

/// Sends one packet as soon as the client has taken enough of those before.
async fn say(
    socket: &Socket<()>,
    carrier: &EngineIoSession,
    text: String,
) -> Result<(), EndReason> {
    let room = carrier.room_for(text.len());
    if timeout(WRITE_TIMEOUT, room).await.is_err() {
        return Err(EndReason::NotReading);
    }
    socket.emit(text).map_err(|_| EndReason::Gone)
}
