//! Makes observations of one client from the samples of its transports, and keeps what they need of earlier ones.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use watersmeet_engine::command::{
    DtlsState, FlowSample, IceState, ProducerId, TransportId, TransportSample,
};
use watersmeet_wire::params::MediaKind;
use watersmeet_wire::units::{Bitrate, Map, Time, TokenBucket};

use super::observation::{Connection, Flow, Microphone, Observation};
use crate::message::{MediaSource, PageReport, ProducerSummary, Route};

/// Time after which a client that was asked to connect should have: ICE and DTLS take a few round trips.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(6);

/// Silence of a connected client that is an interruption: it sends checks every few seconds at least (RFC 7675).
const SILENCE_MAX: Duration = Duration::from_secs(7);

/// Age of a page's report up to which it explains an observation.
const REPORT_AGE_MAX: Duration = Duration::from_secs(25);

/// Audio level of digital silence, in −dBov (RFC 6464).
const DIGITAL_SILENCE: u8 = 127;

/// Reports that a page may send per second, on average, and at once.
const REPORTS_PER_SECOND: u32 = 1;
const REPORTS_BURST: u32 = 5;

/// State of a client between two observations.
#[derive(Debug)]
pub(crate) struct ObservedClient {
    /// Time at which it joined its room.
    joined_at: Option<Time>,
    /// Since when a transport should have connected and has not.
    unconnected_since: Option<Time>,
    /// Address from which the media of each transport came last.
    addresses: Map<TransportId, IpAddr>,
    /// Whether any sound has come from its microphone.
    was_heard: bool,
    /// Latest report of its page, with its arrival.
    page: Option<(Time, PageReport)>,
    /// Limit of these reports.
    reports: TokenBucket,
}

impl Default for ObservedClient {
    fn default() -> Self {
        Self {
            joined_at: None,
            unconnected_since: None,
            addresses: Map::new(),
            was_heard: false,
            page: None,
            reports: TokenBucket::new(REPORTS_PER_SECOND, REPORTS_BURST),
        }
    }
}

/// Inputs of an observation besides the samples of the client's transports.
pub(crate) struct Surroundings<'a> {
    /// Announced producers of the client.
    pub producers: &'a [ProducerSummary],
    /// Returns whether an address belongs to a relay.
    pub is_relay: &'a dyn Fn(SocketAddr) -> bool,
    /// Load of the core that serves the client, in percent.
    pub server_busy_percent: u8,
}

impl ObservedClient {
    /// Records that the client joined a room.
    pub fn record_join(&mut self, now: Time) {
        self.joined_at = Some(now);
        self.was_heard = false;
        self.page = None;
    }

    /// Records a report of its page. Returns false, and records nothing, when there were too many.
    pub fn record_report(&mut self, now: Time, report: PageReport) -> bool {
        let is_allowed = self.reports.try_take(now, 1);
        if is_allowed {
            self.page = Some((now, report));
        }
        is_allowed
    }

    /// Returns what the samples of all its transports show.
    pub fn observe(
        &mut self,
        now: Time,
        samples: &[&TransportSample],
        surroundings: &Surroundings<'_>,
    ) -> Observation {
        let age_s = now.since(self.joined_at.unwrap_or(now)).as_secs();
        let page = self.page.filter(|(at, _)| now.since(*at) <= REPORT_AGE_MAX);
        let connection = self.connection(now, samples);
        let mut observation = Observation {
            age_s: u32::try_from(age_s).unwrap_or(u32::MAX),
            connection,
            has_moved: self.record_addresses(samples),
            server_busy_percent: surroundings.server_busy_percent,
            page: page.map(|(_, report)| report),
            ..Observation::default()
        };
        for sample in samples {
            add_sample(&mut observation, sample, surroundings);
        }
        // A microphone that works has given some noise once. Later, programs that remove noise may stay silent. Nothing
        // arrives before the media of a client has connected.
        let is_heard = observation.microphone == Microphone::Open;
        self.was_heard |= is_heard && connection == Connection::Connected;
        let may_be_silent = self.was_heard || connection != Connection::Connected;
        if may_be_silent && observation.microphone == Microphone::Silent {
            observation.microphone = Microphone::Open;
        }
        observation
    }

    /// Returns the state of all transports together.
    fn connection(&mut self, now: Time, samples: &[&TransportSample]) -> Connection {
        let awaited = samples.iter().filter(|it| it.is_awaited);
        let is_connected = |it: &&&TransportSample| it.dtls == DtlsState::Connected;
        let mut connected = awaited.clone().filter(is_connected).peekable();
        if awaited.clone().any(|it| it.dtls != DtlsState::Connected) {
            let since = *self.unconnected_since.get_or_insert(now);
            return match now.since(since) >= CONNECT_TIME_MAX {
                true => Connection::NeverConnected,
                false => Connection::Connecting,
            };
        }
        self.unconnected_since = None;
        if connected.peek().is_none() {
            return Connection::Unused;
        }
        let is_silent =
            |it: &TransportSample| it.silence >= SILENCE_MAX || it.ice == IceState::Disconnected;
        match connected.any(|it| is_silent(it)) {
            true => Connection::Interrupted,
            false => Connection::Connected,
        }
    }

    /// Records from where media comes. Returns whether a transport continues from another address.
    fn record_addresses(&mut self, samples: &[&TransportSample]) -> bool {
        let before = std::mem::take(&mut self.addresses);
        let mut has_moved = false;
        for sample in samples {
            if let Some((_, remote)) = sample.path {
                let ip = remote.ip();
                has_moved |= before.get(&sample.transport).is_some_and(|it| *it != ip);
                self.addresses.insert(sample.transport, ip);
            }
        }
        has_moved
    }
}

/// Adds the sample of one transport to an observation.
fn add_sample(
    observation: &mut Observation,
    sample: &TransportSample,
    surroundings: &Surroundings<'_>,
) {
    let path = sample.path;
    let route =
        path.map(|(protocol, remote)| Route::of_path(protocol, (surroundings.is_relay)(remote)));
    observation.route = observation.route.max(route);
    let round_trip_ms = sample.round_trip.map(millis);
    observation.round_trip_ms = observation.round_trip_ms.max(round_trip_ms);
    if sample.pictures.wanted > 0 {
        let (pictures, seen) = (&mut observation.pictures, &sample.pictures);
        pictures.wanted += seen.wanted;
        pictures.reduced += seen.reduced;
        pictures.withheld += seen.withheld;
        pictures.held_by_last_n += seen.held_by_last_n;
        observation.available_kbps = sample.available.map(kbps);
    }
    add_flow(&mut observation.down, &sample.down);
    observation.down.kbps += kbps(sample.sent);
    observation.up.kbps += kbps(sample.received);
    for producer in &sample.producers {
        add_flow(&mut observation.up, &producer.flow);
        let source = source_of(surroundings.producers, producer.producer);
        match (producer.kind, source) {
            (MediaKind::Video, Some(MediaSource::Screen))
            | (MediaKind::Audio, Some(MediaSource::ScreenAudio)) => {}
            (MediaKind::Video, _) if !producer.is_paused => {
                observation.encodings = Some((producer.active_layers, producer.layers));
            }
            (MediaKind::Video, _) => {}
            (MediaKind::Audio, _) => {
                let is_silent = producer.flow.packets == 0
                    || producer.loudest.is_some_and(|it| it >= DIGITAL_SILENCE);
                observation.microphone = match (producer.is_paused, is_silent) {
                    (true, _) => Microphone::Muted,
                    (false, true) => Microphone::Silent,
                    (false, false) => Microphone::Open,
                };
            }
        }
    }
}

fn source_of(producers: &[ProducerSummary], id: ProducerId) -> Option<MediaSource> {
    producers.iter().find(|it| it.producer == id)?.source
}

fn add_flow(flow: &mut Flow, sample: &FlowSample) {
    flow.packets = flow.packets.saturating_add(sample.packets);
    flow.lost = flow.lost.saturating_add(sample.lost);
    flow.requested = flow.requested.saturating_add(sample.requested);
    flow.keyframe_requests = flow
        .keyframe_requests
        .saturating_add(sample.keyframe_requests);
    flow.jitter_ms = flow.jitter_ms.max(millis(sample.jitter));
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

fn kbps(rate: Bitrate) -> u32 {
    u32::try_from(rate.as_bps() / 1_000).unwrap_or(u32::MAX)
}
