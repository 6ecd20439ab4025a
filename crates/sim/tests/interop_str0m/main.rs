//! Interoperability with str0m, an independent implementation: it does full ICE, DTLS, SRTP,
//! numbering, retransmission and feedback. A worker forwards between two such peers in virtual
//! time. Only the frame contents come from `watersmeet-peer`, so that received media can be
//! verified. Handshakes use their own randomness, so runs are not repeatable byte for byte.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a failing helper fails its test"
)]

mod media;
mod session;

use std::time::Duration;

use str0m::RtcConfig;
use str0m::config::DtlsVersion as Str0mDtls;
use str0m::crypto::dtls::ProtocolVersion;
use watersmeet_engine::command::DtlsState;
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_peer::receiver::report::VideoReport;
use watersmeet_sim::profiles::{AccessLink, cable, cellular, wifi};
use watersmeet_wire::units::Time;

use crate::media::{Publisher, Viewer};
use crate::session::Session;

/// Result of a call between two str0m peers.
struct Outcome {
    /// DTLS version of each peer.
    versions: [ProtocolVersion; 2],
    /// Measurements of the video after the first four seconds.
    report: VideoReport,
    /// Number of received speech packets.
    speech_packets: u64,
}

/// Runs a call of twelve seconds.
fn call(str0m_version: Str0mDtls, ours: DtlsVersion, active: bool, access: AccessLink) -> Outcome {
    let mut session = Session::new(1, ours);
    let config = || RtcConfig::new().set_dtls_version(str0m_version);
    let (mut publisher, video, audio) = Publisher::new(&mut session, config(), access, active);
    let mut viewer = Viewer::new(&mut session, config(), access, active, [video, audio]);
    let (settled, end) = (Time::from_millis(4_000), Time::from_millis(12_000));
    let mut judged = false;
    while session.now < end {
        let next = publisher
            .poll_timeout()
            .min(end)
            .min(session.now + Duration::from_millis(5));
        session.run_until(next);
        publisher.publish(&mut session);
        viewer.process_received(&mut session);
        if session.now >= settled && !judged {
            judged = true;
            viewer.video.packet_stats.reset();
            viewer.video.quality.reset(session.now);
        }
    }
    assert_eq!(viewer.violations, []);
    let connected = session
        .dtls_states
        .iter()
        .filter(|(_, it)| *it == DtlsState::Connected);
    assert_eq!(connected.count(), 2, "{:?}", session.dtls_states);
    let versions = [publisher.index, viewer.index].map(|index| {
        session.peers[index]
            .connected
            .expect("the peer is connected")
    });
    let report = VideoReport::new(session.now, &viewer.video, None);
    println!("{report}; {} speech packets", viewer.speech_packets);
    Outcome {
        versions,
        report,
        speech_packets: viewer.speech_packets,
    }
}

#[test]
fn two_str0m_peers_connect_over_dtls_1_2() {
    let outcome = call(Str0mDtls::Dtls12, DtlsVersion::V12, true, cable());
    assert_eq!(outcome.versions, [ProtocolVersion::DTLS1_2; 2]);
    assert!(
        outcome.report.fps >= 29.0 && outcome.report.freezes == 0,
        "{}",
        outcome.report
    );
    assert_eq!(outcome.report.lost, 0);
    assert_eq!(
        outcome.report.last_frame.map(|signature| signature.layer),
        Some(2)
    );
    // Fifty packets per second, from 0.5 s after the start.
    assert!(
        outcome.speech_packets > 11 * 50,
        "{}",
        outcome.speech_packets
    );
}

#[test]
fn worker_can_be_the_dtls_client() {
    let outcome = call(Str0mDtls::Dtls12, DtlsVersion::V12, false, cable());
    assert_eq!(outcome.versions, [ProtocolVersion::DTLS1_2; 2]);
    assert!(
        outcome.report.fps >= 29.0 && outcome.report.freezes == 0,
        "{}",
        outcome.report
    );
}

#[test]
fn two_str0m_peers_connect_over_dtls_1_3() {
    let outcome = call(Str0mDtls::Dtls13, DtlsVersion::V13, true, cable());
    assert_eq!(outcome.versions, [ProtocolVersion::DTLS1_3; 2]);
    assert!(
        outcome.report.fps >= 29.0 && outcome.report.freezes == 0,
        "{}",
        outcome.report
    );
}

#[test]
fn server_with_both_dtls_versions_uses_the_version_of_the_client() {
    for (str0m_version, expected) in [
        (Str0mDtls::Dtls12, ProtocolVersion::DTLS1_2),
        (Str0mDtls::Dtls13, ProtocolVersion::DTLS1_3),
    ] {
        let outcome = call(str0m_version, DtlsVersion::Auto, true, cable());
        assert_eq!(outcome.versions, [expected; 2]);
        assert!(outcome.report.fps >= 29.0, "{}", outcome.report);
    }
}

#[test]
fn losses_are_repaired_on_both_legs() {
    for access in [wifi(), cellular()] {
        let outcome = call(Str0mDtls::Dtls12, DtlsVersion::V12, true, access);
        let report = &outcome.report;
        assert!(report.fps >= 24.0, "{report}");
        assert!(report.residual_loss() <= 0.005, "{report}");
        assert!(report.longest_freeze < Duration::from_secs(1), "{report}");
    }
}
