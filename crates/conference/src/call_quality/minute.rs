//! One minute of a participant: the mean or worst of its observations, and the causes that were observed often
//! enough.

use serde::Serialize;

use super::cause::Cause;
use super::judgement::{causes_of, judge};
use super::observation::{Connection, Flow, Microphone, Observation, Pictures};
use crate::message::Route;

/// A minute of a participant. Bitrates are means; loss, delay and counts of pictures are the worst observation.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Minute {
    /// Route of the media; absent while nothing was connected.
    pub route: Option<Route>,
    /// Worst state of the connection.
    pub connection: Connection,
    /// Largest round-trip time, in milliseconds.
    pub round_trip_ms: Option<u32>,
    /// Smallest bitrate that the line to the participant carried, in kbit/s.
    pub available_kbps: Option<u32>,
    /// Media to the participant.
    pub down: Direction,
    /// Media from the participant.
    pub up: Direction,
    /// Pictures to the participant.
    pub pictures: Pictures,
    /// Fewest encodings of its camera that arrived at a time, and those that it can send.
    pub encodings: Option<(u8, u8)>,
    /// Its microphone at the end of the minute.
    pub microphone: Microphone,
    /// Highest load of the core that served it, in percent.
    pub server_busy_percent: u8,
    /// Largest share of the time in which pictures stood still, in percent; absent where no page told it.
    pub frozen_percent: Option<u8>,
    /// Largest share of the sound that was made up, in percent.
    pub concealed_percent: Option<u8>,
    /// Largest share of frames that the device dropped, in percent.
    pub dropped_percent: Option<u8>,
}

/// Media in one direction over a minute.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Direction {
    /// Mean bitrate, in kbit/s.
    pub kbps: u32,
    /// Largest loss before repair, in percent.
    pub loss_percent: u32,
    /// Largest jitter of the sound, in milliseconds.
    pub jitter_ms: u32,
    /// Packets requested again.
    pub requested: u32,
    /// Keyframes requested.
    pub keyframe_requests: u32,
}

/// Observations of a minute so far.
#[derive(Debug, Default, Clone)]
pub struct MinuteTally {
    /// The minute so far; bitrates are sums.
    minute: Minute,
    /// Number of observations.
    observations: u32,
    /// Number of observations with each cause.
    counts: [u32; Cause::ALL.len()],
    /// Causes of events, which count however short they were.
    events: u32,
}

impl MinuteTally {
    /// Adds an observation.
    pub fn record(&mut self, observation: &Observation) {
        self.observations += 1;
        for cause in judge(observation) {
            if let Some(count) = self.counts.get_mut(cause as usize) {
                *count += 1;
            }
        }
        let minute = &mut self.minute;
        minute.route = observation.route.or(minute.route);
        minute.connection = worse(minute.connection, observation.connection);
        minute.round_trip_ms = minute.round_trip_ms.max(observation.round_trip_ms);
        let available = [minute.available_kbps, observation.available_kbps];
        minute.available_kbps = available.into_iter().flatten().min();
        minute.down.add(&observation.down);
        minute.up.add(&observation.up);
        let (worst, pictures) = (&mut minute.pictures, &observation.pictures);
        worst.wanted = worst.wanted.max(pictures.wanted);
        worst.reduced = worst.reduced.max(pictures.reduced);
        worst.withheld = worst.withheld.max(pictures.withheld);
        worst.held_by_last_n = worst.held_by_last_n.max(pictures.held_by_last_n);
        let encodings = [minute.encodings, observation.encodings];
        minute.encodings = encodings.into_iter().flatten().min();
        minute.microphone = observation.microphone;
        minute.server_busy_percent = minute
            .server_busy_percent
            .max(observation.server_busy_percent);
        if let Some(page) = &observation.page {
            minute.frozen_percent = minute.frozen_percent.max(Some(page.frozen_percent));
            minute.concealed_percent = minute.concealed_percent.max(Some(page.concealed_percent));
            minute.dropped_percent = minute.dropped_percent.max(Some(page.dropped_percent));
        }
    }

    /// Adds a cause that is an event, as a connection that was lost.
    pub const fn record_event(&mut self, cause: Cause) {
        self.events |= cause.bit();
    }

    /// Returns whether nothing was recorded.
    pub const fn is_empty(&self) -> bool {
        self.observations == 0 && self.events == 0
    }

    /// Takes the minute and its causes, and starts another one.
    pub fn take(&mut self) -> (Minute, Vec<Cause>) {
        let Self {
            mut minute,
            observations,
            counts,
            events,
        } = std::mem::take(self);
        for direction in [&mut minute.down, &mut minute.up] {
            direction.kbps = direction.kbps.checked_div(observations).unwrap_or(0);
        }
        let mut found = events;
        for cause in Cause::ALL {
            let count = counts.get(cause as usize).copied().unwrap_or(0);
            let is_frequent = count * 100 >= cause.share_percent_min() * observations;
            if count >= cause.count_min() && is_frequent {
                found |= cause.bit();
            }
        }
        (minute, causes_of(found))
    }
}

impl Direction {
    /// Adds the media of an observation.
    fn add(&mut self, flow: &Flow) {
        self.kbps = self.kbps.saturating_add(flow.kbps);
        self.loss_percent = self.loss_percent.max(flow.loss_percent());
        self.jitter_ms = self.jitter_ms.max(flow.jitter_ms);
        self.requested = self.requested.saturating_add(flow.requested);
        self.keyframe_requests = self
            .keyframe_requests
            .saturating_add(flow.keyframe_requests);
    }
}

/// Returns the worse of two states of a connection.
const fn worse(one: Connection, other: Connection) -> Connection {
    const fn rank(connection: Connection) -> u8 {
        match connection {
            Connection::Unused => 0,
            Connection::Connected => 1,
            Connection::Connecting => 2,
            Connection::Interrupted => 3,
            Connection::NeverConnected => 4,
        }
    }
    if rank(other) > rank(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lossy() -> Observation {
        Observation {
            connection: Connection::Connected,
            down: Flow {
                packets: 1_000,
                lost: 100,
                kbps: 600,
                ..Flow::default()
            },
            ..Observation::default()
        }
    }

    fn good() -> Observation {
        let mut observation = lossy();
        observation.down.lost = 0;
        observation
    }

    #[test]
    fn line_is_bad_when_a_third_of_the_minute_is() {
        for (bad, expected) in [(2, vec![]), (3, vec![Cause::Downlink])] {
            let mut tally = MinuteTally::default();
            (0..6 - bad).for_each(|_| tally.record(&good()));
            (0..bad).for_each(|_| tally.record(&lossy()));
            let (minute, causes) = tally.take();
            assert_eq!(causes, expected, "{bad} of 6");
            assert_eq!((minute.down.kbps, minute.down.loss_percent), (600, 10));
            assert!(tally.is_empty());
        }
    }

    #[test]
    fn single_observation_shows_a_dip_and_no_slow_line() {
        let mut tally = MinuteTally::default();
        tally.record(&lossy());
        assert_eq!(tally.take().1, []);
    }

    #[test]
    fn microphone_counts_as_muted_when_it_was_for_most_of_the_minute() {
        let muted = Observation {
            microphone: Microphone::Muted,
            ..good()
        };
        let mut tally = MinuteTally::default();
        (0..3).for_each(|_| tally.record(&muted));
        (0..3).for_each(|_| tally.record(&good()));
        assert_eq!(tally.take().1, []);
        (0..4).for_each(|_| tally.record(&muted));
        (0..2).for_each(|_| tally.record(&good()));
        assert_eq!(tally.take().1, [Cause::MicrophoneMuted]);
    }

    #[test]
    fn event_counts_however_short_it_was() {
        let mut tally = MinuteTally::default();
        (0..6).for_each(|_| tally.record(&good()));
        tally.record_event(Cause::LeftAbruptly);
        assert_eq!(tally.take().1, [Cause::LeftAbruptly]);
        let moved = Observation {
            has_moved: true,
            ..good()
        };
        (0..5).for_each(|_| tally.record(&good()));
        tally.record(&moved);
        assert_eq!(tally.take().1, [Cause::NetworkChanged]);
    }
}
