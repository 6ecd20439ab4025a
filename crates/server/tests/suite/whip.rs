//! WHIP over real sockets. The requirements of RFC 9725 for servers, each with its test:
//!
//! | section | requirement | test |
//! |---|---|---|
//! | 4.1 | endpoints refuse GET, HEAD and PUT with 405 | `other_methods_are_refused` |
//! | 4.2 | an offer is answered with 201, `application/sdp`, `Location` | `offer_makes_a_participant` |
//! | 4.2 | other content types and malformed offers are refused | `bad_offers_are_refused` |
//! | 4.2 | DELETE ends the session and frees its resources | `delete_ends_the_session` |
//! | 4.2 | sessions refuse GET, HEAD, POST and PUT with 405 | `other_methods_are_refused` |
//! | 4.3.1 | the 201 has a strong ETag; each ICE session has another | `ice_is_restarted_by_patch` |
//! | 4.3.1 | no `If-Match`: 428; another ETag: 412 | `patch_needs_the_current_etag` |
//! | 4.3.2 | candidates are accepted with 204 | `patch_needs_the_current_etag` |
//! | 4.3.3 | a restart is answered with 200, credentials, new ETag | `ice_is_restarted_by_patch` |
//! | 4.4 | one BUNDLE, RTCP on the port of RTP | `bad_offers_are_refused` |
//! | 4.4.1 | the answer is `recvonly` with `setup:passive` | `offer_makes_a_participant` |
//! | 4.4.3 | what cannot be accepted as a whole is refused with 422 | `unacceptable_offers_are_refused` |
//! | 4.5 | a refused client is told when to try again | `publishers_are_bounded_like_other_participants` |
//! | 4.6 | STUN and TURN servers are in `Link` | `ice_servers_are_linked` |
//! | 4.7 | bearer tokens decide; 401 names the scheme | `tokens_decide_as_in_joining` |
//! | 4.2 | CORS of pages, `Accept-Post` | `pages_of_allowed_origins_may_publish` |

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::api::{bearer, send_request};
use crate::ice_checks::IceTarget;
use crate::native_client::Client;
use crate::program::{Program, start_configured};

const CHROMIUM: &str = include_str!("../../../../fuzz/seeds/sdp/chromium-simulcast.sdp");
const FIREFOX: &str = include_str!("../../../../fuzz/seeds/sdp/firefox.sdp");
const GSTREAMER: &str = include_str!("../../../../fuzz/seeds/sdp/gstreamer.sdp");
const OBS: &str = include_str!("../../../../fuzz/seeds/sdp/obs.sdp");

const SDP: &str = "Content-Type: application/sdp\r\n";
const FRAGMENT: &str = "Content-Type: application/trickle-ice-sdpfrag\r\n";

/// A response with its header as it was sent.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    /// Returns the value of a header.
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|it| it.split_once(": "));
        let (_, value) = lines.find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Returns the stable code of a refusal.
    fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body["code"].as_str().unwrap().to_owned()
    }

    /// Returns the value of the first attribute with this name.
    fn attribute(&self, name: &str) -> &str {
        let mut lines = self.body.lines();
        let prefix = format!("a={name}:");
        lines.find_map(|it| it.strip_prefix(&prefix)).unwrap()
    }

    /// Returns the target of ICE checks that an answer or a fragment describes.
    fn ice_target(&self) -> IceTarget {
        let mut lines = self.body.lines();
        let candidate = lines.find(|it| it.starts_with("a=candidate:") && it.contains(" udp "));
        let port = candidate.unwrap().split(' ').nth(5).unwrap().parse();
        let address = SocketAddr::from(([127, 0, 0, 1], port.unwrap()));
        IceTarget::with_credentials(
            address,
            self.attribute("ice-ufrag"),
            self.attribute("ice-pwd"),
        )
    }
}

fn send(program: &Program, method: &str, path: &str, header: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(program.address).unwrap();
    let (host, len) = (program.address, body.len());
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\
         Content-Length: {len}\r\n{header}\r\n{body}"
    )
    .unwrap();
    let mut answer = Vec::new();
    // The connection may be reset behind the response to a body that was not read.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_owned(),
        body: body.to_owned(),
    }
}

fn publish(program: &Program, path: &str, offer: &str) -> Answer {
    send(program, "POST", path, SDP, offer)
}

fn fragment(ufrag: &str) -> String {
    format!(
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:0123456789012345678901\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n\
         a=mid:0\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\na=end-of-candidates\r\n"
    )
}

/// Returns a fragment with the credentials of the offer of OBS.
fn candidates() -> String {
    fragment("oF5p").replace("0123456789012345678901", "hW9yZ2Q0c1NlVnBkQ3pWbA")
}

#[tokio::test]
async fn offer_makes_a_participant() {
    let program = Program::start(&[]);
    for (number, offer) in [OBS, FIREFOX, GSTREAMER, CHROMIUM].into_iter().enumerate() {
        let room = format!("studio-{number}");
        let mut ana = Client::connect(&program).await;
        ana.send_with_id(1, "joinRoom", json!({ "roomId": room }))
            .await;
        ana.expect("roomJoined").await;
        let created = publish(&program, &format!("/whip/{room}?name=Camera%201"), offer);
        assert_eq!(created.status, 201, "{}", created.body);
        assert_eq!(created.header("content-type"), Some("application/sdp"));
        let location = created.header("location").unwrap();
        assert!(
            location.starts_with(&format!("/whip/{room}/")),
            "{location}"
        );
        assert!(created.header("etag").unwrap().starts_with('"'));
        assert_eq!(created.body.matches("a=recvonly\r\n").count(), 2);
        assert_eq!(created.body.matches("a=setup:passive\r\n").count(), 2);
        assert_eq!(created.body.matches("a=rtcp-mux\r\n").count(), 2);
        let mids = created.attribute("group").to_owned();
        assert_eq!(mids.split(' ').count(), 3, "{mids}");
        let joined = ana.expect("newPeer").await;
        assert_eq!(joined["displayName"], "Camera 1");
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let producer = ana.expect("newProducer").await;
            assert_eq!(producer["peerId"], joined["peerId"], "{producer}");
            kinds.push(producer["kind"].as_str().unwrap().to_owned());
        }
        kinds.sort();
        assert_eq!(kinds, ["audio", "video"]);
        let target = created.ice_target();
        assert!(target.is_answered(1));
        if offer == CHROMIUM {
            assert_eq!(created.attribute("simulcast"), "recv q;h;f");
        }
    }
}

#[tokio::test]
async fn delete_ends_the_session() {
    let program = Program::start(&[]);
    let mut ana = Client::join(&program, "studio").await;
    let created = publish(&program, "/whip/studio", OBS);
    let location = created.header("location").unwrap();
    let target = created.ice_target();
    ana.expect("newPeer").await;
    assert_eq!(
        send(&program, "DELETE", "/whip/studio/guess", "", "").status,
        404
    );
    assert_eq!(send(&program, "DELETE", location, "", "").status, 200);
    ana.expect("peerLeft").await;
    assert!((1..20).any(|number| !target.is_answered(number)));
    assert_eq!(send(&program, "DELETE", location, "", "").status, 404);
    let (_, _, metrics) = program.get("/metrics", "");
    assert!(
        metrics.contains("watersmeet_whip_sessions 0\n"),
        "{metrics}"
    );
    assert!(metrics.contains("watersmeet_whip_sessions_opened_total 1\n"));
}

#[test]
fn bad_offers_are_refused() {
    let program = Program::start(&[]);
    let other_type = send(
        &program,
        "POST",
        "/whip/studio",
        "Content-Type: text/plain\r\n",
        OBS,
    );
    assert_eq!(other_type.status, 415);
    assert_eq!(send(&program, "POST", "/whip/studio", "", OBS).status, 415);
    for offer in [
        "",
        "hello",
        &OBS.replace("a=group:BUNDLE 0 1\r\n", ""),
        &OBS.replace("a=rtcp-mux\r\n", ""),
        &OBS.replace("a=setup:actpass\r\n", ""),
        &format!("{OBS}{}", "a=x\r\n".repeat(1_000)),
    ] {
        let refused = publish(&program, "/whip/studio", offer);
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (400, "bad-request")
        );
    }
    let long = publish(&program, "/whip/studio", &"a".repeat(65_537));
    assert_eq!(long.status, 413);
    // None of them has opened a room.
    assert_eq!(program.health()["rooms"].as_u64().unwrap_or(0), 0);
}

#[test]
fn unacceptable_offers_are_refused() {
    let program = Program::start(&[]);
    let video = OBS
        .split_once("m=video")
        .unwrap()
        .1
        .replace("a=mid:1", "a=mid:2");
    let two_videos = format!("{OBS}m=video{video}").replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
    let with_data = format!("{OBS}{data}").replace("BUNDLE 0 1", "BUNDLE 0 1 2");
    for (offer, reason) in [
        (
            OBS.replace("H264", "H265"),
            "no codec of m= section 1 is supported: VP8, VP9, H264",
        ),
        (
            OBS.replace("a=sendonly", "a=recvonly"),
            "m= section 0 is not sendonly",
        ),
        (two_videos, "only one video track is accepted"),
        (with_data, "m= section 2 is neither audio nor video"),
    ] {
        let refused = publish(&program, "/whip/studio", &offer);
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(refused.body.contains(reason), "{}", refused.body);
    }
}

#[test]
fn other_methods_are_refused() {
    let program = Program::start(&[]);
    let created = publish(&program, "/whip/studio", OBS);
    let location = created.header("location").unwrap();
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH"] {
        assert_eq!(
            send(&program, method, "/whip/studio", "", "").status,
            405,
            "{method}"
        );
    }
    for method in ["GET", "HEAD", "POST", "PUT"] {
        assert_eq!(
            send(&program, method, location, "", "").status,
            405,
            "{method}"
        );
    }
}

#[test]
fn patch_needs_the_current_etag() {
    let program = Program::start(&[]);
    let created = publish(&program, "/whip/studio", OBS);
    let location = created.header("location").unwrap();
    let etag = format!(
        "{FRAGMENT}If-Match: {}\r\n",
        created.header("etag").unwrap()
    );
    let patch = |header: &str, body: &str| send(&program, "PATCH", location, header, body).status;
    assert_eq!(patch(FRAGMENT, &candidates()), 428);
    assert_eq!(
        patch(&format!("{FRAGMENT}If-Match: \"other\"\r\n"), &candidates()),
        412
    );
    assert_eq!(patch(&etag, &candidates()), 204);
    assert_eq!(patch(&etag, "a=candidate:x\r\n"), 400);
    assert_eq!(patch("If-Match: *\r\n", &candidates()), 415);
    let elsewhere = send(
        &program,
        "PATCH",
        "/whip/studio/guess",
        &etag,
        &candidates(),
    );
    assert_eq!(elsewhere.status, 404);
}

#[test]
fn ice_is_restarted_by_patch() {
    let program = Program::start(&[]);
    let created = publish(&program, "/whip/studio", OBS);
    let location = created.header("location").unwrap();
    let any = format!("{FRAGMENT}If-Match: *\r\n");
    let restarted = send(&program, "PATCH", location, &any, &fragment("anew"));
    assert_eq!(restarted.status, 200, "{}", restarted.body);
    assert_eq!(
        restarted.header("content-type"),
        Some("application/trickle-ice-sdpfrag")
    );
    assert_ne!(
        restarted.header("etag").unwrap(),
        created.header("etag").unwrap()
    );
    assert_ne!(restarted.attribute("ice-pwd"), created.attribute("ice-pwd"));
    let target = restarted.ice_target();
    assert!(target.is_answered(1));
    let before = format!(
        "{FRAGMENT}If-Match: {}\r\n",
        created.header("etag").unwrap()
    );
    let late = send(&program, "PATCH", location, &before, &fragment("anew"));
    assert_eq!(late.status, 412);
    let current = format!(
        "{FRAGMENT}If-Match: {}\r\n",
        restarted.header("etag").unwrap()
    );
    assert_eq!(
        send(&program, "PATCH", location, &current, &fragment("anew")).status,
        204
    );
}

#[tokio::test]
async fn tokens_decide_as_in_joining() {
    let program = Program::start(&[]);
    let with_token = |room: &str, token: &str| {
        let header = format!("{SDP}{}", bearer(token));
        send(&program, "POST", &format!("/whip/{room}"), &header, OBS)
    };
    let create = |policy: &str| {
        let room = json!({ "hostName": "Alice", "hostToken": true, "policy": policy });
        let created = send_request(&program, "POST", "/api/rooms", "", &room.to_string()).json();
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        (text("roomId"), text("hostToken"))
    };
    let invalid = with_token("studio", "no-token");
    assert_eq!(invalid.status, 401);
    assert_eq!(invalid.header("www-authenticate"), Some("Bearer"));
    let (room, token) = create("invite-only");
    assert_eq!(publish(&program, &format!("/whip/{room}"), OBS).status, 401);
    assert_eq!(with_token("other", &token).status, 401);
    assert_eq!(with_token(&room, &token).status, 201);
    for (policy, code) in [("approval", "waiting-room"), ("locked", "room-locked")] {
        let (room, token) = create(policy);
        let mut host = Client::connect(&program).await;
        let join = json!({ "roomId": room, "token": token });
        host.request("joinRoom", join, "roomJoined").await;
        let refused = publish(&program, &format!("/whip/{room}"), OBS);
        assert_eq!((refused.status, refused.code().as_str()), (403, code));
        assert_eq!(with_token(&room, &token).status, 201, "{policy}");
    }
}

#[test]
fn listener_that_requires_tokens_requires_them_of_publishers() {
    let program = start_configured("whip-token-required", "token_required = true\n");
    let refused = publish(&program, "/whip/studio", OBS);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (401, "invalid-token")
    );
}

#[tokio::test]
async fn publishers_are_bounded_like_other_participants() {
    let program = start_configured("whip-caps", "[caps]\nparticipants_max = 1\n");
    let _ana = Client::join(&program, "studio").await;
    let refused = publish(&program, "/whip/studio", OBS);
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (503, "limit-reached")
    );
    assert_eq!(refused.header("retry-after"), Some("5"));
}

#[tokio::test]
async fn removed_publisher_has_no_session_any_more() {
    let program = Program::start(&[]);
    let mut ana = Client::connect(&program).await;
    ana.send_with_id(1, "joinRoom", json!({ "roomId": "studio" }))
        .await;
    ana.expect("roomJoined").await;
    let created = publish(&program, "/whip/studio", OBS);
    let peer = ana.expect("newPeer").await["peerId"].take();
    let remove = json!({ "action": "remove", "peerId": peer });
    ana.send_with_id(2, "moderate", remove).await;
    ana.expect("done").await;
    ana.expect("peerLeft").await;
    let location = created.header("location").unwrap();
    let etag = format!(
        "{FRAGMENT}If-Match: {}\r\n",
        created.header("etag").unwrap()
    );
    assert_eq!(
        send(&program, "PATCH", location, &etag, &candidates()).status,
        404
    );
}

#[test]
fn ice_servers_are_linked() {
    let settings = "[[ice_servers]]\nurls = [\"stun:stun.example.org\"]\n";
    let program = start_configured("whip-ice-servers", settings);
    let created = publish(&program, "/whip/studio", OBS);
    let link = "<stun:stun.example.org>; rel=\"ice-server\"";
    assert_eq!(created.header("link"), Some(link));
}

#[test]
fn pages_of_allowed_origins_may_publish() {
    let program = Program::start(&[]);
    let options = send(&program, "OPTIONS", "/whip/studio", "", "");
    assert_eq!(
        (options.status, options.header("accept-post")),
        (204, Some("application/sdp"))
    );
    let own = "Origin: http://localhost:5173\r\n";
    let ask = format!("{own}Access-Control-Request-Method: PATCH\r\n");
    let preflight = send(&program, "OPTIONS", "/whip/studio/session", &ask, "");
    let methods = preflight.header("access-control-allow-methods");
    assert_eq!(methods, Some("POST, PATCH, DELETE, OPTIONS"));
    assert!(
        preflight
            .header("access-control-allow-headers")
            .unwrap()
            .contains("If-Match")
    );
    assert!(preflight.header("accept-patch").is_some());
    let created = send(
        &program,
        "POST",
        "/whip/studio",
        &format!("{SDP}{own}"),
        OBS,
    );
    assert_eq!(created.status, 201);
    let exposed = created.header("access-control-expose-headers").unwrap();
    assert!(exposed.contains("Location") && exposed.contains("ETag") && exposed.contains("Link"));
    let foreign = format!("{SDP}Origin: https://evil.example\r\n");
    assert_eq!(
        send(&program, "POST", "/whip/studio", &foreign, OBS).status,
        403
    );
}
