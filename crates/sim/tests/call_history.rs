//! The history of a call in which one of four participants has a fault names the right person and the right cause,
//! and nobody else. In calls without a fault it names nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use watersmeet_conference::call_quality::{Cause, MinuteTally, RoomObservation};
use watersmeet_conference::message::{DeviceState, PageReport};
use watersmeet_sim::network::{LinkProfile, Loss};
use watersmeet_sim::profiles::{self, AccessLink, cable, wifi};
use watersmeet_sim::scenario::{camera, kbps, millis, secs};
use watersmeet_sim::seeds;
use watersmeet_sim::world::World;

const NAMES: [&str; 4] = ["ana", "ben", "cat", "dan"];

/// Time before a fault starts, in which the estimates of what the lines carry rise.
const WARM_UP: Duration = secs(20);

/// Interval between observations.
const INTERVAL: Duration = secs(10);

/// Observations of a minute.
const OBSERVATIONS: usize = 6;

/// Faults of which the history must name the right person and cause.
const HITS_MIN: usize = 17;

/// A fault of one participant.
#[derive(Clone, Copy)]
enum Fault {
    /// The line to the participant becomes slow, in kbit/s.
    SlowDownlink(u64),
    /// The line from the participant becomes slow, in kbit/s.
    SlowUplink(u64),
    /// The line to the participant loses this share.
    LossyDownlink(f64),
    /// The line from the participant loses this share.
    LossyUplink(f64),
    /// The line from the participant delays packets by up to this, in milliseconds.
    JitteryUplink(u64),
    /// The line to the participant does.
    JitteryDownlink(u64),
    /// The line takes this long in each direction, in milliseconds.
    LongLine(u64),
    /// The line carries nothing for this long, in seconds.
    Outage(u64),
    /// Media never connects.
    Blocked,
    /// The microphone is muted.
    Muted,
    /// Media comes through a relay.
    Relayed,
    /// The page reports what no server sees.
    Page(PageReport),
}

/// Returns the report of a page for which all is well.
fn working() -> PageReport {
    PageReport {
        microphone: DeviceState::Working,
        camera: DeviceState::Working,
        ..PageReport::default()
    }
}

/// Returns the twenty faults with their names and the causes that the history should name.
fn faults() -> Vec<(&'static str, Fault, Cause)> {
    let page = |change: fn(&mut PageReport)| {
        let mut report = working();
        change(&mut report);
        Fault::Page(report)
    };
    vec![
        (
            "downlink of 300 kbit/s",
            Fault::SlowDownlink(300),
            Cause::Downlink,
        ),
        (
            "downlink of 600 kbit/s",
            Fault::SlowDownlink(600),
            Cause::Downlink,
        ),
        (
            "downlink of 1 Mbit/s",
            Fault::SlowDownlink(1_000),
            Cause::Downlink,
        ),
        (
            "downlink loses 10 %",
            Fault::LossyDownlink(0.1),
            Cause::Downlink,
        ),
        (
            "downlink loses 25 %",
            Fault::LossyDownlink(0.25),
            Cause::Downlink,
        ),
        (
            "downlink jitters",
            Fault::JitteryDownlink(250),
            Cause::Downlink,
        ),
        ("uplink loses 10 %", Fault::LossyUplink(0.1), Cause::Uplink),
        ("uplink loses 25 %", Fault::LossyUplink(0.25), Cause::Uplink),
        (
            "uplink of 300 kbit/s",
            Fault::SlowUplink(300),
            Cause::Uplink,
        ),
        ("uplink jitters", Fault::JitteryUplink(250), Cause::Uplink),
        ("satellite", Fault::LongLine(300), Cause::LongDelay),
        ("cut for 15 s", Fault::Outage(15), Cause::Interrupted),
        ("media blocked", Fault::Blocked, Cause::NeverConnected),
        ("microphone muted", Fault::Muted, Cause::MicrophoneMuted),
        ("relay", Fault::Relayed, Cause::Relay),
        (
            "microphone silent",
            page(|it| it.microphone = DeviceState::Silent),
            Cause::MicrophoneSilent,
        ),
        (
            "viewer's CPU",
            page(|it| it.dropped_percent = 40),
            Cause::ViewerCpu,
        ),
        (
            "publisher's CPU",
            page(|it| it.limited_by_cpu = true),
            Cause::PublisherCpu,
        ),
        (
            "camera unplugged",
            page(|it| it.camera = DeviceState::Failed),
            Cause::CameraDevice,
        ),
        (
            "device asleep",
            page(|it| it.stalled_ms = 20_000),
            Cause::BrowserAsleep,
        ),
    ]
}

/// Causes that the history names, by participant.
type Named = BTreeMap<&'static str, Vec<Cause>>;

/// Runs a call of four over these lines in which one has a fault, and returns what the history names in the minute
/// of the fault.
fn run(seed: u64, lines: AccessLink, fault: Option<(&'static str, Fault)>) -> Named {
    let mut world = World::new(seed);
    for name in NAMES {
        world = world.joins(name, camera().simulcast(3).over(lines));
        if let Some((faulty, Fault::Blocked)) = fault
            && faulty == name
            && let Some(participant) = world.participant_mut(name)
        {
            participant.is_blocked = true;
        }
    }
    world.run(WARM_UP);
    world.observe(None);
    if let Some((name, fault)) = fault {
        start(&mut world, name, fault);
    }
    let mut tallies: [MinuteTally; NAMES.len()] = Default::default();
    for _ in 0..OBSERVATIONS {
        world.run(INTERVAL - millis(500));
        if let Some((faulty, Fault::Page(report))) = fault {
            for name in NAMES {
                let report = if name == faulty { report } else { working() };
                world.report_quality(name, &report);
            }
        }
        world.run(millis(500));
        let relayed = fault.filter(|(_, it)| matches!(it, Fault::Relayed));
        record(&mut tallies, &world.observe(relayed.map(|(name, _)| name)));
    }
    let causes = tallies.iter_mut().map(|it| it.take().1);
    NAMES.into_iter().zip(causes).collect()
}

/// Adds the observations of the only room.
fn record(tallies: &mut [MinuteTally; NAMES.len()], rooms: &[RoomObservation]) {
    let observed: Vec<_> = rooms.iter().flat_map(|it| &it.participants).collect();
    assert_eq!((rooms.len(), observed.len()), (1, NAMES.len()));
    for (tally, name) in tallies.iter_mut().zip(NAMES) {
        let is_named = |shown: &Option<Arc<str>>| shown.as_deref() == Some(name);
        let mut all = observed.iter();
        let found = all.find(|it| is_named(&it.participant.display_name));
        assert!(found.is_some(), "{name} is observed");
        found
            .into_iter()
            .for_each(|it| tally.record(&it.observation));
    }
}

/// Starts a fault of a participant.
fn start(world: &mut World, name: &str, fault: Fault) {
    let now = world.now();
    let change = |world: &mut World, change: &dyn Fn(&mut LinkProfile, &mut LinkProfile)| {
        world.change_link(name, change);
    };
    match fault {
        Fault::SlowDownlink(rate) => change(world, &|_, down| down.rate = Some(kbps(rate))),
        Fault::SlowUplink(rate) => change(world, &|up, _| up.rate = Some(kbps(rate))),
        Fault::LossyDownlink(share) => change(world, &|_, down| down.loss = Loss::Random(share)),
        Fault::LossyUplink(share) => change(world, &|up, _| up.loss = Loss::Random(share)),
        Fault::JitteryUplink(delay) => change(world, &|up, _| add_jitter(up, delay)),
        Fault::JitteryDownlink(delay) => change(world, &|_, down| add_jitter(down, delay)),
        Fault::LongLine(delay) => change(world, &|up, down| {
            (up.delay, down.delay) = (millis(delay), millis(delay));
        }),
        Fault::Outage(span) => world.start_outage(name, secs(span)),
        Fault::Muted => {
            if let Some(participant) = world.participant_mut(name) {
                participant.browser.set_source_paused(now, 1, true);
            }
        }
        Fault::Blocked | Fault::Relayed | Fault::Page(_) => {}
    }
}

fn add_jitter(link: &mut LinkProfile, delay: u64) {
    link.delay = millis(delay + 10);
    link.jitter = millis(delay);
}

#[test]
fn history_names_the_person_and_the_cause_of_seventeen_of_twenty_faults() {
    let seed = seeds::COMMITTED[0];
    let (mut hits, mut accused) = (0, Vec::new());
    for (index, (fault_name, fault, cause)) in faults().into_iter().enumerate() {
        let faulty = NAMES[index % NAMES.len()];
        let named = run(seed + index as u64, cable(), Some((faulty, fault)));
        let is_hit = named[faulty].contains(&cause);
        hits += usize::from(is_hit);
        let verdict = if is_hit { "hit" } else { "MISS" };
        println!(
            "{verdict:4} {fault_name:24} {faulty}: {} -> {named:?}",
            cause.code()
        );
        let others = named
            .iter()
            .filter(|(name, causes)| **name != faulty && !causes.is_empty());
        accused.extend(others.map(|(name, causes)| format!("{fault_name}: {name} {causes:?}")));
    }
    println!("{hits} of 20 faults");
    assert!(hits >= HITS_MIN, "{hits} of 20 faults");
    assert!(accused.is_empty(), "named without a fault: {accused:?}");
}

#[test]
fn history_names_nobody_in_calls_without_a_fault() {
    for (seed, lines) in [
        (3, profiles::ideal()),
        (5, cable()),
        (8, wifi()),
        (13, cable()),
    ] {
        let named = run(seed, lines, None);
        let bad = named.values().flatten().count();
        assert_eq!(bad, 0, "seed {seed}: {named:?}");
    }
}
