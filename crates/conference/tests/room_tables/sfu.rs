//! The sfu dialect over a whole conference: clients that name no room and receive each producer on
//! a transport of its own.

use serde_json::{Value, json};
use watersmeet_conference::{
    ConferenceConfig, ConferenceLimits, ConnectRequest, DialectKind, Namespace, SessionId, ShardId,
};

use super::world::*;

const NOTHING: &str = "00000000-0000-4000-8000-000000000000";

impl World {
    /// A client in the room of its address, or in the default one.
    fn sfu(&mut self, room: Option<&str>) -> SessionId {
        let mut opening = ConnectRequest::new(DialectKind::SocketIo(Namespace::Main));
        opening.room = room.map(str::to_owned);
        let session = self.open_as(opening);
        assert!(self.next(session)["connect"]["sid"].is_string());
        session
    }

    /// A client that has its capabilities and has read everything.
    fn sfu_ready(&mut self) -> SessionId {
        let session = self.sfu(None);
        self.sfu_ask(session, "getRtpCapabilities", Value::Null);
        self.all(session);
        session
    }

    fn sfu_ask(&mut self, who: SessionId, event: &str, payload: Value) -> Value {
        let answer = self.call(who, Namespace::Main, event, payload);
        answer.unwrap_or_else(|| panic!("{event} was not acknowledged"))
    }

    fn sfu_emit(&mut self, who: SessionId, event: &str, payload: Value) {
        self.emit(who, Namespace::Main, event, payload);
    }

    fn sfu_send(&mut self, who: SessionId) -> String {
        let answer = self.sfu_ask(who, "createWebRtcTransport", json!({"sender": true}));
        text(&answer["params"]["id"])
    }

    fn sfu_produce(&mut self, who: SessionId, kind: &str) -> String {
        let produce = json!({"kind": kind, "rtpParameters": rtp_parameters(), "appData": {}});
        let answer = self.sfu_ask(who, "transport-produce", produce);
        text(&answer["id"])
    }

    fn sfu_receive(&mut self, who: SessionId, producer: &str) -> String {
        let create = json!({"sender": false, "producerId": producer});
        let answer = self.sfu_ask(who, "createWebRtcTransport", create);
        text(&answer["params"]["id"])
    }

    fn sfu_consume(&mut self, who: SessionId, producer: &str, transport: &str) -> String {
        let answer = self.sfu_ask(who, "consume", sfu_consume(producer, transport));
        text(&answer["params"]["id"])
    }
}

fn sfu_consume(producer: &str, transport: &str) -> Value {
    json!({
        "rtpCapabilities": capabilities(), "producerId": producer, "transportId": transport,
    })
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

fn event(name: &str, payload: Value) -> Value {
    json!({"event": name, "payload": payload})
}

fn added(producer: &str, kind: &str) -> Value {
    event(
        "new-producer",
        json!({"producerId": producer, "kind": kind}),
    )
}

fn deleted(producer: &str) -> Value {
    event("delete-producer", json!({"producerId": producer}))
}

fn in_params(error: &str) -> Value {
    json!({"params": {"error": error}})
}

fn dtls() -> Value {
    json!({"dtlsParameters": dtls_parameters("client")})
}

#[test]
fn two_people_meet_in_exactly_the_documented_frames() {
    let mut world = World::new();
    let ana = world.sfu(None);
    // This client asks without any argument.
    world.send_text(ana, r#"20["getRtpCapabilities"]"#);
    let told = json!({"rtpCapabilities": capabilities()});
    assert_eq!(world.all(ana), [json!({"ack": 0, "payload": told})]);

    let created = world.sfu_ask(ana, "createWebRtcTransport", json!({"sender": true}));
    let transport = |id: &Value| {
        json!({"params": {
            "id": id,
            "iceParameters": ice_parameters(),
            "iceCandidates": [candidate()],
            "dtlsParameters": dtls_parameters("auto"),
        }})
    };
    assert_eq!(created, transport(&created["params"]["id"]));
    world.sfu_emit(ana, "transport-connect", dtls());
    assert_eq!(world.all(ana), Vec::<Value>::new());
    let camera = world.sfu_produce(ana, "video");

    let ben = world.sfu_ready();
    world.sfu_send(ben);
    let mic = world.sfu_produce(ben, "audio");
    assert_eq!(world.all(ana), [added(&mic, "audio")]);

    let create = json!({"producing": false, "producerId": camera});
    let created = world.sfu_ask(ben, "createWebRtcTransport", create);
    let receive = created["params"]["id"].clone();
    assert_eq!(created, transport(&receive));
    let consumed = world.sfu_ask(ben, "consume", sfu_consume(&camera, &text(&receive)));
    let consumer = consumed["params"]["id"].clone();
    let expected = json!({"params": {
        "id": consumer, "producerId": camera, "kind": "video", "rtpParameters": rtp_parameters(),
    }});
    assert_eq!(consumed, expected);
    let mut connect = dtls();
    connect["producerId"] = json!(camera);
    world.sfu_emit(ben, "transport-recv-connect", connect);
    world.sfu_emit(ben, "consumer-resume", json!({"consumerId": consumer}));
    assert_eq!(world.all(ben), Vec::<Value>::new());

    world.close(ana);
    assert_eq!(world.all(ben), [deleted(&camera)]);
    world.close(ben);
    world.assert_empty();
}

#[test]
fn the_second_word_for_capabilities_is_answered_with_them_bare() {
    let mut world = World::new();
    let ana = world.sfu(None);
    let answer = world.sfu_ask(ana, "getRouterRtpCapabilities", json!({}));
    assert_eq!(answer, capabilities());
}

#[test]
fn who_comes_late_is_told_of_each_producer_once_after_its_first_capabilities() {
    let mut world = World::new();
    let ana = world.sfu_ready();
    let send = world.sfu_send(ana);
    let first = world.sfu_produce(ana, "video");
    let gone = world.sfu_produce(ana, "audio");

    // Entering is not enough: this client cannot receive yet.
    let ben = world.sfu(None);
    let send_of_ben = world.sfu_send(ben);
    let second = world.sfu_produce(ana, "video");
    let producer = watersmeet_engine::command::ProducerId::parse(&gone).unwrap();
    let closed = watersmeet_engine::command::Event::ProducerClosed { producer };
    let shard = world
        .shards
        .iter()
        .position(|it| it.producers.contains_key(&producer));
    let shard = shard.unwrap();
    world.shards[shard].producers.remove(&producer);
    world.event(ShardId(u8::try_from(shard).unwrap()), closed);
    assert_eq!(world.all(ben), Vec::<Value>::new());

    world.send_text(ben, r#"27["getRtpCapabilities"]"#);
    let frames = world.all(ben);
    assert_eq!(frames[0]["ack"], 7);
    assert_eq!(
        frames[1..],
        [added(&first, "video"), added(&second, "video")]
    );
    // Once told, never again.
    world.sfu_ask(ben, "getRtpCapabilities", Value::Null);
    assert_eq!(world.all(ben), Vec::<Value>::new());
    let third = world.sfu_produce(ana, "video");
    assert_eq!(world.all(ben), [added(&third, "video")]);
    world.engine_closes(&send);
    let mut ended = world.all(ben);
    ended.sort_by_key(|it| it["payload"]["producerId"].to_string());
    let mut expected = [deleted(&first), deleted(&second), deleted(&third)];
    expected.sort_by_key(|it| it["payload"]["producerId"].to_string());
    assert_eq!(ended, expected);
    world.engine_closes(&send_of_ben);
    let produce = json!({"kind": "video", "rtpParameters": rtp_parameters()});
    let answer = world.sfu_ask(ben, "transport-produce", produce);
    assert_eq!(answer, json!({"error": "Transport not found"}));
}

#[test]
fn what_was_listed_is_not_announced_again() {
    let mut world = World::new();
    let ana = world.sfu_ready();
    world.sfu_send(ana);
    let camera = world.sfu_produce(ana, "video");
    let ben = world.sfu(None);
    world.sfu_send(ben);
    world.sfu_produce(ben, "audio");
    let listed = world.sfu_ask(ben, "getAvailableProducers", Value::Null);
    assert_eq!(listed, json!([{"id": camera, "kind": "video"}]));
    world.sfu_ask(ben, "getRtpCapabilities", Value::Null);
    assert_eq!(world.all(ben), Vec::<Value>::new());
}

#[test]
fn acknowledgements_come_where_they_are_wanted() {
    let mut world = World::new();
    let ana = world.sfu_ready();
    let send = world.sfu_send(ana);
    let mut connect = dtls();
    connect["transportId"] = json!(send);
    let answer = world.sfu_ask(ana, "transport-connect", connect);
    assert_eq!(answer, json!({"connected": true}));
    let camera = world.sfu_produce(ana, "video");
    let ben = world.sfu_ready();
    let receive = world.sfu_receive(ben, &camera);
    assert_eq!(world.sfu_receive(ben, &camera), receive, "asked twice");
    world.sfu_consume(ben, &camera, &receive);
    let mut connect = dtls();
    connect["producerId"] = json!(camera);
    let answer = world.sfu_ask(ben, "transport-recv-connect", connect);
    assert_eq!(answer, json!({"connected": true}));
    // Without an id it is the newest consumer.
    let answer = world.sfu_ask(ben, "consumer-resume", Value::Null);
    assert_eq!(answer, json!({"resumed": true}));
    // Nobody waits for these, so nobody hears of their failure.
    for event in [
        "createWebRtcTransport",
        "consume",
        "consumer-resume",
        "nonsense",
    ] {
        world.sfu_emit(ana, event, json!({"consumerId": NOTHING}));
    }
    assert_eq!(world.all(ana), Vec::<Value>::new());
}

#[test]
fn a_leaver_takes_its_producers_and_their_transports_along() {
    let mut world = World::new();
    let ana = world.sfu_ready();
    world.sfu_send(ana);
    let producers = [
        world.sfu_produce(ana, "video"),
        world.sfu_produce(ana, "audio"),
    ];
    let ben = world.sfu_ready();
    for producer in &producers {
        let receive = world.sfu_receive(ben, producer);
        world.sfu_consume(ben, producer, &receive);
    }
    assert_eq!(world.conference.gauges().transports, 3);
    world.close(ana);
    let mut told = world.all(ben);
    told.sort_by_key(|it| it["payload"]["producerId"] != json!(producers[0]));
    assert_eq!(told, [deleted(&producers[0]), deleted(&producers[1])]);
    assert_eq!(world.conference.gauges().transports, 0);
    assert!(world.shards.iter().all(|it| it.transports.is_empty()));
}

#[test]
fn a_transport_on_which_something_else_arrives_stays() {
    let mut world = World::new();
    let [ana, cara] = [(); 2].map(|()| {
        let session = world.sfu_ready();
        world.sfu_send(session);
        session
    });
    let (camera, mic) = (
        world.sfu_produce(ana, "video"),
        world.sfu_produce(cara, "audio"),
    );
    let ben = world.sfu_ready();
    let receive = world.sfu_receive(ben, &camera);
    world.sfu_consume(ben, &camera, &receive);
    world.sfu_consume(ben, &mic, &receive);
    world.close(ana);
    assert_eq!(world.all(ben), [deleted(&camera)]);
    assert_eq!(world.conference.gauges().consumers, 1);
    world.close(cara);
    assert_eq!(world.all(ben), [deleted(&mic)]);
    assert_eq!(world.conference.gauges().transports, 0);
}

#[test]
fn a_transport_for_a_producer_that_ended_meanwhile_is_not_left_behind() {
    let mut world = World::new();
    let ana = world.sfu_ready();
    world.sfu_send(ana);
    let camera = world.sfu_produce(ana, "video");
    let ben = world.sfu_ready();
    world.prompt = false;
    let create = json!({"sender": false, "producerId": camera});
    let text = socketio_request(9, "createWebRtcTransport", &create);
    world.send_text(ben, &text);
    world.close(ana);
    assert_eq!(world.all(ben), [deleted(&camera)]);
    world.answer_all();
    let refused = json!({"ack": 9, "payload": in_params("Producer not found")});
    assert_eq!(world.all(ben), [refused]);
    assert_eq!(world.conference.gauges().transports, 0);
    assert!(world.shards.iter().all(|it| it.transports.is_empty()));
}

/// An event that wants an acknowledgement.
fn socketio_request(ack: u64, event: &str, payload: &Value) -> String {
    format!("2{ack}{}", json!([event, payload]))
}

#[test]
fn refusals_have_the_form_that_each_request_is_answered_in() {
    let mut world = World::new();
    let ana = world.sfu_ready();
    let ask = |world: &mut World, event: &str, payload: Value| world.sfu_ask(ana, event, payload);
    let produce = json!({"kind": "video", "rtpParameters": rtp_parameters()});
    let receive = json!({"sender": false, "producerId": NOTHING});
    let mut connect = dtls();
    connect["producerId"] = json!(NOTHING);
    let no_transport = json!({"error": "Transport not found"});
    let no_consumer = json!({"error": "Consumer not found"});
    let no_producer = in_params("Producer not found");
    let table = [
        ("transport-connect", dtls(), no_transport.clone()),
        ("transport-produce", produce, no_transport.clone()),
        ("transport-recv-connect", connect, no_transport),
        ("createWebRtcTransport", receive, no_producer.clone()),
        (
            "createWebRtcTransport",
            json!({}),
            in_params("producerId is missing"),
        ),
        (
            "consume",
            sfu_consume(NOTHING, NOTHING),
            no_producer.clone(),
        ),
        ("consume", sfu_consume("no id", NOTHING), no_producer),
        ("consumer-resume", json!({}), no_consumer.clone()),
        (
            "consumer-resume",
            json!({"consumerId": NOTHING}),
            no_consumer,
        ),
        (
            "join-room",
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
        assert_eq!(ask(&mut world, event, payload), expected, "{event}");
    }
    let answer = ask(&mut world, "consume", json!({"producerId": NOTHING}));
    let error = text(&answer["params"]["error"]);
    assert!(error.contains("rtpCapabilities"), "{error}");
    assert_eq!(world.closed.len(), 0);
}

#[test]
fn nobody_reaches_what_is_another_persons_or_in_another_room() {
    let mut world = World::new();
    let ana = world.sfu_ready();
    let send = world.sfu_send(ana);
    let camera = world.sfu_produce(ana, "video");
    let ben = world.sfu_ready();
    let receive = world.sfu_receive(ben, &camera);
    let consumer = world.sfu_consume(ben, &camera, &receive);
    let elsewhere = world.sfu(Some("elsewhere"));
    world.sfu_ask(elsewhere, "getRtpCapabilities", Value::Null);
    assert_eq!(world.all(elsewhere), Vec::<Value>::new());

    for stranger in [ben, elsewhere] {
        let mut connect = dtls();
        connect["transportId"] = json!(send);
        let answer = world.sfu_ask(stranger, "transport-connect", connect);
        assert_eq!(answer, json!({"error": "Transport not found"}));
        let produce = json!({
            "transportId": send, "kind": "video", "rtpParameters": rtp_parameters(),
        });
        let answer = world.sfu_ask(stranger, "transport-produce", produce);
        assert_eq!(answer, json!({"error": "Transport not found"}));
    }
    for stranger in [ana, elsewhere] {
        let resume = json!({"consumerId": consumer});
        let answer = world.sfu_ask(stranger, "consumer-resume", resume);
        assert_eq!(answer, json!({"error": "Consumer not found"}));
    }
    let answer = world.sfu_ask(elsewhere, "consume", sfu_consume(&camera, &receive));
    assert_eq!(answer, in_params("Producer not found"));
    // One's own producers are not to be received.
    let create = json!({"sender": false, "producerId": camera});
    let answer = world.sfu_ask(ana, "createWebRtcTransport", create);
    assert_eq!(answer, in_params("Producer not found"));
    // Neither is a transport of another any use.
    let answer = world.sfu_ask(ben, "consume", sfu_consume(&camera, &send));
    assert_eq!(answer, in_params("Transport not found"));
}

#[test]
fn the_first_request_says_why_nobody_may_come_in_and_the_next_one_tries_again() {
    let mut world = World::with_limits(ConferenceLimits {
        participants_max: 1,
        ..ConferenceLimits::default()
    });
    let ana = world.sfu_ready();
    let ben = world.sfu(None);
    let full = "Too many participants";
    let answer = world.sfu_ask(ben, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"error": full}));
    let answer = world.sfu_ask(ben, "createWebRtcTransport", json!({"sender": true}));
    assert_eq!(answer, in_params(full));
    world.close(ana);
    let answer = world.sfu_ask(ben, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
}

#[test]
fn where_a_token_is_needed_nobody_comes_in_without() {
    let mut world = World::new();
    let mut opening = ConnectRequest::new(DialectKind::SocketIo(Namespace::Main));
    opening.token_required = true;
    let session = world.open_as(opening);
    world.all(session);
    let answer = world.sfu_ask(session, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"error": "Invalid token"}));
}

#[test]
fn whoever_has_to_wait_is_answered_when_it_is_let_in() {
    let mut world = World::with(ConferenceConfig {
        policy: watersmeet_conference::message::Policy::Approval,
        ..config()
    });
    let (host, _) = world.joined("lobby");
    let send = world.transport(host, "send");
    let camera = world.produce(host, &send, "video");
    let ben = world.sfu(None);
    world.send_text(ben, r#"21["getRtpCapabilities"]"#);
    assert_eq!(world.all(ben), Vec::<Value>::new());
    let answer = world.sfu_ask(ben, "createWebRtcTransport", json!({"sender": true}));
    assert_eq!(answer, in_params("Not in a room"));
    let asked = world.all(host).pop().unwrap();
    let admit = json!({"action": "admit", "peerId": asked["payload"]["peerId"]});
    world.get(host, "moderate", admit, "done");
    let frames = world.all(ben);
    assert_eq!(frames[0]["ack"], 1);
    assert_eq!(frames[0]["payload"]["rtpCapabilities"], capabilities());
    assert_eq!(frames[1..], [added(&camera, "video")]);

    let cara = world.sfu(None);
    world.send_text(cara, r#"21["getRtpCapabilities"]"#);
    let asked = world.all(host).pop().unwrap();
    let deny = json!({"action": "deny", "peerId": asked["payload"]["peerId"]});
    world.get(host, "moderate", deny, "done");
    assert_eq!(world.closed.get(&cara), Some(&1000));
}

#[test]
fn lost_media_makes_clients_connect_anew_and_who_is_sent_away_is_not() {
    let mut world = World::new();
    let (host, _) = world.joined("lobby");
    let ana = world.sfu_ready();
    let announced = world.all(host);
    let peer = announced.last().unwrap()["payload"]["peerId"].clone();
    let remove = json!({"action": "remove", "peerId": peer});
    world.get(host, "moderate", remove, "done");
    assert_eq!(world.closed.get(&ana), Some(&1000));

    let ben = world.sfu_ready();
    world.sfu_send(ben);
    let shard = world.shards.iter().position(|it| !it.transports.is_empty());
    world.lose(ShardId(u8::try_from(shard.unwrap()).unwrap()));
    assert_eq!(world.closed.get(&ben), Some(&1012));
    world.close(host);
    world.assert_empty();
}

#[test]
fn the_other_namespace_speaks_it_too() {
    let mut world = World::new();
    let (ana, _) = world.open_socket(Namespace::Mediasoup);
    let answer = world.call(ana, Namespace::Mediasoup, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, Some(json!({"rtpCapabilities": capabilities()})));
}

#[test]
fn a_first_request_that_came_too_fast_can_be_made_again() {
    let mut world = World::with_limits(ConferenceLimits {
        messages_burst: 1,
        messages_per_second: 1,
        ..ConferenceLimits::default()
    });
    let ana = world.sfu(None);
    world.sfu_emit(ana, "nonsense", json!({}));
    let answer = world.sfu_ask(ana, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"error": "Too many messages"}));
    world.pass(std::time::Duration::from_secs(2));
    let answer = world.sfu_ask(ana, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
}

#[test]
fn an_address_with_an_empty_room_means_the_default_one() {
    let mut world = World::new();
    let (native, _) = world.joined("lobby");
    let ana = world.sfu(Some(""));
    world.sfu_ask(ana, "getRtpCapabilities", Value::Null);
    assert_eq!(world.types(native), ["newPeer"]);
}

#[test]
fn a_page_that_enters_a_full_room_is_not_taken_for_a_flood() {
    let mut world = World::new();
    let mut producers = Vec::new();
    for _ in 0..60 {
        let ana = world.sfu_ready();
        world.sfu_send(ana);
        producers.extend(["video", "audio"].map(|kind| world.sfu_produce(ana, kind)));
    }
    let ben = world.sfu_ready();
    for producer in &producers {
        let receive = world.sfu_receive(ben, producer);
        let consumer = world.sfu_consume(ben, producer, &receive);
        let mut connect = dtls();
        connect["producerId"] = json!(producer);
        world.sfu_emit(ben, "transport-recv-connect", connect);
        world.sfu_emit(ben, "consumer-resume", json!({"consumerId": consumer}));
    }
    assert_eq!(world.conference.gauges().consumers, producers.len());
    assert_eq!(world.closed.len(), 0);
}
