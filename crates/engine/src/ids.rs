//! Identifiers of routers, transports, producers and consumers: UUIDs chosen by the caller.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use watersmeet_wire::units::Rng;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Generates a random id: a version 4 UUID.
            pub fn generate(rng: &mut Rng) -> Self {
                let mut bytes = [0; 16];
                rand_chacha::rand_core::Rng::fill_bytes(rng, &mut bytes);
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// Parses an id as clients write it; `None` when the text is no UUID.
            pub fn parse(text: &str) -> Option<Self> {
                Uuid::try_parse(text).ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// Identifies a router: the part of a room that one worker serves.
    RouterId
}
id! {
    /// Identifies a transport: the secured connection to one peer.
    TransportId
}
id! {
    /// Identifies a producer: one media source that a peer sends.
    ProducerId
}
id! {
    /// Identifies a consumer: one producer's media forwarded to one peer.
    ConsumerId
}
