//! One transport with what hangs on it: who produces and consumes over it, what waits to be sent,
//! what it counts. The worker keeps one for each transport.

use watersmeet_wire::rtcp::write::CompoundWriter;
use watersmeet_wire::units::{Bitrate, Map, Mid, Ssrc, Time};

use crate::arrival_log::ArrivalLog;
use crate::consumer::queued_packet::QueuedPacket;
use crate::egress::send_queue::SendQueueEntry;
use crate::ids::TransportId;
use crate::path::Path;
use crate::rate::RateWindow;
use crate::remb::ReceiveEstimate;
use crate::rtp_listener::RtpListener;
use crate::slots::{ConsumerKey, ProducerKey, RouterKey};
use crate::timers::Deadline;
use crate::transport::Transport;

/// The most media packets that wait for one transport; it is emptied within 2 ms, so that more than
/// this are a flood, of which the newest are dropped.
pub const PENDING_MAX: usize = 4_096;

/// The most control datagrams that wait for one transport.
pub const CONTROL_MAX: usize = 64;

/// A transport and what hangs on it. Others are named by their places in the worker.
///
/// In the order of memory: what each departing packet touches comes first. Between two packets of
/// one destination come hundreds of others, so that each cache line of it is fetched anew.
#[repr(C, align(64))]
pub struct TransportEntry {
    /// Media that waits to be sent.
    pub pending: Vec<QueuedPacket>,
    /// How many of those were sent in an earlier batch.
    pub pending_done: usize,
    /// Where media goes, while it can be sent.
    pub path: Option<Path>,
    /// The transport's number of the next packet.
    pub transport_seq: u16,
    /// When it sends.
    pub turn: SendQueueEntry,
    /// Counts what goes by.
    pub traffic: Traffic,
    /// The transport's id.
    pub id: TransportId,
    /// Its router.
    pub router: RouterKey,
    /// The pipe.
    pub transport: Transport,
    /// Which producer a packet is for.
    pub rtp_listener: RtpListener,
    /// What to tell the peer about its packets.
    pub arrival_log: ArrivalLog,
    /// What the peer may send, when it wants to be told by REMB.
    pub estimate: Option<ReceiveEstimate>,
    /// Producers whose media comes over it.
    pub producers: Vec<ProducerKey>,
    /// Consumers whose media leaves over it.
    pub consumers: Vec<ConsumerKey>,
    /// The consumer behind each SSRC that leaves over it.
    pub outgoing: Map<Ssrc, ConsumerKey>,
    /// The name that ties the peer's streams together.
    pub cname: String,
    /// The SSRC of our own control packets.
    pub ssrc: Ssrc,
    /// Added to the peer's wall clock to make it ours, in microseconds.
    pub clock_offset: Option<i64>,
    /// When the transport is due.
    pub transport_deadline: Deadline,
    /// When reports are due.
    pub report_deadline: Deadline,
    /// When transport-wide feedback is due.
    pub feedback_deadline: Deadline,
    /// Control datagrams that wait, in the clear, one behind the other.
    control: Vec<u8>,
    /// Where each of them ends.
    control_ends: Vec<usize>,
    /// The MID of the next consumer.
    next_mid: u32,
}

/// What went over a transport.
#[derive(Debug, Default)]
#[repr(C)]
pub struct Traffic {
    /// Bytes of all kinds sent.
    pub bytes_sent: u64,
    /// RTP bytes sent, before encryption.
    pub rtp_bytes_sent: u64,
    /// Bytes of padding sent, to make packets equally long.
    pub padding_bytes_sent: u64,
    /// Bits sent over the last second.
    pub send_rate: RateWindow,
    /// Bytes of retransmissions sent.
    pub rtx_bytes_sent: u64,
    /// RTP bytes received, decrypted.
    pub rtp_bytes_received: u64,
    /// Packets of no known producer, and packets that could not be sent.
    pub packets_discarded: u64,
    /// What the peer said it can receive.
    pub remote_estimate: Option<Bitrate>,
}

impl TransportEntry {
    /// A line with nothing on it.
    pub fn new(
        id: TransportId,
        router: RouterKey,
        transport: Transport,
        ssrc: Ssrc,
        cname: String,
    ) -> Self {
        Self {
            pending: Vec::new(),
            pending_done: 0,
            path: None,
            transport_seq: 0,
            turn: SendQueueEntry::default(),
            traffic: Traffic::default(),
            id,
            router,
            transport,
            rtp_listener: RtpListener::default(),
            arrival_log: ArrivalLog::default(),
            estimate: None,
            producers: Vec::new(),
            consumers: Vec::new(),
            outgoing: Map::new(),
            cname,
            ssrc,
            clock_offset: None,
            transport_deadline: Deadline::default(),
            report_deadline: Deadline::default(),
            feedback_deadline: Deadline::default(),
            control: Vec::new(),
            control_ends: Vec::new(),
            next_mid: 0,
        }
    }

    /// Whether media can be sent now.
    pub const fn is_open(&self) -> bool {
        self.path.is_some()
    }

    /// Takes a media packet that is to leave.
    #[inline]
    pub fn enqueue(&mut self, departure: QueuedPacket) {
        if self.pending.len() >= PENDING_MAX {
            self.traffic.packets_discarded += 1;
            return;
        }
        self.pending.push(departure);
    }

    /// Writes a control datagram that is to leave; nothing does if nothing is written.
    pub fn write_control(&mut self, write: impl FnOnce(&mut CompoundWriter<'_>)) {
        if !self.is_open() || self.control_ends.len() >= CONTROL_MAX {
            return;
        }
        let start = self.control.len();
        write(&mut CompoundWriter::new(&mut self.control));
        if self.control.len() > start {
            self.control_ends.push(self.control.len());
        }
    }

    /// Takes a control datagram that is already written.
    pub fn push_control(&mut self, datagram: &[u8]) {
        if self.is_open() && self.control_ends.len() < CONTROL_MAX {
            self.control.extend_from_slice(datagram);
            self.control_ends.push(self.control.len());
        }
    }

    /// Hands each waiting control datagram to `send` until it refuses one. Says whether all went.
    pub fn drain_control(&mut self, mut send: impl FnMut(&mut Transport, &[u8]) -> bool) -> bool {
        let mut start = 0;
        let mut sent = 0;
        for &end in &self.control_ends {
            let datagram = self.control.get(start..end).unwrap_or_default();
            if !send(&mut self.transport, datagram) {
                break;
            }
            start = end;
            sent += 1;
        }
        let all = sent == self.control_ends.len();
        self.control.drain(..start);
        self.control_ends.drain(..sent);
        for end in &mut self.control_ends {
            *end -= start;
        }
        all
    }

    /// Draws the MID of a new consumer, which none on this transport has had.
    pub fn allocate_mid(&mut self) -> Mid {
        let mid = self.next_mid.to_string();
        self.next_mid += 1;
        Mid::from(&mid).unwrap_or_default()
    }

    /// Counts a datagram that leaves.
    #[inline]
    pub fn record_sent(&mut self, now: Time, len: usize) {
        self.traffic.bytes_sent += len as u64;
        self.traffic.send_rate.add(now, len as u64);
    }

    /// Forgets the packets that a consumer still wanted to send.
    pub fn remove_packets_of(&mut self, consumer: ConsumerKey) {
        let done = self.pending_done;
        let is_kept = |departure: &QueuedPacket| departure.consumer != consumer;
        let sent_and_kept = self
            .pending
            .iter()
            .take(done)
            .filter(|it| is_kept(it))
            .count();
        self.pending.retain(is_kept);
        self.pending_done = sent_and_kept;
    }
}
