//! A person in the world: a scripted browser, its two directions of link, and the pipes that its
//! transports are, sealed as the real ones are.

use watersmeet_conference::SessionId;
use watersmeet_engine::command::{Path, TransportId};
use watersmeet_engine::transport::srtp::{
    SrtpError, SrtpHeader, SrtpProfile, SrtpReceiver, SrtpSender,
};
use watersmeet_peer::browser::{Browser, Direction};
use watersmeet_peer::packet::Packet;
use watersmeet_wire::rtp::RtpHeader;
use watersmeet_wire::units::{Map, SeqNo, Ssrc};

use crate::network::Link;

/// One of a person's transports, as the person's side of it.
pub struct Pipe {
    /// Its id.
    pub transport: TransportId,
    /// Where the person is on it.
    pub path: Path,
    /// Seals what goes to the server.
    sender: SrtpSender,
    /// Opens what comes from it.
    receiver: SrtpReceiver,
    /// The newest packet of each stream that was sealed.
    newest: Map<Ssrc, SeqNo>,
}

impl Pipe {
    /// A pipe whose keys are agreed. `None` when they do not fit the profile.
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

    /// Seals a packet.
    pub fn seal(&mut self, packet: Packet) -> Option<Vec<u8>> {
        match packet {
            Packet::Rtp(mut slot) => {
                let plain_len = slot.len();
                let header = RtpHeader::parse(&slot).ok()?;
                let seq = match self.newest.get(&header.ssrc) {
                    Some(newest) => newest.nearest(header.seq),
                    None => SeqNo::first(header.seq),
                };
                self.newest.insert(header.ssrc, seq);
                slot.resize(plain_len + self.sender.overhead(), 0);
                let header_len = header.header_len;
                let len =
                    self.sender
                        .protect_rtp(header.ssrc, seq, &mut slot, header_len, plain_len)?;
                slot.truncate(len);
                Some(slot)
            }
            Packet::Rtcp(mut slot) => {
                let plain_len = slot.len();
                slot.resize(plain_len + self.sender.rtcp_overhead(), 0);
                let len = self.sender.protect_rtcp(&mut slot, plain_len)?;
                slot.truncate(len);
                Some(slot)
            }
        }
    }

    /// Opens a packet; the link may have doubled it.
    pub fn open(&mut self, mut datagram: Vec<u8>) -> Result<Vec<u8>, SrtpError> {
        let second = datagram.get(1).copied().unwrap_or(0);
        let len = if watersmeet_wire::rtcp::is_rtcp(second) {
            self.receiver.unprotect_rtcp(&mut datagram)?
        } else {
            let header = RtpHeader::parse(&datagram).map_err(|_| SrtpError::TooShort)?;
            let prefix = SrtpHeader {
                ssrc: header.ssrc,
                seq: header.seq,
                header_len: header.header_len,
            };
            self.receiver.unprotect_rtp(prefix, &mut datagram)?
        };
        datagram.truncate(len);
        Ok(datagram)
    }
}

/// A person.
pub struct Person {
    /// What the scenario calls them.
    pub name: String,
    /// Their connection.
    pub session: SessionId,
    /// What they do.
    pub browser: Browser,
    /// From them to the server.
    pub up: Link,
    /// From the server to them.
    pub down: Link,
    /// Their transports.
    pub pipes: Map<Direction, Pipe>,
    /// Whether they are there: after they went, nothing reaches them.
    pub is_here: bool,
    /// Packets that came although nobody could open them.
    pub unopened: u64,
}
