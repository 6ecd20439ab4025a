//! What a stream's packets tell of the frames they belong to: in the payload, and for AV1 in the dependency
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
        if let Some(value) = dependencies(codec, incoming, packet) {
            // One that cannot be read changes nothing.
            let _ = self.dependencies.read(value);
        }
        self.describe_again(codec, incoming, packet)
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
        let by_payload = || parse_payload(codec?, incoming.payload(packet));
        by_dependencies().or_else(by_payload).unwrap_or_default()
    }
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
