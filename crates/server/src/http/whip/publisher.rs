//! One publisher: joins the room, creates a transport and producers for what the offer describes, and lives
//! until it is ended, leaves, is removed, or nothing arrives from it any more.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};
use watersmeet_conference::ConnectRequest;
use watersmeet_conference::turn::IceServer;
use watersmeet_wire::params::{DtlsParameters, IceCandidate, IceParameters, RtpCapabilities};
use watersmeet_wire::sdp::{AcceptedMedia, Answer, IceCredentials, IceFragment, Offer};

use super::super::abuse::AbuseTracker;
use super::error::WhipError;
use super::link_header::ice_server_links;
use super::negotiation;
use super::sessions::{Command, IceUpdate, SessionSlot, Updated};
use super::signalling::SignallingSession;
use crate::hub::HubHandle;

/// Time in which a publisher has to be connected after its answer. Afterwards the engine notices within
/// seconds when nothing arrives (RFC 7675).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Request to publish: room, name, token and offer.
pub struct Publication {
    /// The hub.
    pub hub: HubHandle,
    /// Accounting of the client.
    pub abuse: AbuseTracker,
    /// Parameters of the session, with the token.
    pub connect: ConnectRequest,
    /// Name of the room.
    pub room: String,
    /// Name to show, unless the token has one.
    pub display_name: Option<String>,
    /// The offer.
    pub offer: Offer,
}

/// A created session, as the client is told of it.
#[derive(Debug)]
pub struct Created {
    /// The answer.
    pub answer: String,
    /// Tag of the state of ICE.
    pub etag: String,
    /// Values of `Link`.
    pub links: Vec<String>,
}

/// Payload of `routerRtpCapabilities`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Capabilities {
    rtp_capabilities: RtpCapabilities,
}

/// Payload of `iceRestarted`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Restarted {
    ice_parameters: IceParameters,
}

/// Payload of `transportCreated`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transport {
    transport_id: String,
    ice_parameters: IceParameters,
    ice_candidates: Vec<IceCandidate>,
    dtls_parameters: DtlsParameters,
}

/// State of a publisher after its answer.
struct Publisher {
    /// Session of the hub.
    signalling: SignallingSession,
    /// Transport of the participant.
    transport: Transport,
    /// Credentials of the client.
    client_ice: IceCredentials,
    /// Identification of the first section, to which candidates belong.
    mid: String,
}

impl Publication {
    /// Publishes, sends the outcome, and returns when the session has ended.
    pub async fn run(
        self,
        mut slot: SessionSlot,
        created_sender: oneshot::Sender<Result<Created, WhipError>>,
    ) {
        let Self {
            hub,
            abuse,
            connect,
            ..
        } = &self;
        let opened = SignallingSession::open(hub.clone(), abuse.clone(), connect.clone()).await;
        let (mut signalling, ice_servers) = match opened {
            Ok(opened) => opened,
            Err(error) => {
                let _ = created_sender.send(Err(error));
                return;
            }
        };
        match self.set_up(&mut signalling, &ice_servers).await {
            Err(error) => {
                signalling.close().await;
                let _ = created_sender.send(Err(error));
            }
            Ok((created, transport)) => {
                let mut publisher = Publisher {
                    signalling,
                    transport,
                    client_ice: self.offer.ice.clone(),
                    mid: self.first_mid(),
                };
                // A client that has disconnected meanwhile does not know its session.
                let end = match created_sender.send(Ok(created)) {
                    Ok(()) => publisher.serve(&mut slot).await,
                    Err(_) => None,
                };
                publisher.signalling.close().await;
                if let Some(response_sender) = end {
                    drop(slot);
                    let _ = response_sender.send(());
                }
            }
        }
    }

    /// Joins the room and creates everything that the offer describes.
    async fn set_up(
        &self,
        signalling: &mut SignallingSession,
        ice_servers: &[IceServer],
    ) -> Result<(Created, Transport), WhipError> {
        let capabilities = signalling
            .request("getRouterRtpCapabilities", json!({}))
            .await?;
        let capabilities = capabilities.read::<Capabilities>()?.rtp_capabilities;
        let accepted = negotiation::accept(&self.offer, &capabilities);
        let accepted = accepted.map_err(WhipError::unacceptable)?;
        let join = json!({ "roomId": self.room, "displayName": self.display_name });
        let joined = signalling.request("joinRoom", join).await?;
        if joined.kind == "waiting" {
            return Err(WhipError::WAITING_ROOM);
        }
        let create = json!({ "direction": "send" });
        let transport = signalling.request("createTransport", create).await?;
        let transport: Transport = transport.read()?;
        let connect = json!({
            "transportId": transport.transport_id, "dtlsParameters": self.offer.dtls,
        });
        signalling.request("connectTransport", connect).await?;
        for track in negotiation::tracks(&self.offer, &accepted) {
            let produce = json!({
                "transportId": transport.transport_id,
                "kind": track.kind,
                "rtpParameters": track.parameters,
            });
            signalling.request("produce", produce).await?;
        }
        let created = Created {
            answer: self.answer(&transport, &accepted),
            etag: transport.etag(),
            links: ice_server_links(ice_servers),
        };
        Ok((created, transport))
    }

    fn answer(&self, transport: &Transport, accepted: &[AcceptedMedia]) -> String {
        let answer = Answer {
            offer: &self.offer,
            ice: &transport.ice_parameters,
            candidates: &transport.ice_candidates,
            dtls: &transport.dtls_parameters,
            media: accepted,
        };
        answer.write()
    }

    /// Returns the identification of the first section that is accepted.
    fn first_mid(&self) -> String {
        let mut wanted = self.offer.media.iter().filter(|it| !it.is_rejected);
        wanted
            .next()
            .map(|it| it.mid.to_string())
            .unwrap_or_default()
    }
}

impl Transport {
    /// Returns the tag of the current state of ICE: each has its own user name fragment.
    fn etag(&self) -> String {
        format!("\"{}\"", self.ice_parameters.username_fragment)
    }
}

impl Publisher {
    /// Serves requests until the session ends. Returns who asked for that, if somebody did.
    async fn serve(&mut self, slot: &mut SessionSlot) -> Option<oneshot::Sender<()>> {
        let mut deadline = Some(Instant::now() + CONNECT_TIMEOUT);
        loop {
            let unconnected = async {
                match deadline {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // The end of the session comes before requests that were sent later.
            tokio::select! {
                biased;
                message = self.signalling.receive() => match message {
                    Ok(_) => {}
                    Err(_) => return None,
                },
                command = slot.commands.recv() => match command? {
                    Command::End { response_sender } => return Some(response_sender),
                    Command::UpdateIce(update) => self.update_ice(update).await,
                },
                () = unconnected => {
                    deadline = None;
                    if !self.is_connected().await {
                        return None;
                    }
                }
            }
        }
    }

    /// Returns whether DTLS is connected.
    async fn is_connected(&mut self) -> bool {
        let subject = json!({ "transportId": self.transport.transport_id });
        let Ok(stats) = self.signalling.request("getStats", subject).await else {
            return false;
        };
        stats
            .payload
            .pointer("/stats/0/dtlsState")
            .and_then(Value::as_str)
            == Some("connected")
    }

    /// Carries out a change of ICE (RFC 9725 §4.3).
    async fn update_ice(&mut self, update: IceUpdate) {
        let outcome = self.updated(&update).await;
        // The HTTP client may have disconnected meanwhile.
        let _ = update.response_sender.send(outcome);
    }

    async fn updated(&mut self, update: &IceUpdate) -> Result<Updated, WhipError> {
        if update.if_match != "*" && update.if_match != self.transport.etag() {
            return Err(WhipError::PRECONDITION_FAILED);
        }
        if update.fragment.ice == self.client_ice {
            return Ok(Updated::Candidates);
        }
        let restart = json!({ "transportId": self.transport.transport_id });
        let restarted = self.signalling.request("restartIce", restart).await?;
        self.transport.ice_parameters = restarted.read::<Restarted>()?.ice_parameters;
        self.client_ice = update.fragment.ice.clone();
        let Transport {
            ice_parameters,
            ice_candidates,
            ..
        } = &self.transport;
        Ok(Updated::Restarted {
            etag: self.transport.etag(),
            fragment: IceFragment::write(ice_parameters, ice_candidates, &self.mid),
        })
    }
}
