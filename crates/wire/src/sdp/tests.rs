//! Tests of session descriptions. Their texts have the forms that clients send.

use std::time::{Duration, Instant};

use super::*;
use crate::params::{
    CandidateType, DtlsParameters, DtlsRole, IceCandidate, IceParameters, IceProtocol, MediaKind,
    TcpType,
};
use crate::units::{Pt, Ssrc};

const CHROMIUM: &str = include_str!("../../../../fuzz/seeds/sdp/chromium-simulcast.sdp");
const FIREFOX: &str = include_str!("../../../../fuzz/seeds/sdp/firefox.sdp");
const OBS: &str = include_str!("../../../../fuzz/seeds/sdp/obs.sdp");
const GSTREAMER: &str = include_str!("../../../../fuzz/seeds/sdp/gstreamer.sdp");
const FRAGMENT: &str = include_str!("../../../../fuzz/seeds/sdp/fragment.sdpfrag");

/// Longest time in which a bad description is rejected.
const REJECTION_TIME_MAX: Duration = Duration::from_millis(10);

fn rids(offer: &str) -> Vec<String> {
    let offer = Offer::parse(offer).unwrap();
    let video = offer
        .media
        .iter()
        .find(|it| it.kind == Some(MediaKind::Video));
    let encodings = &video.unwrap().parameters.encodings;
    encodings
        .iter()
        .filter_map(|it| it.rid)
        .map(|it| it.to_string())
        .collect()
}

#[test]
fn offer_of_chromium_has_codecs_extensions_and_simulcast() {
    let offer = Offer::parse(CHROMIUM).unwrap();
    assert_eq!(offer.ice.username_fragment, "Vx2a");
    assert_eq!(offer.dtls.role, DtlsRole::Client);
    assert_eq!(offer.dtls.fingerprints[0].algorithm, "sha-256");
    let [audio, video] = offer.media.as_slice() else {
        panic!("{offer:?}")
    };
    assert_eq!(
        (audio.mid.as_str(), audio.direction),
        ("0", MediaDirection::SendOnly)
    );
    let opus = &audio.parameters.codecs[0];
    assert_eq!(
        (opus.mime_type.as_str(), opus.channels),
        ("audio/opus", Some(2))
    );
    assert_eq!(opus.parameters["useinbandfec"].as_integer(), Some(1));
    assert_eq!(audio.parameters.codecs[1].red_primary(), Some(Pt(111)));
    assert_eq!(
        audio.parameters.encodings[0].ssrc,
        Some(Ssrc(2_485_877_649))
    );
    assert_eq!(audio.parameters.rtcp.cname.as_deref(), Some("hXr2yzOk"));
    let h264 = video
        .parameters
        .codecs
        .iter()
        .find(|it| it.payload_type == Pt(103));
    let parameters = &h264.unwrap().parameters;
    assert_eq!(parameters["profile-level-id"].as_text(), Some("42001f"));
    assert_eq!(parameters["packetization-mode"].as_integer(), Some(1));
    assert_eq!(video.parameters.codecs[1].apt(), Some(Pt(96)));
    assert!(video.parameters.codecs[0].has_feedback("nack", "pli"));
    assert_eq!(video.parameters.header_extensions.len(), 8);
    assert_eq!(rids(CHROMIUM), ["q", "h", "f"]);
}

#[test]
fn offer_of_firefox_inherits_the_fingerprint_and_has_a_bundle_only_section() {
    let offer = Offer::parse(FIREFOX).unwrap();
    let video = &offer.media[1];
    assert!(!video.is_rejected);
    let encoding = &video.parameters.encodings[0];
    assert_eq!(encoding.ssrc, Some(Ssrc(3_409_732_817)));
    assert_eq!(encoding.rtx.unwrap().ssrc, Ssrc(1_764_432_020));
    // Two extensions are recvonly.
    assert_eq!(offer.media[0].parameters.header_extensions.len(), 2);
    assert_eq!(video.parameters.header_extensions.len(), 4);
}

#[test]
fn offers_of_obs_and_gstreamer_are_read() {
    let obs = Offer::parse(OBS).unwrap();
    assert_eq!(obs.ice.username_fragment, "oF5p");
    assert_eq!(obs.media[1].parameters.codecs[0].mime_type, "video/H264");
    assert_eq!(
        obs.media[0].parameters.msid.as_deref(),
        Some("obs-stream obs-stream-audio")
    );
    let gstreamer = Offer::parse(GSTREAMER).unwrap();
    let mids: Vec<_> = gstreamer.media.iter().map(|it| it.mid.as_str()).collect();
    assert_eq!(mids, ["video0", "audio1"]);
    let encoding = &gstreamer.media[0].parameters.encodings[0];
    assert_eq!(encoding.rtx.unwrap().ssrc, Ssrc(1_871_240_017));
}

#[test]
fn encodings_are_sorted_by_restrictions_then_names_then_preference() {
    let renamed = |names: [&str; 3], restrictions: [&str; 3]| {
        let lines: String = names
            .iter()
            .zip(restrictions)
            .map(|(name, restriction)| format!("a=rid:{name} send{restriction}\r\n"))
            .collect();
        let before = "a=rid:q send\r\na=rid:h send\r\na=rid:f send\r\n";
        let offer = CHROMIUM.replace(before, &lines);
        offer.replace("send q;h;f", &format!("send {}", names.join(";")))
    };
    let none = [""; 3];
    assert_eq!(rids(&renamed(["f", "h", "q"], none)), ["q", "h", "f"]);
    // OBS numbers its encodings from the best one on.
    assert_eq!(rids(&renamed(["0", "1", "2"], none)), ["2", "1", "0"]);
    let sizes = [
        " max-width=1280;max-height=720",
        " max-width=320;max-height=180",
        " max-width=640;max-height=360",
    ];
    assert_eq!(rids(&renamed(["a", "b", "c"], sizes)), ["b", "c", "a"]);
    assert_eq!(
        rids(&renamed(["hi", "~lo,x", "mid"], none).replace("a=rid:~lo,x", "a=rid:lo")),
        ["lo", "mid", "hi"]
    );
}

#[test]
fn offers_without_what_webrtc_needs_are_rejected() {
    let without = |line: &str| FIREFOX.replace(line, "");
    for (offer, error) in [
        (
            String::new(),
            "malformed session description: No version line",
        ),
        ("v=0\r\n".to_owned(), "an m= section is missing"),
        (without("a=rtcp-mux\r\n"), "a=rtcp-mux is missing"),
        (without("a=setup:actpass\r\n"), "a=setup is missing"),
        (without("a=mid:1\r\n"), "a=mid is missing"),
        (
            without("a=group:BUNDLE 0 1\r\n"),
            "all m= sections have to be in one BUNDLE group",
        ),
        (
            without("a=ice-ufrag:3f5c2a1b\r\n"),
            "a=ice-ufrag is missing",
        ),
        (
            FIREFOX.replace("a=mid:1", "a=mid:0"),
            "two m= sections have the same a=mid",
        ),
        (
            FIREFOX.replace("a=mid:1", "a=mid:12345678901234567"),
            "a=mid is invalid",
        ),
        (FIREFOX.replace("3f5c2a1b", "3f5"), "a=ice-ufrag is invalid"),
        (
            FIREFOX.replace("3f5c2a1b", "3f5c 2a1b"),
            "a=ice-ufrag is invalid",
        ),
        (
            FIREFOX.replace("sha-256 ", "sha-256 zz:"),
            "a=fingerprint is invalid",
        ),
        (
            FIREFOX.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"),
            "transport protocol of an m= line is invalid",
        ),
        (
            FIREFOX.replace(" 120 124", " 120 120"),
            "m= line is invalid",
        ),
        (FIREFOX.replace("VP8/90000", "VP8"), "a=rtpmap is invalid"),
        (
            FIREFOX.replace("apt=120", "apt=x"),
            "apt of a=fmtp is invalid",
        ),
        (
            FIREFOX.replace("FID 3409732817", "FID x"),
            "a=ssrc-group is invalid",
        ),
        (
            CHROMIUM.replace("a=rid:q send\r\n", ""),
            "a=rid of an encoding is missing",
        ),
        (CHROMIUM.replace("q;h;f", "q;q;f"), "a=simulcast is invalid"),
    ] {
        assert_eq!(Offer::parse(&offer).unwrap_err().to_string(), error);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures how long parsing takes")]
fn forty_bombs_are_rejected_in_time() {
    let lines = |line: &str, count: usize| format!("{OBS}{}", format!("{line}\r\n").repeat(count));
    let mut bombs = vec![
        "v=0\r\n".repeat(20_000),
        format!("v=0\r\ns={}\r\n", "x".repeat(SDP_LEN_MAX)),
        lines("m=video 9 UDP/TLS/RTP/SAVPF 96", SDP_SECTIONS_MAX),
        lines("a=x", SDP_LINES_MAX),
        OBS.replace("SAVPF 96", &format!("SAVPF {}", "96 ".repeat(10_000))),
        OBS.replace("SAVPF 96", &format!("SAVPF {}", " 1".repeat(30_000))),
        OBS.replace("42e01f", &"4".repeat(2_000)),
        OBS.replace("a=mid:1", &format!("a=mid:{}", "1".repeat(60_000))),
    ];
    for line in [
        "a=rtcp-fb:96 nack",
        "a=rtcp-fb:* nack",
        "a=fmtp:96 a=1;b=2;c=3;d=4;e=5;f=6;g=7;h=8",
        "a=extmap:1 urn:x",
        "a=simulcast:send 1;2;3;4;5;6;7;8;9",
        "a=mid:0",
        "a=group:BUNDLE",
        "a=fingerprint:sha-256 AA",
        "a=candidate:x",
        "a=ssrc:x",
        "a=ssrc-group:FID 1",
        "b=AS:x",
        "c=x",
        "k=x",
        "i=x",
        "=",
    ] {
        // Attributes that are no error by themselves exceed the bound of lines or of the text.
        bombs.push(lines(line, SDP_LINES_MAX));
        bombs.push(lines(&format!("{line}{}", "y".repeat(1_000)), 80));
    }
    assert_eq!(bombs.len(), 40);
    for bomb in bombs {
        // The fastest of several measurements: other processes may take the processor meanwhile.
        let times = (0..5).map(|_| {
            let start = Instant::now();
            assert!(Offer::parse(&bomb).is_err(), "{bomb:.2000}");
            start.elapsed()
        });
        assert!(times.min() <= Some(REJECTION_TIME_MAX), "{bomb:.200}");
    }
}

#[test]
fn lists_are_bounded() {
    let with = |line: &str, count: usize| {
        Offer::parse(&format!("{OBS}{}", format!("{line}\r\n").repeat(count))).unwrap_err()
    };
    assert_eq!(
        with("a=extmap:1 urn:x", 33),
        SdpError::TooMany("header extensions")
    );
    assert_eq!(
        with("a=rtcp-fb:96 nack", 33),
        SdpError::TooMany("kinds of RTCP feedback")
    );
    let parameters: String = (0..40).map(|it| format!("p{it}=1;")).collect();
    let offer = format!("{OBS}a=fmtp:96 {parameters}\r\n");
    assert_eq!(
        Offer::parse(&offer).unwrap_err(),
        SdpError::TooMany("format parameters")
    );
    let fingerprints = "a=fingerprint:sha-256 AA\r\n".repeat(9);
    let offer = OBS.replace("m=audio", &format!("{fingerprints}m=audio"));
    assert_eq!(
        Offer::parse(&offer).unwrap_err(),
        SdpError::TooMany("fingerprints")
    );
    let formats: String = (0..65).map(|it| format!(" {it}")).collect();
    let offer = OBS.replace("SAVPF 96", &format!("SAVPF{formats}"));
    assert_eq!(
        Offer::parse(&offer).unwrap_err(),
        SdpError::TooMany("codecs")
    );
    let names: Vec<_> = (0..9).map(|it| it.to_string()).collect();
    let rid = |it: &String| format!("a=rid:{it} send\r\n");
    let rids: String = names.iter().map(rid).collect();
    let offer = format!("{OBS}{rids}a=simulcast:send {}\r\n", names.join(";"));
    assert_eq!(
        Offer::parse(&offer).unwrap_err(),
        SdpError::TooMany("encodings")
    );
}

fn candidate(protocol: IceProtocol) -> IceCandidate {
    IceCandidate {
        foundation: "1".to_owned(),
        priority: 10,
        ip: "192.0.2.9".to_owned(),
        address: "192.0.2.9".to_owned(),
        protocol,
        port: 10_000,
        kind: CandidateType::Host,
        tcp_type: (protocol == IceProtocol::Tcp).then_some(TcpType::Passive),
    }
}

fn server_ice() -> IceParameters {
    IceParameters {
        username_fragment: "server".to_owned(),
        password: "p".repeat(32),
        ice_lite: true,
    }
}

#[test]
fn answer_accepts_what_it_is_told_to() {
    let offer = Offer::parse(&CHROMIUM.replace("m=audio 9", "m=audio 0")).unwrap();
    assert!(offer.media[0].is_rejected);
    let mut parameters = offer.media[1].parameters.clone();
    parameters.codecs.truncate(2);
    let dtls = DtlsParameters {
        role: DtlsRole::Auto,
        fingerprints: offer.dtls.fingerprints.clone(),
    };
    let answer = Answer {
        offer: &offer,
        ice: &server_ice(),
        candidates: &[candidate(IceProtocol::Udp), candidate(IceProtocol::Tcp)],
        dtls: &dtls,
        media: &[
            AcceptedMedia::Rejected,
            AcceptedMedia::Receive(Box::new(parameters)),
        ],
    };
    let text = answer.write();
    for line in [
        "a=ice-lite",
        "a=group:BUNDLE 1",
        "m=audio 0 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
        "a=setup:passive",
        "a=recvonly",
        "a=rtcp-mux",
        "a=rtpmap:96 VP8/90000",
        "a=rtcp-fb:96 nack pli",
        "a=fmtp:97 apt=96",
        "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        "a=rid:q recv",
        "a=simulcast:recv q;h;f",
        "a=candidate:1 1 udp 10 192.0.2.9 10000 typ host",
        "a=candidate:1 1 tcp 10 192.0.2.9 10000 typ host tcptype passive",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    // Every line ends as RFC 8866 asks, and the parser accepts the whole.
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    sdp_types::Session::parse(text.as_bytes()).unwrap();
}

#[test]
fn passive_client_is_told_that_the_server_is_active() {
    let offer = Offer::parse(&OBS.replace("setup:actpass", "setup:passive")).unwrap();
    assert_eq!(offer.dtls.role, DtlsRole::Server);
    let media: Vec<_> = offer
        .media
        .iter()
        .map(|it| AcceptedMedia::Receive(Box::new(it.parameters.clone())))
        .collect();
    let (dtls, ice) = (offer.dtls.clone(), server_ice());
    let answer = Answer {
        offer: &offer,
        ice: &ice,
        candidates: &[],
        dtls: &dtls,
        media: &media,
    };
    assert!(answer.write().contains("a=setup:active\r\n"));
}

#[test]
fn fragment_has_the_credentials_of_its_candidates() {
    let fragment = IceFragment::parse(FRAGMENT).unwrap();
    assert_eq!(fragment.ice.username_fragment, "Vx2a");
    for (text, error) in [
        ("", "a=ice-ufrag is missing"),
        ("a=ice-ufrag:abcd\r\n", "a=ice-pwd is missing"),
        (
            &FRAGMENT.replace("typ host", "type host"),
            "a=candidate is invalid",
        ),
        (
            &FRAGMENT.replace("61764 typ", "99999 typ"),
            "a=candidate is invalid",
        ),
        (&FRAGMENT.repeat(200), "too many m= sections"),
    ] {
        assert_eq!(IceFragment::parse(text).unwrap_err().to_string(), error);
    }
}

#[test]
fn written_fragment_can_be_read() {
    let candidates = [candidate(IceProtocol::Udp)];
    let text = IceFragment::write(&server_ice(), &candidates, "0");
    let read = IceFragment::parse(&text).unwrap();
    assert_eq!(read.ice.username_fragment, "server");
    assert!(text.contains("a=candidate:1 1 udp 10 192.0.2.9 10000 typ host\r\n"));
}
