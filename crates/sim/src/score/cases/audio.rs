//! Audio of a receiver that requests no lost packets, as Chromium: with redundancy and without, over one
//! line that loses packets at random in both directions.

use watersmeet_peer::negotiation::AudioRepair;

use super::builders::{case, line_of, mean};
use crate::profiles;
use crate::scenario::{kbps, millis, secs};
use crate::score::bar::{Bar, Row, Unit};
use crate::score::case::{Case, Person};
use crate::score::measure::Measure;

pub(super) fn cases() -> Vec<Case> {
    let with = lossy_audio(
        "A1 20 % loss, audio with redundancy",
        AudioRepair::Redundancy,
        [Bar::at_most(0.01), Bar::at_most(0.02)],
    );
    // Nothing repairs it: what is lost is what the line loses.
    let line_loss = Bar::between(0.18, 0.22);
    let without = lossy_audio(
        "A1 20 % loss, audio without redundancy",
        AudioRepair::Nothing,
        [line_loss, line_loss],
    );
    vec![with, without, starved()]
}

/// P11: a line that falls to 120 kbit/s, whose losses come from what it is offered. Redundancy must not add
/// to it.
fn starved() -> Case {
    let line = line_of(kbps(2_500), millis(20));
    let viewer = Person::viewer("ben", line).with_down_rates(kbps(2_500), &[(secs(10), kbps(120))]);
    let at_most = Bar::at_most(0.02);
    Case {
        people: vec![
            Person::publisher("ana"),
            viewer
                .at(secs(1))
                .repairing_audio_by(AudioRepair::Redundancy),
        ],
        measured_from: secs(11),
        measured_until: secs(70),
        rows: rows(at_most, at_most),
        ..case("A2 starved line, audio with redundancy", secs(70))
    }
}

fn rows(lost: Bar, concealed: Bar) -> Vec<Row> {
    vec![
        mean("audio lost", Unit::Share, Measure::AudioLoss, lost),
        mean(
            "audio concealed",
            Unit::Share,
            Measure::AudioConcealed,
            concealed,
        ),
    ]
}

/// P5, of which only audio is measured, from the tenth second on: until then the loss is becoming known.
fn lossy_audio(name: &'static str, repair: AudioRepair, [lost, concealed]: [Bar; 2]) -> Case {
    let viewer = Person::viewer("ben", profiles::loss_20_percent());
    Case {
        people: vec![
            Person::publisher("ana"),
            viewer.at(secs(1)).repairing_audio_by(repair),
        ],
        measured_from: secs(10),
        measured_until: secs(70),
        rows: rows(lost, concealed),
        ..case(name, secs(70))
    }
}
