//! Payloads of notices about the receiver's own transports, producers and consumers.

use serde::Serialize;

/// `consumerLayersChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerLayersChanged {
    /// Id of the consumer.
    pub consumer_id: String,
    /// Resolution that is forwarded; absent means that nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spatial_layer: Option<u8>,
    /// Frame rate that is forwarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporal_layer: Option<u8>,
}

/// `producerDemandChanged`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProducerDemandChanged {
    /// Id of the producer.
    pub producer_id: String,
    /// Best encoding that somebody is sent; those above it need not be sent. Absent means that none need be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spatial_layer: Option<u8>,
    /// Bitrate in bit/s that the lowest encoding must not exceed for all to be sent it; absent means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lowest_bitrate: Option<u32>,
    /// Bitrate in bit/s that all who are sent the best encoding can be sent of it. Present only where some
    /// of them would be sent a better one if their connections carried it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub highest_bitrate: Option<u32>,
}

/// `transportClosed`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransportClosed {
    /// Id of the transport; everything on it is closed.
    pub transport_id: String,
    /// Why it was closed, in one word.
    #[cfg_attr(test, ts(type = "string"))]
    pub reason: watersmeet_engine::command::CloseReason,
}
