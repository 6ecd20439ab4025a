//! Clients of the meetlite dialect: the server consumes for them and forwards their messages.

#[path = "meetlite/p2p_signalling.rs"]
mod p2p_signalling;
#[path = "meetlite/participants.rs"]
mod participants;

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{ConnectRequest, DialectKind, Namespace, SessionId, ShardId};

use super::harness::*;

/// No frames.
const NO_FRAMES: [Value; 0] = [];

impl TestConference {
    /// Opens a connection with a user's token.
    fn open_user(&mut self, id: &str) -> SessionId {
        let keys = token_keys();
        let mut request = ConnectRequest::new(DialectKind::SocketIo(Namespace::Main));
        request.token = Some(keys.issue_user_token(id, &format!("{id}@example.org"), UNIX_S));
        let session = self.open_with(request);
        assert_eq!(self.next_frame(session), json!({"connect": {"sid": id}}));
        session
    }

    fn emit_main(&mut self, client: SessionId, name: &str, payload: Value) {
        self.emit(client, Namespace::Main, name, payload);
    }

    /// Sends an event and returns the frames that the client receives.
    fn emit_and_read(&mut self, client: SessionId, name: &str, payload: Value) -> Vec<Value> {
        self.take_frames(client);
        self.emit_main(client, name, payload);
        self.take_frames(client)
    }

    /// Sends an event that must fail, and returns the error message.
    fn emit_error_message(&mut self, client: SessionId, name: &str, payload: Value) -> String {
        let received = self.emit_and_read(client, name, payload);
        assert_eq!(received.len(), 1, "{name}: {received:?}");
        let message = received[0]["payload"]["message"].as_str();
        let message = message.unwrap_or_else(|| panic!("{name}: {received:?}"));
        assert_eq!(received[0], event("error", json!({"message": message})));
        message.to_owned()
    }

    /// Opens a user's connection and joins room `r`.
    fn join_user(&mut self, id: &str) -> SessionId {
        let session = self.open_user(id);
        let received = self.emit_and_read(session, "join-room", json!({"roomId": "r"}));
        let capabilities = json!({"rtpCapabilities": capabilities()});
        assert_eq!(received, [event("router-rtp-capabilities", capabilities)]);
        session
    }

    /// Opens a user's connection, joins room `r` and creates both transports.
    fn join_user_with_media(&mut self, id: &str) -> SessionId {
        let session = self.join_user(id);
        for direction in ["send", "recv"] {
            self.emit_main(
                session,
                "create-webrtc-transport",
                transport_payload(direction),
            );
        }
        self.emit_main(session, "set-rtp-capabilities", capabilities_payload());
        self.take_frames(session);
        session
    }

    /// Creates a producer and returns its id.
    fn create_producer(&mut self, client: SessionId, kind: &str, app_data: Value) -> String {
        let received =
            self.emit_and_read(client, "create-producer", producer_payload(kind, app_data));
        assert_eq!(received[0]["event"], "producer-created", "{received:?}");
        text(&received[0]["payload"]["producerId"])
    }

    /// Reads all frames, which must contain exactly one `new-consumer`, and returns its payload.
    fn next_consumer(&mut self, client: SessionId) -> Value {
        let received = self.take_frames(client);
        let found: Vec<_> = received
            .iter()
            .filter(|it| it["event"] == "new-consumer")
            .collect();
        assert_eq!(found.len(), 1, "{received:?}");
        found[0]["payload"].clone()
    }
}

fn event_names(received: &[Value]) -> Vec<&str> {
    received
        .iter()
        .map(|it| it["event"].as_str().unwrap())
        .collect()
}

fn transport_payload(direction: &str) -> Value {
    json!({"roomId": "r", "direction": direction})
}

fn connect_payload(direction: &str) -> Value {
    json!({"dtlsParameters": dtls_parameters("client"), "direction": direction})
}

fn producer_payload(kind: &str, app_data: Value) -> Value {
    json!({"kind": kind, "rtpParameters": rtp_parameters(), "appData": app_data})
}

fn capabilities_payload() -> Value {
    json!({"rtpCapabilities": capabilities()})
}

fn user_info(id: &str) -> Value {
    json!({"email": format!("{id}@example.org"), "userId": id})
}

#[test]
fn two_users_meet_in_exactly_the_documented_frames() {
    let mut test = TestConference::new();
    let ana = test.join_user("ana");
    let received = test.emit_and_read(ana, "create-webrtc-transport", transport_payload("send"));
    let send = json!({
        "id": received[0]["payload"]["id"], "iceParameters": ice_parameters(),
        "iceCandidates": [candidate()], "dtlsParameters": dtls_parameters("auto"),
        "direction": "send",
    });
    let nobody = event("existing-participants", json!({"participants": []}));
    assert_eq!(received, [event("webrtc-transport-created", send), nobody]);
    assert_eq!(
        test.emit_and_read(ana, "connect-webrtc-transport", connect_payload("send")),
        NO_FRAMES
    );
    let app_data = json!({"label": "front"});
    let received = test.emit_and_read(
        ana,
        "create-producer",
        producer_payload("video", app_data.clone()),
    );
    let video = text(&received[0]["payload"]["producerId"]);
    let created = json!({"producerId": video, "kind": "video", "appData": app_data});
    assert_eq!(received, [event("producer-created", created)]);

    // A new participant is told of the others with its first transport.
    let ben = test.join_user("ben");
    let joined = json!({"participantId": "ben", "userInfo": user_info("ben")});
    assert_eq!(test.take_frames(ana), [event("participant-joined", joined)]);
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("recv"));
    let participant = json!({
        "participantId": "ana", "userInfo": user_info("ana"),
        "producers": [{"producerId": video, "kind": "video", "appData": {}}],
    });
    let existing = event(
        "existing-participants",
        json!({"participants": [participant]}),
    );
    assert_eq!(
        event_names(&received),
        ["webrtc-transport-created", "existing-participants"]
    );
    assert_eq!(received[1], existing);
    let received = test.emit_and_read(ben, "set-rtp-capabilities", capabilities_payload());
    let consumer = text(&received[0]["payload"]["consumerId"]);
    let expected = json!({
        "participantId": "ana", "producerId": video, "consumerId": consumer, "kind": "video",
        "rtpParameters": rtp_parameters(), "producerPaused": false, "consumerPaused": true,
    });
    assert_eq!(received, [event("new-consumer", expected)]);
    assert_eq!(
        test.emit_and_read(ben, "connect-webrtc-transport", connect_payload("recv")),
        NO_FRAMES
    );
    let one = json!({"consumerId": consumer});
    let state = json!({"consumerId": consumer, "participantId": "ana", "kind": "video"});
    let received = test.emit_and_read(ben, "resume-consumer", one.clone());
    assert_eq!(received, [event("consumer-resumed", state.clone())]);
    let received = test.emit_and_read(ben, "pause-consumer", one);
    assert_eq!(received, [event("consumer-paused", state.clone())]);
    let received = test.emit_and_read(ben, "resume-all-consumers", Value::Null);
    assert_eq!(received, [event("consumer-resumed", state)]);
    assert_eq!(
        test.emit_and_read(ben, "resume-all-consumers", Value::Null),
        NO_FRAMES
    );

    // Changes are told one by one.
    for (request, word, suffix) in [
        ("pause-producer", "paused", "paused"),
        ("resume-producer", "resumed", "resumed"),
    ] {
        assert_eq!(
            test.emit_and_read(ana, request, json!({"kind": "video"})),
            NO_FRAMES
        );
        let changed = json!({
            "participantId": "ana", "kind": "video", "event": word,
            "data": {"producerId": video},
        });
        let of_consumer = json!({"consumerId": consumer, "participantId": "ana"});
        let expected = [
            event("producer-state-changed", changed),
            event(&format!("consumer-producer-{suffix}"), of_consumer),
        ];
        let mut received = test.take_frames(ben);
        received.sort_by_key(|it| it["event"] != "producer-state-changed");
        assert_eq!(received, expected);
    }
    let state = json!({"roomId": "r", "audioEnabled": true, "videoEnabled": false});
    assert_eq!(
        test.emit_and_read(ana, "media-state-change", state),
        NO_FRAMES
    );
    let state = json!({"userId": "ana", "audioEnabled": true, "videoEnabled": false});
    assert_eq!(test.take_frames(ben), [event("media-state-update", state)]);
    assert_eq!(
        test.emit_and_read(ana, "close-producer", json!({"kind": "video"})),
        NO_FRAMES
    );
    let closed = json!({"participantId": "ana", "producerId": video});
    let of_consumer = json!({"consumerId": consumer, "participantId": "ana"});
    let expected = [
        event("producer-closed", closed),
        event("consumer-closed", of_consumer),
    ];
    assert_eq!(test.take_frames(ben), expected);
    let audio = test.create_producer(ana, "audio", Value::Null);
    assert_eq!(test.next_consumer(ben)["producerId"], json!(audio));
    test.close(ana);
    let left = event("participant-left", json!({"participantId": "ana"}));
    assert_eq!(test.take_frames(ben), [left]);
    test.close(ben);
    test.assert_empty();
}

#[test]
fn capabilities_and_the_receive_transport_may_come_in_any_order() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    let video = test.create_producer(ana, "video", json!({}));
    let ben = test.join_user("ben");
    assert_eq!(
        test.emit_and_read(ben, "set-rtp-capabilities", capabilities_payload()),
        NO_FRAMES
    );
    let audio = test.create_producer(ana, "audio", json!({}));
    test.advance(Duration::from_secs(60));
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("recv"));
    let all = [
        "webrtc-transport-created",
        "existing-participants",
        "new-consumer",
        "new-consumer",
    ];
    assert_eq!(event_names(&received), all);
    let producers: Vec<_> = received[2..]
        .iter()
        .map(|it| it["payload"]["producerId"].clone())
        .collect();
    assert_eq!(producers, [json!(video), json!(audio)]);
    // A repeated request creates nothing twice.
    assert_eq!(
        test.emit_and_read(ben, "set-rtp-capabilities", capabilities_payload()),
        NO_FRAMES
    );
}

#[test]
fn changes_before_the_first_transport_are_part_of_the_first_list() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    let video = test.create_producer(ana, "video", json!({}));
    let carl = test.join_user_with_media("carl");
    let ben = test.join_user("ben");
    let dora = test.join_user_with_media("dora");
    let audio = test.create_producer(dora, "audio", json!({}));
    test.emit_main(ana, "close-producer", json!({"kind": "video"}));
    let again = test.create_producer(ana, "video", json!({}));
    assert_ne!(again, video);
    test.close(carl);
    assert_eq!(test.take_frames(ben), NO_FRAMES);
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("send"));
    let participants = json!([
        {"participantId": "ana", "userInfo": user_info("ana"),
         "producers": [{"producerId": again, "kind": "video", "appData": {}}]},
        {"participantId": "dora", "userInfo": user_info("dora"),
         "producers": [{"producerId": audio, "kind": "audio", "appData": {}}]},
    ]);
    let expected = event(
        "existing-participants",
        json!({"participants": participants}),
    );
    assert_eq!(received[1], expected);
    // The list is only sent once.
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("recv"));
    assert_eq!(event_names(&received), ["webrtc-transport-created"]);
}

#[test]
fn a_screen_is_a_video_producer_with_a_screen_label() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    let ben = test.join_user_with_media("ben");
    let camera = test.create_producer(ana, "video", json!({}));
    test.take_frames(ben);
    let screen = test.create_producer(ana, "video", json!({"screen": true, "width": 1920}));
    assert_ne!(camera, screen);
    let consumer = test.next_consumer(ben);
    assert_eq!(consumer["kind"], "video");
    assert_eq!(consumer["mediaType"], "screen-video");
    assert_eq!(consumer["appData"], json!({"screen": true}));
    let sound = test.create_producer(ana, "screen-audio", Value::Null);
    let consumer = test.next_consumer(ben);
    assert_eq!(
        (&consumer["kind"], &consumer["mediaType"]),
        (&json!("audio"), &json!("screen-audio"))
    );

    test.emit_main(ana, "pause-producer", json!({"kind": "screen-video"}));
    let received = test.take_frames(ben);
    let changed = received
        .iter()
        .find(|it| it["event"] == "producer-state-changed")
        .unwrap();
    assert_eq!(changed["payload"]["kind"], "screen-video");
    test.emit_main(ana, "close-producer", json!({"kind": "screen-audio"}));
    let received = test.take_frames(ben);
    assert_eq!(
        event_names(&received),
        ["producer-closed", "consumer-closed"]
    );
    assert_eq!(received[0]["payload"]["producerId"], json!(sound));

    // A late participant is told of the paused screen.
    let dora = test.join_user("dora");
    test.emit_main(dora, "set-rtp-capabilities", capabilities_payload());
    let received = test.emit_and_read(dora, "create-webrtc-transport", transport_payload("recv"));
    let listed = &received[1]["payload"]["participants"][0]["producers"];
    let expected = json!([
        {"producerId": camera, "kind": "video", "appData": {}},
        {"producerId": screen, "kind": "video", "appData": {"screen": true}},
    ]);
    assert_eq!(*listed, expected);
    let of_screen = received
        .iter()
        .find(|it| it["payload"]["producerId"] == json!(screen))
        .unwrap();
    assert_eq!(of_screen["payload"]["producerPaused"], true);
}

#[test]
fn a_second_producer_of_the_same_kind_is_not_created() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    test.executes_immediately = false;
    for _ in 0..3 {
        test.emit_main(ana, "create-producer", producer_payload("audio", json!({})));
    }
    assert_eq!(test.take_frames(ana), NO_FRAMES);
    test.execute_all_commands();
    let received = test.take_frames(ana);
    assert_eq!(event_names(&received), ["producer-created"; 3]);
    assert!(received.iter().all(|it| *it == received[0]));
    test.executes_immediately = true;
    let again = test.emit_and_read(ana, "create-producer", producer_payload("audio", json!({})));
    assert_eq!(again, [received[0].clone()]);
    assert_eq!(test.conference.gauges().producers, 1);

    let received = test.emit_and_read(ana, "get-participant-stats", Value::Null);
    let producers = json!([{"producerId": again[0]["payload"]["producerId"], "kind": "audio"}]);
    let stats = json!({"participantId": "ana", "producers": producers, "consumers": []});
    assert_eq!(received, [event("participant-stats", stats)]);
}

#[test]
fn a_new_transport_replaces_the_first_of_its_direction() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    let video = test.create_producer(ana, "video", json!({}));
    let ben = test.join_user_with_media("ben");
    assert_eq!(test.conference.gauges().consumers, 1);
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("recv"));
    assert_eq!(
        event_names(&received),
        ["webrtc-transport-created", "new-consumer"]
    );
    assert_eq!(received[1]["payload"]["producerId"], json!(video));
    assert_eq!(test.conference.gauges().consumers, 1);
    assert_eq!(test.conference.gauges().transports, 4);

    test.emit_main(ana, "create-webrtc-transport", transport_payload("send"));
    assert_eq!(
        event_names(&test.take_frames(ben)),
        ["producer-closed", "consumer-closed"]
    );
    let again = test.create_producer(ana, "video", json!({}));
    assert_ne!(again, video);
    assert_eq!(test.conference.gauges().transports, 4);
    // Pending transports are replaced as well.
    test.executes_immediately = false;
    for _ in 0..2 {
        test.emit_main(ben, "create-webrtc-transport", transport_payload("recv"));
    }
    test.execute_all_commands();
    test.execute_all_commands();
    test.executes_immediately = true;
    let counts = test.conference.gauges();
    assert_eq!((counts.transports, counts.consumers), (4, 1));
    let received = test.take_frames(ben);
    let last = received
        .iter()
        .rfind(|it| it["event"] == "new-consumer")
        .unwrap();
    let resume = json!({"consumerId": last["payload"]["consumerId"]});
    assert_eq!(
        event_names(&test.emit_and_read(ben, "resume-consumer", resume)),
        ["consumer-resumed"]
    );
}

#[test]
fn hundreds_of_producers_are_consumed_a_few_at_a_time() {
    let mut test = TestConference::new();
    let mut producers = 0;
    for n in 0..60 {
        let ana = test.join_user_with_media(&format!("user-{n}"));
        for kind in ["audio", "video"] {
            test.create_producer(ana, kind, json!({}));
            producers += 1;
        }
        test.frames.clear();
    }
    let ben = test.join_user_with_media("ben");
    test.take_frames(ben);
    // On a new transport everything is consumed again, this time step by step.
    test.executes_immediately = false;
    test.emit_main(ben, "create-webrtc-transport", transport_payload("recv"));
    let (mut most, mut consumers) = (0, 0);
    while test.execute_command() {
        most = most.max(test.commands.len());
    }
    for frame in test.take_frames(ben) {
        consumers += usize::from(frame["event"] == "new-consumer");
        assert_ne!(frame["event"], "error", "{frame}");
    }
    assert_eq!(consumers, producers);
    assert!(most <= 34, "{most} at once");
}

#[test]
fn a_refused_consumer_is_not_reported_as_an_error() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    let video = test.create_producer(ana, "video", json!({}));
    let ben = test.join_user("ben");
    test.emit_main(ben, "create-webrtc-transport", transport_payload("recv"));
    let no_capabilities = json!({"rtpCapabilities": {}});
    assert_eq!(
        test.emit_and_read(ben, "set-rtp-capabilities", no_capabilities),
        NO_FRAMES
    );
    test.create_producer(ana, "audio", json!({}));
    assert_eq!(test.take_frames(ben), NO_FRAMES);
    // Everything is consumed when the client can receive it after all.
    let received = test.emit_and_read(ben, "set-rtp-capabilities", capabilities_payload());
    assert_eq!(event_names(&received), ["new-consumer", "new-consumer"]);
    assert!(
        received
            .iter()
            .any(|it| it["payload"]["producerId"] == json!(video))
    );
}

#[test]
fn consumers_and_producers_are_closed_with_their_lost_transport() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    test.create_producer(ana, "video", json!({}));
    let ben = test.join_user("ben");
    test.emit_main(ben, "set-rtp-capabilities", capabilities_payload());
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("recv"));
    let recv = text(&received[0]["payload"]["id"]);
    test.close_transport_in_engine(&recv);
    assert_eq!(event_names(&test.take_frames(ben)), ["consumer-closed"]);
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("recv"));
    assert_eq!(
        event_names(&received),
        ["webrtc-transport-created", "new-consumer"]
    );
    let received = test.emit_and_read(ben, "create-webrtc-transport", transport_payload("send"));
    let send = text(&received[0]["payload"]["id"]);
    let before = test.create_producer(ben, "audio", json!({}));
    test.close_transport_in_engine(&send);
    let message =
        test.emit_error_message(ben, "create-producer", producer_payload("audio", json!({})));
    assert_eq!(message, "Failed to create producer");
    test.emit_and_read(ben, "create-webrtc-transport", transport_payload("send"));
    assert_ne!(test.create_producer(ben, "audio", json!({})), before);
}

#[test]
fn connections_are_closed_with_1012_after_a_lost_worker() {
    let mut test = TestConference::new();
    let ana = test.join_user_with_media("ana");
    for shard in 0..2 {
        test.lose_shard(ShardId(shard));
    }
    assert_eq!(test.closed.get(&ana), Some(&1012));
}
