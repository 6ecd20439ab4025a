//! One transport of a scripted peer: a socket, ICE, DTLS, SRTP, and the media that goes through it
//! in either direction (RFC 7983 §7, RFC 5761 §4).

mod control;

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

use super::Shared;
use super::dtls::{Handshake, Keys, Progress};
use super::feedback::{FEEDBACK_INTERVAL, Feedback};
use super::ice::{Ice, IceState, Remote, Step};
use super::incoming::{Arrived, Expectation, Incoming};
use super::outgoing::{Outgoing, Outlet};
use crate::chance::Chance;
use crate::payload::{read_audio, read_video};
use crate::tally::Reception;

/// Time between two reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Time between two looks at what is missing.
const GAPS_INTERVAL: Duration = Duration::from_millis(10);

/// Everything that a transport is made from.
pub struct TransportPlan {
    /// The run.
    pub run: u32,
    /// The room of its peer.
    pub room: u32,
    /// Its peer's name in reports.
    pub cname: String,
    /// Who reports, when nothing is sent.
    pub reporter: Ssrc,
    /// How the server may be reached.
    pub remote: Remote,
    /// What the server's certificate has to be.
    pub fingerprints: Vec<DtlsFingerprint>,
    /// Chance of its own.
    pub chance: Chance,
    /// Told once it is connected, or why it is not.
    pub ready: oneshot::Sender<Result<SrtpProfile, String>>,
}

/// What opens and seals, once the handshake is over.
struct Sealed {
    profile: SrtpProfile,
    /// Each stream that is received has a receiver of its own, made from this.
    remote: MasterKey,
    sender: SrtpSender,
    /// Opens reports, and what belongs to no stream.
    receiver: SrtpReceiver,
}

/// One transport.
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
    sealed: Option<Sealed>,
    ready: Option<oneshot::Sender<Result<SrtpProfile, String>>>,
    outgoing: Vec<Outgoing>,
    transport_seq: u16,
    incoming: Vec<Incoming>,
    /// Streams that are asked for before the keys are there.
    waiting: Vec<Expectation>,
    /// Which of the incoming a stream or its retransmissions belong to.
    places: Map<Ssrc, usize>,
    feedback: Feedback,
    /// When each regular thing is done next.
    report_due: Time,
    feedback_due: Time,
    gaps_due: Time,
    /// Where it stands among the timers of its thread.
    pub armed: Time,
}

impl Transport {
    /// Opens a transport, which begins to check at once.
    ///
    /// # Errors
    /// When there is no socket left.
    pub fn open(now: Time, plan: TransportPlan, shared: &Shared) -> std::io::Result<Self> {
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
        let socket = ConnectedSocket::open(SocketAddr::new(any, 0), shared.socket_options)?;
        let mut chance = plan.chance.clone();
        let phase = Duration::from_millis(chance.below(100));
        let mut transport = Self {
            run: plan.run,
            room: plan.room,
            cname: plan.cname,
            reporter: plan.reporter,
            socket,
            ice: Ice::new(now, plan.remote, plan.chance),
            handshake: None,
            handshake_due: Time::FAR_FUTURE,
            fingerprints: plan.fingerprints,
            sealed: None,
            ready: Some(plan.ready),
            outgoing: Vec::new(),
            transport_seq: 0,
            incoming: Vec::new(),
            waiting: Vec::new(),
            places: Map::new(),
            feedback: Feedback::default(),
            report_due: now + phase * 10,
            feedback_due: now + phase,
            gaps_due: Time::FAR_FUTURE,
            armed: Time::FAR_FUTURE,
        };
        match transport.ice.candidate() {
            Some(candidate) => transport.connect(candidate),
            None => transport.fail("the server has no UDP candidate".to_owned()),
        }
        Ok(transport)
    }

    /// Its socket.
    pub const fn socket(&self) -> &ConnectedSocket {
        &self.socket
    }

    /// Sends a camera or a microphone through it.
    pub fn publish(&mut self, outgoing: Outgoing) {
        self.outgoing.push(outgoing);
    }

    /// Expects a stream on it.
    pub fn expect(&mut self, now: Time, expected: Expectation, shared: &Shared) {
        let Some(sealed) = &self.sealed else {
            self.waiting.push(expected);
            return;
        };
        let Ok(receiver) = SrtpReceiver::new(sealed.profile, &sealed.remote) else {
            return;
        };
        let incoming = Incoming::new(now, expected, receiver, shared.verify_every);
        let place = self.incoming.len();
        self.places.insert(incoming.ssrc(), place);
        if let Some(rtx) = incoming.rtx_ssrc() {
            self.places.insert(rtx, place);
        }
        self.incoming.push(incoming);
    }

    /// Expects a stream no longer; what it got still counts.
    pub fn forget(&mut self, ssrc: Ssrc, shared: &mut Shared) {
        let Some(place) = self.places.get(&ssrc).copied() else {
            return;
        };
        if place >= self.incoming.len() {
            return;
        }
        let gone = self.incoming.swap_remove(place);
        shared.tally.receptions.push(gone.reception().partial());
        self.places.clear();
        for (place, incoming) in self.incoming.iter().enumerate() {
            self.places.insert(incoming.ssrc(), place);
            if let Some(rtx) = incoming.rtx_ssrc() {
                self.places.insert(rtx, place);
            }
        }
    }

    /// Begins to count.
    pub fn begin(&mut self) {
        self.incoming.iter_mut().for_each(Incoming::begin);
    }

    /// What its consumers got.
    pub fn receptions(&self) -> impl Iterator<Item = Reception> + '_ {
        self.incoming.iter().map(Incoming::reception)
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Time {
        let mut due = self.ice.poll_timeout().min(self.handshake_due);
        if self.sealed.is_some() {
            for outgoing in &self.outgoing {
                due = due.min(outgoing.poll_timeout());
            }
            if !self.outgoing.is_empty() || !self.incoming.is_empty() {
                due = due.min(self.report_due);
            }
            if !self.feedback.is_empty() {
                due = due.min(self.feedback_due);
            }
            due = due.min(self.gaps_due);
        }
        due
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Time, shared: &mut Shared) {
        match self.ice.handle_timeout(now) {
            Step::Nothing => {}
            Step::Connect(candidate) => self.connect(candidate),
            Step::Send(check) => self.send(&check),
        }
        if self.ice.state() == IceState::Failed {
            self.fail("no answer to ICE checks".to_owned());
        }
        if self.handshake_due <= now {
            self.advance(now, None, shared);
        }
        if self.sealed.is_none() {
            return;
        }
        self.send_media(now, shared);
        if self.report_due <= now {
            self.report_due = now + REPORT_INTERVAL;
            self.send_reports(now, shared);
        }
        if self.feedback_due <= now && !self.feedback.is_empty() {
            self.feedback_due = now + FEEDBACK_INTERVAL;
            self.send_feedback();
        }
        if self.gaps_due <= now {
            self.ask(now, shared);
        }
    }

    /// Takes a datagram that came `at_ns` on the wall's clock, and `now` on the run's.
    pub fn handle_datagram(
        &mut self,
        now: Time,
        at_ns: u64,
        datagram: &mut [u8],
        shared: &mut Shared,
    ) {
        match datagram {
            [0..4, ..] => {
                if self.ice.handle_packet(now, datagram) {
                    let instant = shared.clock.epoch() + now.since_origin();
                    let expected = std::mem::take(&mut self.fingerprints);
                    self.handshake = Some(Handshake::new(&shared.identity, expected, instant));
                    self.advance(now, None, shared);
                }
            }
            [20..64, ..] => {
                let packet = datagram.to_vec();
                self.advance(now, Some(&packet), shared);
            }
            [128..192, second, ..] if rtcp::is_rtcp(*second) => {
                self.handle_rtcp(now, datagram, shared);
            }
            [128..192, ..] => self.handle_rtp(now, at_ns, datagram, shared),
            _ => shared.tally.discarded += 1,
        }
    }

    fn connect(&mut self, candidate: SocketAddr) {
        if self.socket.connect(candidate).is_err() {
            match self.ice.give_up_candidate() {
                Step::Connect(next) => self.connect(next),
                _ => self.fail("no candidate can be reached".to_owned()),
            }
        }
    }

    /// A datagram that cannot be sent is lost, as on the way.
    fn send(&self, datagram: &[u8]) {
        let _ = self.socket.send(datagram);
    }

    fn fail(&mut self, why: String) {
        if let Some(ready) = self.ready.take() {
            // Nobody waits any more: the peer is gone.
            let _ = ready.send(Err(why));
        }
    }

    /// Drives the handshake.
    fn advance(&mut self, now: Time, packet: Option<&[u8]>, shared: &Shared) {
        let Some(handshake) = &mut self.handshake else {
            return;
        };
        let epoch = shared.clock.epoch();
        let socket = &self.socket;
        let progress = handshake.handle(epoch + now.since_origin(), packet, |datagram| {
            let _ = socket.send(datagram);
        });
        match progress {
            Progress::Going(at) => {
                self.handshake_due = at.map_or(Time::FAR_FUTURE, |at| {
                    // The library counts nanoseconds: one microsecond more, or it would be early.
                    Time::ZERO + at.saturating_duration_since(epoch) + Duration::from_micros(1)
                });
            }
            Progress::Done(keys) => {
                self.handshake = None;
                self.handshake_due = Time::FAR_FUTURE;
                self.unlock(now, keys, shared);
            }
            Progress::Failed(why) => {
                self.handshake = None;
                self.handshake_due = Time::FAR_FUTURE;
                self.fail(why);
            }
        }
    }

    /// Begins with media.
    fn unlock(&mut self, now: Time, keys: Keys, shared: &Shared) {
        let Keys {
            profile,
            local,
            remote,
        } = keys;
        let pair = (
            SrtpSender::new(profile, &local),
            SrtpReceiver::new(profile, &remote),
        );
        let (Ok(sender), Ok(receiver)) = pair else {
            self.fail("keys of an impossible length".to_owned());
            return;
        };
        self.sealed = Some(Sealed {
            profile,
            remote,
            sender,
            receiver,
        });
        for expected in std::mem::take(&mut self.waiting) {
            self.expect(now, expected, shared);
        }
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Ok(profile));
        }
    }

    fn send_media(&mut self, now: Time, shared: &mut Shared) {
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
        for outgoing in outgoing {
            outgoing.handle_timeout(&mut outlet);
        }
    }

    fn handle_rtp(&mut self, now: Time, at_ns: u64, datagram: &mut [u8], shared: &mut Shared) {
        let Ok(header) = RtpHeader::parse(datagram) else {
            shared.tally.discarded += 1;
            return;
        };
        let place = self.places.get(&header.ssrc).copied();
        let Some(incoming) = place.and_then(|place| self.incoming.get_mut(place)) else {
            self.handle_stranger(&header, datagram, shared);
            return;
        };
        let seq = incoming
            .transport_seq_id()
            .and_then(|id| header.extension(datagram, id));
        if let Some(seq) = seq.and_then(parse_transport_seq) {
            self.feedback.note(seq, now);
        }
        let arrived = Arrived {
            at_ns,
            now,
            header,
            datagram,
        };
        if incoming.accept(arrived, &mut shared.tally) && self.gaps_due == Time::FAR_FUTURE {
            self.gaps_due = now + GAPS_INTERVAL;
        }
    }

    /// Takes a packet of a stream that was not asked for: a probe, or one that is asked for no
    /// longer. It must not be of another room.
    fn handle_stranger(&mut self, header: &RtpHeader, datagram: &mut [u8], shared: &mut Shared) {
        shared.tally.discarded += 1;
        let Some(sealed) = &mut self.sealed else {
            return;
        };
        let prefix = SrtpHeader {
            ssrc: header.ssrc,
            seq: header.seq,
            header_len: header.header_len,
        };
        let Ok(len) = sealed.receiver.unprotect_rtp(prefix, datagram) else {
            return;
        };
        let plain = datagram.get(..len).unwrap_or_default();
        let payload = header.payload(plain).unwrap_or_default();
        let seen = read_video(payload).or_else(|| read_audio(payload));
        if let Some(seen) = seen
            && (seen.stamp.run, seen.stamp.room) != (self.run, self.room)
        {
            let room = self.room;
            shared
                .tally
                .violate(|| format!("{seen:?} came to room {room}"));
        }
    }
}
