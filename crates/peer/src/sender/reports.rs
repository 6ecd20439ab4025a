//! Sender reports, and handling of RTCP from the server.

use std::time::Duration;

use watersmeet_wire::rtcp::report::{ReportBlock, SenderInfo, ntp_middle};
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::rtcp::{self, Packet};
use watersmeet_wire::units::{Ssrc, Time};

use super::pacer::PacedPacket;
use super::{ReportClock, Sender, Source};
use crate::ntp;

impl ReportClock {
    /// Returns the NTP timestamp of a report.
    fn ntp(self, unix_epoch: Duration, now: Time) -> u64 {
        match self {
            Self::True => ntp::timestamp(unix_epoch, now),
            Self::Absent => 0,
            Self::SinceStart => ntp::since_start(now),
            Self::Ahead(span) => ntp::timestamp(unix_epoch + span, now),
        }
    }
}

impl Sender {
    /// Handles a compound RTCP packet from the server.
    pub fn handle_rtcp(&mut self, now: Time, compound: &[u8]) {
        for packet in rtcp::packets(compound) {
            match packet {
                Ok(Packet::ReceiverReport(report)) => {
                    report
                        .blocks()
                        .for_each(|block| self.acknowledge(now, &block));
                }
                Ok(Packet::SenderReport(report)) => {
                    report
                        .blocks()
                        .for_each(|block| self.acknowledge(now, &block));
                }
                Ok(Packet::Nack(nack)) => {
                    nack.seqs()
                        .for_each(|seq| self.handle_nack(now, nack.media, seq));
                }
                Ok(Packet::Pli(pli)) => {
                    self.counts.plis += 1;
                    self.request_keyframe(pli.media);
                }
                Ok(Packet::Fir(fir)) => {
                    self.counts.firs += 1;
                    fir.entries()
                        .for_each(|entry| self.request_keyframe(entry.ssrc));
                }
                Ok(Packet::TransportFeedback(feedback)) => {
                    self.counts.feedback += 1;
                    for (_, arrival) in feedback.packets() {
                        match arrival {
                            Some(_) => self.counts.feedback_received += 1,
                            None => self.counts.feedback_lost += 1,
                        }
                    }
                }
                Ok(Packet::Remb(_)) => self.counts.rembs += 1,
                Ok(_) => {}
                Err(_) => self.counts.malformed += 1,
            }
        }
    }

    /// Queues a sender report for each stream that has sent packets.
    pub(super) fn write_reports(&mut self, now: Time) {
        let ntp = self.report_clock.ntp(self.unix_epoch, now);
        for stream in &self.streams {
            let Some(rtp_timestamp) = stream.ticks_at(now) else {
                continue;
            };
            let info = SenderInfo {
                ssrc: stream.options.ssrc,
                ntp,
                rtp_timestamp,
                packet_count: stream.packets,
                octet_count: stream.octets,
            };
            let mut compound = Vec::new();
            let mut writer = CompoundWriter::new(&mut compound);
            let written = writer.write_sender_report(&info, &[])
                && writer.write_cname(stream.options.ssrc, &self.cname);
            debug_assert!(written, "a report and a CNAME fit one packet");
            self.reports.push(compound);
        }
    }

    /// Handles a report on a stream: the server knows its MID and RID, and the report may yield the
    /// round-trip time.
    fn acknowledge(&mut self, now: Time, block: &ReportBlock) {
        for stream in &mut self.streams {
            stream.acknowledged |= stream.options.ssrc == block.ssrc;
            stream.rtx_acknowledged |= stream.options.rtx_ssrc == Some(block.ssrc);
        }
        if block.last_sr == 0 || !self.streams.iter().any(|stream| stream.owns(block.ssrc)) {
            return;
        }
        let middle = ntp_middle(self.report_clock.ntp(self.unix_epoch, now));
        let passed = middle
            .wrapping_sub(block.last_sr)
            .wrapping_sub(block.delay_since_last_sr);
        let sample = ntp::from_short(passed);
        // A negative duration wraps to several hours.
        if sample < Duration::from_secs(10) {
            self.rtt = Some(sample);
        }
    }

    fn handle_nack(&mut self, now: Time, media: Ssrc, seq: u16) {
        self.counts.nacked += 1;
        let rtt = self.rtt.unwrap_or_default();
        let found = self.streams.iter_mut().enumerate();
        let Some((index, stream)) = found.into_iter().find(|(_, it)| it.options.ssrc == media)
        else {
            return;
        };
        if stream.options.rtx_ssrc.is_some() && stream.may_retransmit(now, seq, rtt) {
            self.pacer
                .push_retransmission(PacedPacket::Retransmission { stream: index, seq });
        }
    }

    fn request_keyframe(&mut self, media: Ssrc) {
        let requested = self
            .streams
            .iter()
            .position(|stream| stream.options.ssrc == media);
        for source in &mut self.sources {
            if let Source::Camera(camera) = source {
                let encoders = camera.encoders.iter_mut();
                for (encoder, _) in encoders.filter(|(_, stream)| Some(*stream) == requested) {
                    encoder.request_keyframe();
                }
            }
        }
    }
}
