//! The first two parts of the tutorial, in the namespace `/mediasoup`: their clients name neither a
//! room nor a producer.

use serde_json::{Value, json};
use watersmeet_conference::{ConnectRequest, DialectKind, Namespace, SessionId};
use watersmeet_engine::command::ProducerId;

use super::harness::*;

const NAMESPACE: Namespace = Namespace::Mediasoup;

impl TestConference {
    /// Opens a connection. Returns the payload of its greeting too.
    fn tutorial_open(&mut self) -> (SessionId, Value) {
        let session = self.open_with(ConnectRequest::new(DialectKind::SocketIo(NAMESPACE)));
        assert!(self.next_frame(session)["connect"]["sid"].is_string());
        let greeting = self.next_frame(session);
        assert_eq!(greeting["event"], "connection-success");
        (session, greeting["payload"].clone())
    }

    fn tutorial_request(&mut self, client: SessionId, event: &str, payload: Value) -> Value {
        let answer = self.emit_with_ack(client, NAMESPACE, event, payload);
        answer.unwrap_or_else(|| panic!("{event} was not acknowledged"))
    }

    fn tutorial_emit(&mut self, client: SessionId, event: &str, payload: Value) {
        self.emit(client, NAMESPACE, event, payload);
    }

    fn tutorial_transport(&mut self, client: SessionId, is_sender: bool) -> Value {
        let create = json!({"sender": is_sender});
        let mut answer = self.tutorial_request(client, "createWebRtcTransport", create);
        assert_eq!(answer["params"]["error"], Value::Null, "{answer}");
        answer["params"].take()
    }

    fn tutorial_produce(&mut self, client: SessionId) -> String {
        let produce = json!({"kind": "video", "rtpParameters": rtp_parameters(), "appData": {}});
        text(&self.tutorial_request(client, "transport-produce", produce)["id"])
    }

    fn tutorial_consume(&mut self, client: SessionId) -> Value {
        let consume = json!({"rtpCapabilities": capabilities()});
        self.tutorial_request(client, "consume", consume)["params"].take()
    }

    /// Opens a connection and sends a camera. Returns its producer too.
    fn tutorial_publish(&mut self, first_event: &str) -> (SessionId, String) {
        let (session, _) = self.tutorial_open();
        self.tutorial_request(session, first_event, Value::Null);
        self.tutorial_transport(session, true);
        self.tutorial_emit(session, "transport-connect", connect_payload());
        let producer = self.tutorial_produce(session);
        (session, producer)
    }
}

fn connect_payload() -> Value {
    json!({"dtlsParameters": dtls_parameters("client")})
}

#[test]
fn a_client_consumes_the_producer_of_another_without_naming_it() {
    for first_event in ["getRtpCapabilities", "createRoom"] {
        let mut test = TestConference::new();
        let (ana, greeting) = test.tutorial_open();
        assert_eq!(greeting["existsProducer"], json!(false));
        let answer = test.tutorial_request(ana, first_event, Value::Null);
        assert_eq!(answer, json!({"rtpCapabilities": capabilities()}));
        test.tutorial_transport(ana, true);
        test.tutorial_emit(ana, "transport-connect", connect_payload());
        let camera = test.tutorial_produce(ana);

        let (ben, greeting) = test.tutorial_open();
        assert_eq!(greeting["existsProducer"], json!(true));
        test.tutorial_request(ben, first_event, Value::Null);
        let created = test.tutorial_transport(ben, false);
        for field in ["iceParameters", "iceCandidates", "dtlsParameters"] {
            assert!(
                created[field].is_object() || created[field].is_array(),
                "{field}"
            );
        }
        let consumed = test.tutorial_consume(ben);
        let expected = json!({
            "id": consumed["id"], "producerId": camera, "kind": "video",
            "rtpParameters": rtp_parameters(),
        });
        assert_eq!(consumed, expected);
        test.take_frames(ben);
        // Neither asks for an acknowledgement.
        test.tutorial_emit(ben, "transport-recv-connect", connect_payload());
        test.tutorial_emit(ben, "consumer-resume", Value::Null);
        assert_eq!(test.take_frames(ben), Vec::<Value>::new());
        test.close(ana);
        test.close(ben);
        test.assert_empty();
    }
}

#[test]
fn a_page_alone_receives_its_own_producer_and_prefers_that_of_another() {
    let mut test = TestConference::new();
    let (ana, own) = test.tutorial_publish("createRoom");
    test.tutorial_transport(ana, false);
    assert_eq!(test.tutorial_consume(ana)["producerId"], json!(own));
    let (_ben, other) = test.tutorial_publish("createRoom");
    assert_eq!(test.tutorial_consume(ana)["producerId"], json!(other));
}

#[test]
fn the_newest_producer_that_can_be_consumed_is_chosen() {
    let mut test = TestConference::new();
    let (_ana, first) = test.tutorial_publish("createRoom");
    let (_ben, second) = test.tutorial_publish("getRtpCapabilities");
    let (_cara, third) = test.tutorial_publish("createRoom");
    let (dan, _) = test.tutorial_open();
    test.tutorial_request(dan, "createRoom", Value::Null);
    test.tutorial_transport(dan, false);
    for (refused, expected) in [
        (None, &third),
        (Some(&third), &second),
        (Some(&second), &first),
    ] {
        let refused = refused.map(|it| ProducerId::parse(it).unwrap());
        for shard in &mut test.shards {
            shard.unconsumable.extend(refused);
        }
        assert_eq!(test.tutorial_consume(dan)["producerId"], json!(expected));
    }
}

#[test]
fn consuming_is_refused_while_nobody_sends_or_nothing_can_be_received() {
    let mut test = TestConference::new();
    let (ana, _) = test.tutorial_open();
    test.tutorial_request(ana, "createRoom", Value::Null);
    assert_eq!(
        test.tutorial_consume(ana),
        json!({"error": "Transport not found"})
    );
    test.tutorial_transport(ana, false);
    assert_eq!(
        test.tutorial_consume(ana),
        json!({"error": "Producer not found"})
    );
    test.tutorial_publish("createRoom");
    let nothing = json!({"rtpCapabilities": {"codecs": [], "headerExtensions": []}});
    let answer = test.tutorial_request(ana, "consume", nothing);
    assert_eq!(answer, params_error("Cannot consume"));
    assert_ne!(test.tutorial_consume(ana)["producerId"], Value::Null);
}

#[test]
fn a_second_receive_transport_replaces_the_first() {
    let mut test = TestConference::new();
    let (_ana, camera) = test.tutorial_publish("createRoom");
    let (ben, _) = test.tutorial_open();
    test.tutorial_request(ben, "createRoom", Value::Null);
    for _ in 0..50 {
        let first = test.tutorial_transport(ben, false);
        assert_eq!(test.tutorial_consume(ben)["producerId"], json!(camera));
        let second = test.tutorial_transport(ben, false);
        assert_ne!(first["id"], second["id"]);
        assert_eq!(test.conference.gauges().transports, 2);
        test.take_frames(ben);
    }
}

#[test]
fn the_greeting_tells_nothing_of_a_room_that_is_not_open() {
    let mut test = TestConference::new();
    test.tutorial_publish("createRoom");
    let (host, _) = test.open();
    let token = token_keys().issue_host_token("lobby", UNIX_S);
    let join = json!({"roomId": "lobby", "token": token});
    test.expect_reply(host, "joinRoom", join, "roomJoined");
    test.require_approval(host);
    let (_, greeting) = test.tutorial_open();
    assert_eq!(greeting["existsProducer"], json!(false));
}
