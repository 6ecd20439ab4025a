//! A foreign peer: str0m does ICE as a full agent, DTLS, SRTP, numbering, retransmission and
//! feedback; our worker sits between two of them, in virtual time. Only the content of the frames
//! is ours, so that what arrives can be judged. Handshakes draw randomness of their own, so these
//! runs are not repeatable byte for byte; the oracles hold in all of them.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    reason = "a helper that fails fails its test"
)]

mod media;
mod meeting;

use std::time::Duration;

use str0m::RtcConfig;
use str0m::config::DtlsVersion as ForeignDtls;
use str0m::crypto::dtls::ProtocolVersion;
use watersmeet_engine::command::DtlsState;
use watersmeet_engine::transport::dtls::DtlsVersion;
use watersmeet_peer::receiver::report::VideoReport;
use watersmeet_sim::profiles::{Access, cable, cellular, wifi};
use watersmeet_wire::units::Time;

use crate::media::{Publisher, Viewer};
use crate::meeting::Meeting;

/// What came of a call between two foreign peers.
struct Outcome {
    /// Which DTLS the two peers agreed on.
    versions: [ProtocolVersion; 2],
    /// How the video looked in its last part.
    report: VideoReport,
    /// Packets of voice that were heard.
    voices: u64,
}

/// A call of twelve seconds.
fn call(foreign: ForeignDtls, ours: DtlsVersion, active: bool, access: Access) -> Outcome {
    let mut meeting = Meeting::new(1, ours);
    let config = || RtcConfig::new().set_dtls_version(foreign);
    let (mut publisher, video, audio) = Publisher::new(&mut meeting, config(), access, active);
    let mut viewer = Viewer::new(&mut meeting, config(), access, active, [video, audio]);
    let (settled, end) = (Time::from_millis(4_000), Time::from_millis(12_000));
    let mut judged = false;
    while meeting.now < end {
        let next = publisher
            .poll_timeout()
            .min(end)
            .min(meeting.now + Duration::from_millis(5));
        meeting.run_until(next);
        publisher.publish(&mut meeting);
        viewer.view(&mut meeting);
        if meeting.now >= settled && !judged {
            judged = true;
            viewer.video.packet_stats.reset();
            viewer.video.quality.reset(meeting.now);
        }
    }
    assert_eq!(viewer.violations, []);
    let connected = meeting
        .dtls_states
        .iter()
        .filter(|(_, it)| *it == DtlsState::Connected);
    assert_eq!(connected.count(), 2, "{:?}", meeting.dtls_states);
    let versions = [publisher.index, viewer.index]
        .map(|index| meeting.peers[index].connected.expect("it is connected"));
    let report = VideoReport::new(meeting.now, &viewer.video, None);
    println!("{report}; {} voices", viewer.voices);
    Outcome {
        versions,
        report,
        voices: viewer.voices,
    }
}

#[test]
fn two_foreign_peers_meet_over_dtls_1_2() {
    let outcome = call(ForeignDtls::Dtls12, DtlsVersion::V12, true, cable());
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
    // Fifty a second, from half a second after the start.
    assert!(outcome.voices > 11 * 50, "{}", outcome.voices);
}

#[test]
fn we_may_be_the_client_of_dtls() {
    let outcome = call(ForeignDtls::Dtls12, DtlsVersion::V12, false, cable());
    assert_eq!(outcome.versions, [ProtocolVersion::DTLS1_2; 2]);
    assert!(
        outcome.report.fps >= 29.0 && outcome.report.freezes == 0,
        "{}",
        outcome.report
    );
}

#[test]
fn two_foreign_peers_meet_over_dtls_1_3() {
    let outcome = call(ForeignDtls::Dtls13, DtlsVersion::V13, true, cable());
    assert_eq!(outcome.versions, [ProtocolVersion::DTLS1_3; 2]);
    assert!(
        outcome.report.fps >= 29.0 && outcome.report.freezes == 0,
        "{}",
        outcome.report
    );
}

#[test]
fn a_server_of_both_versions_takes_what_the_client_speaks() {
    for (foreign, expected) in [
        (ForeignDtls::Dtls12, ProtocolVersion::DTLS1_2),
        (ForeignDtls::Dtls13, ProtocolVersion::DTLS1_3),
    ] {
        let outcome = call(foreign, DtlsVersion::Auto, true, cable());
        assert_eq!(outcome.versions, [expected; 2]);
        assert!(outcome.report.fps >= 29.0, "{}", outcome.report);
    }
}

#[test]
fn foreign_retransmission_and_ours_repair_what_is_lost() {
    for access in [wifi(), cellular()] {
        let outcome = call(ForeignDtls::Dtls12, DtlsVersion::V12, true, access);
        let report = &outcome.report;
        assert!(report.fps >= 24.0, "{report}");
        assert!(report.residual_loss() <= 0.005, "{report}");
        assert!(report.longest_freeze < Duration::from_secs(1), "{report}");
    }
}
