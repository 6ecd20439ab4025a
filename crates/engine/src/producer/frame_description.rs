//! Describes the frame that a packet belongs to, from the packet's payload, and with AV1 from its dependency
//! descriptor.

use watersmeet_wire::codec::{Codec, PayloadDescriptor, parse_payload};
use watersmeet_wire::rtp::dependency_descriptor::DependencyDescriptor;
use watersmeet_wire::rtp::extension::ExtensionKind;

use super::stream::Stream;
use crate::packet::Incoming;

impl Stream {
    /// Returns the properties of a new packet; those of an unknown one when it is not parsed.
    pub(super) fn describe(
        &mut self,
        codec: Option<Codec>,
        incoming: &Incoming,
        packet: &[u8],
    ) -> PayloadDescriptor {
        // A descriptor that cannot be read, as that of a late packet, is ignored.
        let value = dependencies(codec, incoming, packet);
        let descriptor = value.and_then(|value| self.dependencies.read(value).ok());
        let by_dependencies = descriptor
            .zip(self.dependencies.structure())
            .map(|(descriptor, structure)| descriptor.payload_descriptor(structure));
        by_dependencies.unwrap_or_else(|| describe_payload(codec, incoming, packet))
    }

    /// Returns the properties of a packet that was described before.
    pub(super) fn describe_again(
        &self,
        codec: Option<Codec>,
        incoming: &Incoming,
        packet: &[u8],
    ) -> PayloadDescriptor {
        let by_dependencies = || {
            let value = dependencies(codec, incoming, packet)?;
            let structure = self.dependencies.structure()?;
            let descriptor = DependencyDescriptor::parse(value, Some(structure)).ok()?;
            Some(descriptor.payload_descriptor(structure))
        };
        by_dependencies().unwrap_or_else(|| describe_payload(codec, incoming, packet))
    }
}

/// Returns the properties that the payload alone shows.
fn describe_payload(codec: Option<Codec>, incoming: &Incoming, packet: &[u8]) -> PayloadDescriptor {
    let descriptor = codec.and_then(|codec| parse_payload(codec, incoming.payload(packet)));
    descriptor.unwrap_or_default()
}

/// Returns the dependency descriptor of an AV1 packet. That of other codecs says nothing that their payload
/// does not.
fn dependencies<'a>(
    codec: Option<Codec>,
    incoming: &Incoming,
    packet: &'a [u8],
) -> Option<&'a [u8]> {
    let kind = ExtensionKind::DependencyDescriptor;
    let extensions = (codec == Some(Codec::Av1)).then_some(&incoming.extensions)?;
    extensions.value(kind, packet)
}
