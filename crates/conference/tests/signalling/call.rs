//! Clients of the call dialect: they join a room by name, list its producers and receive each
//! producer on a transport of its own.

use serde_json::{Value, json};
use watersmeet_conference::{ConferenceLimits, Namespace, SessionId};

use super::harness::*;

const CALL: Namespace = Namespace::Call;

impl TestConference {
    /// Opens a connection and joins a room.
    fn call_join(&mut self, room: &str) -> SessionId {
        let (session, _) = self.open_socket(CALL);
        let answer = self.call_request(session, "joinRoom", json!({"roomName": room}));
        assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
        session
    }

    fn call_request(&mut self, client: SessionId, event: &str, payload: Value) -> Value {
        let answer = self.emit_with_ack(client, CALL, event, payload);
        answer.unwrap_or_else(|| panic!("{event} was not acknowledged"))
    }

    /// Creates a transport to receive on, or to send.
    fn call_transport(&mut self, client: SessionId, consumer: bool) -> String {
        let create = json!({"consumer": consumer, "roomName": "r"});
        let answer = self.call_request(client, "createWebRtcTransport", create);
        text(&answer["params"]["id"])
    }

    fn call_produce(&mut self, client: SessionId, kind: &str) -> String {
        let answer = self.call_request(client, "transport-produce", produce_payload(kind));
        text(&answer["id"])
    }

    /// Consumes a producer on a new transport. Returns the ids of the transport and the consumer.
    fn call_consume(&mut self, client: SessionId, producer: &str) -> (String, String) {
        let transport = self.call_transport(client, true);
        let answer = self.call_request(client, "consume", consume_payload(producer, &transport));
        (transport, text(&answer["params"]["serverConsumerId"]))
    }
}

fn produce_payload(kind: &str) -> Value {
    json!({"kind": kind, "rtpParameters": rtp_parameters(), "appData": {}})
}

fn consume_payload(producer: &str, transport: &str) -> Value {
    json!({
        "rtpCapabilities": capabilities(),
        "remoteProducerId": producer,
        "serverConsumerTransportId": transport,
    })
}

fn connect_payload(key: &str, transport: &str) -> Value {
    json!({"dtlsParameters": dtls_parameters("client"), key: transport})
}

fn added(producer: &str) -> Value {
    json!({"event": "new-producer", "payload": {"producerId": producer}})
}

fn closed(producer: &str) -> Value {
    json!({"event": "producer-closed", "payload": {"remoteProducerId": producer}})
}

#[test]
fn two_clients_meet_in_exactly_the_documented_frames() {
    let mut test = TestConference::new();
    let ana = test.open_with(watersmeet_conference::ConnectRequest::new(
        watersmeet_conference::DialectKind::SocketIo(CALL),
    ));
    let first_frames = test.take_frames(ana);
    let sid = first_frames[0]["connect"]["sid"].clone();
    let success = json!({"event": "connection-success", "payload": {"socketId": sid}});
    assert_eq!(first_frames[1..], [success]);

    let answer = test.call_request(ana, "joinRoom", json!({"roomName": "r"}));
    assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
    let create = json!({"consumer": false, "roomName": "r"});
    let created = test.call_request(ana, "createWebRtcTransport", create);
    let expected = json!({"params": {
        "id": created["params"]["id"],
        "iceParameters": ice_parameters(),
        "iceCandidates": [candidate()],
        "dtlsParameters": dtls_parameters("auto"),
    }});
    assert_eq!(created, expected);
    let send = text(&created["params"]["id"]);
    let answer = test.call_request(
        ana,
        "transport-connect",
        connect_payload("transportId", &send),
    );
    assert_eq!(answer, json!({"connected": true}));
    let produced = test.call_request(ana, "transport-produce", produce_payload("video"));
    let camera = produced["id"].clone();
    assert_eq!(produced, json!({"id": camera, "producersExist": false}));
    let camera = text(&camera);

    let ben = test.call_join("r");
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
    test.call_transport(ben, false);
    let produced = test.call_request(ben, "transport-produce", produce_payload("audio"));
    assert_eq!(produced["producersExist"], true);
    assert_eq!(test.take_frames(ana), [added(&text(&produced["id"]))]);
    let listed = test.call_request(ben, "getProducers", Value::Null);
    assert_eq!(listed, json!([camera]));

    let receive = test.call_transport(ben, true);
    let consumed = test.call_request(ben, "consume", consume_payload(&camera, &receive));
    let consumer = consumed["params"]["id"].clone();
    let expected = json!({"params": {
        "id": consumer,
        "producerId": camera,
        "kind": "video",
        "rtpParameters": rtp_parameters(),
        "serverConsumerId": consumer,
    }});
    assert_eq!(consumed, expected);
    let connect = connect_payload("serverConsumerTransportId", &receive);
    let answer = test.call_request(ben, "transport-recv-connect", connect);
    assert_eq!(answer, json!({"connected": true}));
    let resume = json!({"serverConsumerId": consumer});
    test.emit(ben, CALL, "consumer-resume", resume.clone());
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());
    let answer = test.call_request(ben, "consumer-resume", resume);
    assert_eq!(answer, json!({"resumed": true}));

    test.close(ana);
    assert_eq!(test.take_frames(ben), [closed(&camera)]);
    test.close(ben);
    test.assert_empty();
}

#[test]
fn clients_of_the_namespace_mediasoup_join_with_the_same_event() {
    let mut test = TestConference::new();
    let (ana, _) = test.open_socket(Namespace::Mediasoup);
    let join = json!({"roomName": "r"});
    let answer = test.emit_with_ack(ana, Namespace::Mediasoup, "joinRoom", join);
    assert_eq!(answer, Some(json!({"rtpCapabilities": capabilities()})));
    let ben = test.call_join("r");
    test.call_transport(ben, false);
    let camera = test.call_produce(ben, "video");
    assert_eq!(test.take_frames(ana), [added(&camera)]);
}

#[test]
fn a_client_joins_the_default_room_when_it_names_none() {
    let mut test = TestConference::new();
    let (native, _) = test.join("lobby");
    test.call_join("");
    assert_eq!(test.take_types(native), ["newPeer"]);
    let (ana, _) = test.open_socket(CALL);
    test.call_request(ana, "joinRoom", Value::Null);
    assert_eq!(test.take_types(native), ["newPeer"]);
}

#[test]
fn joining_another_room_closes_everything_in_the_first() {
    let mut test = TestConference::new();
    let ana = test.call_join("first");
    test.call_transport(ana, false);
    let camera = test.call_produce(ana, "video");
    let ben = test.call_join("first");
    test.call_consume(ben, &camera);

    test.call_request(ana, "joinRoom", json!({"roomName": "second"}));
    assert_eq!(test.take_frames(ben), [closed(&camera)]);
    assert_eq!(test.conference.gauges().transports, 0);
    // The send transport belonged to the other room.
    let answer = test.call_request(ana, "transport-produce", produce_payload("video"));
    assert_eq!(answer, json!({"error": "Transport not found"}));
    test.call_transport(ana, false);
    test.call_produce(ana, "video");
    assert_eq!(test.take_frames(ben), Vec::<Value>::new());

    // Joining the same room again starts afresh: others are only told of the closed producers.
    let cara = test.call_join("second");
    test.call_request(ana, "joinRoom", json!({"roomName": "second"}));
    assert_eq!(test.take_frames(cara).len(), 1);
    let listed = test.call_request(cara, "getProducers", json!({}));
    assert_eq!(listed, json!([]));
}

#[test]
fn producers_and_their_receive_transports_are_closed_when_their_owner_leaves() {
    let mut test = TestConference::new();
    let ana = test.call_join("r");
    test.call_transport(ana, false);
    let producers = ["video", "audio"].map(|kind| test.call_produce(ana, kind));
    let ben = test.call_join("r");
    for producer in &producers {
        test.call_consume(ben, producer);
    }
    assert_eq!(test.conference.gauges().transports, 3);
    test.close(ana);
    let mut received = test.take_frames(ben);
    received.sort_by_key(|it| it["payload"]["remoteProducerId"] != json!(producers[0]));
    assert_eq!(received, [closed(&producers[0]), closed(&producers[1])]);
    test.assert_no_transports();
}

#[test]
fn a_shared_receive_transport_is_closed_with_its_last_producer() {
    let mut test = TestConference::new();
    let [ana, cara] = [(); 2].map(|()| {
        let session = test.call_join("r");
        test.call_transport(session, false);
        session
    });
    let producers = [ana, cara].map(|client| test.call_produce(client, "video"));
    let ben = test.call_join("r");
    let receive = test.call_transport(ben, true);
    for producer in &producers {
        let answer = test.call_request(ben, "consume", consume_payload(producer, &receive));
        assert_eq!(answer["params"]["producerId"], json!(producer));
    }
    test.close(ana);
    assert_eq!(test.take_frames(ben), [closed(&producers[0])]);
    assert_eq!(test.conference.gauges().consumers, 1);
    test.close(cara);
    assert_eq!(test.take_frames(ben), [closed(&producers[1])]);
    assert_eq!(test.conference.gauges().transports, 0);
}

#[test]
fn a_receive_transport_is_closed_when_its_producer_was_closed_meanwhile() {
    let mut test = TestConference::new();
    let ana = test.call_join("r");
    test.call_transport(ana, false);
    let camera = test.call_produce(ana, "video");
    let ben = test.call_join("r");
    let receive = test.call_transport(ben, true);
    test.close(ana);
    test.take_frames(ben);
    assert_eq!(test.conference.gauges().transports, 1);
    let answer = test.call_request(ben, "consume", consume_payload(&camera, &receive));
    assert_eq!(answer, params_error("Producer not found"));
    assert_eq!(test.conference.gauges().transports, 0);

    // A pending request ends with its producer.
    let cara = test.call_join("r");
    test.call_transport(cara, false);
    let camera = test.call_produce(cara, "video");
    let receive = test.call_transport(ben, true);
    test.take_frames(ben);
    test.executes_immediately = false;
    let text = format!(
        "2/call,8{}",
        json!(["consume", consume_payload(&camera, &receive)])
    );
    test.send_text(ben, &text);
    test.close(cara);
    test.execute_all_commands();
    let frames = test.take_frames(ben);
    assert!(frames.contains(&closed(&camera)), "{frames:?}");
    let refused = json!({"ack": 8, "payload": params_error("Producer not found")});
    assert!(frames.contains(&refused), "{frames:?}");
    test.assert_no_transports();
}

#[test]
fn refusals_have_the_form_of_the_acknowledgement_of_their_request() {
    let mut test = TestConference::new();
    let (ana, _) = test.open_socket(CALL);
    let outside = "Not in a room";
    let create = json!({"consumer": true});
    let answer = test.call_request(ana, "createWebRtcTransport", create);
    assert_eq!(answer, params_error(outside));
    let answer = test.call_request(ana, "getProducers", json!({}));
    assert_eq!(answer, json!({"error": outside}));

    test.call_request(ana, "joinRoom", json!({"roomName": "r"}));
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
            connect_payload("transportId", UNKNOWN_ID),
            no_transport.clone(),
        ),
        (
            "transport-produce",
            produce_payload("video"),
            no_transport.clone(),
        ),
        (
            "transport-recv-connect",
            connect_payload("serverConsumerTransportId", UNKNOWN_ID),
            no_transport,
        ),
        (
            "consume",
            consume_payload(UNKNOWN_ID, UNKNOWN_ID),
            params_error("Producer not found"),
        ),
        (
            "consumer-resume",
            json!({"serverConsumerId": UNKNOWN_ID}),
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
        assert_eq!(test.call_request(ana, event, payload), expected, "{event}");
    }
    let answer = test.call_request(ana, "createWebRtcTransport", json!({}));
    let error = text(&answer["params"]["error"]);
    assert!(error.contains("consumer"), "{error}");
    // No acknowledgement was wanted.
    test.emit(ana, CALL, "nonsense", json!({}));
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
}

#[test]
fn objects_of_other_participants_and_rooms_are_not_found() {
    let mut test = TestConference::new();
    let ana = test.call_join("r");
    let send = test.call_transport(ana, false);
    let camera = test.call_produce(ana, "video");
    let ben = test.call_join("r");
    let (receive, consumer) = test.call_consume(ben, &camera);
    let elsewhere = test.call_join("elsewhere");
    let transport_there = test.call_transport(elsewhere, true);

    for other in [ben, elsewhere] {
        let answer = test.call_request(
            other,
            "transport-connect",
            connect_payload("transportId", &send),
        );
        assert_eq!(answer, json!({"error": "Transport not found"}));
    }
    for other in [ana, elsewhere] {
        let resume = json!({"serverConsumerId": consumer});
        let answer = test.call_request(other, "consumer-resume", resume);
        assert_eq!(answer, json!({"error": "Consumer not found"}));
        let connect = connect_payload("serverConsumerTransportId", &receive);
        let answer = test.call_request(other, "transport-recv-connect", connect);
        assert_eq!(answer, json!({"error": "Transport not found"}));
    }
    let payload = consume_payload(&camera, &transport_there);
    let answer = test.call_request(elsewhere, "consume", payload);
    assert_eq!(answer, params_error("Producer not found"));
    let answer = test.call_request(elsewhere, "getProducers", json!({}));
    assert_eq!(answer, json!([]));
    // A client can neither receive its own producers nor use another's transport.
    let own = test.call_transport(ana, true);
    let answer = test.call_request(ana, "consume", consume_payload(&camera, &own));
    assert_eq!(answer, params_error("Producer not found"));
    let answer = test.call_request(ben, "consume", consume_payload(&camera, &send));
    assert_eq!(answer, params_error("Transport not found"));
}

#[test]
fn a_waiting_client_is_answered_when_it_is_admitted() {
    let mut test = TestConference::new();
    let (host, _) = test.join("r");
    test.require_approval(host);
    test.take_frames(host);
    let (ana, _) = test.open_socket(CALL);
    for ack in [1, 2] {
        test.send_text(
            ana,
            &format!(r#"2/call,{ack}["joinRoom",{{"roomName":"r"}}]"#),
        );
    }
    // The second request replaces the first one.
    let refused = json!({"ack": 1, "payload": {"error": "Not in a room"}});
    assert_eq!(test.take_frames(ana), [refused]);
    let requested = test.take_frames(host).pop().unwrap();
    assert_eq!(requested["type"], "joinRequested");
    let admit = json!({"action": "admit", "peerId": requested["payload"]["peerId"]});
    test.moderate(host, admit);
    let received = json!({"ack": 2, "payload": {"rtpCapabilities": capabilities()}});
    assert_eq!(test.take_frames(ana), [received]);
}

#[test]
fn connections_are_closed_with_1012_after_lost_media_and_1000_after_removal() {
    let mut test = TestConference::new();
    let (host, _) = test.join("r");
    let ana = test.call_join("r");
    let peer = test.take_frames(host).pop().unwrap()["payload"]["peerId"].clone();
    let remove = json!({"action": "remove", "peerId": peer});
    test.moderate(host, remove);
    assert_eq!(test.closed.get(&ana), Some(&1000));

    let ben = test.call_join("r");
    let send = test.call_transport(ben, false);
    test.close_transport_in_engine(&send);
    let answer = test.call_request(ben, "transport-produce", produce_payload("video"));
    assert_eq!(answer, json!({"error": "Transport not found"}));
    test.call_transport(ben, false);
    test.lose_shard_with_transports();
    assert_eq!(test.closed.get(&ben), Some(&1012));
    test.close(host);
    test.assert_empty();
}
