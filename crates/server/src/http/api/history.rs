//! REST handlers for the history of calls: list, show, delete. For operators.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::caller::Caller;
use super::super::json_response::{self, ApiError};
use super::super::site::SiteContext;
use super::error_responses::HistoryErrors;
use super::history_schemas::{HistoryCall, HistoryCallDetails, HistoryDeletion, HistoryPage};
use super::request_context::path_params;
use crate::call_history::{CALLS_LISTED_MAX, CallFilter, CallHistory, Deletion, HistoryError};

/// Default number of calls in a response.
const LIMIT_DEFAULT: usize = 100;

/// Query parameters of `GET /api/history`, for the OpenAPI description.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `parse_filter` parses")]
pub struct ListCallsParams {
    /// Only calls in this room.
    #[param(required = false, nullable = false)]
    room: Option<String>,
    /// Only calls that started at this time or later, in milliseconds since 1970.
    #[param(required = false, nullable = false)]
    from: Option<u64>,
    /// Only calls that started before this time, in milliseconds since 1970.
    #[param(required = false, nullable = false)]
    to: Option<u64>,
    /// The last id of the list before.
    #[param(required = false, nullable = false)]
    after: Option<String>,
    /// Upper bound of the number of calls.
    #[param(required = false, nullable = false, minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Query parameters of `DELETE /api/history`, for the OpenAPI description.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "describes what `parse_name` parses")]
pub struct DeleteNameParams {
    /// The name that they had in calls.
    name: String,
}

/// Calls, the newest first.
#[utoipa::path(
    get, path = "/api/history", tag = "Operators",
    params(ListCallsParams),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "Some of them.", body = HistoryPage),
        HistoryErrors,
    )
)]
pub async fn list(State(site): State<SiteContext>, request: Request) -> Result<Response, ApiError> {
    let history = authorize(&site, &request)?;
    let filter = parse_filter(request.uri().query().unwrap_or_default())?;
    let limit = filter.limit;
    let calls = history.calls(filter).await.map_err(|it| unavailable(&it))?;
    let is_full = calls.len() >= limit;
    let next = calls.last().filter(|_| is_full).map(|it| it.id.clone());
    let calls = calls.into_iter().map(HistoryCall::from).collect();
    Ok(json_response::json(
        StatusCode::OK,
        &HistoryPage { calls, next },
    ))
}

/// A call: who was there, each minute, and the likely causes of what was bad.
#[utoipa::path(
    get, path = "/api/history/{call}", tag = "Operators",
    params(("call" = String, Path, description = "The call's id.")),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The call.", body = HistoryCallDetails),
        HistoryErrors,
    )
)]
pub async fn show(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let history = authorize(&site, &request)?;
    let call = history.call(path_params(path)?).await;
    let call = call.map_err(|it| unavailable(&it))?;
    let call = HistoryCallDetails::from(call.ok_or(ApiError::NotFound)?);
    Ok(json_response::json(StatusCode::OK, &call))
}

/// Deletes a call from the history.
#[utoipa::path(
    delete, path = "/api/history/{call}", tag = "Operators",
    params(("call" = String, Path, description = "The call's id.")),
    security(("bearer" = [])),
    responses((status = 204, description = "It is gone."), HistoryErrors)
)]
pub async fn remove(
    State(site): State<SiteContext>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let history = authorize(&site, &request)?;
    delete_one(history, Deletion::Call(path_params(path)?)).await
}

/// Deletes a participant of a call from the history.
#[utoipa::path(
    delete, path = "/api/history/{call}/participants/{participant}", tag = "Operators",
    params(
        ("call" = String, Path, description = "The call's id."),
        ("participant" = String, Path, description = "The participant's id in that call."),
    ),
    security(("bearer" = [])),
    responses((status = 204, description = "They are gone."), HistoryErrors)
)]
pub async fn remove_participant(
    State(site): State<SiteContext>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    let history = authorize(&site, &request)?;
    let (call, participant) = path_params(path)?;
    delete_one(history, Deletion::Participant { call, participant }).await
}

/// Deletes everybody of a name from all calls in the history, where names are stored.
#[utoipa::path(
    delete, path = "/api/history", tag = "Operators",
    params(DeleteNameParams),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "How many participants that were.", body = HistoryDeletion),
        HistoryErrors,
    )
)]
pub async fn remove_name(
    State(site): State<SiteContext>,
    request: Request,
) -> Result<Response, ApiError> {
    let history = authorize(&site, &request)?;
    let name = parse_name(request.uri().query().unwrap_or_default())?;
    let deleted = history.delete(Deletion::Name(name)).await;
    let deleted = deleted.map_err(|it| unavailable(&it))?;
    Ok(json_response::json(
        StatusCode::OK,
        &HistoryDeletion { deleted },
    ))
}

/// Returns the history, for an operator.
fn authorize<'a>(site: &'a SiteContext, request: &Request) -> Result<&'a CallHistory, ApiError> {
    Caller::authenticate(site, request)?.require_operator()?;
    site.history.as_ref().ok_or(ApiError::NotFound)
}

async fn delete_one(history: &CallHistory, deletion: Deletion) -> Result<Response, ApiError> {
    match history.delete(deletion).await {
        Ok(0) => Err(ApiError::NotFound),
        Ok(_) => Ok(json_response::no_content()),
        Err(error) => Err(unavailable(&error)),
    }
}

fn unavailable(error: &HistoryError) -> ApiError {
    tracing::warn!(%error, "history not read or changed: {}", error.advice());
    ApiError::Unavailable
}

/// Reads the query of a list.
fn parse_filter(query: &str) -> Result<CallFilter, ApiError> {
    let mut filter = CallFilter::default();
    let mut limit = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let time = || {
            let parsed = value.parse::<u64>();
            parsed.map_err(|_| ApiError::bad_request("from and to are milliseconds since 1970"))
        };
        let is_repeated = match &*name {
            "room" => filter.room.replace(value.into_owned()).is_some(),
            "after" => filter.after.replace(value.into_owned()).is_some(),
            "from" => filter.from_ms.replace(time()?).is_some(),
            "to" => filter.to_ms.replace(time()?).is_some(),
            "limit" => {
                let parsed = value.parse().ok();
                let parsed = parsed.filter(|it| (1..=CALLS_LISTED_MAX).contains(it));
                let parsed = parsed.ok_or_else(|| ApiError::bad_request("limit is 1 to 1000"))?;
                limit.replace(parsed).is_some()
            }
            _ => false,
        };
        if is_repeated {
            return Err(ApiError::bad_request("the address says something twice"));
        }
    }
    filter.limit = limit.unwrap_or(LIMIT_DEFAULT);
    Ok(filter)
}

/// Reads the name of those to delete.
fn parse_name(query: &str) -> Result<String, ApiError> {
    let mut names = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == "name");
    match (names.next(), names.next()) {
        (Some((_, name)), None) if !name.is_empty() => Ok(name.into_owned()),
        _ => Err(ApiError::bad_request("name is needed, once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_of_a_list_is_parsed_and_checked() {
        let filter = parse_filter("room=standup&from=1000&to=2000&limit=3&after=RM_1").unwrap();
        let expected = CallFilter {
            room: Some("standup".to_owned()),
            from_ms: Some(1_000),
            to_ms: Some(2_000),
            after: Some("RM_1".to_owned()),
            limit: 3,
        };
        assert_eq!(filter, expected);
        assert_eq!(parse_filter("").unwrap().limit, LIMIT_DEFAULT);
        for bad in ["limit=0", "limit=1001", "from=yesterday", "room=a&room=b"] {
            assert!(parse_filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn name_is_needed_once() {
        assert_eq!(parse_name("name=Ana+B").unwrap(), "Ana B");
        for bad in ["", "name=", "name=a&name=b"] {
            assert!(parse_name(bad).is_err(), "{bad}");
        }
    }
}
