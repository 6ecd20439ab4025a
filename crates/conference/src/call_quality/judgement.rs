//! Likely causes of what is bad in one observation of a participant.
//!
//! The server sees each direction of each line by itself: what a participant loses on the way to the server is not
//! mistaken for a loss of those who receive it. What a page reports explains what the server cannot see, and
//! explains away what only looks like a slow line.

use super::cause::Cause;
use super::observation::{Connection, Microphone, Observation};
use crate::message::{DeviceState, PageReport, Route};

/// Loss before repair above which people notice it, in percent.
const LOSS_PERCENT_MAX: u32 = 6;

/// Jitter of the sound above which its buffer grows noticeably, in milliseconds.
const JITTER_MS_MAX: u32 = 40;

/// Round trip above which people talk over one another, in milliseconds (ITU-T G.114: 400 ms one way is
/// unacceptable).
const ROUND_TRIP_MS_MAX: u32 = 400;

/// Time after joining in which the estimate of what the line carries still rises, in seconds.
const RISE_S: u32 = 15;

/// Load of a core from which media waits for it, in percent.
const BUSY_PERCENT_MAX: u8 = 90;

/// Share of frames that a device drops when it is too slow, in percent.
const DROPPED_PERCENT_MAX: u8 = 15;

/// Share of the time in which a page does not get to run because the device is too slow, in percent.
const BUSY_PAGE_PERCENT_MAX: u8 = 40;

/// Time without running above which a page was stopped by its browser or a sleeping device, in milliseconds. A busy
/// device holds a page up for less.
const STALLED_MS_MAX: u32 = 8_000;

/// Returns the likely causes of what is bad, in the order of [`Cause::ALL`]; none of a good observation.
pub fn judge(observation: &Observation) -> Vec<Cause> {
    let page = observation.page.unwrap_or_default();
    let mut found = 0;
    let mut add = |cause: Cause, is_so: bool| found |= if is_so { cause.bit() } else { 0 };
    let is_asleep = page.stalled_ms > STALLED_MS_MAX;
    add(Cause::BrowserAsleep, is_asleep);
    add(Cause::NetworkChanged, observation.has_moved);
    match observation.connection {
        Connection::NeverConnected => add(Cause::NeverConnected, !is_asleep),
        Connection::Interrupted => add(Cause::Interrupted, !is_asleep),
        Connection::Connected if is_asleep => {}
        Connection::Connected if observation.server_busy_percent >= BUSY_PERCENT_MAX => {
            add(Cause::ServerOverloaded, true);
        }
        Connection::Connected => {
            let is_viewer_slow = is_viewer_slow(observation, &page);
            add(Cause::ViewerCpu, is_viewer_slow);
            add(Cause::PublisherCpu, page.limited_by_cpu);
            add(
                Cause::Downlink,
                is_downlink_poor(observation, is_viewer_slow),
            );
            add(Cause::Uplink, is_uplink_poor(observation, &page));
            let round_trip_ms = observation.round_trip_ms.unwrap_or(0);
            add(Cause::LongDelay, round_trip_ms > ROUND_TRIP_MS_MAX);
        }
        Connection::Unused | Connection::Connecting => {}
    }
    let route = page.route.max(observation.route);
    add(Cause::Relay, route == Some(Route::Relay));
    add(Cause::TcpOnly, route == Some(Route::Tcp));
    add(Cause::CameraDevice, page.camera == DeviceState::Failed);
    if let Some(cause) = microphone_cause(observation) {
        add(cause, true);
    }
    causes_of(found)
}

/// Returns the causes in a set of their bits.
pub(super) fn causes_of(bits: u32) -> Vec<Cause> {
    let all = Cause::ALL.into_iter();
    all.filter(|it| bits & it.bit() != 0).collect()
}

/// Returns whether a device drops frames that arrived, or does not keep up with its page.
fn is_viewer_slow(observation: &Observation, page: &PageReport) -> bool {
    let drops = page.dropped_percent > DROPPED_PERCENT_MAX;
    let is_lossy = observation.down.loss_percent() > LOSS_PERCENT_MAX;
    drops && !is_lossy || page.busy_percent > BUSY_PAGE_PERCENT_MAX
}

/// Returns whether the line to the participant is slow, or loses or delays packets. A device that is too slow also
/// reports packets late, so that less is sent to it.
fn is_downlink_poor(observation: &Observation, is_viewer_slow: bool) -> bool {
    let (down, pictures) = (&observation.down, &observation.pictures);
    let is_reduced = pictures.withheld > 0 || pictures.reduced * 2 > pictures.wanted;
    let is_short = is_reduced && observation.age_s > RISE_S && !is_viewer_slow;
    is_short || down.loss_percent() > LOSS_PERCENT_MAX || down.jitter_ms > JITTER_MS_MAX
}

/// Returns whether the line from the participant is slow, or loses or delays packets.
fn is_uplink_poor(observation: &Observation, page: &PageReport) -> bool {
    let up = &observation.up;
    let is_short = page.limited_by_bandwidth && observation.age_s > RISE_S;
    is_short || up.loss_percent() > LOSS_PERCENT_MAX || up.jitter_ms > JITTER_MS_MAX
}

/// Returns why nobody hears the participant. Where the page knows its microphone, the server's view of silence does
/// not count: programs that remove noise deliver nothing while nobody speaks.
fn microphone_cause(observation: &Observation) -> Option<Cause> {
    let by_page = observation.page.map(|it| it.microphone);
    match (by_page, observation.microphone) {
        (Some(DeviceState::Failed), _) => Some(Cause::MicrophoneDevice),
        (Some(DeviceState::Silent), _) => Some(Cause::MicrophoneSilent),
        (Some(DeviceState::TalkingMuted), _) | (_, Microphone::Muted) => {
            Some(Cause::MicrophoneMuted)
        }
        (None, Microphone::Silent) => Some(Cause::MicrophoneSilent),
        (_, Microphone::Absent | Microphone::Silent | Microphone::Open) => None,
    }
}

#[cfg(test)]
mod tests;
