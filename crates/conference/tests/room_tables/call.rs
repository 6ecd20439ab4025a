//! The call dialect over a whole conference: clients that join a room by name, ask who is there and
//! receive each producer on a transport of its own.

use serde_json::{Value, json};
use watersmeet_conference::{ConferenceLimits, Namespace, SessionId, ShardId};

use super::world::*;

const NOTHING: &str = "00000000-0000-4000-8000-000000000000";
const CALL: Namespace = Namespace::Call;

impl World {
    /// A client in a room that has read everything.
    fn call_joined(&mut self, room: &str) -> SessionId {
        let (session, _) = self.open_socket(CALL);
        let answer = self.call_ask(session, "joinRoom", json!({"roomName": room}));
        assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
        session
    }

    fn call_ask(&mut self, who: SessionId, event: &str, payload: Value) -> Value {
        let answer = self.call(who, CALL, event, payload);
        answer.unwrap_or_else(|| panic!("{event} was not acknowledged"))
    }

    /// A transport to receive on, or to send.
    fn call_transport(&mut self, who: SessionId, consumer: bool) -> String {
        let create = json!({"consumer": consumer, "roomName": "r"});
        let answer = self.call_ask(who, "createWebRtcTransport", create);
        text(&answer["params"]["id"])
    }

    fn call_produce(&mut self, who: SessionId, kind: &str) -> String {
        let answer = self.call_ask(who, "transport-produce", produce_here(kind));
        text(&answer["id"])
    }

    /// Receives a producer; the transport and the consumer of it.
    fn call_consume(&mut self, who: SessionId, producer: &str) -> (String, String) {
        let transport = self.call_transport(who, true);
        let answer = self.call_ask(who, "consume", consume_on(producer, &transport));
        (transport, text(&answer["params"]["serverConsumerId"]))
    }
}

fn produce_here(kind: &str) -> Value {
    json!({"kind": kind, "rtpParameters": rtp_parameters(), "appData": {}})
}

fn consume_on(producer: &str, transport: &str) -> Value {
    json!({
        "rtpCapabilities": capabilities(),
        "remoteProducerId": producer,
        "serverConsumerTransportId": transport,
    })
}

fn connect(key: &str, transport: &str) -> Value {
    json!({"dtlsParameters": dtls_parameters("client"), key: transport})
}

fn text(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

fn added(producer: &str) -> Value {
    json!({"event": "new-producer", "payload": {"producerId": producer}})
}

fn closed(producer: &str) -> Value {
    json!({"event": "producer-closed", "payload": {"remoteProducerId": producer}})
}

fn in_params(error: &str) -> Value {
    json!({"params": {"error": error}})
}

#[test]
fn two_people_meet_in_exactly_the_documented_frames() {
    let mut world = World::new();
    let ana = world.open_as(watersmeet_conference::ConnectRequest::new(
        watersmeet_conference::DialectKind::SocketIo(CALL),
    ));
    let greeting = world.all(ana);
    let sid = greeting[0]["connect"]["sid"].clone();
    let success = json!({"event": "connection-success", "payload": {"socketId": sid}});
    assert_eq!(greeting[1..], [success]);

    let answer = world.call_ask(ana, "joinRoom", json!({"roomName": "r"}));
    assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
    let create = json!({"consumer": false, "roomName": "r"});
    let created = world.call_ask(ana, "createWebRtcTransport", create);
    let expected = json!({"params": {
        "id": created["params"]["id"],
        "iceParameters": ice_parameters(),
        "iceCandidates": [candidate()],
        "dtlsParameters": dtls_parameters("auto"),
    }});
    assert_eq!(created, expected);
    let send = text(&created["params"]["id"]);
    let answer = world.call_ask(ana, "transport-connect", connect("transportId", &send));
    assert_eq!(answer, json!({"connected": true}));
    let produced = world.call_ask(ana, "transport-produce", produce_here("video"));
    let camera = produced["id"].clone();
    assert_eq!(produced, json!({"id": camera, "producersExist": false}));
    let camera = text(&camera);

    let ben = world.call_joined("r");
    assert_eq!(world.all(ben), Vec::<Value>::new());
    world.call_transport(ben, false);
    let produced = world.call_ask(ben, "transport-produce", produce_here("audio"));
    assert_eq!(produced["producersExist"], true);
    assert_eq!(world.all(ana), [added(&text(&produced["id"]))]);
    let listed = world.call_ask(ben, "getProducers", Value::Null);
    assert_eq!(listed, json!([camera]));

    let receive = world.call_transport(ben, true);
    let consumed = world.call_ask(ben, "consume", consume_on(&camera, &receive));
    let consumer = consumed["params"]["id"].clone();
    let expected = json!({"params": {
        "id": consumer,
        "producerId": camera,
        "kind": "video",
        "rtpParameters": rtp_parameters(),
        "serverConsumerId": consumer,
    }});
    assert_eq!(consumed, expected);
    let connect = connect("serverConsumerTransportId", &receive);
    let answer = world.call_ask(ben, "transport-recv-connect", connect);
    assert_eq!(answer, json!({"connected": true}));
    let resume = json!({"serverConsumerId": consumer});
    world.emit(ben, CALL, "consumer-resume", resume.clone());
    assert_eq!(world.all(ben), Vec::<Value>::new());
    let answer = world.call_ask(ben, "consumer-resume", resume);
    assert_eq!(answer, json!({"resumed": true}));

    world.close(ana);
    assert_eq!(world.all(ben), [closed(&camera)]);
    world.close(ben);
    world.assert_empty();
}

#[test]
fn the_other_namespace_begins_with_the_same_word() {
    let mut world = World::new();
    let (ana, _) = world.open_socket(Namespace::Mediasoup);
    let join = json!({"roomName": "r"});
    let answer = world.call(ana, Namespace::Mediasoup, "joinRoom", join);
    assert_eq!(answer, Some(json!({"rtpCapabilities": capabilities()})));
    let ben = world.call_joined("r");
    world.call_transport(ben, false);
    let camera = world.call_produce(ben, "video");
    assert_eq!(world.all(ana), [added(&camera)]);
}

#[test]
fn who_names_no_room_is_in_the_default_one() {
    let mut world = World::new();
    let (native, _) = world.joined("lobby");
    world.call_joined("");
    assert_eq!(world.types(native), ["newPeer"]);
    let (ana, _) = world.open_socket(CALL);
    world.call_ask(ana, "joinRoom", Value::Null);
    assert_eq!(world.types(native), ["newPeer"]);
}

#[test]
fn a_second_room_leaves_the_first_with_everything() {
    let mut world = World::new();
    let ana = world.call_joined("first");
    world.call_transport(ana, false);
    let camera = world.call_produce(ana, "video");
    let ben = world.call_joined("first");
    world.call_consume(ben, &camera);

    world.call_ask(ana, "joinRoom", json!({"roomName": "second"}));
    assert_eq!(world.all(ben), [closed(&camera)]);
    assert_eq!(world.conference.gauges().transports, 0);
    // The transport it sent on was the other room's.
    let answer = world.call_ask(ana, "transport-produce", produce_here("video"));
    assert_eq!(answer, json!({"error": "Transport not found"}));
    world.call_transport(ana, false);
    world.call_produce(ana, "video");
    assert_eq!(world.all(ben), Vec::<Value>::new());

    // The same room again starts afresh, and nobody hears of it but by what ended.
    let cara = world.call_joined("second");
    world.call_ask(ana, "joinRoom", json!({"roomName": "second"}));
    assert_eq!(world.all(cara).len(), 1);
    let listed = world.call_ask(cara, "getProducers", json!({}));
    assert_eq!(listed, json!([]));
}

#[test]
fn a_leaver_takes_its_producers_and_their_transports_along() {
    let mut world = World::new();
    let ana = world.call_joined("r");
    world.call_transport(ana, false);
    let producers = ["video", "audio"].map(|kind| world.call_produce(ana, kind));
    let ben = world.call_joined("r");
    for producer in &producers {
        world.call_consume(ben, producer);
    }
    assert_eq!(world.conference.gauges().transports, 3);
    world.close(ana);
    let mut told = world.all(ben);
    told.sort_by_key(|it| it["payload"]["remoteProducerId"] != json!(producers[0]));
    assert_eq!(told, [closed(&producers[0]), closed(&producers[1])]);
    assert_eq!(world.conference.gauges().transports, 0);
    assert!(world.shards.iter().all(|it| it.transports.is_empty()));
}

#[test]
fn one_transport_for_all_goes_with_the_last_that_arrives_on_it() {
    let mut world = World::new();
    let [ana, cara] = [(); 2].map(|()| {
        let session = world.call_joined("r");
        world.call_transport(session, false);
        session
    });
    let producers = [ana, cara].map(|who| world.call_produce(who, "video"));
    let ben = world.call_joined("r");
    let receive = world.call_transport(ben, true);
    for producer in &producers {
        let answer = world.call_ask(ben, "consume", consume_on(producer, &receive));
        assert_eq!(answer["params"]["producerId"], json!(producer));
    }
    world.close(ana);
    assert_eq!(world.all(ben), [closed(&producers[0])]);
    assert_eq!(world.conference.gauges().consumers, 1);
    world.close(cara);
    assert_eq!(world.all(ben), [closed(&producers[1])]);
    assert_eq!(world.conference.gauges().transports, 0);
}

#[test]
fn a_transport_for_a_producer_that_ended_meanwhile_is_not_left_behind() {
    let mut world = World::new();
    let ana = world.call_joined("r");
    world.call_transport(ana, false);
    let camera = world.call_produce(ana, "video");
    let ben = world.call_joined("r");
    let receive = world.call_transport(ben, true);
    world.close(ana);
    world.all(ben);
    assert_eq!(world.conference.gauges().transports, 1);
    let answer = world.call_ask(ben, "consume", consume_on(&camera, &receive));
    assert_eq!(answer, in_params("Producer not found"));
    assert_eq!(world.conference.gauges().transports, 0);

    // While the wish is on its way it ends with the producer.
    let cara = world.call_joined("r");
    world.call_transport(cara, false);
    let camera = world.call_produce(cara, "video");
    let receive = world.call_transport(ben, true);
    world.all(ben);
    world.prompt = false;
    let text = format!(
        "2/call,8{}",
        json!(["consume", consume_on(&camera, &receive)])
    );
    world.send_text(ben, &text);
    world.close(cara);
    world.answer_all();
    let frames = world.all(ben);
    assert!(frames.contains(&closed(&camera)), "{frames:?}");
    let refused = json!({"ack": 8, "payload": in_params("Producer not found")});
    assert!(frames.contains(&refused), "{frames:?}");
    assert_eq!(world.conference.gauges().transports, 0);
    assert!(world.shards.iter().all(|it| it.transports.is_empty()));
}

#[test]
fn refusals_have_the_form_that_each_request_is_answered_in() {
    let mut world = World::new();
    let (ana, _) = world.open_socket(CALL);
    let outside = "Not in a room";
    let create = json!({"consumer": true});
    let answer = world.call_ask(ana, "createWebRtcTransport", create);
    assert_eq!(answer, in_params(outside));
    let answer = world.call_ask(ana, "getProducers", json!({}));
    assert_eq!(answer, json!({"error": outside}));

    world.call_ask(ana, "joinRoom", json!({"roomName": "r"}));
    let no_transport = json!({"error": "Transport not found"});
    let no_consumer = json!({"error": "Consumer not found"});
    let long = "x".repeat(ConferenceLimits::default().name_len_max + 1);
    let table = [
        (
            "joinRoom",
            json!({"roomName": long}),
            json!({"error": "roomId is too long"}),
        ),
        (
            "transport-connect",
            connect("transportId", NOTHING),
            no_transport.clone(),
        ),
        (
            "transport-produce",
            produce_here("video"),
            no_transport.clone(),
        ),
        (
            "transport-recv-connect",
            connect("serverConsumerTransportId", NOTHING),
            no_transport,
        ),
        (
            "consume",
            consume_on(NOTHING, NOTHING),
            in_params("Producer not found"),
        ),
        (
            "consumer-resume",
            json!({"serverConsumerId": NOTHING}),
            no_consumer.clone(),
        ),
        (
            "consumer-resume",
            json!({"serverConsumerId": "none"}),
            no_consumer,
        ),
        (
            "getRtpCapabilities",
            json!({}),
            json!({"error": "Unknown message type"}),
        ),
        (
            "nonsense",
            json!({}),
            json!({"error": "Unknown message type"}),
        ),
    ];
    for (event, payload, expected) in table {
        assert_eq!(world.call_ask(ana, event, payload), expected, "{event}");
    }
    let answer = world.call_ask(ana, "createWebRtcTransport", json!({}));
    let error = text(&answer["params"]["error"]);
    assert!(error.contains("consumer"), "{error}");
    // Nobody waits for this one.
    world.emit(ana, CALL, "nonsense", json!({}));
    assert_eq!(world.all(ana), Vec::<Value>::new());
}

#[test]
fn nobody_reaches_what_is_another_persons_or_in_another_room() {
    let mut world = World::new();
    let ana = world.call_joined("r");
    let send = world.call_transport(ana, false);
    let camera = world.call_produce(ana, "video");
    let ben = world.call_joined("r");
    let (receive, consumer) = world.call_consume(ben, &camera);
    let elsewhere = world.call_joined("elsewhere");
    let transport_there = world.call_transport(elsewhere, true);

    for stranger in [ben, elsewhere] {
        let answer = world.call_ask(stranger, "transport-connect", connect("transportId", &send));
        assert_eq!(answer, json!({"error": "Transport not found"}));
    }
    for stranger in [ana, elsewhere] {
        let resume = json!({"serverConsumerId": consumer});
        let answer = world.call_ask(stranger, "consumer-resume", resume);
        assert_eq!(answer, json!({"error": "Consumer not found"}));
        let connect = connect("serverConsumerTransportId", &receive);
        let answer = world.call_ask(stranger, "transport-recv-connect", connect);
        assert_eq!(answer, json!({"error": "Transport not found"}));
    }
    let wish = consume_on(&camera, &transport_there);
    let answer = world.call_ask(elsewhere, "consume", wish);
    assert_eq!(answer, in_params("Producer not found"));
    let answer = world.call_ask(elsewhere, "getProducers", json!({}));
    assert_eq!(answer, json!([]));
    // One's own producers are not to be received, and not on another's transport.
    let own = world.call_transport(ana, true);
    let answer = world.call_ask(ana, "consume", consume_on(&camera, &own));
    assert_eq!(answer, in_params("Producer not found"));
    let answer = world.call_ask(ben, "consume", consume_on(&camera, &send));
    assert_eq!(answer, in_params("Transport not found"));
}

#[test]
fn whoever_has_to_wait_is_answered_when_it_is_let_in() {
    let mut world = World::new();
    let (host, _) = world.joined("r");
    let policy = json!({"action": "setPolicy", "policy": "approval"});
    world.get(host, "moderate", policy, "done");
    world.all(host);
    let (ana, _) = world.open_socket(CALL);
    for ack in [1, 2] {
        world.send_text(
            ana,
            &format!(r#"2/call,{ack}["joinRoom",{{"roomName":"r"}}]"#),
        );
    }
    // The second time is the one that waits.
    let refused = json!({"ack": 1, "payload": {"error": "Not in a room"}});
    assert_eq!(world.all(ana), [refused]);
    let asked = world.all(host).pop().unwrap();
    assert_eq!(asked["type"], "joinRequested");
    let admit = json!({"action": "admit", "peerId": asked["payload"]["peerId"]});
    world.get(host, "moderate", admit, "done");
    let told = json!({"ack": 2, "payload": {"rtpCapabilities": capabilities()}});
    assert_eq!(world.all(ana), [told]);
}

#[test]
fn lost_media_makes_clients_connect_anew_and_who_is_sent_away_is_not() {
    let mut world = World::new();
    let (host, _) = world.joined("r");
    let ana = world.call_joined("r");
    let peer = world.all(host).pop().unwrap()["payload"]["peerId"].clone();
    let remove = json!({"action": "remove", "peerId": peer});
    world.get(host, "moderate", remove, "done");
    assert_eq!(world.closed.get(&ana), Some(&1000));

    let ben = world.call_joined("r");
    let send = world.call_transport(ben, false);
    world.engine_closes(&send);
    let answer = world.call_ask(ben, "transport-produce", produce_here("video"));
    assert_eq!(answer, json!({"error": "Transport not found"}));
    world.call_transport(ben, false);
    let shard = world.shards.iter().position(|it| !it.transports.is_empty());
    world.lose(ShardId(u8::try_from(shard.unwrap()).unwrap()));
    assert_eq!(world.closed.get(&ben), Some(&1012));
    world.close(host);
    world.assert_empty();
}
