//! Generates the web client's `protocol.ts` from the payload types. With `UPDATE_PROTOCOL=1` the
//! test rewrites the file; otherwise it fails if the file is stale.

use std::fmt::Write as _;
use std::path::Path;

use ts_rs::{Config, TS};

use super::decode::decode;
use super::payloads::*;
use super::state::State;
use crate::message::{
    ChatPolicy, DeviceState, Direction, MediaSource, PageReport, Policy, Refusal, RemovalReason,
    Role, Route, Sharing,
};
use crate::turn::IceServer;

const HEAD: &str = "\
/**
 * Protocol between this page and the server: every frame on the WebSocket is `{type, payload, id?}`
 * as JSON text. A request carries an `id`, and its reply (or its `error`) carries the same one;
 * frames without an `id` are notices. Nothing else in the client may name a wire field that is not
 * here.
 *
 * Generated from the server's payload types by `UPDATE_PROTOCOL=1 cargo test -p
 * watersmeet-conference`: change those, not this file.
 */

/** Audio or video. */
export type Kind = 'audio' | 'video';

/** An object that is passed unchanged between the server and mediasoup-client; only `media.ts` looks inside. */
export type Opaque = Record<string, unknown>;
export type RtpCapabilities = Opaque;
export type RtpParameters = Opaque;
export type IceParameters = Opaque;
export type IceCandidate = Opaque;
export type DtlsParameters = Opaque;
";

const TAIL: &str = "
export type RequestType = keyof Requests;
export type PayloadOf<T extends RequestType> = Requests[T]['payload'];
export type ReplyOf<T extends RequestType> = Requests[T]['reply'];
export type Notice = { [T in keyof Notices]: { type: T; payload: Notices[T] } }[keyof Notices];

/** A frame as it is on the wire. */
export interface Frame {
  type: string;
  payload: unknown;
  id?: string | number;
  /** Number of the frame, from 1, in a session that can be resumed. */
  seq?: number;
}
";

/// Returns every request with its payload type, its reply and the reply's payload type.
fn requests(config: &Config) -> Vec<(&'static str, String, &'static str, String)> {
    fn row<P: TS, R: TS>(
        request: &'static str,
        reply: &'static str,
        config: &Config,
    ) -> (&'static str, String, &'static str, String) {
        (request, P::name(config), reply, R::name(config))
    }
    vec![
        row::<Empty, RouterRtpCapabilities>(
            "getRouterRtpCapabilities",
            "routerRtpCapabilities",
            config,
        ),
        row::<JoinRoom, RoomJoined>("joinRoom", "roomJoined", config),
        row::<Empty, Empty>("testConnection", "done", config),
        row::<Empty, RoomLeft>("leaveRoom", "roomLeft", config),
        row::<Empty, Participants>("getParticipants", "participants", config),
        row::<CreateTransport, TransportCreated>("createTransport", "transportCreated", config),
        row::<TransportRef, TransportRef>("closeTransport", "closedTransport", config),
        row::<ConnectTransport, TransportRef>("connectTransport", "transportConnected", config),
        row::<TransportRef, IceRestarted>("restartIce", "iceRestarted", config),
        row::<Produce, Produced>("produce", "produced", config),
        row::<ProducerRef, ProducerRef>("pauseProducer", "producerPaused", config),
        row::<ProducerRef, ProducerRef>("resumeProducer", "producerResumed", config),
        row::<ProducerRef, ProducerRef>("closeProducer", "closedProducer", config),
        row::<Consume, Consumed>("consume", "consumed", config),
        row::<ConsumerRef, ConsumerRef>("pauseConsumer", "consumerPaused", config),
        row::<ConsumerRef, ConsumerRef>("resumeConsumer", "consumerResumed", config),
        row::<ConsumerRef, ConsumerRef>("closeConsumer", "closedConsumer", config),
        row::<SetPreferredLayers, ConsumerRef>("setPreferredLayers", "preferredLayersSet", config),
        row::<SetPriority, Empty>("setPriority", "done", config),
        row::<ConsumerRef, ConsumerRef>("requestKeyframe", "keyframeRequested", config),
        row::<SubjectRef, Stats>("getStats", "stats", config),
        row::<Chat, ChatSent>("chat", "done", config),
        row::<GetConversation, Conversation>("getConversation", "conversation", config),
        row::<SetHand, Empty>("setHand", "done", config),
        row::<React, Empty>("react", "done", config),
        row::<SendCaption, Empty>("caption", "done", config),
        row::<OpenPoll, Empty>("openPoll", "done", config),
        row::<Vote, Empty>("vote", "done", config),
        row::<ClosePoll, Empty>("closePoll", "done", config),
        row::<Ping, Empty>("ping", "done", config),
        row::<PageReport, Empty>("reportQuality", "done", config),
        row::<ResumeSession, Resumed>("resumeSession", "resumed", config),
        row::<EnterBreakout, RoomJoined>("enterBreakout", "roomJoined", config),
        row::<Empty, Empty>("requestToSpeak", "done", config),
        row::<Moderate, Empty>("moderate", "done", config),
    ]
}

/// Returns every notice with its payload type.
fn notices(config: &Config) -> Vec<(&'static str, String)> {
    vec![
        ("connected", Connected::name(config)),
        ("newPeer", NewPeer::name(config)),
        ("peerLeft", PeerLeft::name(config)),
        ("participantCount", ParticipantCount::name(config)),
        ("activeSpeaker", ActiveSpeaker::name(config)),
        ("newProducer", NewProducer::name(config)),
        ("producerClosed", PeerProducerRef::name(config)),
        ("producerPaused", PeerProducerRef::name(config)),
        ("producerResumed", PeerProducerRef::name(config)),
        ("consumerClosed", ConsumerClosed::name(config)),
        ("consumerPaused", ConsumerPausedNotice::name(config)),
        ("consumerResumed", ConsumerPausedNotice::name(config)),
        ("consumerLayersChanged", ConsumerLayersChanged::name(config)),
        ("producerDemandChanged", ProducerDemandChanged::name(config)),
        ("producerScore", ProducerScore::name(config)),
        ("consumerScore", ConsumerScore::name(config)),
        ("transportClosed", TransportClosed::name(config)),
        ("workerLost", Empty::name(config)),
        ("serverClosing", ServerClosing::name(config)),
        ("waiting", Waiting::name(config)),
        ("admitted", RoomJoined::name(config)),
        ("moved", RoomJoined::name(config)),
        ("breakouts", Breakouts::name(config)),
        ("breakoutMoved", BreakoutPerson::name(config)),
        ("breakoutsClosed", Empty::name(config)),
        ("joinRequested", PeerRequest::name(config)),
        ("joinSettled", PeerRef::name(config)),
        ("speakRequested", PeerRequest::name(config)),
        ("roleChanged", RoleChanged::name(config)),
        ("policyChanged", PolicyChanged::name(config)),
        ("muted", Produced::name(config)),
        ("unmuteRequested", UnmuteRequested::name(config)),
        ("sharingStopped", Empty::name(config)),
        ("spotlightChanged", SpotlightChanged::name(config)),
        ("sharingChanged", SharingChanged::name(config)),
        ("interruptionChanged", InterruptionChanged::name(config)),
        ("removed", Removed::name(config)),
        ("chat", ChatMessage::name(config)),
        ("chatPolicyChanged", ChatPolicyChanged::name(config)),
        ("handRaised", HandRaised::name(config)),
        ("handLowered", PeerRef::name(config)),
        ("reaction", Reaction::name(config)),
        ("caption", Caption::name(config)),
        ("pollOpened", Poll::name(config)),
        ("pollChanged", PollChanged::name(config)),
        ("error", ErrorPayload::name(config)),
    ]
}

/// Returns the exported declaration of a type, with one line for each field and for each one-line
/// comment.
fn declaration<T: TS>(config: &Config) -> String {
    let docs = T::docs().unwrap_or_default();
    let raw = format!("{docs}export {}", T::decl(config)).replace(", };", ",\n};");
    let raw = raw.replace("/**\n * ", "/** ").replace("\n */\n", " */\n");
    let mut text = String::from("\n");
    let mut is_inside = false;
    for line in raw.lines().map(str::trim_end) {
        is_inside &= line != "};";
        let indent = if is_inside { "  " } else { "" };
        let line = line
            .strip_suffix(',')
            .map_or(line.to_owned(), |it| format!("{it};"));
        writeln!(text, "{indent}{}", line.replace('"', "'")).unwrap();
        is_inside |= line.ends_with('{');
    }
    text
}

/// Returns the declarations of all payload types and of the types that they contain.
fn declarations(config: &Config) -> Vec<String> {
    vec![
        declaration::<Empty>(config),
        declaration::<MediaSource>(config),
        declaration::<Direction>(config),
        declaration::<Role>(config),
        declaration::<Policy>(config),
        declaration::<Sharing>(config),
        declaration::<RemovalReason>(config),
        declaration::<TransportRef>(config),
        declaration::<ProducerRef>(config),
        declaration::<ConsumerRef>(config),
        declaration::<SubjectRef>(config),
        declaration::<JoinRoom>(config),
        declaration::<ResumeSession>(config),
        declaration::<Resumed>(config),
        declaration::<Ping>(config),
        declaration::<Route>(config),
        declaration::<DeviceState>(config),
        declaration::<PageReport>(config),
        declaration::<CreateTransport>(config),
        declaration::<ConnectTransport>(config),
        declaration::<Produce>(config),
        declaration::<Consume>(config),
        declaration::<SetPreferredLayers>(config),
        declaration::<SetPriority>(config),
        declaration::<Moderate>(config),
        declaration::<IceServer>(config),
        declaration::<ClientOptions>(config),
        declaration::<Connected>(config),
        declaration::<RouterRtpCapabilities>(config),
        declaration::<ProducerSummary>(config),
        declaration::<PeerProducers>(config),
        declaration::<ParticipantSummary>(config),
        declaration::<RoomJoined>(config),
        declaration::<ParticipantCount>(config),
        declaration::<ActiveSpeaker>(config),
        declaration::<ServerClosing>(config),
        declaration::<Waiting>(config),
        declaration::<RoomLeft>(config),
        declaration::<Participants>(config),
        declaration::<TransportCreated>(config),
        declaration::<IceRestarted>(config),
        declaration::<Produced>(config),
        declaration::<Consumed>(config),
        declaration::<Stats>(config),
        declaration::<NewPeer>(config),
        declaration::<PeerLeft>(config),
        declaration::<PeerRef>(config),
        declaration::<PeerRequest>(config),
        declaration::<RoleChanged>(config),
        declaration::<PolicyChanged>(config),
        declaration::<UnmuteRequested>(config),
        declaration::<SpotlightChanged>(config),
        declaration::<SharingChanged>(config),
        declaration::<InterruptionChanged>(config),
        declaration::<Removed>(config),
        declaration::<NewProducer>(config),
        declaration::<PeerProducerRef>(config),
        declaration::<ConsumerPausedNotice>(config),
        declaration::<ConsumerClosed>(config),
        declaration::<LayersReason>(config),
        declaration::<ConsumerLayersChanged>(config),
        declaration::<ProducerDemandChanged>(config),
        declaration::<ProducerScore>(config),
        declaration::<ConsumerScore>(config),
        declaration::<TransportClosed>(config),
        declaration::<ErrorPayload>(config),
    ]
}

/// Returns the declarations of the types of breakout rooms.
fn breakout_declarations(config: &Config) -> Vec<String> {
    vec![
        declaration::<BreakoutPlan>(config),
        declaration::<EnterBreakout>(config),
        declaration::<BreakoutRoom>(config),
        declaration::<BreakoutPerson>(config),
        declaration::<Breakouts>(config),
    ]
}

/// Returns the declarations of the types of chat, raised hands, reactions, captions and polls.
fn conversation_declarations(config: &Config) -> Vec<String> {
    vec![
        declaration::<ChatPolicy>(config),
        declaration::<Chat>(config),
        declaration::<ChatSent>(config),
        declaration::<NamedPeer>(config),
        declaration::<ChatMessage>(config),
        declaration::<GetConversation>(config),
        declaration::<SetHand>(config),
        declaration::<HandRaised>(config),
        declaration::<React>(config),
        declaration::<SendCaption>(config),
        declaration::<OpenPoll>(config),
        declaration::<Vote>(config),
        declaration::<ClosePoll>(config),
        declaration::<Poll>(config),
        declaration::<Conversation>(config),
        declaration::<ChatPolicyChanged>(config),
        declaration::<Reaction>(config),
        declaration::<Caption>(config),
        declaration::<PollChanged>(config),
    ]
}

/// Returns the text of the file.
fn protocol() -> String {
    let config = &Config::new();
    let mut text = String::from(HEAD);
    let of_breakouts = breakout_declarations(config);
    let of_conversation = conversation_declarations(config);
    let all = declarations(config).into_iter();
    for declaration in all.chain(of_breakouts).chain(of_conversation) {
        text.push_str(&declaration);
    }
    text.push_str("\n/** Every request with its payload and the payload of its reply. */\n");
    text.push_str("export interface Requests {\n");
    for (request, payload, reply, answer) in requests(config) {
        writeln!(text, "  /** Answered by `{reply}`. */").unwrap();
        writeln!(
            text,
            "  {request}: {{ payload: {payload}; reply: {answer} }};"
        )
        .unwrap();
    }
    text.push_str("}\n\n/** Every frame that the server sends without a request. */\n");
    text.push_str("export interface Notices {\n");
    for (notice, payload) in notices(config) {
        writeln!(text, "  {notice}: {payload};").unwrap();
    }
    text.push_str("}\n");
    text.push_str(TAIL);
    text
}

#[test]
fn the_web_clients_protocol_file_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/protocol.ts");
    let generated = protocol();
    if std::env::var_os("UPDATE_PROTOCOL").is_some() {
        std::fs::write(&path, generated).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == generated,
        "protocol.ts is stale: run this test with UPDATE_PROTOCOL=1"
    );
}

#[test]
fn every_request_of_the_protocol_file_is_known_to_the_dialect() {
    for (request, ..) in requests(&Config::new()) {
        let frame = format!("{{\"type\":\"{request}\"}}");
        if let Err(error) = decode(&mut State::default(), &frame) {
            assert_ne!(error.refusal, Refusal::UnknownType, "{request}");
        }
    }
}
