//! How the layers of a producer are carried, and how they depend on one another.

use watersmeet_wire::codec::{Codec, InterLayerPrediction, PayloadDescriptor};
use watersmeet_wire::params::{RtpEncodingParameters, RtpParameters, ScalabilityMode};
use watersmeet_wire::rtp::extension::ExtensionKind;

use crate::allocation::LAYERS_MAX;

/// Layers of a producer, of which a consumer is sent one, or several that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerStructure {
    /// One stream for each layer: simulcast, or a single layer.
    Streams(u8),
    /// So many layers in one stream, none of which needs another: modes such as `S3T3`.
    Independent(u8),
    /// So many layers in one stream, of which higher ones need lower ones: modes such as `L3T3`.
    Scalable(u8, InterLayerPrediction),
}

impl LayerStructure {
    /// Returns the structure of a producer with these parameters. Where the packets do not tell to which
    /// layer they belong, all layers of a stream are one.
    pub fn of(parameters: &RtpParameters) -> Self {
        let streams = u8::try_from(parameters.encodings.len()).unwrap_or(u8::MAX);
        let one = Self::Streams(streams);
        let [encoding] = parameters.encodings.as_slice() else {
            return one;
        };
        let Some((text, mode)) = mode_of(encoding) else {
            return one;
        };
        // The activity of the layers is a set of eight bits.
        if !(2..=LAYERS_MAX).contains(&usize::from(mode.spatial)) {
            return one;
        }
        if !tells_layers(parameters) {
            one
        } else if mode.is_independent {
            Self::Independent(mode.spatial)
        } else {
            Self::Scalable(mode.spatial, InterLayerPrediction::of_mode(text))
        }
    }

    /// Returns the number of layers.
    pub const fn count(self) -> u8 {
        match self {
            Self::Streams(count) | Self::Independent(count) | Self::Scalable(count, _) => count,
        }
    }

    /// Returns whether all layers are in one stream.
    pub const fn has_shared_stream(self) -> bool {
        !matches!(self, Self::Streams(_))
    }

    /// Returns whether there is one stream only.
    pub const fn is_one_stream(self) -> bool {
        self.has_shared_stream() || matches!(self, Self::Streams(0 | 1))
    }

    /// Returns the index of the stream that carries a layer.
    pub const fn stream_of(self, layer: u8) -> u8 {
        if self.has_shared_stream() { 0 } else { layer }
    }

    /// Returns the layer of a packet. A receiver of one independent layer can start where that layer can.
    pub fn layer_of(self, stream: u8, descriptor: &mut PayloadDescriptor) -> u8 {
        match self {
            Self::Streams(_) => stream,
            Self::Independent(count) => {
                descriptor.keyframe = descriptor.starts_layer;
                descriptor.spatial_layer.min(count.saturating_sub(1))
            }
            Self::Scalable(count, _) => descriptor.spatial_layer.min(count.saturating_sub(1)),
        }
    }

    /// Returns whether a receiver of the layers below can be sent this layer from a packet on.
    pub const fn starts_layer(self, descriptor: &PayloadDescriptor) -> bool {
        match self {
            Self::Streams(_) | Self::Independent(_) => descriptor.keyframe,
            Self::Scalable(..) => descriptor.starts_frame && !descriptor.inter_picture,
        }
    }
}

/// Returns the scalability mode of an encoding, as text and parsed.
fn mode_of(encoding: &RtpEncodingParameters) -> Option<(&str, ScalabilityMode)> {
    let text = encoding.scalability_mode.as_deref()?;
    Some((text, ScalabilityMode::parse(text)?))
}

/// Returns whether each packet tells its spatial layer, in whichever of the codecs: in the payload of VP9,
/// and for AV1 in the dependency descriptor.
fn tells_layers(parameters: &RtpParameters) -> bool {
    let uri = ExtensionKind::DependencyDescriptor.uri();
    let has_descriptor = parameters.header_extensions.iter().any(|it| it.uri == uri);
    all_codecs(parameters, |codec| match codec {
        Codec::Vp9 => true,
        Codec::Av1 => has_descriptor,
        _ => false,
    })
}

/// Returns whether each packet tells its temporal layer, in whichever of the codecs.
pub fn tells_temporal_layers(parameters: &RtpParameters) -> bool {
    tells_layers(parameters)
        || all_codecs(parameters, |codec| matches!(codec, Codec::Vp8 | Codec::Vp9))
}

/// Returns whether all codecs that the producer may change between are such.
fn all_codecs(parameters: &RtpParameters, is_such: impl Fn(Codec) -> bool) -> bool {
    let mut media = parameters.codecs.iter().filter(|codec| !codec.is_rtx());
    media.all(|codec| Codec::of_mime_type(&codec.mime_type).is_some_and(&is_such))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(mime_types: &str, mode: &str, extensions: &str) -> RtpParameters {
        let codec = |mime_type: &str| {
            format!(r#"{{"mimeType": "{mime_type}", "payloadType": 101, "clockRate": 90000}}"#)
        };
        let codecs: Vec<_> = mime_types.split(' ').map(codec).collect();
        let json = format!(
            r#"{{"codecs": [{}], "headerExtensions": [{extensions}],
                "encodings": [{{"ssrc": 1, "scalabilityMode": "{mode}"}}]}}"#,
            codecs.join(",")
        );
        serde_json::from_str(&json).unwrap()
    }

    fn structure(mime_types: &str, mode: &str, extensions: &str) -> LayerStructure {
        LayerStructure::of(&parameters(mime_types, mode, extensions))
    }

    #[test]
    fn structure_follows_the_mode_where_packets_tell_their_layers() {
        use InterLayerPrediction::{Always, KeyPictures};
        let descriptor = format!(
            r#"{{"uri": "{}", "id": 8}}"#,
            ExtensionKind::DependencyDescriptor.uri()
        );
        for (codec, mode, extensions, expected) in [
            ("video/VP9", "L3T3", "", LayerStructure::Scalable(3, Always)),
            (
                "video/VP9",
                "L3T3_KEY",
                "",
                LayerStructure::Scalable(3, KeyPictures),
            ),
            ("video/VP9", "S3T3", "", LayerStructure::Independent(3)),
            ("video/VP9", "L1T3", "", LayerStructure::Streams(1)),
            (
                "video/AV1",
                "L2T1",
                &descriptor,
                LayerStructure::Scalable(2, Always),
            ),
            ("video/AV1", "L2T1", "", LayerStructure::Streams(1)),
            (
                "video/H264",
                "L2T1",
                &descriptor,
                LayerStructure::Streams(1),
            ),
            ("video/VP9", "L9T1", "", LayerStructure::Streams(1)),
            ("video/H264", "S3T3", "", LayerStructure::Streams(1)),
            (
                "video/VP9 video/H264",
                "L3T3",
                "",
                LayerStructure::Streams(1),
            ),
            (
                "video/VP9 video/H264",
                "S3T3",
                "",
                LayerStructure::Streams(1),
            ),
            (
                "video/VP9 video/rtx video/AV1",
                "L3T3",
                &descriptor,
                LayerStructure::Scalable(3, Always),
            ),
        ] {
            assert_eq!(
                structure(codec, mode, extensions),
                expected,
                "{codec} {mode}"
            );
        }
    }
    #[test]
    fn temporal_layers_are_told_where_every_codec_tells_them() {
        for (codecs, is_told) in [
            ("video/VP8", true),
            ("video/VP8 video/rtx video/VP9", true),
            ("video/VP8 video/H264", false),
            ("video/H264 video/VP8", false),
        ] {
            let parameters = parameters(codecs, "L1T3", "");
            assert_eq!(tells_temporal_layers(&parameters), is_told, "{codecs}");
        }
    }
}
