//! Messages between participants: what they cost their sender, and what a receiver that does not
//! keep up loses.

use std::time::Duration;

use serde_json::json;
use watersmeet_conference::limits::{RELAYED_BYTES_BURST, RELAYED_BYTES_PER_SECOND};
use watersmeet_conference::{ConferenceLimits, ConnectRequest, DialectKind, Namespace, SessionId};

use super::harness::*;

/// The longest chat message, of characters that take six bytes each on the wire.
fn long_text() -> String {
    "\u{1}".repeat(4_096)
}

fn without_rate_limit() -> TestConference {
    TestConference::with_limits(ConferenceLimits {
        messages_burst: 1_000_000,
        ..ConferenceLimits::default()
    })
}

/// Sends chat messages until one is refused. Returns the number of accepted ones.
fn chat_until_refused(test: &mut TestConference, sender: SessionId, text: &str) -> u64 {
    for sent in 0.. {
        let answer = test.request(sender, "chat", json!({"text": text}));
        if answer["type"] == "error" {
            assert_eq!(answer["payload"]["code"], "rate-limited");
            return sent;
        }
    }
    unreachable!()
}

/// Returns the bytes of all frames that a client was sent.
fn received_len(test: &mut TestConference, receiver: SessionId) -> u64 {
    let texts = test.texts.remove(&receiver).unwrap_or_default();
    texts.iter().map(|it| it.len() as u64).sum()
}

#[test]
fn a_sender_of_long_messages_is_charged_by_bytes_and_receivers() {
    for others in [1, 10] {
        let mut test = without_rate_limit();
        let (ana, _) = test.join("room");
        let others: Vec<_> = (0..others).map(|_| test.join("room").0).collect();
        others.iter().for_each(|it| drop(test.texts.remove(it)));
        let sent = chat_until_refused(&mut test, ana, &long_text());
        assert!(sent < 100, "{sent} messages");
        let received: u64 = others.iter().map(|it| received_len(&mut test, *it)).sum();
        let longest = 30_000 * others.len() as u64;
        assert!(received < RELAYED_BYTES_BURST + longest, "{received}");
        // Afterwards the rate holds, and others are not charged.
        test.advance(Duration::from_secs(2));
        chat_until_refused(&mut test, ana, &long_text());
        let received: u64 = others.iter().map(|it| received_len(&mut test, *it)).sum();
        assert!(
            received < 2 * RELAYED_BYTES_PER_SECOND + longest,
            "{received}"
        );
        let ben = others[0];
        test.expect_reply(ben, "chat", json!({"text": "hello"}), "done");
    }
}

#[test]
fn a_person_who_types_is_never_refused_in_a_full_room() {
    let mut test = without_rate_limit();
    let (ana, _) = test.join("room");
    for _ in 0..199 {
        test.join("room");
    }
    for _ in 0..60 {
        let text = "a sentence of the usual length, then one more, and an end".repeat(3);
        test.expect_reply(ana, "chat", json!({"text": text}), "done");
        test.advance(Duration::from_millis(500));
    }
}

#[test]
fn free_form_data_of_producers_and_names_are_charged_too() {
    let mut test = without_rate_limit();
    let (ana, _) = test.join("room");
    for _ in 0..20 {
        test.join("room");
    }
    let send = test.create_transport(ana, "send");
    let mut accepted = 0;
    loop {
        let mut payload = produce(&send, "video");
        payload["appData"] = json!({"note": "\u{1}".repeat(4_096)});
        let answer = test.request(ana, "produce", payload);
        if answer["type"] == "error" {
            assert_eq!(answer["payload"]["code"], "rate-limited");
            break;
        }
        accepted += 1;
        let close = json!({"producerId": answer["payload"]["producerId"]});
        test.expect_reply(ana, "closeProducer", close, "closedProducer");
    }
    assert!(accepted < 10, "{accepted}");
    // A producer without such data costs nothing.
    test.produce(ana, &send, "audio");
}

#[test]
fn only_messages_of_participants_may_be_dropped() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let user = |id: &str| ConnectRequest {
        token: Some(token_keys().issue_user_token(id, &format!("{id}@example.org"), UNIX_S)),
        ..ConnectRequest::new(DialectKind::SocketIo(Namespace::Main))
    };
    let [ben, cara] = ["ben", "cara"].map(|id| test.open_with(user(id)));
    for client in [ben, cara] {
        let ready =
            json!({"roomId": "room", "mediaState": {"audioEnabled": true, "videoEnabled": true}});
        test.emit(client, Namespace::Main, "ready", ready);
    }
    test.expect_reply(ana, "chat", json!({"text": "the chat"}), "done");
    let call = json!({"to": "cara", "offer": {"type": "offer", "sdp": "the offer"}});
    test.emit(ben, Namespace::Main, "call-user", call);
    let send = test.create_transport(ana, "send");
    test.produce(ana, &send, "video");
    test.close(ana);
    let mut kept = Vec::new();
    let mut dropped = Vec::new();
    for text in test.texts.values().flatten() {
        match test.droppable.contains(text) {
            true => dropped.push(text.clone()),
            false => kept.push(text.clone()),
        }
    }
    for wanted in ["the chat", "the offer"] {
        assert!(dropped.iter().any(|it| it.contains(wanted)), "{wanted}");
        assert!(!kept.iter().any(|it| it.contains(wanted)), "{wanted}");
    }
    for wanted in [
        "participant-joined",
        "room-data",
        "participant-left",
        "transportCreated",
    ] {
        assert!(!dropped.iter().any(|it| it.contains(wanted)), "{wanted}");
    }
    assert_ne!(kept, Vec::<String>::new());
}
