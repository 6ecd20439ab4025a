//! Notices of reception scores: who is told what, and how often.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::{SessionId, ShardId};
use watersmeet_engine::command::{ConsumerId, EncodingScore, Event, ProducerId};
use watersmeet_wire::units::Ssrc;

use super::harness::*;
use super::request_outcomes::{Member, join_with_media};

/// Returns the scores of encodings from the lowest on.
pub fn encoding_scores(scores: &[u8]) -> Vec<EncodingScore> {
    let encodings = (0_u8..).zip(scores);
    let scores = encodings.map(|(encoding, score)| EncodingScore {
        encoding,
        ssrc: Ssrc(1_000 + u32::from(encoding)),
        rid: None,
        score: *score,
    });
    scores.collect()
}

impl TestConference {
    /// Reports the scores of a producer's encodings.
    pub fn report_scores(&mut self, producer: &str, scores: &[u8]) {
        let event = Event::ProducerScore {
            producer: ProducerId::parse(producer).unwrap(),
            scores: encoding_scores(scores),
        };
        self.report_event(ShardId(0), event);
    }

    /// Reads all frames of a native client, which must be notices of scores.
    fn take_scores(&mut self, session: SessionId) -> Vec<(String, Value)> {
        let frames = self.take_frames(session).into_iter();
        let scores = frames.map(|it| (text(&it["type"]), it["payload"].clone()));
        scores.collect()
    }
}

/// Two members of a room; the second also receives the first.
fn pair(test: &mut TestConference) -> (Member, Member, String) {
    let ana = join_with_media(test, "room");
    let ben = join_with_media(test, "room");
    let consumer = test.consume(ben.session, &ana.producer);
    for member in [&ana, &ben] {
        test.take_frames(member.session);
    }
    (ana, ben, consumer)
}

fn of_producer(producer: &str, score: u8) -> (String, Value) {
    let payload = json!({"producerId": producer, "score": score});
    ("producerScore".to_owned(), payload)
}

fn of_consumer(consumer: &str, score: u8, producer_score: u8) -> (String, Value) {
    let payload = json!({"consumerId": consumer, "score": score, "producerScore": producer_score});
    ("consumerScore".to_owned(), payload)
}

#[test]
fn publisher_and_receivers_are_told_a_score_and_nobody_else() {
    let mut test = TestConference::new();
    let (ana, ben, consumer) = pair(&mut test);
    let (cleo, _) = test.join("room");
    for session in [ana.session, ben.session, cleo] {
        test.take_frames(session);
    }
    // Encodings that do not arrive say nothing of the path.
    test.report_scores(&ana.producer, &[7, 4, 0]);
    let told = test.take_scores(ana.session);
    assert_eq!(
        told,
        [
            of_producer(&ana.producer, 4),
            of_consumer(&ana.consumer, 10, 4)
        ]
    );
    assert_eq!(
        test.take_scores(ben.session),
        [of_consumer(&consumer, 10, 4)]
    );
    assert_eq!(test.take_scores(cleo), []);
    test.report_scores(&ana.producer, &[0, 0, 0]);
    test.advance(Duration::from_secs(1));
    assert_eq!(
        test.take_scores(ben.session),
        [of_consumer(&consumer, 10, 0)]
    );
}

#[test]
fn perfect_start_is_not_told() {
    let mut test = TestConference::new();
    let (ana, ben, consumer) = pair(&mut test);
    test.report_scores(&ana.producer, &[10]);
    assert_eq!(test.take_scores(ana.session), []);
    // But one who begins to receive learns the present score.
    test.request(
        ben.session,
        "resumeConsumer",
        json!({"consumerId": consumer}),
    );
    assert_eq!(
        test.take_scores(ben.session),
        [of_consumer(&consumer, 10, 10)]
    );
}

#[test]
fn changes_within_a_second_are_told_once_with_the_latest_score() {
    let mut test = TestConference::new();
    let (ana, ben, consumer) = pair(&mut test);
    test.report_scores(&ana.producer, &[4]);
    assert_eq!(
        test.take_scores(ben.session),
        [of_consumer(&consumer, 10, 4)]
    );
    for score in [8, 2, 6] {
        test.advance(Duration::from_millis(300));
        test.report_scores(&ana.producer, &[score]);
    }
    assert_eq!(test.take_scores(ben.session), []);
    test.advance(Duration::from_millis(100));
    assert_eq!(
        test.take_scores(ben.session),
        [of_consumer(&consumer, 10, 6)]
    );
    test.advance(Duration::from_secs(5));
    assert_eq!(test.take_scores(ben.session), []);
}

#[test]
fn large_room_is_told_again_after_a_longer_time() {
    const LISTENERS: usize = 60;
    let mut test = TestConference::new();
    let members: Vec<_> = (0..20)
        .map(|_| join_with_media(&mut test, "room"))
        .collect();
    let producer = &members[0].producer;
    let mut listeners = Vec::new();
    for _ in 0..LISTENERS {
        let (session, _) = test.join("room");
        test.create_transport(session, "recv");
        test.consume(session, producer);
        listeners.push(session);
    }
    test.report_scores(producer, &[4]);
    test.advance(Duration::from_millis(200));
    for listener in &listeners {
        test.take_frames(*listener);
    }
    test.report_scores(producer, &[8]);
    // 20 producers, and notices to 60 listeners, the owner and its own consumer.
    test.advance(Duration::from_millis(1_000));
    assert_eq!(test.take_scores(listeners[0]), []);
    test.advance(Duration::from_millis(100));
    assert!(listeners.iter().all(|it| test.take_scores(*it).len() == 1));
}

#[test]
fn loss_on_the_way_to_a_receiver_is_told_to_it() {
    let mut test = TestConference::new();
    let (ana, ben, consumer) = pair(&mut test);
    test.report_scores(&ana.producer, &[10]);
    let event = Event::ConsumerScore {
        consumer: ConsumerId::parse(&consumer).unwrap(),
        score: 3,
    };
    test.report_event(ShardId(0), event);
    assert_eq!(
        test.take_scores(ben.session),
        [of_consumer(&consumer, 3, 10)]
    );
    assert_eq!(test.take_scores(ana.session), []);
}

#[test]
fn closed_producer_leaves_no_timer() {
    let mut test = TestConference::new();
    let (ana, ben, _) = pair(&mut test);
    for score in [4, 8] {
        test.report_scores(&ana.producer, &[score]);
    }
    test.take_frames(ben.session);
    let close = json!({"producerId": ana.producer});
    test.expect_reply(ana.session, "closeProducer", close, "closedProducer");
    test.advance(Duration::from_secs(5));
    let told = test.take_scores(ben.session);
    assert!(
        told.iter().all(|(kind, _)| kind == "producerClosed"),
        "{told:?}"
    );
    for member in [ana, ben] {
        test.close(member.session);
    }
    test.assert_empty();
}

#[test]
fn client_without_ids_is_not_told() {
    let mut test = TestConference::new();
    let ana = join_with_media(&mut test, "room");
    let (first_version, _) = test.open();
    for (kind, payload) in [
        ("joinRoom", json!({"roomId": "room"})),
        ("createTransport", json!({"direction": "recv"})),
        ("consume", consume(&ana.producer)),
    ] {
        test.send_without_id(first_version, kind, payload);
    }
    assert!(
        test.take_types(first_version)
            .contains(&"consumed".to_owned())
    );
    test.report_scores(&ana.producer, &[4]);
    assert_eq!(test.take_frames(first_version), Vec::<Value>::new());
}
