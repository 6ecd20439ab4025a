//! Tests of the public interface: round trips, malformed input, bounds, allocations, and agreement
//! with independent implementations. One binary, because each one links separately.

mod allocations;
mod interop;
mod malformed_input;
mod oversized_parameters;
mod parser_checks;
mod round_trips;
mod sdp_checks;
