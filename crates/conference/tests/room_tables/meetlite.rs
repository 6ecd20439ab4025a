//! The meetlite dialect over a whole conference: the server consumes for its clients, and hands
//! on what they say to one another.

#[path = "meetlite/p2p_signalling.rs"]
mod p2p_signalling;
#[path = "meetlite/people.rs"]
mod people;

use std::time::Duration;

use serde_json::{Value, json};
use watersmeet_conference::access::TokenKeys;
use watersmeet_conference::{ConnectRequest, DialectKind, Namespace, SessionId, ShardId};

use super::world::*;

const NOTHING: [Value; 0] = [];

/// What a meetlite client says and hears.
impl World {
    /// A connection with a user's token.
    fn user(&mut self, id: &str) -> SessionId {
        let keys = TokenKeys::new(SECRET, None).unwrap();
        let mut opening = ConnectRequest::new(DialectKind::SocketIo(Namespace::Main));
        opening.token = Some(keys.issue_user_token(id, &format!("{id}@example.org"), UNIX_S));
        let session = self.open_as(opening);
        assert_eq!(self.next(session), json!({"connect": {"sid": id}}));
        session
    }

    fn say(&mut self, who: SessionId, name: &str, payload: Value) {
        self.emit(who, Namespace::Main, name, payload);
    }

    /// Emits, and gives what came of it to the one who did.
    fn hear(&mut self, who: SessionId, name: &str, payload: Value) -> Vec<Value> {
        self.all(who);
        self.say(who, name, payload);
        self.all(who)
    }

    /// Emits what must fail, and gives the text of that.
    fn fails(&mut self, who: SessionId, name: &str, payload: Value) -> String {
        let heard = self.hear(who, name, payload);
        assert_eq!(heard.len(), 1, "{name}: {heard:?}");
        let message = heard[0]["payload"]["message"].as_str();
        let message = message.unwrap_or_else(|| panic!("{name}: {heard:?}"));
        assert_eq!(heard[0], event("error", json!({"message": message})));
        message.to_owned()
    }

    /// A user in room `r`.
    fn entered(&mut self, id: &str) -> SessionId {
        let session = self.user(id);
        let heard = self.hear(session, "join-room", json!({"roomId": "r"}));
        let capabilities = json!({"rtpCapabilities": capabilities()});
        assert_eq!(heard, [event("router-rtp-capabilities", capabilities)]);
        session
    }

    /// A user in room `r` with both transports, who can receive, and has read everything.
    fn settled(&mut self, id: &str) -> SessionId {
        let session = self.entered(id);
        for direction in ["send", "recv"] {
            self.say(session, "create-webrtc-transport", to_transport(direction));
        }
        self.say(session, "set-rtp-capabilities", can_receive());
        self.all(session);
        session
    }

    /// Creates a producer and gives its id.
    fn create(&mut self, who: SessionId, kind: &str, app_data: Value) -> String {
        let heard = self.hear(who, "create-producer", to_produce(kind, app_data));
        assert_eq!(heard[0]["event"], "producer-created", "{heard:?}");
        text(&heard[0]["payload"]["producerId"])
    }

    /// The only `new-consumer` that somebody was told since last asked.
    fn consumer(&mut self, who: SessionId) -> Value {
        let heard = self.all(who);
        let found: Vec<_> = heard
            .iter()
            .filter(|it| it["event"] == "new-consumer")
            .collect();
        assert_eq!(found.len(), 1, "{heard:?}");
        found[0]["payload"].clone()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn event(name: &str, payload: Value) -> Value {
    json!({"event": name, "payload": payload})
}

fn names(heard: &[Value]) -> Vec<&str> {
    heard
        .iter()
        .map(|it| it["event"].as_str().unwrap())
        .collect()
}

fn to_transport(direction: &str) -> Value {
    json!({"roomId": "r", "direction": direction})
}

fn to_connect(direction: &str) -> Value {
    json!({"dtlsParameters": dtls_parameters("client"), "direction": direction})
}

fn to_produce(kind: &str, app_data: Value) -> Value {
    json!({"kind": kind, "rtpParameters": rtp_parameters(), "appData": app_data})
}

fn can_receive() -> Value {
    json!({"rtpCapabilities": capabilities()})
}

fn info(id: &str) -> Value {
    json!({"email": format!("{id}@example.org"), "userId": id})
}

#[test]
fn two_users_meet_in_exactly_the_documented_frames() {
    let mut world = World::new();
    let ana = world.entered("ana");
    let heard = world.hear(ana, "create-webrtc-transport", to_transport("send"));
    let send = json!({
        "id": heard[0]["payload"]["id"], "iceParameters": ice_parameters(),
        "iceCandidates": [candidate()], "dtlsParameters": dtls_parameters("auto"),
        "direction": "send",
    });
    let nobody = event("existing-participants", json!({"participants": []}));
    assert_eq!(heard, [event("webrtc-transport-created", send), nobody]);
    assert_eq!(
        world.hear(ana, "connect-webrtc-transport", to_connect("send")),
        NOTHING
    );
    let app_data = json!({"label": "front"});
    let heard = world.hear(
        ana,
        "create-producer",
        to_produce("video", app_data.clone()),
    );
    let video = text(&heard[0]["payload"]["producerId"]);
    let created = json!({"producerId": video, "kind": "video", "appData": app_data});
    assert_eq!(heard, [event("producer-created", created)]);

    // Whoever enters is told of the others with its first transport.
    let ben = world.entered("ben");
    let joined = json!({"participantId": "ben", "userInfo": info("ben")});
    assert_eq!(world.all(ana), [event("participant-joined", joined)]);
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("recv"));
    let participant = json!({
        "participantId": "ana", "userInfo": info("ana"),
        "producers": [{"producerId": video, "kind": "video", "appData": {}}],
    });
    let existing = event(
        "existing-participants",
        json!({"participants": [participant]}),
    );
    assert_eq!(
        names(&heard),
        ["webrtc-transport-created", "existing-participants"]
    );
    assert_eq!(heard[1], existing);
    let heard = world.hear(ben, "set-rtp-capabilities", can_receive());
    let consumer = text(&heard[0]["payload"]["consumerId"]);
    let expected = json!({
        "participantId": "ana", "producerId": video, "consumerId": consumer, "kind": "video",
        "rtpParameters": rtp_parameters(), "producerPaused": false, "consumerPaused": true,
    });
    assert_eq!(heard, [event("new-consumer", expected)]);
    assert_eq!(
        world.hear(ben, "connect-webrtc-transport", to_connect("recv")),
        NOTHING
    );
    let one = json!({"consumerId": consumer});
    let state = json!({"consumerId": consumer, "participantId": "ana", "kind": "video"});
    let heard = world.hear(ben, "resume-consumer", one.clone());
    assert_eq!(heard, [event("consumer-resumed", state.clone())]);
    let heard = world.hear(ben, "pause-consumer", one);
    assert_eq!(heard, [event("consumer-paused", state.clone())]);
    let heard = world.hear(ben, "resume-all-consumers", Value::Null);
    assert_eq!(heard, [event("consumer-resumed", state)]);
    assert_eq!(
        world.hear(ben, "resume-all-consumers", Value::Null),
        NOTHING
    );

    // What changes is told as it changes.
    for (request, word, suffix) in [
        ("pause-producer", "paused", "paused"),
        ("resume-producer", "resumed", "resumed"),
    ] {
        assert_eq!(world.hear(ana, request, json!({"kind": "video"})), NOTHING);
        let changed = json!({
            "participantId": "ana", "kind": "video", "event": word,
            "data": {"producerId": video},
        });
        let of_consumer = json!({"consumerId": consumer, "participantId": "ana"});
        let expected = [
            event("producer-state-changed", changed),
            event(&format!("consumer-producer-{suffix}"), of_consumer),
        ];
        let mut heard = world.all(ben);
        heard.sort_by_key(|it| it["event"] != "producer-state-changed");
        assert_eq!(heard, expected);
    }
    let state = json!({"roomId": "r", "audioEnabled": true, "videoEnabled": false});
    assert_eq!(world.hear(ana, "media-state-change", state), NOTHING);
    let state = json!({"userId": "ana", "audioEnabled": true, "videoEnabled": false});
    assert_eq!(world.all(ben), [event("media-state-update", state)]);
    assert_eq!(
        world.hear(ana, "close-producer", json!({"kind": "video"})),
        NOTHING
    );
    let closed = json!({"participantId": "ana", "producerId": video});
    let of_consumer = json!({"consumerId": consumer, "participantId": "ana"});
    let expected = [
        event("producer-closed", closed),
        event("consumer-closed", of_consumer),
    ];
    assert_eq!(world.all(ben), expected);
    let audio = world.create(ana, "audio", Value::Null);
    assert_eq!(world.consumer(ben)["producerId"], json!(audio));
    world.close(ana);
    let left = event("participant-left", json!({"participantId": "ana"}));
    assert_eq!(world.all(ben), [left]);
    world.close(ben);
    world.assert_empty();
}

#[test]
fn capabilities_and_the_transport_may_come_in_any_order() {
    let mut world = World::new();
    let ana = world.settled("ana");
    let video = world.create(ana, "video", json!({}));
    let ben = world.entered("ben");
    assert_eq!(
        world.hear(ben, "set-rtp-capabilities", can_receive()),
        NOTHING
    );
    let audio = world.create(ana, "audio", json!({}));
    world.pass(Duration::from_secs(60));
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("recv"));
    let all = [
        "webrtc-transport-created",
        "existing-participants",
        "new-consumer",
        "new-consumer",
    ];
    assert_eq!(names(&heard), all);
    let producers: Vec<_> = heard[2..]
        .iter()
        .map(|it| it["payload"]["producerId"].clone())
        .collect();
    assert_eq!(producers, [json!(video), json!(audio)]);
    // Asking again makes nothing twice.
    assert_eq!(
        world.hear(ben, "set-rtp-capabilities", can_receive()),
        NOTHING
    );
}

#[test]
fn what_happens_before_the_first_transport_is_in_the_first_list() {
    let mut world = World::new();
    let ana = world.settled("ana");
    let video = world.create(ana, "video", json!({}));
    let carl = world.settled("carl");
    let ben = world.entered("ben");
    let dora = world.settled("dora");
    let audio = world.create(dora, "audio", json!({}));
    world.say(ana, "close-producer", json!({"kind": "video"}));
    let again = world.create(ana, "video", json!({}));
    assert_ne!(again, video);
    world.close(carl);
    assert_eq!(world.all(ben), NOTHING);
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("send"));
    let participants = json!([
        {"participantId": "ana", "userInfo": info("ana"),
         "producers": [{"producerId": again, "kind": "video", "appData": {}}]},
        {"participantId": "dora", "userInfo": info("dora"),
         "producers": [{"producerId": audio, "kind": "audio", "appData": {}}]},
    ]);
    let expected = event(
        "existing-participants",
        json!({"participants": participants}),
    );
    assert_eq!(heard[1], expected);
    // The list comes once.
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("recv"));
    assert_eq!(names(&heard), ["webrtc-transport-created"]);
}

#[test]
fn a_screen_is_video_that_says_so() {
    let mut world = World::new();
    let ana = world.settled("ana");
    let ben = world.settled("ben");
    let camera = world.create(ana, "video", json!({}));
    world.all(ben);
    let screen = world.create(ana, "video", json!({"screen": true, "width": 1920}));
    assert_ne!(camera, screen);
    let consumer = world.consumer(ben);
    assert_eq!(consumer["kind"], "video");
    assert_eq!(consumer["mediaType"], "screen-video");
    assert_eq!(consumer["appData"], json!({"screen": true}));
    let sound = world.create(ana, "screen-audio", Value::Null);
    let consumer = world.consumer(ben);
    assert_eq!(
        (&consumer["kind"], &consumer["mediaType"]),
        (&json!("audio"), &json!("screen-audio"))
    );

    world.say(ana, "pause-producer", json!({"kind": "screen-video"}));
    let heard = world.all(ben);
    let changed = heard
        .iter()
        .find(|it| it["event"] == "producer-state-changed")
        .unwrap();
    assert_eq!(changed["payload"]["kind"], "screen-video");
    world.say(ana, "close-producer", json!({"kind": "screen-audio"}));
    let heard = world.all(ben);
    assert_eq!(names(&heard), ["producer-closed", "consumer-closed"]);
    assert_eq!(heard[0]["payload"]["producerId"], json!(sound));

    // A late comer finds the screen as one, paused.
    let dora = world.entered("dora");
    world.say(dora, "set-rtp-capabilities", can_receive());
    let heard = world.hear(dora, "create-webrtc-transport", to_transport("recv"));
    let listed = &heard[1]["payload"]["participants"][0]["producers"];
    let expected = json!([
        {"producerId": camera, "kind": "video", "appData": {}},
        {"producerId": screen, "kind": "video", "appData": {"screen": true}},
    ]);
    assert_eq!(*listed, expected);
    let of_screen = heard
        .iter()
        .find(|it| it["payload"]["producerId"] == json!(screen))
        .unwrap();
    assert_eq!(of_screen["payload"]["producerPaused"], true);
}

#[test]
fn a_kind_that_is_there_is_not_made_again() {
    let mut world = World::new();
    let ana = world.settled("ana");
    world.prompt = false;
    for _ in 0..3 {
        world.say(ana, "create-producer", to_produce("audio", json!({})));
    }
    assert_eq!(world.all(ana), NOTHING);
    world.answer_all();
    let heard = world.all(ana);
    assert_eq!(names(&heard), ["producer-created"; 3]);
    assert!(heard.iter().all(|it| *it == heard[0]));
    world.prompt = true;
    let again = world.hear(ana, "create-producer", to_produce("audio", json!({})));
    assert_eq!(again, [heard[0].clone()]);
    assert_eq!(world.conference.gauges().producers, 1);

    let heard = world.hear(ana, "get-participant-stats", Value::Null);
    let producers = json!([{"producerId": again[0]["payload"]["producerId"], "kind": "audio"}]);
    let stats = json!({"participantId": "ana", "producers": producers, "consumers": []});
    assert_eq!(heard, [event("participant-stats", stats)]);
}

#[test]
fn a_transport_that_is_made_again_replaces_the_first() {
    let mut world = World::new();
    let ana = world.settled("ana");
    let video = world.create(ana, "video", json!({}));
    let ben = world.settled("ben");
    assert_eq!(world.conference.gauges().consumers, 1);
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("recv"));
    assert_eq!(names(&heard), ["webrtc-transport-created", "new-consumer"]);
    assert_eq!(heard[1]["payload"]["producerId"], json!(video));
    assert_eq!(world.conference.gauges().consumers, 1);
    assert_eq!(world.conference.gauges().transports, 4);

    world.say(ana, "create-webrtc-transport", to_transport("send"));
    assert_eq!(
        names(&world.all(ben)),
        ["producer-closed", "consumer-closed"]
    );
    let again = world.create(ana, "video", json!({}));
    assert_ne!(again, video);
    assert_eq!(world.conference.gauges().transports, 4);
    // Even while they are being made.
    world.prompt = false;
    for _ in 0..2 {
        world.say(ben, "create-webrtc-transport", to_transport("recv"));
    }
    world.answer_all();
    world.answer_all();
    world.prompt = true;
    let counts = world.conference.gauges();
    assert_eq!((counts.transports, counts.consumers), (4, 1));
    let heard = world.all(ben);
    let last = heard
        .iter()
        .rfind(|it| it["event"] == "new-consumer")
        .unwrap();
    let resume = json!({"consumerId": last["payload"]["consumerId"]});
    assert_eq!(
        names(&world.hear(ben, "resume-consumer", resume)),
        ["consumer-resumed"]
    );
}

#[test]
fn hundreds_of_producers_are_consumed_a_few_at_a_time() {
    let mut world = World::new();
    let mut producers = 0;
    for n in 0..60 {
        let ana = world.settled(&format!("user-{n}"));
        for kind in ["audio", "video"] {
            world.create(ana, kind, json!({}));
            producers += 1;
        }
        world.frames.clear();
    }
    let ben = world.settled("ben");
    world.all(ben);
    // On a transport of its own everything comes once more, this time watched.
    world.prompt = false;
    world.say(ben, "create-webrtc-transport", to_transport("recv"));
    let (mut most, mut consumers) = (0, 0);
    while world.answer_command() {
        most = most.max(world.commands.len());
    }
    for frame in world.all(ben) {
        consumers += usize::from(frame["event"] == "new-consumer");
        assert_ne!(frame["event"], "error", "{frame}");
    }
    assert_eq!(consumers, producers);
    assert!(most <= 34, "{most} at once");
}

#[test]
fn what_cannot_be_consumed_is_nobodys_error() {
    let mut world = World::new();
    let ana = world.settled("ana");
    let video = world.create(ana, "video", json!({}));
    let ben = world.entered("ben");
    world.say(ben, "create-webrtc-transport", to_transport("recv"));
    let blind = json!({"rtpCapabilities": {}});
    assert_eq!(world.hear(ben, "set-rtp-capabilities", blind), NOTHING);
    world.create(ana, "audio", json!({}));
    assert_eq!(world.all(ben), NOTHING);
    // A client that finds out that it can receive after all is sent everything.
    let heard = world.hear(ben, "set-rtp-capabilities", can_receive());
    assert_eq!(names(&heard), ["new-consumer", "new-consumer"]);
    assert!(
        heard
            .iter()
            .any(|it| it["payload"]["producerId"] == json!(video))
    );
}

#[test]
fn a_lost_transport_takes_its_consumers_and_producers_with_it() {
    let mut world = World::new();
    let ana = world.settled("ana");
    world.create(ana, "video", json!({}));
    let ben = world.entered("ben");
    world.say(ben, "set-rtp-capabilities", can_receive());
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("recv"));
    let recv = text(&heard[0]["payload"]["id"]);
    world.engine_closes(&recv);
    assert_eq!(names(&world.all(ben)), ["consumer-closed"]);
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("recv"));
    assert_eq!(names(&heard), ["webrtc-transport-created", "new-consumer"]);
    let heard = world.hear(ben, "create-webrtc-transport", to_transport("send"));
    let send = text(&heard[0]["payload"]["id"]);
    let before = world.create(ben, "audio", json!({}));
    world.engine_closes(&send);
    let message = world.fails(ben, "create-producer", to_produce("audio", json!({})));
    assert_eq!(message, "Failed to create producer");
    world.hear(ben, "create-webrtc-transport", to_transport("send"));
    assert_ne!(world.create(ben, "audio", json!({})), before);
}

#[test]
fn a_lost_worker_makes_clients_come_back() {
    let mut world = World::new();
    let ana = world.settled("ana");
    for shard in 0..2 {
        world.lose(ShardId(shard));
    }
    assert_eq!(world.closed.get(&ana), Some(&1012));
}
