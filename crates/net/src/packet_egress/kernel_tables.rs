//! Parts of the kernel's routes, devices and neighbours that packet egress needs.

use std::net::IpAddr;

use super::frame::Mac;

/// A unicast route to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Route {
    /// Interface index of the outgoing device.
    pub(super) device: u32,
    /// Source address.
    pub(super) source: IpAddr,
    /// Address of the next hop: a router, or the destination itself.
    pub(super) next_hop: IpAddr,
    /// Longest packet on this route in bytes, where it is set for the route.
    pub(super) mtu: Option<u32>,
}

/// A network device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Device {
    /// Ethernet address; `None` if the device is not Ethernet, or is down.
    pub(super) mac: Option<Mac>,
    /// Longest packet in bytes, without the Ethernet header.
    pub(super) mtu: u32,
}

/// A host on the same Ethernet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Neighbour {
    /// Ethernet address.
    pub(super) mac: Mac,
    /// Whether the kernel has had no confirmation for long and is not asking for one (NUD_STALE).
    pub(super) is_stale: bool,
}

/// A change that the kernel reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableChange {
    /// The neighbour at this interface and address was added, changed or, with `None`, removed.
    Neighbour(u32, IpAddr, Option<Neighbour>),
    /// The device with this interface index was added, changed or, with `None`, removed.
    Device(u32, Option<Device>),
    /// Routes, rules or local addresses changed.
    Routes,
    /// Notifications were lost.
    Lost,
}

/// Access to the kernel's tables. Implemented by netlink and, in tests, by scripted tables.
pub(crate) trait KernelTables {
    /// Returns the route to `destination`; `None` unless it is unicast and without encapsulation.
    fn route(&mut self, destination: IpAddr) -> Option<Route>;

    /// Returns the device with this interface index.
    fn device(&mut self, index: u32) -> Option<Device>;

    /// Returns all neighbours with their interface index and address.
    fn neighbours(&mut self) -> Vec<(u32, IpAddr, Neighbour)>;

    /// Returns the next change since the last call, without waiting.
    fn poll_change(&mut self) -> Option<TableChange>;
}
