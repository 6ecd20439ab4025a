//! The control packets of a transport: reports, feedback and requests in either direction
//! (RFC 3550 §6, RFC 4585 §6, RFC 5104 §4.3.1).

use std::time::Duration;

use watersmeet_wire::rtcp;
use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Ssrc, Time};

use super::Transport;
use crate::clock::Clock;
use crate::media::Shared;
use crate::media::incoming::Incoming;
use crate::media::outgoing::Outlet;

/// Time between two looks at what is missing.
const GAPS_INTERVAL: Duration = Duration::from_millis(10);

/// Streams that one report speaks of.
const REPORT_BLOCKS_MAX: usize = 31;

impl Transport {
    /// Seals and sends control packets.
    fn send_control(&mut self, mut plain: Vec<u8>) {
        let Some(sealed) = &mut self.sealed else {
            return;
        };
        let plain_len = plain.len();
        if plain_len == 0 {
            return;
        }
        plain.resize(plain_len + sealed.sender.rtcp_overhead(), 0);
        if let Some(len) = sealed.sender.protect_rtcp(&mut plain, plain_len)
            && let Some(datagram) = plain.get(..len)
        {
            let _ = self.socket.send(datagram);
        }
    }

    pub(super) fn send_reports(&mut self, now: Time, shared: &mut Shared) {
        let wall_ns = Clock::wall_ns();
        let mut datagrams = Vec::new();
        for info in self.outgoing.iter().flat_map(|it| it.reports(wall_ns)) {
            let mut plain = Vec::new();
            let mut writer = CompoundWriter::new(&mut plain);
            let fits = writer.write_sender_report(&info, &[])
                && writer.write_cname(info.ssrc, &self.cname);
            debug_assert!(fits, "one report fits a datagram");
            datagrams.push(plain);
        }
        let blocks: Vec<_> = self
            .incoming
            .iter_mut()
            .filter_map(|incoming| incoming.report(now))
            .collect();
        for blocks in blocks.chunks(REPORT_BLOCKS_MAX) {
            let mut plain = Vec::new();
            let fits = CompoundWriter::new(&mut plain).write_receiver_report(self.reporter, blocks);
            debug_assert!(fits, "31 blocks fit a datagram");
            datagrams.push(plain);
        }
        for plain in datagrams {
            self.send_control(plain);
        }
        self.ask_keyframes(now, shared);
    }

    fn ask_keyframes(&mut self, now: Time, shared: &mut Shared) {
        let mut plain = Vec::new();
        let mut writer = CompoundWriter::new(&mut plain);
        for incoming in &mut self.incoming {
            if incoming.wants_keyframe(now) && writer.write_pli(self.reporter, incoming.ssrc()) {
                shared.tally.plis_sent += 1;
            }
        }
        self.send_control(plain);
    }

    pub(super) fn send_feedback(&mut self) {
        let Some(media) = self.incoming.first().map(Incoming::ssrc) else {
            return;
        };
        loop {
            let mut plain = Vec::new();
            let mut writer = CompoundWriter::new(&mut plain);
            if !self.feedback.write(self.reporter, media, &mut writer) {
                return;
            }
            self.send_control(plain);
        }
    }

    /// Asks for what is missing.
    pub(super) fn ask(&mut self, now: Time, shared: &mut Shared) {
        let mut plain = Vec::new();
        let mut writer = CompoundWriter::new(&mut plain);
        let mut wanted = Vec::new();
        for incoming in self.incoming.iter_mut().filter(|it| !it.is_whole()) {
            wanted.clear();
            incoming.ask(now, &mut wanted);
            let taken = writer.write_nack(self.reporter, incoming.ssrc(), &wanted);
            shared.tally.nacks_sent += taken as u64;
        }
        self.gaps_due = if self.incoming.iter().all(Incoming::is_whole) {
            Time::FAR_FUTURE
        } else {
            now + GAPS_INTERVAL
        };
        self.send_control(plain);
        self.ask_keyframes(now, shared);
    }

    pub(super) fn handle_rtcp(&mut self, now: Time, datagram: &mut [u8], shared: &mut Shared) {
        let Some(sealed) = &mut self.sealed else {
            shared.tally.discarded += 1;
            return;
        };
        let Ok(len) = sealed.receiver.unprotect_rtcp(datagram) else {
            shared.tally.discarded += 1;
            return;
        };
        let plain = datagram.get(..len).unwrap_or_default();
        for packet in rtcp::packets(plain).flatten() {
            self.handle_control(now, &packet, shared);
        }
    }

    fn handle_control(&mut self, now: Time, packet: &rtcp::Packet<'_>, shared: &mut Shared) {
        match packet {
            rtcp::Packet::SenderReport(report) => {
                let place = self.places.get(&report.info.ssrc).copied();
                if let Some(incoming) = place.and_then(|place| self.incoming.get_mut(place)) {
                    incoming.note_report(now, report.info.ntp);
                }
            }
            rtcp::Packet::ReceiverReport(report) => {
                for block in report.blocks() {
                    let outgoing = self.outgoing.iter_mut();
                    outgoing.for_each(|it| it.note_report(block.ssrc));
                }
            }
            rtcp::Packet::Pli(pli) => self.make_keyframe(pli.media, shared),
            rtcp::Packet::Fir(fir) => {
                let entries = fir.entries();
                entries.for_each(|entry| self.make_keyframe(entry.ssrc, shared));
            }
            rtcp::Packet::Nack(nack) => {
                let seqs: Vec<u16> = nack.seqs().collect();
                shared.tally.nacks += seqs.len() as u64;
                self.resend(now, nack.media, &seqs, shared);
            }
            _ => {}
        }
    }

    fn make_keyframe(&mut self, ssrc: Ssrc, shared: &mut Shared) {
        shared.tally.plis += 1;
        let mut outgoing = self.outgoing.iter_mut();
        // A request for a stream that is not ours is noise.
        let _ = outgoing.any(|it| it.request_keyframe(ssrc));
    }

    fn resend(&mut self, now: Time, ssrc: Ssrc, seqs: &[u16], shared: &mut Shared) {
        let Self {
            sealed,
            outgoing,
            transport_seq,
            socket,
            ..
        } = self;
        let Some(sealed) = sealed else { return };
        let mut outlet = Outlet {
            now,
            sender: &mut sealed.sender,
            transport_seq,
            tally: &mut shared.tally,
            scratch: &mut shared.scratch,
            send: &mut |datagram| {
                let _ = socket.send(datagram);
            },
        };
        for seq in seqs {
            for outgoing in outgoing.iter_mut() {
                outgoing.resend(ssrc, *seq, &mut outlet);
            }
        }
    }
}
