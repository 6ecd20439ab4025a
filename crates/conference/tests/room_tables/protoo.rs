//! The protoo dialect over a whole conference: clients of mediasoup's demonstration, which are
//! asked to take what is consumed for them.

#[path = "protoo/entry.rs"]
mod entry;

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{ConferenceLimits, ConnectRequest, DialectKind, SessionId, ShardId};
use watersmeet_engine::command::{ConsumerId, Event, Layers};

use super::world::*;

const NOTHING: &str = "00000000-0000-4000-8000-000000000000";

impl World {
    /// A client in the room of its address.
    fn protoo(&mut self, room: &str) -> SessionId {
        let mut opening = ConnectRequest::new(DialectKind::Protoo);
        opening.room = Some(room.to_owned());
        opening.peer = Some("abc".to_owned());
        self.open_as(opening)
    }

    fn protoo_send(&mut self, who: SessionId, frame: &Value) {
        self.send_text(who, &frame.to_string());
    }

    /// Asks and gives the response, which comes before anything else of this number.
    fn protoo_response(&mut self, who: SessionId, method: &str, data: Value) -> Value {
        let id = 4_711;
        let request = json!({"request": true, "id": id, "method": method, "data": data});
        self.protoo_send(who, &request);
        let frames = self.frames.entry(who).or_default();
        let index = frames
            .iter()
            .position(|it| it["response"] == true && it["id"] == id)
            .unwrap_or_else(|| panic!("{method} was not answered"));
        frames.remove(index).unwrap()
    }

    /// Asks and gives what comes back.
    fn protoo_ask(&mut self, who: SessionId, method: &str, data: Value) -> Value {
        let response = self.protoo_response(who, method, data);
        assert_eq!(response["ok"], true, "{method}: {response}");
        response["data"].clone()
    }

    /// Asks and gives the number and the text of the error.
    fn protoo_error(&mut self, who: SessionId, method: &str, data: Value) -> (u64, String) {
        let response = self.protoo_response(who, method, data);
        assert_eq!(response["ok"], false, "{method}: {response}");
        (
            response["errorCode"].as_u64().unwrap(),
            text(&response["errorReason"]),
        )
    }

    fn protoo_transport(&mut self, who: SessionId, producing: bool) -> String {
        let created = self.protoo_ask(who, "createWebRtcTransport", wish(producing));
        text(&created["id"])
    }

    fn protoo_produce(&mut self, who: SessionId, transport: &str, kind: &str) -> String {
        let produced = self.protoo_ask(who, "produce", produce(transport, kind));
        text(&produced["id"])
    }

    /// A client with both transports that has joined and read everything; and the first of them.
    fn protoo_joined(&mut self, room: &str, name: &str) -> (SessionId, String) {
        let session = self.protoo(room);
        let send = self.protoo_transport(session, true);
        self.protoo_transport(session, false);
        self.protoo_ask(session, "join", join(name));
        (session, send)
    }

    /// What a client is asked to take, which it takes or does not.
    fn protoo_take(&mut self, who: SessionId, taken: bool) -> Value {
        let offered = self.next(who);
        assert_eq!(offered["method"], "newConsumer", "{offered}");
        let id = &offered["id"];
        let response = match taken {
            true => json!({"response": true, "id": id, "ok": true, "data": {}}),
            false => json!({
                "response": true, "id": id, "ok": false, "errorCode": 500, "errorReason": "no",
            }),
        };
        self.protoo_send(who, &response);
        offered["data"].clone()
    }
}

fn wish(producing: bool) -> Value {
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

fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

fn notification(method: &str, data: Value) -> Value {
    json!({"notification": true, "method": method, "data": data})
}

fn person(id: &Value, name: &str) -> Value {
    json!({
        "id": id, "displayName": name,
        "device": {"flag": "unknown", "name": "unknown", "version": ""},
    })
}

#[test]
fn two_people_meet_in_exactly_the_frames_of_the_demonstration() {
    let mut world = World::new();
    let ana = world.protoo("r");
    assert_eq!(world.all(ana), Vec::<Value>::new());
    let told = world.protoo_ask(ana, "getRouterRtpCapabilities", json!({}));
    assert_eq!(told, capabilities());
    let created = world.protoo_ask(ana, "createWebRtcTransport", wish(true));
    let send = text(&created["id"]);
    let expected = json!({
        "id": send,
        "iceParameters": ice_parameters(),
        "iceCandidates": [candidate()],
        "dtlsParameters": dtls_parameters("auto"),
    });
    assert_eq!(created, expected);
    world.protoo_transport(ana, false);
    assert_eq!(
        world.protoo_ask(ana, "join", join("Ana")),
        json!({"peers": []})
    );
    let connect = json!({"transportId": send, "dtlsParameters": dtls_parameters("client")});
    assert_eq!(
        world.protoo_ask(ana, "connectWebRtcTransport", connect),
        json!({})
    );
    let mut screen = produce(&send, "video");
    screen["appData"] = json!({"share": true, "source": "mine"});
    let produced = world.protoo_ask(ana, "produce", screen);
    let screen = produced["id"].clone();
    assert_eq!(produced, json!({"id": screen}));

    let (ben, _) = world.protoo_joined("r", "Ben");
    let offered = world.next(ben);
    let consumer = offered["data"]["id"].clone();
    let ana_id = offered["data"]["peerId"].clone();
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
    assert_eq!(offered, expected);
    let ben_frames = world.all(ana);
    let ben_id = ben_frames[0]["data"]["id"].clone();
    assert_eq!(
        ben_frames,
        [notification("newPeer", person(&ben_id, "Ben"))]
    );

    // A third one finds both.
    let cara = world.protoo("r");
    let joined = world.protoo_ask(cara, "join", join(""));
    let peers = [person(&ana_id, "Ana"), person(&ben_id, "Ben")];
    assert_eq!(joined, json!({"peers": peers}));
    let cara_id = world.all(ana)[0]["data"]["id"].clone();
    let newcomer = world.all(ben);
    assert_eq!(
        newcomer,
        [notification("newPeer", person(&cara_id, "Guest"))]
    );
    let named = json!({"displayName": "Cara"});
    assert_eq!(
        world.protoo_ask(cara, "changeDisplayName", named.clone()),
        json!({})
    );
    let renamed = json!({"peerId": cara_id, "displayName": "Cara", "oldDisplayName": "Guest"});
    assert_eq!(
        world.all(ben),
        [notification("peerDisplayNameChanged", renamed)]
    );
    world.protoo_ask(cara, "changeDisplayName", named);
    assert_eq!(world.all(ben), Vec::<Value>::new());

    world.close(ana);
    let closed = notification("consumerClosed", json!({"consumerId": consumer}));
    let left = notification("peerClosed", json!({"peerId": ana_id}));
    assert_eq!(world.all(ben), [closed, left.clone()]);
    assert_eq!(world.all(cara).last(), Some(&left));
    world.close(ben);
    world.close(cara);
    world.assert_empty();
}

#[test]
fn whoever_is_taken_begins_and_whoever_is_not_ends() {
    let mut world = World::new();
    let (ana, send) = world.protoo_joined("r", "Ana");
    let (ben, _) = world.protoo_joined("r", "Ben");
    let camera = world.protoo_produce(ana, &send, "video");
    world.prompt = false;
    let taken = world.protoo_take(ben, true);
    assert_eq!(taken["producerId"], json!(camera));
    let commands = format!("{:?}", world.commands);
    assert!(commands.contains("ResumeConsumer"), "{commands}");
    world.prompt = true;
    world.settle();
    assert_eq!(world.conference.gauges().consumers, 1);

    let mic = world.protoo_produce(ana, &send, "audio");
    let refused = world.protoo_take(ben, false);
    assert_eq!(refused["producerId"], json!(mic));
    assert_eq!(world.conference.gauges().consumers, 1);
    // An answer counts once, and one that was not asked for does not.
    for id in [1, 2, 77, u64::MAX] {
        world.protoo_send(ben, &json!({"response": true, "id": id, "ok": false}));
    }
    assert_eq!(world.conference.gauges().consumers, 1);
    assert_eq!(world.all(ben), Vec::<Value>::new());

    // What was not taken ends without a word.
    world.protoo_ask(ana, "closeProducer", json!({"producerId": mic}));
    assert_eq!(world.all(ben), Vec::<Value>::new());
    world.protoo_ask(ana, "closeProducer", json!({"producerId": camera}));
    let closed = notification("consumerClosed", json!({"consumerId": taken["id"]}));
    assert_eq!(world.all(ben), [closed]);
}

#[test]
fn everything_is_consumed_once_when_there_is_a_receive_transport() {
    let mut world = World::new();
    let (ana, send) = world.protoo_joined("r", "Ana");
    let camera = world.protoo_produce(ana, &send, "video");
    let gone = world.protoo_produce(ana, &send, "audio");
    let ben = world.protoo("r");
    world.protoo_ask(ben, "join", join("Ben"));
    let mic = world.protoo_produce(ana, &send, "audio");
    world.protoo_ask(ana, "closeProducer", json!({"producerId": gone}));
    assert_eq!(world.all(ben), Vec::<Value>::new());

    let receive = world.protoo_transport(ben, false);
    for producer in [&camera, &mic] {
        assert_eq!(world.protoo_take(ben, true)["producerId"], json!(producer));
    }
    world.protoo_transport(ben, false);
    assert_eq!(world.all(ben), Vec::<Value>::new());

    // What came over a transport that broke comes again over the next one.
    world.engine_closes(&receive);
    assert_eq!(world.all(ben).len(), 2);
    world.protoo_transport(ben, false);
    let mut again = [0; 2].map(|_| text(&world.protoo_take(ben, true)["producerId"]));
    again.sort();
    let mut expected = [camera, mic];
    expected.sort();
    assert_eq!(again, expected);
    assert_eq!(world.conference.gauges().consumers, 2);
}

#[test]
fn without_capabilities_nothing_is_consumed() {
    let mut world = World::new();
    let (ana, send) = world.protoo_joined("r", "Ana");
    world.protoo_produce(ana, &send, "video");
    let ben = world.protoo("r");
    world.protoo_transport(ben, false);
    world.protoo_ask(ben, "join", json!({"displayName": "Ben"}));
    world.protoo_produce(ana, &send, "audio");
    assert_eq!(world.all(ben), Vec::<Value>::new());
}

#[test]
fn a_client_hears_what_happens_to_its_consumers() {
    let mut world = World::new();
    let (ana, send) = world.protoo_joined("r", "Ana");
    let (ben, _) = world.protoo_joined("r", "Ben");
    let camera = world.protoo_produce(ana, &send, "video");
    let consumer = text(&world.protoo_take(ben, true)["id"]);
    let named = json!({"consumerId": consumer});
    for (method, told) in [
        ("pauseProducer", "consumerPaused"),
        ("resumeProducer", "consumerResumed"),
    ] {
        world.protoo_ask(ana, method, json!({"producerId": camera}));
        assert_eq!(world.all(ben), [notification(told, named.clone())]);
    }
    let id = ConsumerId::parse(&consumer).unwrap();
    let shard = world
        .shards
        .iter()
        .position(|it| it.consumers.contains_key(&id));
    let shard = ShardId(u8::try_from(shard.unwrap()).unwrap());
    let changed = |layers| Event::ConsumerLayersChanged {
        consumer: id,
        layers,
    };
    let layers = Layers {
        spatial_layer: 2,
        temporal_layer: Some(1),
    };
    for (layers, spatial, temporal) in [
        (Some(layers), json!(2), json!(1)),
        (None, Value::Null, Value::Null),
    ] {
        world.event(shard, changed(layers));
        let data = json!({
            "consumerId": consumer, "spatialLayer": spatial, "temporalLayer": temporal,
        });
        assert_eq!(
            world.all(ben),
            [notification("consumerLayersChanged", data)]
        );
    }
    world.event(shard, Event::ConsumerClosed { consumer: id });
    assert_eq!(world.all(ben), [notification("consumerClosed", named)]);
}

#[test]
fn everything_a_client_may_ask_of_its_own_is_answered() {
    let mut world = World::new();
    let (ana, send) = world.protoo_joined("r", "Ana");
    let (ben, _) = world.protoo_joined("r", "Ben");
    let camera = world.protoo_produce(ana, &send, "video");
    let consumer = text(&world.protoo_take(ben, true)["id"]);
    let ice = world.protoo_ask(ana, "restartIce", json!({"transportId": send}));
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
            world.protoo_ask(ben, method, data.clone()),
            json!({}),
            "{method}"
        );
    }
    let table = [
        (ana, "Transport", json!({"transportId": send})),
        (ana, "Producer", json!({"producerId": camera})),
        (ben, "Consumer", consumer),
    ];
    for (who, what, data) in table {
        for kind in ["", "Remote", "Local"] {
            let method = format!("get{what}{kind}Stats");
            assert_eq!(
                world.protoo_ask(who, &method, data.clone()),
                json!([]),
                "{method}"
            );
        }
    }
    // A notification is carried out and not answered.
    let pause = notification("pauseProducer", json!({"producerId": camera}));
    world.protoo_send(ana, &pause);
    assert_eq!(world.all(ana).len(), 1, "it heard of Ben alone");
    assert_eq!(world.all(ben).len(), 1);
}

#[test]
fn who_can_only_use_tcp_is_told_of_nothing_else() {
    let mut world = World::new();
    let ana = world.protoo("r");
    let mut only_tcp = wish(true);
    only_tcp["forceTcp"] = json!(true);
    let created = world.protoo_ask(ana, "createWebRtcTransport", only_tcp);
    assert_eq!(created["iceCandidates"], json!([]));
}

#[test]
fn refusals_have_numbers_and_reasons() {
    let mut world = World::new();
    let ana = world.protoo("r");
    let transport = json!({"transportId": NOTHING});
    let producer = json!({"producerId": NOTHING});
    let consumer = json!({"consumerId": NOTHING});
    for (method, data) in [
        ("restartIce", &transport),
        ("closeProducer", &producer),
        ("changeDisplayName", &json!({"displayName": "x"})),
    ] {
        let expected = (403, "Not in a room".to_owned());
        assert_eq!(
            world.protoo_error(ana, method, data.clone()),
            expected,
            "{method}"
        );
    }
    world.protoo_ask(ana, "join", join("Ana"));
    let connect = json!({"transportId": "none", "dtlsParameters": dtls_parameters("client")});
    let neither = json!({"forceTcp": false});
    let long = json!({"displayName": "x".repeat(ConferenceLimits::default().name_len_max + 1)});
    let polluted = json!({
        "transportId": NOTHING, "kind": "video", "rtpParameters": rtp_parameters(),
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
            &produce(NOTHING, "video"),
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
            "priorities are not served",
        ),
        (
            "getDataProducerStats",
            &producer,
            404,
            "Unknown message type",
        ),
        ("nonsense", &producer, 404, "Unknown message type"),
    ];
    for (method, data, code, reason) in table {
        let expected = (code, reason.to_owned());
        assert_eq!(
            world.protoo_error(ana, method, data.clone()),
            expected,
            "{method}"
        );
    }
    let (code, _) = world.protoo_error(ana, "join", json!([]));
    assert_eq!(code, 400);
    // Frames that nobody can be answered for.
    for frame in [
        "",
        "[]",
        "7",
        "{}",
        r#"{"request":true}"#,
        r#"{"request":true,"id":"x","method":"join"}"#,
    ] {
        world.send_text(ana, frame);
    }
    assert_eq!(world.all(ana), Vec::<Value>::new());
    assert_eq!(world.closed.len(), 0);
}

#[test]
fn nobody_reaches_what_is_another_persons_or_in_another_room() {
    let mut world = World::new();
    let (ana, send) = world.protoo_joined("r", "Ana");
    let (ben, _) = world.protoo_joined("r", "Ben");
    let camera = world.protoo_produce(ana, &send, "video");
    let consumer = world.protoo_take(ben, true)["id"].clone();
    let (elsewhere, _) = world.protoo_joined("elsewhere", "Dan");
    for stranger in [ben, elsewhere] {
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
            let (code, reason) = world.protoo_error(stranger, method, data);
            assert_eq!(
                (code, reason),
                (404, format!("{what} not found")),
                "{method}"
            );
        }
    }
    for stranger in [ana, elsewhere] {
        for method in ["pauseConsumer", "resumeConsumer", "getConsumerStats"] {
            let data = json!({"consumerId": consumer});
            let (code, _) = world.protoo_error(stranger, method, data);
            assert_eq!(code, 404, "{method}");
        }
    }
    assert_eq!(world.all(elsewhere), Vec::<Value>::new());
}

#[test]
fn a_request_that_came_too_fast_can_be_made_again() {
    let mut world = World::with_limits(ConferenceLimits {
        messages_burst: 1,
        messages_per_second: 1,
        ..ConferenceLimits::default()
    });
    let ana = world.protoo("r");
    world.protoo_ask(ana, "getRouterRtpCapabilities", json!({}));
    let (code, reason) = world.protoo_error(ana, "createWebRtcTransport", wish(true));
    assert_eq!((code, reason.as_str()), (429, "Too many messages"));
    world.pass(Duration::from_secs(2));
    world.protoo_transport(ana, true);
}
