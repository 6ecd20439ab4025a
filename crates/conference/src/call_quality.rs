//! Quality of calls for their history: what is observed of each participant at an interval, what was likely the cause
//! of what was bad, and a minute of it. Pure: reads no clock, stores nothing, and sends nothing.

mod cause;
mod judgement;
mod minute;
mod observation;
mod observed_client;

pub use self::cause::Cause;
pub use self::judgement::judge;
pub use self::minute::{Minute, MinuteTally};
pub use self::observation::{
    Connection, Flow, Microphone, Observation, ParticipantObservation, Pictures, RoomObservation,
};
pub(crate) use self::observed_client::{ObservedClient, Surroundings};
