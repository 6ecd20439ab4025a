//! Payloads of notices about the receiver's own transports, producers and consumers.

use serde::Serialize;
use watersmeet_engine::command;

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
    /// Highest temporal layer that is forwarded; absent means that all are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temporal_layer: Option<u8>,
    /// Why no better resolution is forwarded, or not all of its frames. Absent where the preferred one is in
    /// full, or is about to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<LayersReason>,
}

/// Why a consumer is sent less than it prefers, or nothing.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) enum LayersReason {
    /// The receiver's connection does not carry more.
    Bandwidth,
    /// The publisher does not send a better one.
    Publisher,
    /// The room sends each participant only some cameras, and others come first.
    LastN,
}

impl From<command::LayersReason> for LayersReason {
    fn from(reason: command::LayersReason) -> Self {
        match reason {
            command::LayersReason::Bandwidth => Self::Bandwidth,
            command::LayersReason::Publisher => Self::Publisher,
            command::LayersReason::LastN => Self::LastN,
        }
    }
}

/// `producerScore`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProducerScore {
    /// Id of a producer of the receiver of this notice.
    pub producer_id: String,
    /// How much of it arrives at the server: 10 all, 7 nine tenths, 4 four fifths of the packets; 0 nothing.
    pub score: u8,
}

/// `consumerScore`
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConsumerScore {
    /// Id of the consumer.
    pub consumer_id: String,
    /// How much of what the server sends arrives at the receiver, as `producerScore` counts.
    pub score: u8,
    /// How much of what the publisher sends arrives at the server.
    pub producer_score: u8,
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
