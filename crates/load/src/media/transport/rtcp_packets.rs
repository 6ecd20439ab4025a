//! RTCP of a transport: reports, feedback, NACKs and keyframe requests in both directions
//! (RFC 3550 §6, RFC 4585 §6, RFC 5104 §4.3.1).

use watersmeet_wire::rtcp;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Ssrc, Time};

use super::{NACK_INTERVAL, Transport};
use crate::clock::Clock;
use crate::media::received_stream::ReceivedStream;
use crate::media::thread_state::ThreadState;

/// Report blocks in one receiver report.
const REPORT_BLOCKS_MAX: usize = 31;

impl Transport {
    /// Encrypts and sends RTCP packets.
    fn send_rtcp(&mut self, mut plain: Vec<u8>) {
        let Some(srtp) = &mut self.srtp else {
            return;
        };
        let plain_len = plain.len();
        if plain_len == 0 {
            return;
        }
        plain.resize(plain_len + srtp.sender.rtcp_overhead(), 0);
        if let Some(len) = srtp.sender.protect_rtcp(&mut plain, plain_len)
            && let Some(datagram) = plain.get(..len)
        {
            let _ = self.socket.send(datagram);
        }
    }

    pub(super) fn send_reports(&mut self, now: Time, state: &mut ThreadState) {
        let wall_ns = Clock::wall_ns();
        let mut datagrams = Vec::new();
        for info in self.published.iter().flat_map(|it| it.reports(wall_ns)) {
            let mut plain = Vec::new();
            let mut writer = CompoundWriter::new(&mut plain);
            let fits = writer.write_sender_report(&info, &[])
                && writer.write_cname(info.ssrc, &self.cname);
            debug_assert!(fits, "one report fits a datagram");
            datagrams.push(plain);
        }
        let blocks: Vec<_> = self
            .received
            .iter_mut()
            .filter_map(|received| received.report(now))
            .collect();
        for blocks in blocks.chunks(REPORT_BLOCKS_MAX) {
            let mut plain = Vec::new();
            let fits = CompoundWriter::new(&mut plain).write_receiver_report(self.reporter, blocks);
            debug_assert!(fits, "31 blocks fit a datagram");
            datagrams.push(plain);
        }
        for plain in datagrams {
            self.send_rtcp(plain);
        }
        self.send_keyframe_requests(now, state);
    }

    fn send_keyframe_requests(&mut self, now: Time, state: &mut ThreadState) {
        let mut plain = Vec::new();
        let mut writer = CompoundWriter::new(&mut plain);
        for received in &mut self.received {
            if received.poll_keyframe_request(now)
                && writer.write_pli(self.reporter, received.ssrc())
            {
                state.stats.plis_sent += 1;
            }
        }
        self.send_rtcp(plain);
    }

    pub(super) fn send_feedback(&mut self) {
        let Some(media) = self.received.first().map(ReceivedStream::ssrc) else {
            return;
        };
        loop {
            let mut plain = Vec::new();
            let mut writer = CompoundWriter::new(&mut plain);
            if !self.arrival_log.write(self.reporter, media, &mut writer) {
                return;
            }
            self.send_rtcp(plain);
        }
    }

    /// Requests missing packets.
    pub(super) fn send_nacks(&mut self, now: Time, state: &mut ThreadState) {
        let mut plain = Vec::new();
        let mut writer = CompoundWriter::new(&mut plain);
        let mut requests = Vec::new();
        for received in self.received.iter_mut().filter(|it| !it.is_complete()) {
            requests.clear();
            received.poll_nacks(now, &mut requests);
            let taken = writer.write_nack(self.reporter, received.ssrc(), &requests);
            state.stats.nacks_sent += taken as u64;
        }
        self.nack_due = if self.received.iter().all(ReceivedStream::is_complete) {
            Time::FAR_FUTURE
        } else {
            now + NACK_INTERVAL
        };
        self.send_rtcp(plain);
        self.send_keyframe_requests(now, state);
    }

    pub(super) fn handle_rtcp(&mut self, now: Time, datagram: &mut [u8], state: &mut ThreadState) {
        let Some(srtp) = &mut self.srtp else {
            state.stats.discarded += 1;
            return;
        };
        let Ok(len) = srtp.receiver.unprotect_rtcp(datagram) else {
            state.stats.discarded += 1;
            return;
        };
        let plain = datagram.get(..len).unwrap_or_default();
        for packet in rtcp::packets(plain).flatten() {
            self.handle_rtcp_packet(now, &packet, state);
        }
    }

    fn handle_rtcp_packet(
        &mut self,
        now: Time,
        packet: &rtcp::Packet<'_>,
        state: &mut ThreadState,
    ) {
        match packet {
            rtcp::Packet::SenderReport(report) => {
                let index = self.indexes.get(&report.info.ssrc).copied();
                if let Some(received) = index.and_then(|index| self.received.get_mut(index)) {
                    received.record_sender_report(now, report.info.ntp);
                }
            }
            rtcp::Packet::ReceiverReport(report) => {
                for block in report.blocks() {
                    let published = self.published.iter_mut();
                    published.for_each(|it| it.record_receiver_report(block.ssrc));
                }
            }
            rtcp::Packet::Pli(pli) => self.handle_keyframe_request(pli.media, state),
            rtcp::Packet::Fir(fir) => {
                let entries = fir.entries();
                entries.for_each(|entry| self.handle_keyframe_request(entry.ssrc, state));
            }
            rtcp::Packet::Nack(nack) => {
                let seqs: Vec<u16> = nack.seqs().collect();
                state.stats.nacks += seqs.len() as u64;
                self.resend(now, nack.media, &seqs, state);
            }
            _ => {}
        }
    }

    fn handle_keyframe_request(&mut self, ssrc: Ssrc, state: &mut ThreadState) {
        state.stats.plis += 1;
        let mut published = self.published.iter_mut();
        // Requests for unknown streams are ignored.
        let _ = published.any(|it| it.request_keyframe(ssrc));
    }

    fn resend(&mut self, now: Time, ssrc: Ssrc, seqs: &[u16], state: &mut ThreadState) {
        self.with_send_context(now, state, |tracks, context| {
            for seq in seqs {
                for track in tracks.iter_mut() {
                    track.resend(ssrc, *seq, context);
                }
            }
        });
    }
}
