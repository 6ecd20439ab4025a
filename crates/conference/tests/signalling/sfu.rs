//! Clients of the sfu dialect: they name no room and receive each producer on a transport of its own.

use serde_json::{Value, json};
use watersmeet_conference::{
    ConferenceConfig, ConferenceLimits, ConnectRequest, DialectKind, Namespace, SessionId, ShardId,
};

use super::harness::*;

impl TestConference {
    /// Opens a connection with the room of its address, or without one.
    fn sfu_open(&mut self, room: Option<&str>) -> SessionId {
        let mut connection = ConnectRequest::new(DialectKind::SocketIo(Namespace::Main));
        connection.room = room.map(str::to_owned);
        let session = self.open_with(connection);
        assert!(self.next_frame(session)["connect"]["sid"].is_string());
        session
    }

    /// Opens a connection, requests capabilities and reads all frames.
    fn sfu_join(&mut self) -> SessionId {
        let session = self.sfu_open(None);
        self.sfu_request(session, "getRtpCapabilities", Value::Null);
        self.take_frames(session);
        session
    }

    fn sfu_request(&mut self, client: SessionId, event: &str, payload: Value) -> Value {
        let answer = self.emit_with_ack(client, Namespace::Main, event, payload);
        answer.unwrap_or_else(|| panic!("{event} was not acknowledged"))
    }

    fn sfu_emit(&mut self, client: SessionId, event: &str, payload: Value) {
        self.emit(client, Namespace::Main, event, payload);
    }

    fn sfu_send_transport(&mut self, client: SessionId) -> String {
        let answer = self.sfu_request(client, "createWebRtcTransport", json!({"sender": true}));
        text(&answer["params"]["id"])
    }

    fn sfu_produce(&mut self, client: SessionId, kind: &str) -> String {
        let produce = json!({"kind": kind, "rtpParameters": rtp_parameters(), "appData": {}});
        let answer = self.sfu_request(client, "transport-produce", produce);
        text(&answer["id"])
    }

    fn sfu_recv_transport(&mut self, client: SessionId, producer: &str) -> String {
        let create = json!({"sender": false, "producerId": producer});
        let answer = self.sfu_request(client, "createWebRtcTransport", create);
        text(&answer["params"]["id"])
    }

    fn sfu_consume(&mut self, client: SessionId, producer: &str, transport: &str) -> String {
        let answer = self.sfu_request(client, "consume", consume_payload(producer, transport));
        text(&answer["params"]["id"])
    }
}

fn consume_payload(producer: &str, transport: &str) -> Value {
    json!({
        "rtpCapabilities": capabilities(), "producerId": producer, "transportId": transport,
    })
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

fn connect_payload() -> Value {
    json!({"dtlsParameters": dtls_parameters("client")})
}

#[test]
fn two_clients_meet_in_exactly_the_documented_frames() {
    let mut test = TestConference::new();
    let ana = test.sfu_open(None);
    // This client sends no argument.
    test.send_text(ana, r#"20["getRtpCapabilities"]"#);
    let received = json!({"rtpCapabilities": capabilities()});
    assert_eq!(
        test.take_frames(ana),
        [json!({"ack": 0, "payload": received})]
    );

    let created = test.sfu_request(ana, "createWebRtcTransport", json!({"sender": true}));
    let transport = |id: &Value| {
        json!({"params": {
            "id": id,
            "iceParameters": ice_parameters(),
            "iceCandidates": [candidate()],
            "dtlsParameters": dtls_parameters("auto"),
        }})
    };
    assert_eq!(created, transport(&created["params"]["id"]));
    test.sfu_emit(ana, "transport-connect", connect_payload());
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
    let camera = test.sfu_produce(ana, "video");

    let ben = test.sfu_join();
    test.sfu_send_transport(ben);
    let mic = test.sfu_produce(ben, "audio");
    assert_eq!(test.take_frames(ana), [added(&mic, "audio")]);

    let create = json!({"producing": false, "producerId": camera});
    let created = test.sfu_request(ben, "createWebRtcTransport", create);
    let receive = created["params"]["id"].clone();
    assert_eq!(created, transport(&receive));
    let consumed = test.sfu_request(ben, "consume", consume_payload(&camera, &text(&receive)));
    let consumer = consumed["params"]["id"].clone();
    let expected = json!({"params": {
        "id": consumer, "producerId": camera, "kind": "video", "rtpParameters": rtp_parameters(),
    }});
    assert_eq!(consumed, expected);
    let mut connect = connect_payload();
    connect["producerId"] = json!(camera);
    test.sfu_emit(ben, "transport-recv-connect", connect);
    test.sfu_emit(ben, "consumer-resume", json!({"consumerId": consumer}));
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());

    test.close(ana);
    assert_eq!(test.take_frames(ben), [deleted(&camera)]);
    test.close(ben);
    test.assert_empty();
}

#[test]
fn get_router_rtp_capabilities_returns_capabilities_without_an_object_around_them() {
    let mut test = TestConference::new();
    let ana = test.sfu_open(None);
    let answer = test.sfu_request(ana, "getRouterRtpCapabilities", json!({}));
    assert_eq!(answer, capabilities());
}

#[test]
fn existing_producers_are_announced_once_after_the_first_capabilities() {
    let mut test = TestConference::new();
    let ana = test.sfu_join();
    let send = test.sfu_send_transport(ana);
    let first = test.sfu_produce(ana, "video");
    let gone = test.sfu_produce(ana, "audio");

    // Entering the room announces nothing: this client cannot receive yet.
    let ben = test.sfu_open(None);
    let send_of_ben = test.sfu_send_transport(ben);
    let second = test.sfu_produce(ana, "video");
    let producer = watersmeet_engine::command::ProducerId::parse(&gone).unwrap();
    let closed = watersmeet_engine::command::Event::ProducerClosed { producer };
    let shard = test
        .shards
        .iter()
        .position(|it| it.producers.contains_key(&producer));
    let shard = shard.unwrap();
    test.shards[shard].producers.remove(&producer);
    test.report_event(ShardId(u8::try_from(shard).unwrap()), closed);
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());

    test.send_text(ben, r#"27["getRtpCapabilities"]"#);
    let frames = test.take_frames(ben);
    assert_eq!(frames[0]["ack"], 7);
    assert_eq!(
        frames[1..],
        [added(&first, "video"), added(&second, "video")]
    );
    // They are only announced once.
    test.sfu_request(ben, "getRtpCapabilities", Value::Null);
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
    let third = test.sfu_produce(ana, "video");
    assert_eq!(test.take_frames(ben), [added(&third, "video")]);
    test.close_transport_in_engine(&send);
    let mut removed = test.take_frames(ben);
    removed.sort_by_key(|it| it["payload"]["producerId"].to_string());
    let mut expected = [deleted(&first), deleted(&second), deleted(&third)];
    expected.sort_by_key(|it| it["payload"]["producerId"].to_string());
    assert_eq!(removed, expected);
    test.close_transport_in_engine(&send_of_ben);
    let produce = json!({"kind": "video", "rtpParameters": rtp_parameters()});
    let answer = test.sfu_request(ben, "transport-produce", produce);
    assert_eq!(answer, json!({"error": "Transport not found"}));
}

#[test]
fn listed_producers_are_not_announced_again() {
    let mut test = TestConference::new();
    let ana = test.sfu_join();
    test.sfu_send_transport(ana);
    let camera = test.sfu_produce(ana, "video");
    let ben = test.sfu_open(None);
    test.sfu_send_transport(ben);
    test.sfu_produce(ben, "audio");
    let listed = test.sfu_request(ben, "getAvailableProducers", Value::Null);
    assert_eq!(listed, json!([{"id": camera, "kind": "video"}]));
    test.sfu_request(ben, "getRtpCapabilities", Value::Null);
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
}

#[test]
fn only_events_that_want_an_acknowledgement_get_one() {
    let mut test = TestConference::new();
    let ana = test.sfu_join();
    let send = test.sfu_send_transport(ana);
    let mut connect = connect_payload();
    connect["transportId"] = json!(send);
    let answer = test.sfu_request(ana, "transport-connect", connect);
    assert_eq!(answer, json!({"connected": true}));
    let camera = test.sfu_produce(ana, "video");
    let ben = test.sfu_join();
    let receive = test.sfu_recv_transport(ben, &camera);
    assert_eq!(
        test.sfu_recv_transport(ben, &camera),
        receive,
        "requested twice"
    );
    test.sfu_consume(ben, &camera, &receive);
    let mut connect = connect_payload();
    connect["producerId"] = json!(camera);
    let answer = test.sfu_request(ben, "transport-recv-connect", connect);
    assert_eq!(answer, json!({"connected": true}));
    // Without an id the newest consumer is resumed.
    let answer = test.sfu_request(ben, "consumer-resume", Value::Null);
    assert_eq!(answer, json!({"resumed": true}));
    // Without an acknowledgement failures are not reported.
    for event in [
        "createWebRtcTransport",
        "consume",
        "consumer-resume",
        "nonsense",
    ] {
        test.sfu_emit(ana, event, json!({"consumerId": UNKNOWN_ID}));
    }
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
}

#[test]
fn producers_and_their_receive_transports_are_closed_when_their_owner_leaves() {
    let mut test = TestConference::new();
    let ana = test.sfu_join();
    test.sfu_send_transport(ana);
    let producers = [
        test.sfu_produce(ana, "video"),
        test.sfu_produce(ana, "audio"),
    ];
    let ben = test.sfu_join();
    for producer in &producers {
        let receive = test.sfu_recv_transport(ben, producer);
        test.sfu_consume(ben, producer, &receive);
    }
    assert_eq!(test.conference.gauges().transports, 3);
    test.close(ana);
    let mut received = test.take_frames(ben);
    received.sort_by_key(|it| it["payload"]["producerId"] != json!(producers[0]));
    assert_eq!(received, [deleted(&producers[0]), deleted(&producers[1])]);
    test.assert_no_transports();
}

#[test]
fn a_shared_receive_transport_is_closed_with_its_last_producer() {
    let mut test = TestConference::new();
    let [ana, cara] = [(); 2].map(|()| {
        let session = test.sfu_join();
        test.sfu_send_transport(session);
        session
    });
    let (camera, mic) = (
        test.sfu_produce(ana, "video"),
        test.sfu_produce(cara, "audio"),
    );
    let ben = test.sfu_join();
    let receive = test.sfu_recv_transport(ben, &camera);
    test.sfu_consume(ben, &camera, &receive);
    test.sfu_consume(ben, &mic, &receive);
    test.close(ana);
    assert_eq!(test.take_frames(ben), [deleted(&camera)]);
    assert_eq!(test.conference.gauges().consumers, 1);
    test.close(cara);
    assert_eq!(test.take_frames(ben), [deleted(&mic)]);
    assert_eq!(test.conference.gauges().transports, 0);
}

#[test]
fn a_receive_transport_is_closed_when_its_producer_was_closed_meanwhile() {
    let mut test = TestConference::new();
    let ana = test.sfu_join();
    test.sfu_send_transport(ana);
    let camera = test.sfu_produce(ana, "video");
    let ben = test.sfu_join();
    test.executes_immediately = false;
    let create = json!({"sender": false, "producerId": camera});
    let text = socketio_request(9, "createWebRtcTransport", &create);
    test.send_text(ben, &text);
    test.close(ana);
    assert_eq!(test.take_frames(ben), [deleted(&camera)]);
    test.execute_all_commands();
    let refused = json!({"ack": 9, "payload": params_error("Producer not found")});
    assert_eq!(test.take_frames(ben), [refused]);
    test.assert_no_transports();
}

/// Returns an event that wants an acknowledgement, as text.
fn socketio_request(ack: u64, event: &str, payload: &Value) -> String {
    format!("2{ack}{}", json!([event, payload]))
}

#[test]
fn refusals_have_the_form_of_the_acknowledgement_of_their_request() {
    let mut test = TestConference::new();
    let ana = test.sfu_join();
    let request = |test: &mut TestConference, event: &str, payload: Value| {
        test.sfu_request(ana, event, payload)
    };
    let produce = json!({"kind": "video", "rtpParameters": rtp_parameters()});
    let receive = json!({"sender": false, "producerId": UNKNOWN_ID});
    let mut connect = connect_payload();
    connect["producerId"] = json!(UNKNOWN_ID);
    let no_transport = json!({"error": "Transport not found"});
    let no_consumer = json!({"error": "Consumer not found"});
    let no_producer = params_error("Producer not found");
    let table = [
        ("transport-connect", connect_payload(), no_transport.clone()),
        ("transport-produce", produce, no_transport.clone()),
        ("transport-recv-connect", connect, no_transport),
        ("createWebRtcTransport", receive, no_producer.clone()),
        (
            "createWebRtcTransport",
            json!({}),
            params_error("producerId is missing"),
        ),
        (
            "consume",
            consume_payload(UNKNOWN_ID, UNKNOWN_ID),
            no_producer.clone(),
        ),
        ("consume", consume_payload("no id", UNKNOWN_ID), no_producer),
        ("consumer-resume", json!({}), no_consumer.clone()),
        (
            "consumer-resume",
            json!({"consumerId": UNKNOWN_ID}),
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
        assert_eq!(request(&mut test, event, payload), expected, "{event}");
    }
    let answer = request(&mut test, "consume", json!({"producerId": UNKNOWN_ID}));
    let error = text(&answer["params"]["error"]);
    assert!(error.contains("rtpCapabilities"), "{error}");
    assert_eq!(test.closed.len(), 0);
}

#[test]
fn objects_of_other_participants_and_rooms_are_not_found() {
    let mut test = TestConference::new();
    let ana = test.sfu_join();
    let send = test.sfu_send_transport(ana);
    let camera = test.sfu_produce(ana, "video");
    let ben = test.sfu_join();
    let receive = test.sfu_recv_transport(ben, &camera);
    let consumer = test.sfu_consume(ben, &camera, &receive);
    let elsewhere = test.sfu_open(Some("elsewhere"));
    test.sfu_request(elsewhere, "getRtpCapabilities", Value::Null);
    assert_eq!(test.take_frames(elsewhere), Vec::<Value>::new());

    for other in [ben, elsewhere] {
        let mut connect = connect_payload();
        connect["transportId"] = json!(send);
        let answer = test.sfu_request(other, "transport-connect", connect);
        assert_eq!(answer, json!({"error": "Transport not found"}));
        let produce = json!({
            "transportId": send, "kind": "video", "rtpParameters": rtp_parameters(),
        });
        let answer = test.sfu_request(other, "transport-produce", produce);
        assert_eq!(answer, json!({"error": "Transport not found"}));
    }
    for other in [ana, elsewhere] {
        let resume = json!({"consumerId": consumer});
        let answer = test.sfu_request(other, "consumer-resume", resume);
        assert_eq!(answer, json!({"error": "Consumer not found"}));
    }
    let answer = test.sfu_request(elsewhere, "consume", consume_payload(&camera, &receive));
    assert_eq!(answer, params_error("Producer not found"));
    // A client cannot receive its own producers.
    let create = json!({"sender": false, "producerId": camera});
    let answer = test.sfu_request(ana, "createWebRtcTransport", create);
    assert_eq!(answer, params_error("Producer not found"));
    // A client cannot use another's transport.
    let answer = test.sfu_request(ben, "consume", consume_payload(&camera, &send));
    assert_eq!(answer, params_error("Transport not found"));
}

#[test]
fn every_request_of_a_refused_client_tries_to_join_again() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        participants_max: 1,
        ..ConferenceLimits::default()
    });
    let ana = test.sfu_join();
    let ben = test.sfu_open(None);
    let full = "Too many participants";
    let answer = test.sfu_request(ben, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"error": full}));
    let answer = test.sfu_request(ben, "createWebRtcTransport", json!({"sender": true}));
    assert_eq!(answer, params_error(full));
    test.close(ana);
    let answer = test.sfu_request(ben, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
}

#[test]
fn a_client_without_a_token_is_refused_when_one_is_required() {
    let mut test = TestConference::new();
    let mut connection = ConnectRequest::new(DialectKind::SocketIo(Namespace::Main));
    connection.token_required = true;
    let session = test.open_with(connection);
    test.take_frames(session);
    let answer = test.sfu_request(session, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"error": "Invalid token"}));
}

#[test]
fn a_waiting_client_is_answered_when_it_is_admitted() {
    let mut test = TestConference::with(ConferenceConfig {
        policy: watersmeet_conference::message::Policy::Approval,
        ..config()
    });
    let (host, _) = test.join("lobby");
    let send = test.create_transport(host, "send");
    let camera = test.produce(host, &send, "video");
    let ben = test.sfu_open(None);
    test.send_text(ben, r#"21["getRtpCapabilities"]"#);
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
    let answer = test.sfu_request(ben, "createWebRtcTransport", json!({"sender": true}));
    assert_eq!(answer, params_error("Not in a room"));
    let requested = test.take_frames(host).pop().unwrap();
    let admit = json!({"action": "admit", "peerId": requested["payload"]["peerId"]});
    test.moderate(host, admit);
    let frames = test.take_frames(ben);
    assert_eq!(frames[0]["ack"], 1);
    assert_eq!(frames[0]["payload"]["rtpCapabilities"], capabilities());
    assert_eq!(frames[1..], [added(&camera, "video")]);

    let cara = test.sfu_open(None);
    test.send_text(cara, r#"21["getRtpCapabilities"]"#);
    let requested = test.take_frames(host).pop().unwrap();
    let deny = json!({"action": "deny", "peerId": requested["payload"]["peerId"]});
    test.moderate(host, deny);
    assert_eq!(test.closed.get(&cara), Some(&1000));
}

#[test]
fn connections_are_closed_with_1012_after_lost_media_and_1000_after_removal() {
    let mut test = TestConference::new();
    let (host, _) = test.join("lobby");
    let ana = test.sfu_join();
    let announced = test.take_frames(host);
    let peer = announced.last().unwrap()["payload"]["peerId"].clone();
    let remove = json!({"action": "remove", "peerId": peer});
    test.moderate(host, remove);
    assert_eq!(test.closed.get(&ana), Some(&1000));

    let ben = test.sfu_join();
    test.sfu_send_transport(ben);
    test.lose_shard_with_transports();
    assert_eq!(test.closed.get(&ben), Some(&1012));
    test.close(host);
    test.assert_empty();
}

#[test]
fn clients_of_the_namespace_mediasoup_are_served() {
    let mut test = TestConference::new();
    let (ana, _) = test.open_socket(Namespace::Mediasoup);
    let answer = test.emit_with_ack(ana, Namespace::Mediasoup, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, Some(json!({"rtpCapabilities": capabilities()})));
}

#[test]
fn the_first_request_can_be_repeated_after_the_rate_limit() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        messages_burst: 1,
        messages_per_second: 1,
        ..ConferenceLimits::default()
    });
    let ana = test.sfu_open(None);
    test.sfu_emit(ana, "nonsense", json!({}));
    let answer = test.sfu_request(ana, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"error": "Too many messages"}));
    test.advance(std::time::Duration::from_secs(2));
    let answer = test.sfu_request(ana, "getRtpCapabilities", Value::Null);
    assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
}

#[test]
fn a_client_joins_the_default_room_when_its_address_has_an_empty_one() {
    let mut test = TestConference::new();
    let (native, _) = test.join("lobby");
    let ana = test.sfu_open(Some(""));
    test.sfu_request(ana, "getRtpCapabilities", Value::Null);
    assert_eq!(test.take_types(native), ["newPeer"]);
}

#[test]
fn consuming_everything_in_a_full_room_stays_within_the_rate_limit() {
    let mut test = TestConference::new();
    let mut producers = Vec::new();
    for _ in 0..60 {
        let ana = test.sfu_join();
        test.sfu_send_transport(ana);
        producers.extend(["video", "audio"].map(|kind| test.sfu_produce(ana, kind)));
    }
    let ben = test.sfu_join();
    for producer in &producers {
        let receive = test.sfu_recv_transport(ben, producer);
        let consumer = test.sfu_consume(ben, producer, &receive);
        let mut connect = connect_payload();
        connect["producerId"] = json!(producer);
        test.sfu_emit(ben, "transport-recv-connect", connect);
        test.sfu_emit(ben, "consumer-resume", json!({"consumerId": consumer}));
    }
    assert_eq!(test.conference.gauges().consumers, producers.len());
    assert_eq!(test.closed.len(), 0);
}
