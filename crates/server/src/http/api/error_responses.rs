//! Error responses of the operations, for the OpenAPI description. All have the body `Problem`.

use std::collections::BTreeMap;

use utoipa::openapi::header::Header;
use utoipa::openapi::{Content, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, PartialSchema};

/// Status and description of an error response.
type ErrorResponse = (u16, &'static str);

const ADDRESS: ErrorResponse = (400, "The address makes no sense.");
const REQUEST: ErrorResponse = (400, "The request makes no sense.");
const TOKEN: ErrorResponse = (401, "The token is none of ours.");
const TOKEN_OR_NEEDED: ErrorResponse = (401, "The token is none of ours, or one is needed.");
const HOST_TOKEN: ErrorResponse = (401, "No token, or none of ours.");
const NOT_HOST: ErrorResponse = (403, "You are no host of this room.");
const NO_ROOM: ErrorResponse = (404, "There is no such room.");
const NO_ROOM_FOR_YOU: ErrorResponse = (404, "There is no such room, or none for you.");
const NO_ROOM_OR_PARTICIPANT: ErrorResponse = (404, "There is no such room, or nobody of this id.");
const TOO_OFTEN: ErrorResponse = (429, "Too often.");
const UNAVAILABLE: ErrorResponse = (503, "The conference does not answer.");

/// Errors of every request with a body.
const BODY: [ErrorResponse; 3] = [
    (408, "The body did not come."),
    (413, "The body is too long."),
    (415, "The body is not JSON."),
];

/// Declares a type that describes the errors of an operation.
macro_rules! errors {
    ($(#[$doc:meta])* $name:ident, $errors:expr $(, $more:expr)*) => {
        $(#[$doc])*
        pub struct $name;

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                describe($errors.into_iter()$(.chain($more))*)
            }
        }
    };
}

errors!(
    /// Errors of `POST /api/rooms`.
    CreateRoomErrors,
    [
        REQUEST,
        TOKEN_OR_NEEDED,
        (403, "Your token does not let you make rooms."),
        TOO_OFTEN,
        (
            503,
            "There are too many rooms, or the conference does not answer."
        ),
    ],
    BODY
);

errors!(
    /// Errors of `GET /api/rooms`.
    ListRoomsErrors,
    [
        ADDRESS,
        (401, "No key, or not ours."),
        (403, "A token is not enough."),
        TOO_OFTEN,
        UNAVAILABLE,
    ]
);

errors!(
    /// Errors of requests of operators about a room.
    OperatorErrors,
    [
        ADDRESS,
        (401, "No key, or not ours."),
        (403, "A token is not enough."),
        NO_ROOM_OR_PARTICIPANT,
        TOO_OFTEN,
        UNAVAILABLE,
    ]
);

errors!(
    /// Errors of requests about the history of calls.
    HistoryErrors,
    [
        ADDRESS,
        (401, "No key, or not ours."),
        (403, "A token is not enough."),
        (404, "There is no such call or participant, or no history is kept."),
        TOO_OFTEN,
        (503, "The history does not answer."),
    ]
);

errors!(
    /// Errors of requests of operators that have a body.
    OperatorBodyErrors,
    [
        REQUEST,
        (401, "No key, or not ours."),
        (403, "A token is not enough."),
        TOO_OFTEN,
        UNAVAILABLE,
    ],
    BODY
);

errors!(
    /// Errors of requests about a room that guests may send.
    GuestErrors,
    [ADDRESS, TOKEN, NO_ROOM_FOR_YOU, TOO_OFTEN, UNAVAILABLE]
);

errors!(
    /// Errors of `GET /api/rooms/{room}/participants`.
    ParticipantErrors,
    [
        ADDRESS,
        TOKEN_OR_NEEDED,
        (403, "Your token is for another room."),
        NO_ROOM_FOR_YOU,
        TOO_OFTEN,
        UNAVAILABLE,
    ]
);

errors!(
    /// Errors of requests about a room that need a host.
    HostErrors,
    [ADDRESS, HOST_TOKEN, NOT_HOST, NO_ROOM, TOO_OFTEN, UNAVAILABLE]
);

errors!(
    /// Errors of requests about a room that need a host and have a body.
    HostBodyErrors,
    [REQUEST, HOST_TOKEN, NOT_HOST, NO_ROOM, TOO_OFTEN, UNAVAILABLE],
    BODY
);

errors!(
    /// Errors of requests about a participant that need a host.
    ModerationErrors,
    [
        ADDRESS,
        HOST_TOKEN,
        NOT_HOST,
        NO_ROOM_OR_PARTICIPANT,
        TOO_OFTEN,
        UNAVAILABLE,
    ]
);

errors!(
    /// Errors of requests about a participant that need a host and have a body.
    ModerationBodyErrors,
    [
        REQUEST,
        HOST_TOKEN,
        NOT_HOST,
        NO_ROOM_OR_PARTICIPANT,
        TOO_OFTEN,
        UNAVAILABLE,
    ],
    BODY
);

errors!(
    /// Errors of `GET /api/ice-servers`.
    IceServersErrors,
    [
        (400, "The address says something twice."),
        TOKEN_OR_NEEDED,
        TOO_OFTEN,
    ]
);

fn describe(errors: impl Iterator<Item = ErrorResponse>) -> BTreeMap<String, RefOr<Response>> {
    let described = errors.map(|(status, description)| {
        let schema = Ref::from_schema_name("Problem");
        let mut response = ResponseBuilder::new()
            .description(description)
            .content("application/json", Content::new(Some(schema)));
        response = match status {
            401 => response.header("WWW-Authenticate", Header::new(String::schema())),
            429 | 503 => response.header("Retry-After", Header::new(u64::schema())),
            _ => response,
        };
        (status.to_string(), response.build().into())
    });
    described.collect()
}
