//! Chat, raised hands, reactions, captions and polls of native clients: who is told of them, what a room keeps,
//! and who may do what.

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::limits::{
    CAPTION_LEN_MAX, CAPTIONS_BURST, CHAT_HISTORY_LEN_MAX, REACTIONS_BURST,
};
use watersmeet_conference::{ConferenceLimits, Namespace, SessionId};

use super::harness::*;

impl TestConference {
    /// Joins the room with a name and the secret of a client. Returns the peer id too.
    fn join_as(&mut self, name: &str) -> (SessionId, String) {
        let (session, peer) = self.open();
        let resume = format!("{name}-0123456789abcdef");
        let payload = json!({"roomId": "room", "displayName": name, "resume": resume});
        self.expect_reply(session, "joinRoom", payload, "roomJoined");
        (session, peer)
    }

    /// Sends a chat message, which must be accepted. Returns its id.
    fn chat(&mut self, session: SessionId, payload: Value) -> u64 {
        let sent = self.expect_reply(session, "chat", payload, "done");
        sent["messageId"].as_u64().unwrap()
    }

    /// Returns the conversation as a participant reads it.
    fn conversation(&mut self, session: SessionId) -> Value {
        self.expect_reply(session, "getConversation", json!({}), "conversation")
    }

    /// Returns the texts of the messages that a participant can read.
    fn texts_for(&mut self, session: SessionId) -> Vec<String> {
        let conversation = self.conversation(session);
        let messages = conversation["messages"].as_array().unwrap();
        messages.iter().map(|it| text(&it["text"])).collect()
    }

    /// Returns the names of those whose hands are raised, as a participant reads them.
    fn hands_for(&mut self, session: SessionId) -> Vec<String> {
        let conversation = self.conversation(session);
        let hands = conversation["hands"].as_array().unwrap();
        hands.iter().map(|it| text(&it["displayName"])).collect()
    }

    fn done(&mut self, session: SessionId, kind: &str, payload: Value) {
        self.expect_reply(session, kind, payload, "done");
    }

    /// Starts a poll with two answers. Returns its id.
    fn open_poll(&mut self, session: SessionId, question: &str) -> u64 {
        let payload = json!({"question": question, "options": ["yes", "no"]});
        self.done(session, "openPoll", payload);
        let conversation = self.conversation(session);
        let polls = conversation["polls"].as_array().unwrap();
        polls.last().unwrap()["pollId"].as_u64().unwrap()
    }
}

#[test]
fn late_joiners_read_what_was_said_before_in_its_order() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join_as("Ana");
    let first = test.chat(ana, json!({"text": "one"}));
    test.advance(Duration::from_secs(3));
    let second = test.chat(ana, json!({"text": "two"}));
    assert!(second >= first + 3_000);
    let (ben, _) = test.join_as("Ben");
    let read = test.conversation(ben);
    let sent_at = UNIX_S * 1_000 + 1_000;
    assert_eq!(
        read["messages"],
        json!([
            {"messageId": first, "sentAt": sent_at, "peerId": ana_peer, "displayName": "Ana", "text": "one"},
            {"messageId": second, "sentAt": sent_at + 3_000, "peerId": ana_peer, "displayName": "Ana", "text": "two"},
        ])
    );
    let newer = test.expect_reply(
        ben,
        "getConversation",
        json!({"after": first}),
        "conversation",
    );
    assert_eq!(newer["messages"][0]["text"], "two");
    assert_eq!(newer["messages"].as_array().unwrap().len(), 1);
}

#[test]
fn history_ends_with_the_room_and_is_bounded() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        messages_burst: 100_000,
        ..ConferenceLimits::default()
    });
    let (ana, _) = test.join("room");
    for n in 0..=CHAT_HISTORY_LEN_MAX {
        test.chat(ana, json!({"text": n.to_string()}));
    }
    let texts = test.texts_for(ana);
    assert_eq!(texts.len(), CHAT_HISTORY_LEN_MAX);
    assert_eq!(texts.first().unwrap(), "1");
    test.close(ana);
    let (ben, _) = test.join("room");
    assert_eq!(test.texts_for(ben), [""; 0]);
    test.close(ben);
    test.assert_empty();
}

#[test]
fn message_with_the_same_key_is_delivered_once_over_a_reconnect() {
    let mut test = TestConference::new();
    let (ana, _) = test.join_as("Ana");
    let (ben, _) = test.join_as("Ben");
    let said = json!({"text": "hello", "key": "k1"});
    test.take_frames(ben);
    let first = test.chat(ana, said.clone());
    test.close(ana);
    let (ana, _) = test.join_as("Ana");
    assert_eq!(test.chat(ana, said.clone()), first);
    let chats = test.take_types(ben);
    assert_eq!(chats, ["chat", "peerLeft", "newPeer"]);
    let own = &test.conversation(ana)["messages"][0];
    assert_eq!((&own["own"], &own["key"]), (&json!(true), &json!("k1")));
    // Another person may use the same key, which nobody else is told.
    test.take_frames(ana);
    test.chat(ben, said);
    assert_eq!(test.take_types(ana), ["chat"]);
    let read = test.conversation(ana);
    assert_eq!(read["messages"][1].get("key"), None);
    let long = json!({"text": "x", "key": "k".repeat(65)});
    assert_eq!(test.expect_refusal(ana, "chat", long), "bad-request");
}

#[test]
fn private_message_reaches_its_receiver_alone_also_after_a_reconnect() {
    let mut test = TestConference::new();
    let (ana, _) = test.join_as("Ana");
    let (ben, ben_peer) = test.join_as("Ben");
    let (carla, _) = test.join_as("Carla");
    for client in [ana, ben, carla] {
        test.take_frames(client);
    }
    test.chat(ana, json!({"text": "for Ben", "to": ben_peer}));
    let got = test.next_frame(ben);
    assert_eq!(got["payload"]["text"], "for Ben");
    assert_eq!(
        got["payload"]["to"],
        json!({"peerId": ben_peer, "displayName": "Ben"})
    );
    assert_eq!(test.take_frames(carla), [Value::Null; 0]);
    test.close(ben);
    let (ben, _) = test.join_as("Ben");
    assert_eq!(test.texts_for(ben), ["for Ben"]);
    assert_eq!(test.texts_for(ana), ["for Ben"]);
    assert_eq!(test.texts_for(carla), [""; 0]);
    // Ben's former id names nobody any more.
    let gone = json!({"text": "x", "to": ben_peer});
    assert_eq!(
        test.expect_refusal(ana, "chat", gone),
        "participant-not-found"
    );
}

#[test]
fn private_message_is_refused_for_clients_that_would_take_it_for_a_public_one() {
    let mut test = TestConference::new();
    let (ana, _) = test.join_as("Ana");
    let (rosa, rosa_peer) = test.open_socket(Namespace::Main);
    let join = json!({"roomId": "room", "displayName": "Rosa", "rtpCapabilities": {}});
    test.emit_with_ack(rosa, Namespace::Main, "join", join);
    let (first_version, peer) = test.open();
    test.send_without_id(first_version, "joinRoom", json!({"roomId": "room"}));
    for peer in [rosa_peer, peer] {
        let payload = json!({"text": "psst", "to": peer});
        assert_eq!(
            test.expect_refusal(ana, "chat", payload),
            "no-private-messages"
        );
    }
}

#[test]
fn hosts_decide_who_may_write_and_others_may_still_write_to_them() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join_as("Ana");
    let (ben, ben_peer) = test.join_as("Ben");
    let (carla, _) = test.join_as("Carla");
    let policy = json!({"action": "setChatPolicy", "policy": "hosts"});
    assert_eq!(
        test.expect_refusal(ben, "moderate", policy.clone()),
        "forbidden"
    );
    test.take_frames(ben);
    test.moderate(ana, policy);
    let changed = test.take_frames(ben);
    assert_eq!(
        changed,
        [json!({"type": "chatPolicyChanged", "payload": {"policy": "hosts"}})]
    );
    assert_eq!(test.conversation(carla)["chatPolicy"], "hosts");
    let poll = json!({"question": "Tea?", "options": ["yes", "no"]});
    for (kind, payload) in [
        ("chat", json!({"text": "hello"})),
        ("chat", json!({"text": "hello", "to": ben_peer})),
        ("openPoll", poll),
    ] {
        assert_eq!(test.expect_refusal(carla, kind, payload), "forbidden");
    }
    test.chat(carla, json!({"text": "for a host", "to": ana_peer}));
    test.chat(ana, json!({"text": "for all"}));
    test.moderate(
        ana,
        json!({"action": "setChatPolicy", "policy": "everybody"}),
    );
    test.chat(carla, json!({"text": "for all"}));
}

#[test]
fn text_is_delivered_as_it_is_but_for_marks_that_turn_it() {
    let mut test = TestConference::new();
    let (ana, _) = test.join("room");
    let (ben, _) = test.join("room");
    test.take_frames(ben);
    let emoji = "👩\u{200d}💻".repeat(1_000);
    for (sent, got) in [
        ("<b>hi</b>\nthere", "<b>hi</b>\nthere"),
        ("a\u{202e}b", "ab"),
        (&emoji, &emoji),
    ] {
        test.chat(ana, json!({"text": sent}));
        assert_eq!(test.next_frame(ben)["payload"]["text"], got);
    }
    for bad in ["", " \n", "\u{202e}", &"x".repeat(12 * 1_024 + 1)] {
        let refusal = test.expect_refusal(ana, "chat", json!({"text": bad}));
        assert_eq!(refusal, "bad-request");
    }
}

#[test]
fn reading_the_history_again_and_again_is_limited() {
    let mut test = TestConference::with_limits(ConferenceLimits {
        messages_burst: 100_000,
        ..ConferenceLimits::default()
    });
    let (ana, _) = test.join("room");
    for _ in 0..9 {
        test.chat(ana, json!({"text": "x".repeat(12 * 1_024)}));
    }
    let (ben, _) = test.join("room");
    let mut read = 0;
    while test.request(ben, "getConversation", json!({}))["type"] == "conversation" {
        read += 1;
        assert!(read < 100, "reading is not limited");
    }
    assert!(read > 5, "{read}");
}

#[test]
fn hands_are_listed_in_the_order_of_raising_for_everybody() {
    let mut test = TestConference::new();
    let (ana, _) = test.join_as("Ana");
    let (ben, ben_peer) = test.join_as("Ben");
    test.take_frames(ana);
    let raise = json!({"raised": true});
    test.done(ben, "setHand", raise.clone());
    assert_eq!(
        test.take_frames(ana),
        [
            json!({"type": "handRaised", "payload": {"peerId": ben_peer, "displayName": "Ben", "number": 0}})
        ]
    );
    assert_eq!(test.take_types(ben), ["handRaised"]);
    test.done(ana, "setHand", raise.clone());
    test.done(ben, "setHand", raise);
    assert_eq!(test.take_types(ben), ["handRaised"], "raised once");
    let (carla, _) = test.join_as("Carla");
    assert_eq!(test.hands_for(carla), ["Ben", "Ana"]);
    test.done(ben, "setHand", json!({"raised": false}));
    assert_eq!(test.hands_for(carla), ["Ana"]);
    assert_eq!(test.take_types(carla), ["handLowered"]);
}

#[test]
fn host_lowers_the_hands_of_others_and_nobody_else_does() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join_as("Ana");
    let (ben, ben_peer) = test.join_as("Ben");
    test.done(ana, "setHand", json!({"raised": true}));
    test.done(ben, "setHand", json!({"raised": true}));
    for payload in [
        json!({"raised": false, "peerId": ana_peer}),
        json!({"raised": true, "peerId": ana_peer}),
    ] {
        assert_eq!(test.expect_refusal(ben, "setHand", payload), "forbidden");
    }
    test.take_frames(ben);
    test.done(ana, "setHand", json!({"raised": false, "peerId": ben_peer}));
    assert_eq!(test.take_types(ben), ["handLowered"]);
    assert_eq!(test.hands_for(ben), ["Ana"]);
}

#[test]
fn hand_keeps_its_place_over_a_reconnect_and_goes_with_its_owner() {
    let mut test = TestConference::new();
    let (ana, _) = test.join_as("Ana");
    let (ben, _) = test.join_as("Ben");
    let (carla, _) = test.join_as("Carla");
    for client in [ben, carla] {
        test.done(client, "setHand", json!({"raised": true}));
    }
    test.take_frames(ana);
    test.close(ben);
    assert_eq!(test.take_types(ana), ["peerLeft", "handLowered"]);
    assert_eq!(test.hands_for(ana), ["Carla"]);
    let (ben, _) = test.join_as("Ben");
    assert_eq!(test.take_types(ana), ["newPeer", "handRaised"]);
    assert_eq!(test.hands_for(ana), ["Ben", "Carla"]);
    test.expect_reply(ben, "leaveRoom", json!({}), "roomLeft");
    test.join_as("Ben");
    assert_eq!(test.hands_for(ana), ["Carla"]);
    // A seat that nobody takes again is given up, and the hand with it.
    test.close(carla);
    test.advance(Duration::from_secs(200));
    test.join_as("Carla");
    assert_eq!(test.hands_for(ana), [""; 0]);
}

#[test]
fn reactions_are_of_a_fixed_set_and_limited_and_reach_the_others() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join_as("Ana");
    let (ben, _) = test.join_as("Ben");
    test.take_frames(ben);
    for bad in ["", "👍👍", "hello", "<b>"] {
        let refusal = test.expect_refusal(ana, "react", json!({"reaction": bad}));
        assert_eq!(refusal, "bad-request");
    }
    let clap = json!({"reaction": "👏"});
    for _ in 0..REACTIONS_BURST {
        test.done(ana, "react", clap.clone());
    }
    let refusal = test.expect_refusal(ana, "react", clap.clone());
    assert_eq!(refusal, "rate-limited");
    let shown = test.take_frames(ben);
    assert_eq!(shown.len(), REACTIONS_BURST as usize);
    assert_eq!(
        shown[0],
        json!({"type": "reaction", "payload": {"peerId": ana_peer, "displayName": "Ana", "reaction": "👏"}})
    );
    test.advance(Duration::from_millis(500));
    test.done(ana, "react", clap);
    assert_eq!(test.texts_for(ben), [""; 0]);
}

#[test]
fn captions_reach_the_others_and_are_limited_in_size_and_rate() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join_as("Ana");
    let (ben, _) = test.join_as("Ben");
    test.take_frames(ben);
    for bad in [" ".to_owned(), "x".repeat(CAPTION_LEN_MAX + 1)] {
        let refusal = test.expect_refusal(ana, "caption", json!({"text": bad}));
        assert_eq!(refusal, "bad-request");
    }
    test.done(ana, "caption", json!({"text": "Good mor"}));
    test.done(
        ana,
        "caption",
        json!({"text": "Good morning", "final": true}),
    );
    let caption = |text: &str, is_final: bool| {
        let payload =
            json!({"peerId": ana_peer, "displayName": "Ana", "text": text, "final": is_final});
        json!({"type": "caption", "payload": payload})
    };
    let shown = test.take_frames(ben);
    assert_eq!(
        shown,
        [caption("Good mor", false), caption("Good morning", true)]
    );
    for _ in 2..CAPTIONS_BURST {
        test.done(ana, "caption", json!({"text": "on"}));
    }
    let refusal = test.expect_refusal(ana, "caption", json!({"text": "on"}));
    assert_eq!(refusal, "rate-limited");
    test.advance(Duration::from_secs(1));
    test.done(ana, "caption", json!({"text": "on"}));
    assert_eq!(test.texts_for(ben), [""; 0]);
}

#[test]
fn only_hosts_send_captions_of_others_or_while_they_alone_may_write() {
    let mut test = TestConference::new();
    let (host, host_peer) = test.join_as("Ana");
    let (ben, ben_peer) = test.join_as("Ben");
    let (cleo, _) = test.join_as("Cleo");
    let of_host = json!({"text": "I resign", "peerId": host_peer});
    assert_eq!(test.expect_refusal(ben, "caption", of_host), "forbidden");
    test.take_frames(cleo);
    test.done(
        host,
        "caption",
        json!({"text": "Hello", "peerId": ben_peer}),
    );
    let shown = test.take_frames(cleo);
    assert_eq!(shown[0]["payload"]["peerId"], ben_peer);
    assert_eq!(shown[0]["payload"]["displayName"], "Ben");
    let unknown = json!({"text": "Hello", "peerId": "nobody"});
    let refusal = test.expect_refusal(host, "caption", unknown);
    assert_eq!(refusal, "participant-not-found");

    let policy = json!({"action": "setChatPolicy", "policy": "hosts"});
    test.done(host, "moderate", policy);
    let own = json!({"text": "Hello", "peerId": ben_peer});
    assert_eq!(test.expect_refusal(ben, "caption", own), "forbidden");
    test.done(host, "caption", json!({"text": "Hello"}));
}

#[test]
fn poll_counts_one_vote_for_each_person_who_may_change_it() {
    let mut test = TestConference::new();
    let (ana, ana_peer) = test.join_as("Ana");
    let (ben, _) = test.join_as("Ben");
    let poll = test.open_poll(ana, "Tea?");
    let opened = test.take_frames(ben);
    assert_eq!(opened[0]["type"], "pollOpened");
    assert_eq!(
        opened[0]["payload"],
        json!({
            "pollId": poll, "sentAt": UNIX_S * 1_000 + 1_000, "peerId": ana_peer, "displayName": "Ana",
            "question": "Tea?", "options": ["yes", "no"], "votes": [0, 0], "closed": false,
        })
    );
    test.take_frames(ana);
    for option in [0, 0, 1] {
        test.done(ben, "vote", json!({"pollId": poll, "option": option}));
        test.advance(Duration::from_secs(1));
    }
    let results: Vec<_> = test
        .take_frames(ana)
        .iter()
        .map(|it| it["payload"]["votes"].clone())
        .collect();
    assert_eq!(results, [json!([1, 0]), json!([1, 0]), json!([0, 1])]);
    // The same person on a new connection changes the same vote.
    test.expect_reply(ben, "leaveRoom", json!({}), "roomLeft");
    let (ben, _) = test.join_as("Ben");
    test.done(ben, "vote", json!({"pollId": poll, "option": 0}));
    let (carla, _) = test.join_as("Carla");
    let late = &test.conversation(carla)["polls"][0];
    assert_eq!(late["votes"], json!([1, 0]));
    assert_eq!((late.get("own"), late.get("ownVote")), (None, None));
    let own = &test.conversation(ben)["polls"][0];
    assert_eq!(own["ownVote"], 0);
}

#[test]
fn votes_are_told_once_a_second_and_the_last_ones_always() {
    let mut test = TestConference::new();
    let (ana, _) = test.join_as("Ana");
    let poll = test.open_poll(ana, "Tea?");
    let voters: Vec<_> = (0..20)
        .map(|n| test.join_as(&format!("voter {n}")).0)
        .collect();
    let told = |test: &mut TestConference| {
        let frames = test.take_frames(ana);
        let changes = frames.into_iter().filter(|it| it["type"] == "pollChanged");
        let told = changes.map(|it| {
            (
                it["payload"]["votes"].clone(),
                it["payload"]["closed"] == true,
            )
        });
        told.collect::<Vec<_>>()
    };
    for voter in voters {
        test.done(voter, "vote", json!({"pollId": poll, "option": 0}));
    }
    assert_eq!(told(&mut test), [(json!([1, 0]), false)]);
    test.advance(Duration::from_millis(999));
    assert_eq!(told(&mut test), []);
    test.advance(Duration::from_millis(1));
    assert_eq!(told(&mut test), [(json!([20, 0]), false)]);
    test.advance(Duration::from_secs(5));
    assert_eq!(told(&mut test), [], "nothing has changed");
    test.done(ana, "vote", json!({"pollId": poll, "option": 1}));
    test.done(ana, "closePoll", json!({"pollId": poll}));
    test.advance(Duration::from_secs(1));
    assert_eq!(
        told(&mut test),
        [(json!([20, 1]), false), (json!([20, 1]), true)]
    );
}

#[test]
fn poll_is_closed_by_its_author_or_a_host() {
    let mut test = TestConference::new();
    let (ana, _) = test.join_as("Ana");
    let (ben, _) = test.join_as("Ben");
    let (carla, _) = test.join_as("Carla");
    let bens = test.open_poll(ben, "Tea?");
    let anas = test.open_poll(ana, "Cake?");
    for (poll, closer) in [(bens, ben), (anas, ana)] {
        let close = json!({"pollId": poll});
        assert_eq!(
            test.expect_refusal(carla, "closePoll", close.clone()),
            "forbidden"
        );
        test.done(closer, "closePoll", close);
        let vote = json!({"pollId": poll, "option": 0});
        assert_eq!(test.expect_refusal(carla, "vote", vote), "poll-closed");
    }
    let hosts = test.open_poll(ben, "Coffee?");
    test.take_frames(carla);
    test.done(ana, "closePoll", json!({"pollId": hosts}));
    let told = test.take_frames(carla);
    assert_eq!(
        told,
        [
            json!({"type": "pollChanged", "payload": {"pollId": hosts, "votes": [0, 0], "closed": true}})
        ]
    );
    let none = json!({"pollId": 1, "option": 0});
    assert_eq!(test.expect_refusal(ana, "vote", none), "poll-not-found");
}

#[test]
fn polls_with_bad_texts_are_refused() {
    let mut test = TestConference::new();
    let (ana, _) = test.join_as("Ana");
    let eleven: Vec<_> = (0..11).map(|n| n.to_string()).collect();
    for (question, options) in [
        ("", json!(["a", "b"])),
        ("\u{202e}", json!(["a", "b"])),
        (&*"x".repeat(513), json!(["a", "b"])),
        ("q", json!(["a"])),
        ("q", json!(["a", "a\u{200b}"])),
        ("q", json!(["a", ""])),
        ("q", json!(["a", "x".repeat(257)])),
        ("q", json!(eleven)),
    ] {
        let payload = json!({"question": question, "options": options});
        assert_eq!(
            test.expect_refusal(ana, "openPoll", payload),
            "bad-request",
            "{question} {options}"
        );
    }
    assert_eq!(test.conversation(ana)["polls"], json!([]));
}

#[test]
fn only_participants_take_part() {
    let mut test = TestConference::new();
    let (host, _) = test.join_as("Ana");
    test.require_approval(host);
    let poll = test.open_poll(host, "Tea?");
    let (waiting, _) = test.open();
    test.expect_reply(waiting, "joinRoom", json!({"roomId": "room"}), "waiting");
    let (outside, _) = test.open();
    for client in [waiting, outside] {
        for (kind, payload) in [
            ("chat", json!({"text": "hello"})),
            ("getConversation", json!({})),
            ("setHand", json!({"raised": true})),
            ("react", json!({"reaction": "👍"})),
            ("caption", json!({"text": "hello"})),
            ("openPoll", json!({"question": "q", "options": ["a", "b"]})),
            ("vote", json!({"pollId": poll, "option": 0})),
            ("closePoll", json!({"pollId": poll})),
        ] {
            let refusal = test.expect_refusal(client, kind, payload);
            assert_eq!(refusal, "not-in-room", "{kind}");
        }
        assert_eq!(test.take_types(client), [""; 0]);
    }
}
