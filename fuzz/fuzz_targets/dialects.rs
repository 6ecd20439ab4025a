//! Fuzzes the frames of a client of any dialect, in a room with another participant. All frames sent
//! are well formed, and nothing is left over when both have left. Shards execute every command at
//! once.
#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::{
    Conference, ConferenceConfig, ConferenceLimits, ConnectRequest, DialectKind, Namespace, Output,
    SessionId, socketio,
};
use watersmeet_engine::command::{Command, Refusal, Reply, TransportOptions};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Rng, Time};

const SECRET: &[u8] = b"7d1f0a93c64be825d0375fae91b2684c";
const UNIX_S: u64 = 1_800_000_000;

/// Maximum number of frames of one client. More would only make each run slower.
const FRAMES_MAX: usize = 32;

static KEYS: LazyLock<Arc<TokenKeys>> =
    LazyLock::new(|| Arc::new(TokenKeys::new(SECRET, None).expect("a good secret")));

fn config() -> ConferenceConfig {
    ConferenceConfig {
        media_codecs: Vec::new(),
        capabilities: serde_json::from_value(json!({})).expect("capabilities"),
        transport_options: TransportOptions::default(),
        shards: 2,
        spread_above_permille: 600,
        limits: ConferenceLimits::default(),
        forwarding: Default::default(),
        native: Default::default(),
        keys: Some(Arc::clone(&KEYS)),
        policy: Default::default(),
        rooms_need_token: false,
        expired_tokens_disconnect: true,
        default_room: "lobby".into(),
        ice_servers: Default::default(),
        unix_epoch: Duration::from_secs(UNIX_S),
    }
}

/// Returns the reply of a worker.
fn worker_reply(command: &Command) -> Result<Reply, Refusal> {
    Ok(match command {
        Command::CreateTransport { .. } => Reply::Transport {
            ice: serde_json::from_value(
                json!({"usernameFragment": "u", "password": "p", "iceLite": true}),
            )
            .expect("ICE parameters"),
            candidates: Vec::new(),
            dtls: serde_json::from_value(json!({"role": "auto", "fingerprints": []}))
                .expect("DTLS parameters"),
        },
        Command::Produce { rtp, .. } => Reply::Producer {
            consumable: Box::new(rtp.clone()),
        },
        Command::Consume { .. } => Reply::Consumer {
            kind: MediaKind::Video,
            rtp: serde_json::from_value(json!({"codecs": [], "encodings": []}))
                .expect("RTP parameters"),
            producer_paused: false,
            simulcast: false,
        },
        Command::TransportStats { .. }
        | Command::ProducerStats { .. }
        | Command::ConsumerStats { .. }
        | Command::RestartIce { .. } => return Err(Refusal::TransportNotFound),
        _ => Reply::Done,
    })
}

/// Executes all commands, and checks all frames.
fn drain(conference: &mut Conference, now: Time, kinds: &[DialectKind]) {
    while let Some(output) = conference.poll_output() {
        match output {
            Output::Frame { session, text, .. } => match kinds[session.0 as usize] {
                DialectKind::SocketIo(_) => {
                    socketio::parse(&text).expect("a packet");
                }
                DialectKind::Native | DialectKind::Protoo => {
                    serde_json::from_str::<Value>(&text).expect("JSON");
                }
            },
            Output::Command { token, command, .. } => {
                conference.handle_reply(now, token, worker_reply(&command));
            }
            _ => {}
        }
    }
}

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (choice, frames) = text.split_at(text.chars().next().map_or(0, char::len_utf8));
    let (kind, has_token) = match choice {
        "n" => (DialectKind::Native, false),
        "p" => (DialectKind::Protoo, false),
        "c" => (DialectKind::SocketIo(Namespace::Call), false),
        "m" => (DialectKind::SocketIo(Namespace::Mediasoup), false),
        "u" => (DialectKind::SocketIo(Namespace::Main), true),
        _ => (DialectKind::SocketIo(Namespace::Main), false),
    };
    let kinds = [DialectKind::Native, kind];
    let mut conference = Conference::new(config(), Rng::seed_from_u64(1));
    let now = Time::from_millis(1_000);
    conference.handle_open(now, SessionId(0), ConnectRequest::new(DialectKind::Native));
    for frame in [
        r#"{"id":1,"type":"joinRoom","payload":{"roomId":"lobby"}}"#,
        r#"{"id":2,"type":"createTransport","payload":{"direction":"send"}}"#,
    ] {
        conference.handle_frame(now, SessionId(0), frame);
        drain(&mut conference, now, &kinds);
    }
    let token = has_token.then(|| KEYS.issue_user_token("user", "user@example.org", UNIX_S));
    let request = ConnectRequest {
        room: Some("lobby".to_owned()),
        peer: Some("peer".to_owned()),
        token,
        ..ConnectRequest::new(kind)
    };
    conference.handle_open(now, SessionId(1), request);
    drain(&mut conference, now, &kinds);
    for (index, frame) in (1_u64..).zip(frames.lines().take(FRAMES_MAX)) {
        let now = now + Duration::from_millis(100 * index);
        conference.handle_frame(now, SessionId(1), frame);
        drain(&mut conference, now, &kinds);
        let gauges = conference.gauges();
        assert!(gauges.sessions <= 2 && gauges.rooms <= 2 && gauges.participants <= 2);
    }
    let now = now + Duration::from_secs(60);
    conference.handle_timeout(now);
    drain(&mut conference, now, &kinds);
    for session in [1, 0] {
        conference.handle_close(now, SessionId(session));
        drain(&mut conference, now, &kinds);
    }
    let gauges = conference.gauges();
    assert_eq!(
        (
            gauges.sessions,
            gauges.rooms,
            gauges.transports,
            gauges.pending
        ),
        (0, 0, 0, 0)
    );
});
