//! A transport of a scripted peer: socket, ICE, DTLS, SRTP, and its published tracks and received
//! streams (RFC 7983 §7, RFC 5761 §4).

mod rtcp_packets;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::sync::oneshot;
use watersmeet_engine::transport::srtp::{
    MasterKey, SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender,
};
use watersmeet_net::udp::connected::ConnectedSocket;
use watersmeet_wire::params::DtlsFingerprint;
use watersmeet_wire::rtcp;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::rtp::extension::parse_transport_seq;
use watersmeet_wire::units::{Map, Ssrc, Time};

use super::arrival_log::{ArrivalLog, FEEDBACK_INTERVAL};
use super::dtls::{Handshake, HandshakeState, SrtpKeys};
use super::ice::{Ice, IceAction, IceState, RemoteIce};
use super::published_track::{PublishedTrack, SendContext};
use super::received_stream::{ExpectedStream, ReceivedPacket, ReceivedStream};
use super::thread_state::ThreadState;
use crate::payload::{parse_audio, parse_video};
use crate::seeded_rng::SeededRng;
use crate::traffic_stats::ConsumerStats;

/// SSRC of padding that probes for bandwidth, as mediasoup's servers send it.
const PROBATION: Ssrc = Ssrc(1_234);

/// Time between two RTCP reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two checks for packets to request.
const NACK_INTERVAL: Duration = Duration::from_millis(10);

/// Parameters of a transport.
pub struct TransportPlan {
    /// Number of the run.
    pub run: u32,
    /// Number of the room.
    pub room: u32,
    /// RTCP CNAME of the peer.
    pub cname: String,
    /// SSRC of receiver reports and feedback.
    pub reporter: Ssrc,
    /// ICE parameters of the server.
    pub remote: RemoteIce,
    /// Accepted fingerprints of the server's certificate.
    pub fingerprints: Vec<DtlsFingerprint>,
    /// Random number generator of the transport.
    pub rng: SeededRng,
    /// Receives the negotiated SRTP profile, or why connecting failed.
    pub ready: oneshot::Sender<Result<SrtpProfile, String>>,
}

/// SRTP contexts after the handshake.
struct SrtpContexts {
    profile: SrtpProfile,
    /// Key of the receiver contexts; each received stream has its own.
    remote: MasterKey,
    sender: SrtpSender,
    /// Decrypts RTCP, and packets that belong to no stream.
    receiver: SrtpReceiver,
}

/// A transport.
pub struct Transport {
    run: u32,
    room: u32,
    cname: String,
    reporter: Ssrc,
    socket: ConnectedSocket,
    ice: Ice,
    handshake: Option<Handshake>,
    handshake_due: Time,
    fingerprints: Vec<DtlsFingerprint>,
    srtp: Option<SrtpContexts>,
    ready: Option<oneshot::Sender<Result<SrtpProfile, String>>>,
    published: Vec<PublishedTrack>,
    transport_seq: u16,
    received: Vec<ReceivedStream>,
    /// Streams to receive once the handshake is complete.
    waiting: Vec<ExpectedStream>,
    /// Index in `received` by SSRC, including retransmissions.
    indexes: Map<Ssrc, usize>,
    arrival_log: ArrivalLog,
    /// Deadlines of reports, feedback and NACKs.
    report_due: Time,
    feedback_due: Time,
    nack_due: Time,
    /// Deadline registered in the timers of its thread.
    pub timer: Time,
}

impl Transport {
    /// Opens a transport, which starts ICE checks at once.
    ///
    /// # Errors
    /// Fails when no socket can be opened.
    pub fn open(now: Time, plan: TransportPlan, state: &ThreadState) -> std::io::Result<Self> {
        let is_v6 = plan
            .remote
            .candidates
            .first()
            .is_some_and(SocketAddr::is_ipv6);
        let any = if is_v6 {
            IpAddr::V6(Ipv6Addr::UNSPECIFIED)
        } else {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED)
        };
        let socket = ConnectedSocket::open(SocketAddr::new(any, 0), state.socket_options)?;
        let mut rng = plan.rng.clone();
        let phase = Duration::from_millis(rng.below(100));
        let mut transport = Self {
            run: plan.run,
            room: plan.room,
            cname: plan.cname,
            reporter: plan.reporter,
            socket,
            ice: Ice::new(now, plan.remote, plan.rng),
            handshake: None,
            handshake_due: Time::FAR_FUTURE,
            fingerprints: plan.fingerprints,
            srtp: None,
            ready: Some(plan.ready),
            published: Vec::new(),
            transport_seq: 0,
            received: Vec::new(),
            waiting: Vec::new(),
            indexes: Map::new(),
            arrival_log: ArrivalLog::default(),
            report_due: now + phase * 10,
            feedback_due: now + phase,
            nack_due: Time::FAR_FUTURE,
            timer: Time::FAR_FUTURE,
        };
        match transport.ice.candidate() {
            Some(candidate) => transport.connect(candidate),
            None => transport.fail("the server has no UDP candidate".to_owned()),
        }
        Ok(transport)
    }

    /// Returns the socket.
    pub const fn socket(&self) -> &ConnectedSocket {
        &self.socket
    }

    /// Starts sending a track.
    pub fn publish(&mut self, published: PublishedTrack) {
        self.published.push(published);
    }

    /// Starts receiving a stream.
    pub fn receive_stream(&mut self, now: Time, expected: ExpectedStream, state: &ThreadState) {
        let Some(srtp) = &self.srtp else {
            self.waiting.push(expected);
            return;
        };
        let Ok(receiver) = SrtpReceiver::new(srtp.profile, &srtp.remote) else {
            return;
        };
        let received = ReceivedStream::new(now, expected, receiver, state.verify_every);
        let index = self.received.len();
        self.indexes.insert(received.ssrc(), index);
        if let Some(rtx) = received.rtx_ssrc() {
            self.indexes.insert(rtx, index);
        }
        self.received.push(received);
    }

    /// Stops receiving a stream; its counts are kept.
    pub fn stop_receiving(&mut self, ssrc: Ssrc, state: &mut ThreadState) {
        let Some(index) = self.indexes.get(&ssrc).copied() else {
            return;
        };
        if index >= self.received.len() {
            return;
        }
        let removed = self.received.swap_remove(index);
        state.stats.consumers.push(removed.stats().partial());
        self.indexes.clear();
        for (index, received) in self.received.iter().enumerate() {
            self.indexes.insert(received.ssrc(), index);
            if let Some(rtx) = received.rtx_ssrc() {
                self.indexes.insert(rtx, index);
            }
        }
    }

    /// Starts counting.
    pub fn start_counting(&mut self) {
        self.received
            .iter_mut()
            .for_each(ReceivedStream::start_counting);
    }

    /// Returns the counts of its consumers.
    pub fn consumer_stats(&self) -> impl Iterator<Item = ConsumerStats> + '_ {
        self.received.iter().map(ReceivedStream::stats)
    }

    /// Returns when [`Self::handle_timeout`] is to be called.
    pub fn poll_timeout(&self) -> Time {
        let mut due = self.ice.poll_timeout().min(self.handshake_due);
        if self.srtp.is_some() {
            for published in &self.published {
                due = due.min(published.poll_timeout());
            }
            if !self.published.is_empty() || !self.received.is_empty() {
                due = due.min(self.report_due);
            }
            if !self.arrival_log.is_empty() {
                due = due.min(self.feedback_due);
            }
            due = due.min(self.nack_due);
        }
        due
    }

    /// Handles all deadlines that have passed.
    pub fn handle_timeout(&mut self, now: Time, state: &mut ThreadState) {
        match self.ice.handle_timeout(now) {
            IceAction::Nothing => {}
            IceAction::Connect(candidate) => self.connect(candidate),
            IceAction::Send(check) => self.send(&check),
        }
        if self.ice.state() == IceState::Failed {
            self.fail("no answer to ICE checks".to_owned());
        }
        if self.handshake_due <= now {
            self.advance_handshake(now, None, state);
        }
        if self.srtp.is_none() {
            return;
        }
        self.with_send_context(now, state, |tracks, context| {
            for track in tracks {
                track.handle_timeout(context);
            }
        });
        if self.report_due <= now {
            self.report_due = now + REPORT_INTERVAL;
            self.send_reports(now, state);
        }
        if self.feedback_due <= now && !self.arrival_log.is_empty() {
            self.feedback_due = now + FEEDBACK_INTERVAL;
            self.send_feedback();
        }
        if self.nack_due <= now {
            self.send_nacks(now, state);
        }
    }

    /// Handles a datagram that arrived at `at_ns` on the wall clock, which is `now` on the run's clock.
    pub fn handle_datagram(
        &mut self,
        now: Time,
        at_ns: u64,
        datagram: &mut [u8],
        state: &mut ThreadState,
    ) {
        match datagram {
            [0..4, ..] => {
                if self.ice.handle_packet(now, datagram) {
                    let instant = state.clock.epoch() + now.since_origin();
                    let expected = std::mem::take(&mut self.fingerprints);
                    self.handshake = Some(Handshake::new(&state.identity, expected, instant));
                    self.advance_handshake(now, None, state);
                }
            }
            [20..64, ..] => {
                let packet = datagram.to_vec();
                self.advance_handshake(now, Some(&packet), state);
            }
            [128..192, second, ..] if rtcp::is_rtcp(*second) => {
                self.handle_rtcp(now, datagram, state);
            }
            [128..192, ..] => self.handle_rtp(now, at_ns, datagram, state),
            _ => state.stats.discarded += 1,
        }
    }

    fn connect(&mut self, candidate: SocketAddr) {
        if self.socket.connect(candidate).is_err() {
            match self.ice.next_candidate() {
                IceAction::Connect(next) => self.connect(next),
                _ => self.fail("no candidate can be reached".to_owned()),
            }
        }
    }

    /// Sends a datagram. One that the kernel refuses is lost, as in a network.
    fn send(&self, datagram: &[u8]) {
        let _ = self.socket.send(datagram);
    }

    fn fail(&mut self, why: String) {
        if let Some(ready) = self.ready.take() {
            // The peer may be gone.
            let _ = ready.send(Err(why));
        }
    }

    /// Advances the handshake with a datagram or a timeout.
    fn advance_handshake(&mut self, now: Time, packet: Option<&[u8]>, state: &ThreadState) {
        let Some(handshake) = &mut self.handshake else {
            return;
        };
        let epoch = state.clock.epoch();
        let socket = &self.socket;
        let progress = handshake.handle(epoch + now.since_origin(), packet, |datagram| {
            let _ = socket.send(datagram);
        });
        match progress {
            HandshakeState::InProgress(at) => {
                self.handshake_due = at.map_or(Time::FAR_FUTURE, |at| {
                    // The library uses nanoseconds; without one more microsecond the timeout would be early.
                    Time::ZERO + at.saturating_duration_since(epoch) + Duration::from_micros(1)
                });
            }
            HandshakeState::Done(keys) => {
                self.handshake = None;
                self.handshake_due = Time::FAR_FUTURE;
                self.install_keys(now, keys, state);
            }
            HandshakeState::Failed(why) => {
                self.handshake = None;
                self.handshake_due = Time::FAR_FUTURE;
                self.fail(why);
            }
        }
    }

    /// Installs the SRTP keys, and starts media.
    fn install_keys(&mut self, now: Time, keys: SrtpKeys, state: &ThreadState) {
        let SrtpKeys {
            profile,
            local,
            remote,
        } = keys;
        let pair = (
            SrtpSender::new(profile, &local),
            SrtpReceiver::new(profile, &remote),
        );
        let (Ok(sender), Ok(receiver)) = pair else {
            self.fail("SRTP keys of an invalid length".to_owned());
            return;
        };
        self.srtp = Some(SrtpContexts {
            profile,
            remote,
            sender,
            receiver,
        });
        for expected in std::mem::take(&mut self.waiting) {
            self.receive_stream(now, expected, state);
        }
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Ok(profile));
        }
    }

    /// Calls `send` with the published tracks and what they need to send packets. Does nothing before
    /// the handshake is complete.
    fn with_send_context(
        &mut self,
        now: Time,
        state: &mut ThreadState,
        send: impl FnOnce(&mut [PublishedTrack], &mut SendContext<'_>),
    ) {
        let socket = &self.socket;
        let Some(srtp) = &mut self.srtp else { return };
        let mut context = SendContext {
            now,
            sender: &mut srtp.sender,
            transport_seq: &mut self.transport_seq,
            stats: &mut state.stats,
            scratch: &mut state.scratch,
            send: &mut |datagram| {
                let _ = socket.send(datagram);
            },
        };
        send(&mut self.published, &mut context);
    }

    fn handle_rtp(&mut self, now: Time, at_ns: u64, datagram: &mut [u8], state: &mut ThreadState) {
        let Ok(header) = RtpHeader::parse(datagram) else {
            state.stats.discarded += 1;
            return;
        };
        if header.ssrc == PROBATION {
            self.record_probe(now, &header, datagram);
            return;
        }
        let index = self.indexes.get(&header.ssrc).copied();
        let Some(received) = index.and_then(|index| self.received.get_mut(index)) else {
            self.handle_unexpected_stream(&header, datagram, state);
            return;
        };
        let seq = received
            .transport_seq_id()
            .and_then(|id| header.extension(datagram, id));
        if let Some(seq) = seq.and_then(parse_transport_seq) {
            self.arrival_log.record(seq, now);
        }
        let packet = ReceivedPacket {
            at_ns,
            now,
            header,
            datagram,
        };
        if received.handle_packet(packet, &mut state.stats) && self.nack_due == Time::FAR_FUTURE {
            self.nack_due = now + NACK_INTERVAL;
        }
    }

    /// Records the arrival of padding that probes for bandwidth.
    fn record_probe(&mut self, now: Time, header: &RtpHeader, datagram: &[u8]) {
        let mut ids = self
            .received
            .iter()
            .filter_map(ReceivedStream::transport_seq_id);
        let seq = ids.next().and_then(|id| header.extension(datagram, id));
        if let Some(seq) = seq.and_then(parse_transport_seq) {
            self.arrival_log.record(seq, now);
        }
    }

    /// Handles a packet of a stream that is not being received, such as one that was stopped.
    /// It is a violation if it is of another room.
    fn handle_unexpected_stream(
        &mut self,
        header: &RtpHeader,
        datagram: &mut [u8],
        state: &mut ThreadState,
    ) {
        state.stats.discarded += 1;
        let Some(srtp) = &mut self.srtp else {
            return;
        };
        let prefix = SrtpHeader {
            ssrc: header.ssrc,
            seq: header.seq,
            header_len: header.header_len,
        };
        let Ok(len) = srtp.receiver.unprotect_rtp(prefix, datagram) else {
            return;
        };
        let plain = datagram.get(..len).unwrap_or_default();
        let payload = header.payload(plain).unwrap_or_default();
        let parsed = parse_video(payload).or_else(|| parse_audio(payload));
        if let Some(parsed) = parsed
            && (parsed.test_header.run, parsed.test_header.room) != (self.run, self.room)
        {
            let room = self.room;
            state
                .stats
                .record_violation(|| format!("{parsed:?} was delivered to room {room}"));
        }
    }
}
