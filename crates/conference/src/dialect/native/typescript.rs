//! Writes the web client's `protocol.ts` from the payload types, so that the two cannot differ.
//! `UPDATE_PROTOCOL=1` rewrites the file; without it a stale file is a failed test.

use std::fmt::Write as _;
use std::path::Path;

use ts_rs::{Config, TS};

use super::payloads::*;
use super::{State, decode};
use crate::message::{Direction, MediaSource, Policy, Refusal, RemovalReason, Role};
use crate::turn::IceServer;

const HEAD: &str = "\
/**
 * The words spoken between this page and the server: every frame on the WebSocket is
 * `{type, payload, id?}` as JSON text. A request carries an `id`, and its reply (or its `error`)
 * carries the same one; frames without an `id` are notices. Nothing else in the client may name a
 * wire field that is not here.
 *
 * Generated from the server's payload types by `UPDATE_PROTOCOL=1 cargo test -p
 * watersmeet-conference`: change those, not this file.
 */

/** Audio or video. */
export type Kind = 'audio' | 'video';

/** An object that travels untouched between the server and mediasoup-client; `media.ts` alone looks inside. */
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
}
";

/// Every request with its payload, and the type of its reply with that one's payload.
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
        row::<ConsumerRef, ConsumerRef>("requestKeyframe", "keyframeRequested", config),
        row::<SubjectRef, Stats>("getStats", "stats", config),
        row::<Chat, Empty>("chat", "done", config),
        row::<Empty, Empty>("requestToSpeak", "done", config),
        row::<Moderate, Empty>("moderate", "done", config),
    ]
}

/// Every notice with its payload.
fn notices(config: &Config) -> Vec<(&'static str, String)> {
    vec![
        ("connected", Connected::name(config)),
        ("newPeer", NewPeer::name(config)),
        ("peerLeft", PeerLeft::name(config)),
        ("newProducer", NewProducer::name(config)),
        ("producerClosed", PeerProducerRef::name(config)),
        ("producerPaused", PeerProducerRef::name(config)),
        ("producerResumed", PeerProducerRef::name(config)),
        ("consumerClosed", ConsumerClosed::name(config)),
        ("consumerPaused", ConsumerPausedNotice::name(config)),
        ("consumerResumed", ConsumerPausedNotice::name(config)),
        ("consumerLayersChanged", ConsumerLayersChanged::name(config)),
        ("transportClosed", TransportClosed::name(config)),
        ("workerLost", Empty::name(config)),
        ("waiting", RoomLeft::name(config)),
        ("admitted", RoomJoined::name(config)),
        ("joinRequested", PeerRequest::name(config)),
        ("joinSettled", PeerRef::name(config)),
        ("speakRequested", PeerRequest::name(config)),
        ("roleChanged", RoleChanged::name(config)),
        ("policyChanged", PolicyChanged::name(config)),
        ("muted", Produced::name(config)),
        ("removed", Removed::name(config)),
        ("chat", ChatNotice::name(config)),
        ("error", ErrorPayload::name(config)),
    ]
}

/// One exported type with its comment, laid out as a person would: a line for each field, and one
/// for each comment of one line.
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

/// Every type that a payload is made of.
fn declarations(config: &Config) -> Vec<String> {
    vec![
        declaration::<Empty>(config),
        declaration::<MediaSource>(config),
        declaration::<Direction>(config),
        declaration::<Role>(config),
        declaration::<Policy>(config),
        declaration::<RemovalReason>(config),
        declaration::<TransportRef>(config),
        declaration::<ProducerRef>(config),
        declaration::<ConsumerRef>(config),
        declaration::<SubjectRef>(config),
        declaration::<JoinRoom>(config),
        declaration::<CreateTransport>(config),
        declaration::<ConnectTransport>(config),
        declaration::<Produce>(config),
        declaration::<Consume>(config),
        declaration::<SetPreferredLayers>(config),
        declaration::<Chat>(config),
        declaration::<Moderate>(config),
        declaration::<IceServer>(config),
        declaration::<ClientOptions>(config),
        declaration::<Connected>(config),
        declaration::<RouterRtpCapabilities>(config),
        declaration::<ProducerSummary>(config),
        declaration::<PeerProducers>(config),
        declaration::<ParticipantSummary>(config),
        declaration::<RoomJoined>(config),
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
        declaration::<ChatNotice>(config),
        declaration::<PolicyChanged>(config),
        declaration::<Removed>(config),
        declaration::<NewProducer>(config),
        declaration::<PeerProducerRef>(config),
        declaration::<ConsumerPausedNotice>(config),
        declaration::<ConsumerClosed>(config),
        declaration::<ConsumerLayersChanged>(config),
        declaration::<TransportClosed>(config),
        declaration::<ErrorPayload>(config),
    ]
}

/// All of the file.
fn protocol() -> String {
    let config = &Config::new();
    let mut text = String::from(HEAD);
    for declaration in declarations(config) {
        text.push_str(&declaration);
    }
    text.push_str("\n/** Every request: what it carries and what comes back. */\n");
    text.push_str("export interface Requests {\n");
    for (request, payload, reply, answer) in requests(config) {
        writeln!(text, "  /** Answered by `{reply}`. */").unwrap();
        writeln!(
            text,
            "  {request}: {{ payload: {payload}; reply: {answer} }};"
        )
        .unwrap();
    }
    text.push_str("}\n\n/** Every frame the server sends on its own. */\n");
    text.push_str("export interface Notices {\n");
    for (notice, payload) in notices(config) {
        writeln!(text, "  {notice}: {payload};").unwrap();
    }
    text.push_str("}\n");
    text.push_str(TAIL);
    text
}

#[test]
fn the_web_client_s_protocol_is_the_server_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/src/protocol.ts");
    let fresh = protocol();
    if std::env::var_os("UPDATE_PROTOCOL").is_some() {
        std::fs::write(&path, fresh).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == fresh,
        "protocol.ts is stale: run this test with UPDATE_PROTOCOL=1"
    );
}

#[test]
fn every_request_of_the_table_is_one_that_the_dialect_reads() {
    for (request, ..) in requests(&Config::new()) {
        let frame = format!("{{\"type\":\"{request}\"}}");
        if let Err(reject) = decode(&mut State::default(), &frame) {
            assert_ne!(reject.refusal, Refusal::UnknownType, "{request}");
        }
    }
}
