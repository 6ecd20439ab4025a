//! Answers of `getStats` for transports, and below it samples of all of them.

mod samples;

use watersmeet_wire::units::Time;

use super::Worker;
use super::transport_entry::TransportEntry;
use crate::command::{Refusal, Reply, TransportId};
use crate::stats::{TransportStats, TupleStats};
use crate::transport::discard::DiscardReason;

impl Worker {
    /// Returns for how long nothing has arrived on a transport.
    pub(super) fn transport_silence(
        &self,
        now: Time,
        transport: TransportId,
    ) -> Result<Reply, Refusal> {
        let entry = self.transport_entry(transport)?;
        let silence = now.since(entry.transport.last_received_at());
        Ok(Reply::TransportSilence(silence))
    }

    /// Returns a transport's statistics.
    pub(super) fn transport_stats(now: Time, entry: &TransportEntry) -> TransportStats {
        let TransportEntry {
            transport,
            inbound,
            outbound,
            ..
        } = entry;
        let traffic = &outbound.traffic;
        let tuple = transport.selected_path().map(|path| TupleStats {
            remote_ip: path.remote.ip().to_string(),
            remote_port: path.remote.port(),
            protocol: path.protocol,
        });
        let discards = transport.discards();
        let initial = transport.options().initial_outgoing_bitrate;
        TransportStats {
            stats_type: "webrtc-transport",
            transport_id: entry.id.to_string(),
            timestamp: now.as_millis(),
            ice_state: transport.ice_state(),
            dtls_state: transport.dtls_state(),
            ice_selected_tuple: tuple,
            srtp_profile: transport.srtp_profile().map(|profile| profile.name()),
            bytes_received: transport.bytes_received(),
            bytes_sent: traffic.bytes,
            recv_bitrate: transport.receive_bitrate(now).as_bps(),
            send_bitrate: traffic.rate.bitrate(now).as_bps(),
            rtp_bytes_received: inbound.rtp_bytes,
            rtp_bytes_sent: traffic.rtp_bytes,
            rtx_bytes_sent: traffic.rtx_bytes,
            packets_discarded: traffic.packets_discarded
                + traffic.packets_too_long
                + inbound.packets_unrouted
                + inbound.packets_of_unknown_type
                + inbound.packets_over_limit
                + discards.total(),
            srtp_auth_failures: discards.get(DiscardReason::SrtpAuth),
            available_outgoing_bitrate: outbound.available_bitrate(now).unwrap_or(initial).as_bps(),
        }
    }
}
