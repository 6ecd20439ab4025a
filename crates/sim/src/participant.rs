//! Participant: a scripted browser, the two directions of its link, and its transports with real
//! SRTP.

use watersmeet_conference::SessionId;
use watersmeet_engine::command::{Path, TransportId};
use watersmeet_engine::transport::srtp::{
    SrtpError, SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender,
};
use watersmeet_peer::browser::{Browser, Direction};
use watersmeet_peer::packet::Packet;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{Map, SeqNo, Ssrc, Time};

use crate::network::Link;

/// Client side of a transport.
pub struct ClientTransport {
    /// Id of the transport.
    pub transport: TransportId,
    /// Path between the client and the worker.
    pub path: Path,
    /// Encrypts packets to the server.
    sender: SrtpSender,
    /// Decrypts packets from the server.
    receiver: SrtpReceiver,
    /// Newest encrypted packet of each stream.
    newest: Map<Ssrc, SeqNo>,
}

impl ClientTransport {
    /// Creates a transport with these master keys. Returns `None` when they do not fit the profile.
    pub fn new(
        transport: TransportId,
        path: Path,
        profile: SrtpProfile,
        up: &[u8],
        down: &[u8],
    ) -> Option<Self> {
        Some(Self {
            transport,
            path,
            sender: SrtpSender::new(profile, up).ok()?,
            receiver: SrtpReceiver::new(profile, down).ok()?,
            newest: Map::new(),
        })
    }

    /// Encrypts a packet. Returns `None` when it is not valid RTP or RTCP.
    pub fn protect(&mut self, packet: Packet) -> Option<Vec<u8>> {
        match packet {
            Packet::Rtp(mut packet) => {
                let plain_len = packet.len();
                let header = RtpHeader::parse(&packet).ok()?;
                let seq = match self.newest.get(&header.ssrc) {
                    Some(newest) => newest.nearest(header.seq),
                    None => SeqNo::first(header.seq),
                };
                self.newest.insert(header.ssrc, seq);
                packet.resize(plain_len + self.sender.overhead(), 0);
                let header_len = header.header_len;
                let len = self.sender.protect_rtp(
                    header.ssrc,
                    seq,
                    &mut packet,
                    header_len,
                    plain_len,
                )?;
                packet.truncate(len);
                Some(packet)
            }
            Packet::Rtcp(mut packet) => {
                let plain_len = packet.len();
                packet.resize(plain_len + self.sender.rtcp_overhead(), 0);
                let len = self.sender.protect_rtcp(&mut packet, plain_len)?;
                packet.truncate(len);
                Some(packet)
            }
        }
    }

    /// Decrypts a packet.
    ///
    /// # Errors
    /// `Replayed` for duplicates and late packets; see [`SrtpError`] for the others.
    pub fn unprotect(&mut self, mut datagram: Vec<u8>) -> Result<Vec<u8>, SrtpError> {
        let second = datagram.get(1).copied().unwrap_or(0);
        let len = if watersmeet_wire::rtcp::is_rtcp(second) {
            self.receiver.unprotect_rtcp(&mut datagram)?
        } else {
            let header = RtpHeader::parse(&datagram).map_err(|_| SrtpError::TooShort)?;
            let srtp_header = SrtpHeader {
                ssrc: header.ssrc,
                seq: header.seq,
                header_len: header.header_len,
            };
            self.receiver.unprotect_rtp(srtp_header, &mut datagram)?
        };
        datagram.truncate(len);
        Ok(datagram)
    }
}

/// Participant of a simulation.
pub struct Participant {
    /// Name in the scenario.
    pub name: String,
    /// Signalling session.
    pub session: SessionId,
    /// Scripted browser.
    pub browser: Browser,
    /// Link from the participant to the server.
    pub up: Link,
    /// Link from the server to the participant.
    pub down: Link,
    /// Connected transports.
    pub transports: Map<Direction, ClientTransport>,
    /// Bytes that workers sent to the participant, with the headers of IP and UDP.
    pub offered_bytes: u64,
    /// Whether the shared bottleneck is on the way from the server.
    pub is_behind_bottleneck: bool,
    /// Whether something happened to the browser since its outputs were drained.
    pub is_touched: bool,
    /// Time at which the browser is due next, once its outputs are drained.
    pub due: Time,
    /// Whether media of the participant never connects, as behind a firewall.
    pub is_blocked: bool,
    /// Whether the participant is connected; nothing reaches it after it disconnects.
    pub is_connected: bool,
    /// Number of packets that could not be decrypted.
    pub undecryptable: u64,
}
