//! Clients of the protoo dialect: the mediasoup demo, which is asked to accept each consumer.

#[path = "protoo/identity.rs"]
mod identity;
#[path = "protoo/joining.rs"]
mod joining;
#[path = "protoo/scores.rs"]
mod scores;
#[path = "protoo/speakers.rs"]
mod speakers;

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{ConferenceLimits, ConnectRequest, DialectKind, SessionId, ShardId};
use watersmeet_engine::command::{ConsumerId, Event, Layers};

use super::harness::*;

impl TestConference {
    /// Opens a connection with this room in its address.
    fn protoo_open(&mut self, room: &str) -> SessionId {
        self.protoo_clients += 1;
        let peer = format!("peer{}", self.protoo_clients);
        self.protoo_open_as(room, &peer)
    }

    /// Opens a connection with this room and peer id in its address.
    fn protoo_open_as(&mut self, room: &str, peer: &str) -> SessionId {
        let mut connection = ConnectRequest::new(DialectKind::Protoo);
        connection.room = Some(room.to_owned());
        connection.peer = Some(peer.to_owned());
        self.open_with(connection)
    }

    fn protoo_send(&mut self, client: SessionId, frame: &Value) {
        self.send_text(client, &frame.to_string());
    }

    /// Sends a request and returns its response.
    fn protoo_response(&mut self, client: SessionId, method: &str, data: Value) -> Value {
        let id = 4_711;
        let request = json!({"request": true, "id": id, "method": method, "data": data});
        self.protoo_send(client, &request);
        let frames = self.frames.entry(client).or_default();
        let index = frames
            .iter()
            .position(|it| it["response"] == true && it["id"] == id)
            .unwrap_or_else(|| panic!("{method} was not answered"));
        frames.remove(index).unwrap()
    }

    /// Sends a request that must succeed, and returns the data of the response.
    fn protoo_request(&mut self, client: SessionId, method: &str, data: Value) -> Value {
        let response = self.protoo_response(client, method, data);
        assert_eq!(response["ok"], true, "{method}: {response}");
        response["data"].clone()
    }

    /// Sends a request that must fail, and returns the code and the reason of the error.
    fn protoo_error(&mut self, client: SessionId, method: &str, data: Value) -> (u64, String) {
        let response = self.protoo_response(client, method, data);
        assert_eq!(response["ok"], false, "{method}: {response}");
        (
            response["errorCode"].as_u64().unwrap(),
            text(&response["errorReason"]),
        )
    }

    fn protoo_transport(&mut self, client: SessionId, producing: bool) -> String {
        let created = self.protoo_request(
            client,
            "createWebRtcTransport",
            transport_payload(producing),
        );
        text(&created["id"])
    }

    fn protoo_produce(&mut self, client: SessionId, transport: &str, kind: &str) -> String {
        let produced = self.protoo_request(client, "produce", produce(transport, kind));
        text(&produced["id"])
    }

    /// Opens a connection, creates both transports and joins. Returns the send transport too.
    fn protoo_join(&mut self, room: &str, name: &str) -> (SessionId, String) {
        let session = self.protoo_open(room);
        let send = self.protoo_transport(session, true);
        self.protoo_transport(session, false);
        self.protoo_request(session, "join", join(name));
        (session, send)
    }

    /// Reads `newConsumer`, and accepts or rejects the consumer. Returns its data.
    fn protoo_answer_consumer(&mut self, client: SessionId, is_accepted: bool) -> Value {
        let new_consumer = self.next_frame(client);
        assert_eq!(new_consumer["method"], "newConsumer", "{new_consumer}");
        let id = &new_consumer["id"];
        let response = match is_accepted {
            true => json!({"response": true, "id": id, "ok": true, "data": {}}),
            false => json!({
                "response": true, "id": id, "ok": false, "errorCode": 500, "errorReason": "no",
            }),
        };
        self.protoo_send(client, &response);
        new_consumer["data"].clone()
    }
}

fn transport_payload(producing: bool) -> Value {
    json!({"forceTcp": false, "producing": producing, "consuming": !producing})
}

fn join(name: &str) -> Value {
    json!({
        "displayName": name,
        "device": {"flag": "chrome", "name": "Chrome", "version": "130"},
        "rtpCapabilities": capabilities(),
        "sctpCapabilities": {"numStreams": {"OS": 1024, "MIS": 1024}},
    })
}

pub fn notification(method: &str, data: Value) -> Value {
    json!({"notification": true, "method": method, "data": data})
}

fn peer_json(id: &Value, name: &str) -> Value {
    json!({
        "id": id, "displayName": name,
        "device": {"flag": "chrome", "name": "Chrome", "version": "130"},
    })
}

#[test]
fn two_clients_meet_in_exactly_the_frames_of_the_mediasoup_demo() {
    let mut test = TestConference::new();
    let ana = test.protoo_open("r");
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
    let received = test.protoo_request(ana, "getRouterRtpCapabilities", json!({}));
    assert_eq!(received, capabilities());
    let created = test.protoo_request(ana, "createWebRtcTransport", transport_payload(true));
    let send = text(&created["id"]);
    let expected = json!({
        "id": send,
        "iceParameters": ice_parameters(),
        "iceCandidates": [candidate()],
        "dtlsParameters": dtls_parameters("auto"),
    });
    assert_eq!(created, expected);
    test.protoo_transport(ana, false);
    assert_eq!(
        test.protoo_request(ana, "join", join("Ana")),
        json!({"peers": []})
    );
    let connect = json!({"transportId": send, "dtlsParameters": dtls_parameters("client")});
    assert_eq!(
        test.protoo_request(ana, "connectWebRtcTransport", connect),
        json!({})
    );
    let mut screen = produce(&send, "video");
    screen["appData"] = json!({"share": true, "source": "mine"});
    let produced = test.protoo_request(ana, "produce", screen);
    let screen = produced["id"].clone();
    assert_eq!(produced, json!({"id": screen}));

    let (ben, _) = test.protoo_join("r", "Ben");
    let new_consumer = test.next_frame(ben);
    let consumer = new_consumer["data"]["id"].clone();
    let ana_id = new_consumer["data"]["peerId"].clone();
    let data = json!({
        "peerId": ana_id,
        "producerId": screen,
        "id": consumer,
        "kind": "video",
        "rtpParameters": rtp_parameters(),
        "type": "simple",
        "producerPaused": false,
        "appData": {"share": true, "source": "mine"},
    });
    let expected = json!({"request": true, "id": 1, "method": "newConsumer", "data": data});
    assert_eq!(new_consumer, expected);
    let ben_frames = test.take_frames(ana);
    let ben_id = ben_frames[0]["data"]["id"].clone();
    assert_eq!(
        ben_frames,
        [notification("newPeer", peer_json(&ben_id, "Ben"))]
    );

    // A third client is told of both.
    let cara = test.protoo_open("r");
    let joined = test.protoo_request(cara, "join", join(""));
    let peers = [peer_json(&ana_id, "Ana"), peer_json(&ben_id, "Ben")];
    assert_eq!(joined, json!({"peers": peers}));
    let cara_id = test.take_frames(ana)[0]["data"]["id"].clone();
    let newcomer = test.take_frames(ben);
    assert_eq!(
        newcomer,
        [notification("newPeer", peer_json(&cara_id, "Guest"))]
    );
    let named = json!({"displayName": "Cara"});
    assert_eq!(
        test.protoo_request(cara, "changeDisplayName", named.clone()),
        json!({})
    );
    let renamed = json!({"peerId": cara_id, "displayName": "Cara", "oldDisplayName": "Guest"});
    assert_eq!(
        test.take_frames(ben),
        [notification("peerDisplayNameChanged", renamed)]
    );
    test.protoo_request(cara, "changeDisplayName", named);
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());

    test.close(ana);
    let closed = notification("consumerClosed", json!({"consumerId": consumer}));
    let left = notification("peerClosed", json!({"peerId": ana_id}));
    assert_eq!(test.take_frames(ben), [closed, left.clone()]);
    assert_eq!(test.take_frames(cara).last(), Some(&left));
    test.close(ben);
    test.close(cara);
    test.assert_empty();
}

#[test]
fn accepted_consumers_are_resumed_and_rejected_ones_closed() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    let (ben, _) = test.protoo_join("r", "Ben");
    let camera = test.protoo_produce(ana, &send, "video");
    test.executes_immediately = false;
    let accepted = test.protoo_answer_consumer(ben, true);
    assert_eq!(accepted["producerId"], json!(camera));
    let commands = format!("{:?}", test.commands);
    assert!(commands.contains("ResumeConsumer"), "{commands}");
    test.executes_immediately = true;
    test.drain();
    assert_eq!(test.conference.gauges().consumers, 1);

    let mic = test.protoo_produce(ana, &send, "audio");
    let refused = test.protoo_answer_consumer(ben, false);
    assert_eq!(refused["producerId"], json!(mic));
    assert_eq!(test.conference.gauges().consumers, 1);
    // Repeated and unexpected responses are ignored.
    for id in [1, 2, 77, u64::MAX] {
        test.protoo_send(ben, &json!({"response": true, "id": id, "ok": false}));
    }
    assert_eq!(test.conference.gauges().consumers, 1);
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());

    // The client is not told of the close of a rejected consumer.
    test.protoo_request(ana, "closeProducer", json!({"producerId": mic}));
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
    test.protoo_request(ana, "closeProducer", json!({"producerId": camera}));
    let closed = notification("consumerClosed", json!({"consumerId": accepted["id"]}));
    assert_eq!(test.take_frames(ben), [closed]);
}

#[test]
fn everything_is_consumed_once_when_a_receive_transport_exists() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    let camera = test.protoo_produce(ana, &send, "video");
    let gone = test.protoo_produce(ana, &send, "audio");
    let ben = test.protoo_open("r");
    test.protoo_request(ben, "join", join("Ben"));
    let mic = test.protoo_produce(ana, &send, "audio");
    test.protoo_request(ana, "closeProducer", json!({"producerId": gone}));
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());

    let receive = test.protoo_transport(ben, false);
    for producer in [&camera, &mic] {
        assert_eq!(
            test.protoo_answer_consumer(ben, true)["producerId"],
            json!(producer)
        );
    }
    test.protoo_transport(ben, false);
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());

    // Producers of a lost transport are consumed again on the next one.
    test.close_transport_in_engine(&receive);
    assert_eq!(test.take_frames(ben).len(), 2);
    test.protoo_transport(ben, false);
    let mut again = [0; 2].map(|_| text(&test.protoo_answer_consumer(ben, true)["producerId"]));
    again.sort();
    let mut expected = [camera, mic];
    expected.sort();
    assert_eq!(again, expected);
    assert_eq!(test.conference.gauges().consumers, 2);
}

#[test]
fn nothing_is_consumed_without_capabilities() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    test.protoo_produce(ana, &send, "video");
    let ben = test.protoo_open("r");
    test.protoo_transport(ben, false);
    test.protoo_request(ben, "join", json!({"displayName": "Ben"}));
    test.protoo_produce(ana, &send, "audio");
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
}

#[test]
fn a_client_is_told_of_changes_of_its_consumers() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    let (ben, _) = test.protoo_join("r", "Ben");
    let camera = test.protoo_produce(ana, &send, "video");
    let consumer = text(&test.protoo_answer_consumer(ben, true)["id"]);
    let named = json!({"consumerId": consumer});
    for (method, received) in [
        ("pauseProducer", "consumerPaused"),
        ("resumeProducer", "consumerResumed"),
    ] {
        test.protoo_request(ana, method, json!({"producerId": camera}));
        assert_eq!(
            test.take_frames(ben),
            [notification(received, named.clone())]
        );
    }
    let id = ConsumerId::parse(&consumer).unwrap();
    let shard = test
        .shards
        .iter()
        .position(|it| it.consumers.contains_key(&id));
    let shard = ShardId(u8::try_from(shard.unwrap()).unwrap());
    let changed = |layers| Event::ConsumerLayersChanged {
        consumer: id,
        layers,
        reason: None,
    };
    let layers = Layers {
        spatial_layer: 2,
        temporal_layer: Some(1),
    };
    for (layers, spatial, temporal) in [
        (Some(layers), json!(2), json!(1)),
        (None, Value::Null, Value::Null),
    ] {
        test.report_event(shard, changed(layers));
        let data = json!({
            "consumerId": consumer, "spatialLayer": spatial, "temporalLayer": temporal,
        });
        assert_eq!(
            test.take_frames(ben),
            [notification("consumerLayersChanged", data)]
        );
    }
    test.report_event(shard, Event::ConsumerClosed { consumer: id });
    assert_eq!(
        test.take_frames(ben),
        [notification("consumerClosed", named)]
    );
}

#[test]
fn every_request_on_own_objects_succeeds() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    let (ben, _) = test.protoo_join("r", "Ben");
    let camera = test.protoo_produce(ana, &send, "video");
    let consumer = text(&test.protoo_answer_consumer(ben, true)["id"]);
    let ice = test.protoo_request(ana, "restartIce", json!({"transportId": send}));
    assert_eq!(ice, ice_parameters());
    let consumer = json!({"consumerId": consumer});
    let mut layers = consumer.clone();
    layers["spatialLayer"] = json!(1);
    for (method, data) in [
        ("pauseConsumer", &consumer),
        ("resumeConsumer", &consumer),
        ("requestConsumerKeyFrame", &consumer),
        ("setConsumerPreferredLayers", &layers),
    ] {
        assert_eq!(
            test.protoo_request(ben, method, data.clone()),
            json!({}),
            "{method}"
        );
    }
    let table = [
        (ana, "Transport", json!({"transportId": send})),
        (ana, "Producer", json!({"producerId": camera})),
        (ben, "Consumer", consumer),
    ];
    for (client, what, data) in table {
        for kind in ["", "Remote", "Local"] {
            let method = format!("get{what}{kind}Stats");
            assert_eq!(
                test.protoo_request(client, &method, data.clone()),
                json!([]),
                "{method}"
            );
        }
    }
    // A notification is carried out without a response.
    let pause = notification("pauseProducer", json!({"producerId": camera}));
    test.protoo_send(ana, &pause);
    assert_eq!(test.take_frames(ana).len(), 1, "only newPeer");
    assert_eq!(test.take_frames(ben).len(), 1);
}

#[test]
fn a_client_that_forces_tcp_gets_no_udp_candidates() {
    let mut test = TestConference::new();
    let ana = test.protoo_open("r");
    let mut only_tcp = transport_payload(true);
    only_tcp["forceTcp"] = json!(true);
    let created = test.protoo_request(ana, "createWebRtcTransport", only_tcp);
    assert_eq!(created["iceCandidates"], json!([]));
}

#[test]
fn refusals_have_codes_and_reasons() {
    let mut test = TestConference::new();
    let ana = test.protoo_open("r");
    let transport = json!({"transportId": UNKNOWN_ID});
    let producer = json!({"producerId": UNKNOWN_ID});
    let consumer = json!({"consumerId": UNKNOWN_ID});
    for (method, data) in [
        ("restartIce", &transport),
        ("closeProducer", &producer),
        ("changeDisplayName", &json!({"displayName": "x"})),
    ] {
        let expected = (403, "Not in a room".to_owned());
        assert_eq!(
            test.protoo_error(ana, method, data.clone()),
            expected,
            "{method}"
        );
    }
    test.protoo_request(ana, "join", join("Ana"));
    let connect = json!({"transportId": "none", "dtlsParameters": dtls_parameters("client")});
    let neither = json!({"forceTcp": false});
    let long = json!({"displayName": "x".repeat(ConferenceLimits::default().name_len_max + 1)});
    let polluted = json!({
        "transportId": UNKNOWN_ID, "kind": "video", "rtpParameters": rtp_parameters(),
        "appData": {"__proto__": 1},
    });
    let table = [
        ("join", &join("Ana"), 400, "joined already"),
        (
            "connectWebRtcTransport",
            &connect,
            404,
            "Transport not found",
        ),
        ("restartIce", &transport, 404, "Transport not found"),
        ("getTransportStats", &transport, 404, "Transport not found"),
        (
            "produce",
            &produce(UNKNOWN_ID, "video"),
            404,
            "Transport not found",
        ),
        ("produce", &polluted, 400, "appData has a forbidden key"),
        ("closeProducer", &producer, 404, "Producer not found"),
        ("pauseProducer", &producer, 404, "Producer not found"),
        ("getProducerStats", &producer, 404, "Producer not found"),
        ("resumeConsumer", &consumer, 404, "Consumer not found"),
        (
            "requestConsumerKeyFrame",
            &consumer,
            404,
            "Consumer not found",
        ),
        ("getConsumerStats", &consumer, 404, "Consumer not found"),
        ("changeDisplayName", &long, 400, "displayName is too long"),
        (
            "createWebRtcTransport",
            &neither,
            400,
            "either producing or consuming is needed",
        ),
        (
            "produceData",
            &transport,
            400,
            "data channels are not served",
        ),
        (
            "setConsumerPriority",
            &consumer,
            400,
            "missing field `priority`",
        ),
        (
            "getDataProducerStats",
            &producer,
            400,
            "missing field `dataProducerId`",
        ),
        ("nonsense", &producer, 404, "Unknown message type"),
    ];
    for (method, data, code, reason) in table {
        let expected = (code, reason.to_owned());
        assert_eq!(
            test.protoo_error(ana, method, data.clone()),
            expected,
            "{method}"
        );
    }
    let (code, _) = test.protoo_error(ana, "join", json!([]));
    assert_eq!(code, 400);
    // Frames without an id that a response could carry.
    for frame in [
        "",
        "[]",
        "7",
        "{}",
        r#"{"request":true}"#,
        r#"{"request":true,"id":"x","method":"join"}"#,
    ] {
        test.send_text(ana, frame);
    }
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
    assert_eq!(test.closed.len(), 0);
}

#[test]
fn closing_a_producer_whose_transport_closed_is_no_error() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    let camera = test.protoo_produce(ana, &send, "video");
    test.close_transport_in_engine(&send);
    test.take_frames(ana);
    for _ in 0..2 {
        test.protoo_request(ana, "closeProducer", json!({"producerId": camera}));
    }
}

#[test]
fn objects_of_other_participants_and_rooms_are_not_found() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    let (ben, _) = test.protoo_join("r", "Ben");
    let camera = test.protoo_produce(ana, &send, "video");
    let consumer = test.protoo_answer_consumer(ben, true)["id"].clone();
    let (elsewhere, _) = test.protoo_join("elsewhere", "Dan");
    for other in [ben, elsewhere] {
        for (method, data, what) in [
            ("restartIce", json!({"transportId": send}), "Transport"),
            ("produce", produce(&send, "video"), "Transport"),
            ("closeProducer", json!({"producerId": camera}), "Producer"),
            (
                "getProducerStats",
                json!({"producerId": camera}),
                "Producer",
            ),
        ] {
            let (code, reason) = test.protoo_error(other, method, data);
            assert_eq!(
                (code, reason),
                (404, format!("{what} not found")),
                "{method}"
            );
        }
    }
    for other in [ana, elsewhere] {
        for method in ["pauseConsumer", "resumeConsumer", "getConsumerStats"] {
            let data = json!({"consumerId": consumer});
            let (code, _) = test.protoo_error(other, method, data);
            assert_eq!(code, 404, "{method}");
        }
    }
    assert_eq!(test.take_frames(elsewhere), Vec::<Value>::new());
}

#[test]
fn a_request_can_be_repeated_after_the_rate_limit() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        messages_burst: 1,
        messages_per_second: 1,
        ..ConferenceLimits::default()
    });
    let ana = test.protoo_open("r");
    test.protoo_request(ana, "getRouterRtpCapabilities", json!({}));
    let (code, reason) = test.protoo_error(ana, "createWebRtcTransport", transport_payload(true));
    assert_eq!((code, reason.as_str()), (429, "Too many messages"));
    test.advance(Duration::from_secs(2));
    test.protoo_transport(ana, true);
}
