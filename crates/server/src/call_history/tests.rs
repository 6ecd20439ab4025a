//! The history as a file: what is stored of a call, for how long, by whose name, and what happens when the file cannot
//! be used.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use watersmeet_conference::call_quality::{
    Cause, Connection, Flow, Observation, ParticipantObservation, RoomObservation,
};
use watersmeet_conference::message::{PeerId, Role};
use watersmeet_conference::room_event::{
    DepartureReason, ParticipantRecord, RoomEvent, RoomEventKind, RoomRecord,
};
use watersmeet_wire::units::Time;

use super::deletion::Deletion;
use super::queries::{self, CallFilter, HistoryError};
use super::recorder::Recorder;
use super::store::{Store, StoreOptions};

/// A file in a folder of its own, which is removed in the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("watersmeet-history-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("history.sqlite")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options(has_names: bool) -> StoreOptions {
    StoreOptions {
        unix_epoch: Duration::from_secs(1_000),
        has_names,
    }
}

fn at(secs: u64) -> Time {
    Time::ZERO + Duration::from_secs(secs)
}

fn room(name: &str, session: &str, started: u64) -> RoomRecord {
    RoomRecord {
        name: name.into(),
        session: session.into(),
        title: None,
        main: None,
        started_at: at(started),
        participants: 1,
    }
}

fn participant(name: &str) -> ParticipantRecord {
    ParticipantRecord {
        session: format!("PA_{name}").into(),
        peer: PeerId::from_user_id(name),
        display_name: Some(name.into()),
        user: None,
        role: Role::Host,
        dialect: "native",
        joined_at: at(1),
    }
}

fn event(secs: u64, room: &RoomRecord, kind: RoomEventKind) -> RoomEvent {
    RoomEvent {
        at: at(secs),
        room: room.clone(),
        kind,
    }
}

/// Returns an observation of participants, of which the lossy ones lose a tenth of what is sent to them.
fn observed(room: &RoomRecord, people: &[(&str, bool)]) -> RoomObservation {
    let participants = people
        .iter()
        .map(|(name, is_lossy)| ParticipantObservation {
            participant: participant(name),
            observation: Observation {
                connection: Connection::Connected,
                down: Flow {
                    packets: 1_000,
                    lost: if *is_lossy { 100 } else { 0 },
                    kbps: 500,
                    ..Flow::default()
                },
                ..Observation::default()
            },
        });
    RoomObservation {
        room: room.clone(),
        participants: participants.collect(),
    }
}

/// Records a call of two minutes, in which ana's line is lossy in the second and ben's connection is lost.
fn record_call(store: &mut Store, session: &str, started: u64) {
    let room = room("standup", session, started);
    let mut recorder = Recorder::default();
    recorder.handle_event(&event(started, &room, RoomEventKind::RoomStarted));
    for round in 1..=12 {
        let is_lossy = round > 6;
        let observation = observed(&room, &[("ana", is_lossy), ("ben", false)]);
        recorder.handle_observations(at(started + round * 10 - 1), &[observation]);
    }
    for (name, reason) in [
        ("ben", DepartureReason::ConnectionLost),
        ("ana", DepartureReason::Left),
    ] {
        let left = RoomEventKind::ParticipantLeft {
            participant: participant(name),
            reason,
            has_connected: true,
        };
        recorder.handle_event(&event(started + 120, &room, left));
    }
    recorder.handle_event(&event(started + 120, &room, RoomEventKind::RoomFinished));
    store.apply(&recorder.take_changes()).unwrap();
}

fn all() -> CallFilter {
    CallFilter {
        limit: 100,
        ..CallFilter::default()
    }
}

#[test]
fn call_is_read_as_it_was_recorded() {
    let folder = Folder::new("call");
    let mut store = Store::open(&folder.file(), options(true)).unwrap();
    record_call(&mut store, "RM_1", 10);
    let mode = folder.file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let details = queries::call(&folder.file(), "RM_1").unwrap().unwrap();
    assert_eq!(details.call.room, "standup");
    assert_eq!(details.call.started_ms, 1_010_000);
    assert_eq!(details.call.ended_ms, Some(1_130_000));
    assert_eq!(details.call.causes, [Cause::Downlink, Cause::LeftAbruptly]);
    assert!(!details.is_truncated);
    let [ana, ben] = details.participants.as_slice() else {
        panic!("{details:?}");
    };
    assert_eq!(ana.name.as_deref(), Some("ana"));
    assert_eq!(ana.left_reason.as_deref(), Some("left"));
    let causes = |it: &queries::StoredParticipant| {
        let minutes = it.minutes.iter();
        minutes
            .map(|it| (it.number, it.causes.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(causes(ana), [(0, vec![]), (1, vec![Cause::Downlink])]);
    assert_eq!(causes(ben), [(0, vec![]), (1, vec![Cause::LeftAbruptly])]);
    let figures: serde_json::Value = serde_json::from_str(&ana.minutes[1].figures).unwrap();
    assert_eq!(figures["down"]["lossPercent"], 10);
    assert_eq!(figures["down"]["kbps"], 500);
    assert_eq!(figures["connection"], "connected");
}

#[test]
fn names_are_stored_only_when_asked_for() {
    let folder = Folder::new("names");
    let mut store = Store::open(&folder.file(), options(false)).unwrap();
    record_call(&mut store, "RM_1", 10);
    drop(store);
    let details = queries::call(&folder.file(), "RM_1").unwrap().unwrap();
    for it in &details.participants {
        assert_eq!((&it.name, &it.peer), (&None, &None));
    }
}

#[test]
fn calls_are_listed_newest_first_in_pages() {
    let folder = Folder::new("pages");
    let mut store = Store::open(&folder.file(), options(false)).unwrap();
    for (session, started) in [("RM_1", 10), ("RM_2", 200), ("RM_3", 400)] {
        record_call(&mut store, session, started);
    }
    let ids = |filter: CallFilter| {
        let calls = queries::calls(&folder.file(), &filter).unwrap();
        calls.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(all()), ["RM_3", "RM_2", "RM_1"]);
    let second = CallFilter {
        limit: 2,
        after: Some("RM_3".to_owned()),
        ..all()
    };
    assert_eq!(ids(second), ["RM_2", "RM_1"]);
    let range = CallFilter {
        from_ms: Some(1_200_000),
        to_ms: Some(1_400_000),
        ..all()
    };
    assert_eq!(ids(range), ["RM_2"]);
    let elsewhere = CallFilter {
        room: Some("other".to_owned()),
        ..all()
    };
    assert!(ids(elsewhere).is_empty());
}

#[test]
fn calls_participants_and_names_can_be_deleted() {
    let folder = Folder::new("deletion");
    let mut store = Store::open(&folder.file(), options(true)).unwrap();
    record_call(&mut store, "RM_1", 10);
    record_call(&mut store, "RM_2", 200);
    let one = Deletion::Participant {
        call: "RM_1".to_owned(),
        participant: "PA_ben".to_owned(),
    };
    assert_eq!(store.delete(&one).unwrap(), 1);
    assert_eq!(store.delete(&one).unwrap(), 0);
    assert_eq!(store.delete(&Deletion::Name("ana".to_owned())).unwrap(), 2);
    assert_eq!(store.call_of_name("ben").unwrap().as_deref(), Some("RM_2"));
    let left = queries::call(&folder.file(), "RM_1").unwrap().unwrap();
    assert!(left.participants.is_empty() && left.call.causes.is_empty());
    assert_eq!(store.delete(&Deletion::Call("RM_2".to_owned())).unwrap(), 1);
    assert_eq!(queries::call(&folder.file(), "RM_2").unwrap(), None);
}

#[test]
fn deleted_participant_is_not_recorded_any_more_in_the_same_call() {
    let folder = Folder::new("forgotten");
    let mut store = Store::open(&folder.file(), options(true)).unwrap();
    let room = room("standup", "RM_1", 10);
    let mut recorder = Recorder::default();
    recorder.handle_observations(
        at(12),
        &[observed(&room, &[("ana", false), ("ben", false)])],
    );
    store.apply(&recorder.take_changes()).unwrap();
    store.delete(&Deletion::Name("ana".to_owned())).unwrap();
    recorder.handle_observations(
        at(75),
        &[observed(&room, &[("ana", false), ("ben", false)])],
    );
    store.apply(&recorder.take_changes()).unwrap();
    assert_eq!(store.call_of_name("ana").unwrap(), None);
    assert!(store.call_of_name("ben").unwrap().is_some());
}

#[test]
fn old_calls_and_those_beyond_the_size_are_deleted() {
    let folder = Folder::new("retention");
    let mut store = Store::open(&folder.file(), options(false)).unwrap();
    for number in 0..200 {
        record_call(&mut store, &format!("RM_{number:03}"), 10 + number);
    }
    let bytes = store.prune(1_110_000, u64::MAX).unwrap();
    let count = |limit| {
        let filter = CallFilter { limit, ..all() };
        queries::calls(&folder.file(), &filter).unwrap().len()
    };
    assert_eq!(count(1_000), 100);
    let smaller = store.prune(0, bytes * 2 / 3).unwrap();
    assert!(smaller <= bytes * 2 / 3, "{smaller} of {bytes}");
    assert_eq!(count(1_000), 50);
    assert_eq!(
        queries::calls(&folder.file(), &all()).unwrap()[0].id,
        "RM_199"
    );
}

#[test]
fn calls_of_an_earlier_run_are_ended() {
    let folder = Folder::new("earlier");
    let room = room("standup", "RM_1", 10);
    let mut store = Store::open(&folder.file(), options(false)).unwrap();
    let mut recorder = Recorder::default();
    for secs in [15, 75, 135] {
        recorder.handle_observations(at(secs), &[observed(&room, &[("ana", false)])]);
    }
    store.apply(&recorder.take_changes()).unwrap();
    drop(store);
    let store = Store::open(&folder.file(), options(false)).unwrap();
    store.end_open_calls().unwrap();
    let details = queries::call(&folder.file(), "RM_1").unwrap().unwrap();
    assert_eq!(details.call.ended_ms, Some(1_010_000 + 120_000));
    assert_eq!(details.participants[0].left_ms, details.call.ended_ms);
}

#[test]
fn calls_and_stays_whose_ends_were_dropped_end_when_they_are_not_observed() {
    let folder = Folder::new("dropped");
    let mut store = Store::open(&folder.file(), options(true)).unwrap();
    let (gone, kept) = (room("standup", "RM_1", 10), room("retro", "RM_2", 10));
    let mut recorder = Recorder::default();
    let before = [
        observed(&gone, &[("ana", false)]),
        observed(&kept, &[("ben", false), ("cleo", false)]),
    ];
    recorder.handle_observations(at(20), &before);
    recorder.handle_observations(at(30), &[observed(&kept, &[("cleo", false)])]);
    store.apply(&recorder.take_changes()).unwrap();
    let read = |id| queries::call(&folder.file(), id).unwrap().unwrap();
    assert_eq!(read("RM_1").call.ended_ms, Some(1_030_000));
    assert_eq!(read("RM_1").participants[0].left_ms, Some(1_030_000));
    assert_eq!(read("RM_2").call.ended_ms, None);
    let left = |it: &queries::StoredParticipant| (it.left_ms, it.left_reason.clone());
    let left: Vec<_> = read("RM_2").participants.iter().map(left).collect();
    assert_eq!(left, [(Some(1_030_000), None), (None, None)]);
    recorder.handle_observations(at(40), &[]);
    assert_eq!(recorder.take_changes().len(), 3);
    recorder.handle_observations(at(50), &[]);
    assert_eq!(recorder.take_changes(), []);
}

#[test]
fn call_that_goes_on_is_open_again_after_the_file_was_closed() {
    let folder = Folder::new("reopened");
    let mut store = Store::open(&folder.file(), options(true)).unwrap();
    let (ended, kept) = (room("standup", "RM_1", 10), room("retro", "RM_2", 10));
    let mut recorder = Recorder::default();
    let both = [
        observed(&ended, &[("ana", false)]),
        observed(&kept, &[("ben", false)]),
    ];
    recorder.handle_observations(at(20), &both);
    store.apply(&recorder.take_changes()).unwrap();
    // The file is closed after a failure, and the first call ends before it is opened again.
    recorder.restart();
    let mut store = Store::open(&folder.file(), options(true)).unwrap();
    store.end_open_calls().unwrap();
    recorder.handle_observations(at(90), &[observed(&kept, &[("ben", false)])]);
    store.apply(&recorder.take_changes()).unwrap();
    let ended_ms = |id| {
        let details = queries::call(&folder.file(), id).unwrap().unwrap();
        (
            details.call.ended_ms.is_some(),
            details.participants[0].left_ms.is_some(),
        )
    };
    assert_eq!(ended_ms("RM_1"), (true, true));
    assert_eq!(ended_ms("RM_2"), (false, false));
}

#[test]
fn deleted_names_are_in_no_file_any_more() {
    let folder = Folder::new("overwritten");
    let mut store = Store::open(&folder.file(), options(true)).unwrap();
    let name = "Zebulon-of-the-unusual-name";
    let call = [observed(&room("standup", "RM_1", 10), &[(name, false)])];
    let mut recorder = Recorder::default();
    recorder.handle_observations(at(20), &call);
    store.apply(&recorder.take_changes()).unwrap();
    let is_stored = || {
        let files = std::fs::read_dir(&folder.0).unwrap();
        let mut contents = files.map(|it| std::fs::read(it.unwrap().path()).unwrap());
        let has_name = |it: Vec<u8>| it.windows(name.len()).any(|it| it == name.as_bytes());
        contents.any(has_name)
    };
    assert!(is_stored());
    store.delete(&Deletion::Name(name.to_owned())).unwrap();
    assert!(!is_stored());
}

#[test]
fn file_that_is_no_history_or_of_a_later_version_is_refused_with_advice() {
    let folder = Folder::new("damaged");
    std::fs::write(
        folder.file(),
        "no database, but a text of some length".repeat(50),
    )
    .unwrap();
    let error = Store::open(&folder.file(), options(false)).unwrap_err();
    assert!(error.advice().contains("damaged"), "{error}");
    std::fs::remove_file(folder.file()).unwrap();
    drop(Store::open(&folder.file(), options(false)).unwrap());
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = Store::open(&folder.file(), options(false)).unwrap_err();
    assert!(matches!(error, HistoryError::LaterVersion), "{error}");
}

#[test]
fn full_disk_is_an_error_after_which_the_store_goes_on() {
    let folder = Folder::new("full");
    let mut store = Store::open(&folder.file(), options(false)).unwrap();
    record_call(&mut store, "RM_0", 10);
    store.limit_pages().unwrap();
    let room = room("r".repeat(1 << 20).as_str(), "RM_1", 20);
    let mut recorder = Recorder::default();
    recorder.handle_event(&event(20, &room, RoomEventKind::RoomStarted));
    let error = store.apply(&recorder.take_changes()).unwrap_err();
    assert!(error.advice().contains("space"), "{error}");
    assert_eq!(queries::calls(&folder.file(), &all()).unwrap().len(), 1);
}
