//! Notifications of reception scores, in the shapes of the mediasoup demo.

use serde_json::{Value, json};

use super::super::harness::*;
use super::notification;

#[test]
fn scores_have_the_shapes_of_the_mediasoup_demo() {
    let mut test = TestConference::new();
    let (ana, send) = test.protoo_join("r", "Ana");
    let (ben, _) = test.protoo_join("r", "Ben");
    let camera = test.protoo_produce(ana, &send, "video");
    test.take_frames(ana);
    test.report_scores(&camera, &[10, 4]);
    let producer = json!({
        "producerId": camera,
        "score": [
            {"encodingIdx": 0, "ssrc": 1_000, "score": 10},
            {"encodingIdx": 1, "ssrc": 1_001, "score": 4},
        ],
    });
    assert_eq!(
        test.take_frames(ana),
        [notification("producerScore", producer)]
    );
    // Nothing is told of a consumer before the client has accepted it.
    let consumer = text(&test.protoo_answer_consumer(ben, true)["id"]);
    let score = json!({"score": 10, "producerScore": 4, "producerScores": [10, 4]});
    let data = json!({"consumerId": consumer, "score": score});
    assert_eq!(test.take_frames(ben), [notification("consumerScore", data)]);
    assert_eq!(test.take_frames(ana), Vec::<Value>::new());
}
