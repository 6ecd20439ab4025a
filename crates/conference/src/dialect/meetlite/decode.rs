//! Decodes events as requests.

use serde_json::json;

use super::consumers::decode_pause;
use super::p2p_signalling;
use super::payloads::{
    self, ConnectTransport, ConsumerRef, CreateProducer, CreateTransport, KindRef, MediaState,
    Ready, RoomRef, SetCapabilities,
};
use super::request_names::{
    CLOSE_PRODUCER, CREATE_PRODUCER, JOIN_ROOM, LEAVE, PAUSE_CONSUMER, PAUSE_PRODUCER, READY,
    RESUME_CONSUMER, find_request,
};
use super::state::{OwnProducer, State};
use crate::dialect::effect::{Effect, RequestTag};
use crate::dialect::media_json::{check_app_data, screen_source};
use crate::dialect::socketio_event::SocketIoEvent;
use crate::message::{Direction, JoinRequest, Refusal, Request};

impl State {
    /// Decodes an event. A request that is not valid is refused with its error message.
    pub(crate) fn decode(&mut self, event: SocketIoEvent) -> Result<Vec<Effect>, Refusal> {
        let (name, effects) = match find_request(&event.name) {
            Some((name, _)) => (name, self.decode_request(name, event)),
            None => {
                let name = p2p_signalling::find_name(&event.name).ok_or(Refusal::UnknownType)?;
                (name, self.decode_signal(name, event))
            }
        };
        Ok(effects
            .unwrap_or_else(|refusal| self.encode_refusal(&RequestTag::internal(name), &refusal)))
    }

    /// Decodes the request in an event.
    fn decode_request(
        &mut self,
        name: &'static str,
        event: SocketIoEvent,
    ) -> Result<Vec<Effect>, Refusal> {
        let request = match name {
            JOIN_ROOM => self.join(event.read::<RoomRef>()?.room_id)?,
            READY => return self.ready(event.read()?),
            LEAVE => Request::Leave,
            "create-webrtc-transport" => {
                let CreateTransport { room_id, direction } = event.read()?;
                self.check_room(room_id.as_deref())?;
                let key = None;
                Request::CreateTransport { direction, key }
            }
            "connect-webrtc-transport" => {
                let ConnectTransport {
                    dtls_parameters: dtls,
                    direction,
                } = event.read()?;
                let transport = match direction {
                    Direction::Send => self.send_transport,
                    Direction::Recv => self.consumers.transport,
                };
                let transport = transport.ok_or(Refusal::TransportNotFound)?;
                Request::ConnectTransport { transport, dtls }
            }
            "set-rtp-capabilities" => {
                self.check_room(None)?;
                let capabilities = event.read::<SetCapabilities>()?.rtp_capabilities;
                self.consumers.set_capabilities(capabilities);
                return Ok(self.consumers.consume_all(&self.others));
            }
            CREATE_PRODUCER => return self.create_producer(event.read()?),
            RESUME_CONSUMER | PAUSE_CONSUMER => {
                let ConsumerRef { consumer_id } = event.read()?;
                return Ok(vec![decode_pause(name, &consumer_id)]);
            }
            "resume-all-consumers" => return Ok(self.consumers.resume_all()),
            PAUSE_PRODUCER | "resume-producer" => Request::PauseProducer {
                producer: self.own_producer(event.read::<KindRef>()?.kind)?,
                paused: name == PAUSE_PRODUCER,
            },
            CLOSE_PRODUCER => {
                let KindRef { kind } = event.read()?;
                if !self.producers.contains_key(&kind) {
                    // The producer is closed already.
                    return Ok(Vec::new());
                }
                let producer = self.own_producer(kind)?;
                Request::CloseProducer { producer }
            }
            "media-state-change" => {
                let MediaState { room_id, devices } = event.read()?;
                self.check_room(room_id.as_deref())?;
                self.devices = devices;
                Request::MediaState {
                    audio: devices.audio_enabled,
                    video: devices.video_enabled,
                }
            }
            _ => return Ok(vec![self.encode_stats()]),
        };
        Ok(vec![Effect::Request(RequestTag::internal(name), request)])
    }

    /// Reads `ready`. A client that is in the room already only starts peer-to-peer calls.
    fn ready(&mut self, payload: Ready) -> Result<Vec<Effect>, Refusal> {
        self.devices = payload.media_state.unwrap_or_default();
        if self.room.as_deref() == Some(&*payload.room_id) {
            return Ok(self.start_p2p());
        }
        let request = self.join(payload.room_id)?;
        Ok(vec![Effect::Request(RequestTag::internal(READY), request)])
    }

    /// Returns the request to enter a room. Unlike other dialects, this one requires a token even
    /// for open rooms.
    fn join(&self, room: String) -> Result<Request, Refusal> {
        if !self.context.is_user {
            return Err(Refusal::InvalidToken);
        }
        Ok(Request::Join(Box::new(JoinRequest {
            room,
            ..JoinRequest::default()
        })))
    }

    /// Checks that the client is in a room, and that the named room, if any, is the same.
    fn check_room(&self, named: Option<&str>) -> Result<(), Refusal> {
        let room = self.room.as_deref().ok_or(Refusal::NotInRoom)?;
        match named {
            Some(named) if named != room => Err(Refusal::RoomNotFound),
            _ => Ok(()),
        }
    }

    /// Reads `create-producer`. There is one producer for each label; a repeated request gets the
    /// first one as its reply.
    fn create_producer(&mut self, payload: CreateProducer) -> Result<Vec<Effect>, Refusal> {
        let app_data = check_app_data(payload.app_data)?;
        let kind = payload.kind.kind();
        let is_screen = screen_source(kind, app_data.as_ref()).is_some();
        let label = payload.kind.of_screen(is_screen);
        let transport = self.send_transport.ok_or(Refusal::TransportNotFound)?;
        match self.producers.get_mut(&label) {
            Some(OwnProducer::Created(summary)) => {
                return Ok(vec![payloads::producer_created(summary)]);
            }
            Some(OwnProducer::Requested(repeats)) => {
                *repeats = repeats.saturating_add(1);
                return Ok(Vec::new());
            }
            None => {}
        }
        self.producers.insert(label, OwnProducer::Requested(0));
        let tag = RequestTag {
            id: Some(json!(label)),
            event: CREATE_PRODUCER,
        };
        let request = Request::Produce {
            transport,
            kind,
            rtp: payload.rtp_parameters,
            source: Some(label.source()),
            paused: false,
            app_data,
        };
        Ok(vec![Effect::Request(tag, request)])
    }
}
