//! OpenAPI 3.1 description of the operators' interface, generated from the handlers.

use utoipa::OpenApi;

use super::super::api::openapi_doc::SecuritySchemes;
use super::super::api::schemas::{ParticipantRole, RoomDetails, RoomPolicy, TrackKind};
use super::super::json_response::Problem;
use super::{drain, log, rooms, schemas, status};

/// The OpenAPI document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Watersmeet, for operators",
        description = "The state of the server, its rooms and people, its log, and draining. Served by \
            the listener of the operators' page alone. Every request needs the operator's key, `api_key` in the \
            configuration, as `Authorization: Bearer`; never in the address.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        status::show, drain::begin, drain::end,
        rooms::list, rooms::show, rooms::close, rooms::remove_participant,
        log::show, log::set_filter, log::reset_filter,
    ),
    components(schemas(
        Problem, ParticipantRole, RoomDetails, RoomPolicy, TrackKind,
        schemas::ServerStatus, schemas::ServerPhase, schemas::MediaThread, schemas::LimitUse,
        schemas::CertificateState, schemas::CertificateKind, schemas::TurnState,
        schemas::OperatorRoom, schemas::OperatorRoomPage, schemas::OperatorRoomDetails,
        schemas::OperatorParticipant, schemas::SentTrack, schemas::Route,
        schemas::ConnectionQuality, schemas::ConnectionProblem,
        schemas::LogState, schemas::LogLine, schemas::LogLevel, schemas::LogFilter,
    )),
    modifiers(&SecuritySchemes),
    tags(
        (name = "Server", description = "The whole of it."),
        (name = "Rooms", description = "Rooms and their people."),
        (name = "Log", description = "What the server writes."),
    ),
)]
struct Document;

/// Returns the document as JSON.
pub fn generate() -> String {
    let mut document = Document::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.to_pretty_json().unwrap_or_default()
}
