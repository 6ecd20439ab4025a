//! Capability negotiation
