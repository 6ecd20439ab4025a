//! Sender and receiver reports, once a second on every open transport (RFC 3550 §6.4), and what is
//! updated at the same interval: scores, inactive streams, REMB and the redundancy of audio.

use watersmeet_wire::params::MediaKind;
use watersmeet_wire::rtcp::report::{ReportBlock, SenderInfo, ntp_middle};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Ssrc, Time};

use super::Worker;
use super::transport_entry::REPORT_INTERVAL;
use crate::command::Event;
use crate::slots::TransportKey;
use crate::timers::TimerKind;

/// Upper bound of the blocks in one receiver report: the count has five bits.
const BLOCKS_MAX: usize = 31;

/// Seconds from 1900, the NTP epoch, to 1970.
const NTP_TO_UNIX_SECS: u64 = 2_208_988_800;

/// Converts microseconds since 1970 to an NTP timestamp.
fn ntp_of(wall_micros: u64) -> u64 {
    let secs = wall_micros / 1_000_000 + NTP_TO_UNIX_SECS;
    let fraction = ((wall_micros % 1_000_000) << 32) / 1_000_000;
    secs << 32 | fraction
}

/// Reception of all streams of a transport during the last second.
#[derive(Debug, Default)]
struct Reception {
    blocks: Vec<ReportBlock>,
    video_ssrcs: Vec<Ssrc>,
    worst_loss: u8,
}

impl Worker {
    /// Sends the reports of a transport and sets the timer for the next.
    pub(super) fn send_reports(&mut self, now: Time, key: TransportKey) {
        let reception = self.collect_reception(now, key);
        self.write_receiver_reports(now, key, &reception);
        self.write_sender_reports(now, key);
        self.distribute_redundancy(now, key);
        self.enqueue_control(now, key);
        if let Some(entry) = self
            .transports
            .get_mut(key)
            .filter(|entry| entry.outbound.is_open())
        {
            let due = now + REPORT_INTERVAL;
            self.timers
                .set(&mut entry.report_deadline, due, TimerKind::Report(key));
        }
    }

    /// Ends the reporting interval of every stream received on a transport.
    fn collect_reception(&mut self, now: Time, key: TransportKey) -> Reception {
        let mut reception = Reception::default();
        let producers = self
            .transports
            .get(key)
            .map(|entry| entry.inbound.producers.clone());
        for producer_key in producers.unwrap_or_default() {
            let Some(producer) = self.producers.get_mut(producer_key) else {
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
            let is_activity_changed = producer.activity.check_silence(now);
            let event = producer
                .take_changed_scores()
                .map(|scores| Event::ProducerScore {
                    producer: producer.id,
                    scores,
                });
            if let Some(event) = event {
                self.report_event(event);
            }
            if is_activity_changed {
                self.notify_active_streams(now, producer_key, None);
            }
        }
        reception
    }

    fn write_receiver_reports(&mut self, now: Time, key: TransportKey, reception: &Reception) {
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let sender = entry.outbound.control_ssrc;
        let received = entry.transport.receive_bitrate(now);
        let estimate = entry.inbound.estimate.as_mut();
        let target = estimate.map(|it| it.update(reception.worst_loss, received));
        let limit = target.or(entry.transport.options().max_incoming_bitrate);
        for blocks in reception.blocks.chunks(BLOCKS_MAX) {
            entry.outbound.write_control(|compound| {
                let written = compound.write_receiver_report(sender, blocks);
                debug_assert!(written, "31 blocks fit an empty datagram");
            });
        }
        if let Some(limit) = limit.filter(|_| !reception.video_ssrcs.is_empty()) {
            entry.outbound.write_control(|compound| {
                let written = compound.write_remb(sender, limit, &reception.video_ssrcs);
                debug_assert!(written, "the streams of a transport fit an empty datagram");
            });
        }
    }

    /// Writes a sender report for every stream sent on a transport, several to a datagram.
    fn write_sender_reports(&mut self, now: Time, key: TransportKey) {
        let wall = self.wall_micros(now);
        let ntp = ntp_of(wall);
        let Some(entry) = self.transports.get_mut(key) else {
            return;
        };
        let consumers = std::mem::take(&mut entry.outbound.consumers);
        let mut rest = consumers.as_slice();
        while !rest.is_empty() {
            let mut taken = 0;
            entry.outbound.write_control(|compound| {
                for &consumer_key in rest {
                    let Some(consumer) = self.consumers.get_mut(consumer_key) else {
                        taken += 1;
                        continue;
                    };
                    let Some(sent) = consumer.sender_report(now, wall) else {
                        taken += 1;
                        continue;
                    };
                    let info = SenderInfo {
                        ssrc: sent.ssrc,
                        ntp,
                        rtp_timestamp: sent.timestamp,
                        packet_count: sent.packets,
                        octet_count: sent.payload_bytes,
                    };
                    let cname = consumer.rtp.rtcp.cname.as_deref().unwrap_or_default();
                    if !write_sender_report(compound, &info, cname) {
                        break;
                    }
                    consumer.record_report_sent(now, ntp_middle(ntp));
                    taken += 1;
                }
            });
            if taken == 0 {
                break;
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        entry.outbound.consumers = consumers;
    }
}

/// Writes one stream's report and CNAME, both or neither. Returns false when they do not fit.
fn write_sender_report(compound: &mut CompoundWriter<'_>, info: &SenderInfo, cname: &str) -> bool {
    // A sender report without blocks, and a source description: header, SSRC, item head, end, padding.
    let needed = 28 + 4 + 4 + 2 + cname.len() + 4;
    compound.remaining() >= needed
        && compound.write_sender_report(info, &[])
        && compound.write_cname(info.ssrc, cname)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_timestamps_count_from_1900() {
        assert_eq!(ntp_of(0), 2_208_988_800 << 32);
        assert_eq!(ntp_of(1_500_000), 2_208_988_801 << 32 | 1 << 31);
    }
}
