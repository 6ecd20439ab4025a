//! Sender and receiver reports, once a second on every transport that is open (RFC 3550 §6.4), and
//! what is looked at in the same rhythm: scores, silence, REMB.

use std::time::Duration;

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtcp::report::{ReportBlock, SenderInfo};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Ssrc, Time};

use super::Worker;
use crate::command::Event;
use crate::slots::TransportKey;
use crate::timers::TimerKind;

/// How often reports are sent.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Blocks of one receiver report: the count has five bits.
const BLOCKS_MAX: usize = 31;

/// Seconds from 1900, where NTP begins, to 1970.
const NTP_TO_UNIX_SECS: u64 = 2_208_988_800;

/// A wall clock as NTP writes it.
pub(super) fn ntp_of(wall_micros: u64) -> u64 {
    let secs = wall_micros / 1_000_000 + NTP_TO_UNIX_SECS;
    let fraction = ((wall_micros % 1_000_000) << 32) / 1_000_000;
    secs << 32 | fraction
}

/// A wall clock in microseconds since 1970, as far as it is after that.
pub(super) fn wall_micros_of(ntp: u64) -> u64 {
    let secs = (ntp >> 32).saturating_sub(NTP_TO_UNIX_SECS);
    secs * 1_000_000 + (((ntp & 0xffff_ffff) * 1_000_000) >> 32)
}

/// The middle 32 bits of an NTP time, as reports echo them.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the middle 32 bits are what is asked for"
)]
pub(super) const fn compact_ntp(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

/// What one publishing transport showed in a second.
#[derive(Debug, Default)]
struct Reception {
    blocks: Vec<ReportBlock>,
    video_ssrcs: Vec<Ssrc>,
    worst_loss: u8,
}

impl Worker {
    /// Sends the reports of a transport and sets the next.
    pub(super) fn report(&mut self, now: Time, key: TransportKey) {
        let reception = self.collect_reception(now, key);
        self.write_reception(now, key, &reception);
        self.write_sending(now, key);
        self.enqueue_control(key);
        if let Some(entry) = self.transports.get_mut(key).filter(|entry| entry.is_open()) {
            let due = now + INTERVAL;
            self.timers
                .set(&mut entry.report_deadline, due, TimerKind::Report(key));
        }
    }

    /// Closes the second of every stream that comes over a transport.
    fn collect_reception(&mut self, now: Time, key: TransportKey) -> Reception {
        let mut reception = Reception::default();
        let producers = self
            .transports
            .get(key)
            .map(|entry| entry.producers.clone());
        for place in producers.unwrap_or_default() {
            let Some(producer) = self.producers.get_mut(place) else {
                continue;
            };
            for stream in &mut producer.streams {
                let Some(block) = stream.report(now) else {
                    continue;
                };
                reception.worst_loss = reception.worst_loss.max(block.fraction_lost);
                if producer.kind == MediaKind::Video {
                    reception.video_ssrcs.push(block.ssrc);
                }
                reception.blocks.push(block);
            }
            let is_news = producer.activity.check_silence(now);
            let event = producer
                .take_changed_scores()
                .map(|scores| Event::ProducerScore {
                    producer: producer.id,
                    scores,
                });
            if let Some(event) = event {
                self.report_event(event);
            }
            if is_news {
                self.notify_active_streams(now, place);
            }
        }
        reception
    }

    fn write_reception(&mut self, now: Time, key: TransportKey, reception: &Reception) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let sender = entry.ssrc;
        let received = entry.transport.receive_bitrate(now);
        let estimate = entry.estimate.as_mut();
        let told = estimate.map(|it| it.update(reception.worst_loss, received));
        let limit = told.or(entry.transport.options().max_incoming_bitrate);
        for blocks in reception.blocks.chunks(BLOCKS_MAX) {
            entry.write_control(|compound| {
                let written = compound.write_receiver_report(sender, blocks);
                debug_assert!(written, "31 blocks fit an empty datagram");
            });
        }
        if let Some(limit) = limit.filter(|_| !reception.video_ssrcs.is_empty()) {
            entry.write_control(|compound| {
                let written = compound.write_remb(sender, limit, &reception.video_ssrcs);
                debug_assert!(written, "the streams of a transport fit an empty datagram");
            });
        }
    }

    /// Reports on every stream that leaves over a transport, several to a datagram.
    fn write_sending(&mut self, now: Time, key: TransportKey) {
        let wall = self.wall_micros(now);
        let ntp = ntp_of(wall);
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let consumers = std::mem::take(&mut entry.consumers);
        let mut rest = consumers.as_slice();
        while !rest.is_empty() {
            let mut taken = 0;
            entry.write_control(|compound| {
                for &place in rest {
                    let Some(consumer) = self.consumers.get_mut(place) else {
                        taken += 1;
                        continue;
                    };
                    let Some(figures) = consumer.sender_figures(now, wall) else {
                        taken += 1;
                        continue;
                    };
                    let info = SenderInfo {
                        ssrc: figures.ssrc,
                        ntp,
                        rtp_timestamp: figures.timestamp,
                        packet_count: figures.packets,
                        octet_count: figures.payload_bytes,
                    };
                    let cname = consumer.rtp.rtcp.cname.as_deref().unwrap_or_default();
                    if !write_sender(compound, &info, cname) {
                        break;
                    }
                    consumer.record_report_sent(now, compact_ntp(ntp));
                    taken += 1;
                }
            });
            if taken == 0 {
                break;
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        entry.consumers = consumers;
    }
}

/// One stream's report and name, both or neither.
fn write_sender(compound: &mut CompoundWriter<'_>, info: &SenderInfo, cname: &str) -> bool {
    // A sender report without blocks, and a description: header, SSRC, item head, end, padding.
    let needed = 28 + 4 + 4 + 2 + cname.len() + 4;
    compound.remaining() >= needed
        && compound.write_sender_report(info, &[])
        && compound.write_cname(info.ssrc, cname)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_clocks_survive_the_way_through_ntp() {
        let wall = 1_800_000_000_123_456;
        let back = wall_micros_of(ntp_of(wall));
        assert!(wall.abs_diff(back) <= 1);
    }
}
