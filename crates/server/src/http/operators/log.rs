//! The log: its latest warnings and errors, and its filter, which is changed at run time.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use watersmeet_conference::message::Refusal;

use super::super::api::error_responses::{ListRoomsErrors, OperatorBodyErrors};
use super::super::api::json_body;
use super::super::json_response::{self, ApiError, format_time};
use super::super::site::SiteContext;
use super::schemas::{LogFilter, LogLevel, LogLine, LogState};
use crate::config::check_log_filter;

/// The latest warnings and errors, oldest first, and the filter.
#[utoipa::path(
    get, path = "/api/operators/log", tag = "Log",
    security(("bearer" = [])),
    responses((status = 200, description = "The log.", body = LogState), ListRoomsErrors)
)]
pub async fn show(State(site): State<SiteContext>) -> Response {
    let log = &site.operators.log;
    let lines = log.recent().read().into_iter().map(|line| LogLine {
        number: line.number,
        at: format_time(line.unix_ms),
        level: match line.is_error {
            true => LogLevel::Error,
            false => LogLevel::Warning,
        },
        target: line.target,
        text: line.text,
    });
    let state = LogState {
        filter: log.filter(),
        configured: log.configured().to_owned(),
        lines: lines.collect(),
    };
    json_response::json(StatusCode::OK, &state)
}

/// Changes the filter until it is reset or the program ends.
#[utoipa::path(
    put, path = "/api/operators/log/filter", tag = "Log",
    request_body(content = LogFilter, description = "The filter."),
    security(("bearer" = [])),
    responses((status = 204, description = "It is in use."), OperatorBodyErrors)
)]
pub async fn set_filter(
    State(site): State<SiteContext>,
    request: Request,
) -> Result<Response, ApiError> {
    let LogFilter { filter } = json_body::read(request).await?;
    check_log_filter(&filter).map_err(ApiError::bad_request)?;
    apply(&site, &filter)
}

/// Uses the filter of the configuration again.
#[utoipa::path(
    delete, path = "/api/operators/log/filter", tag = "Log",
    security(("bearer" = [])),
    responses((status = 204, description = "It is in use."), ListRoomsErrors)
)]
pub async fn reset_filter(State(site): State<SiteContext>) -> Result<Response, ApiError> {
    let configured = site.operators.log.configured().to_owned();
    apply(&site, &configured)
}

fn apply(site: &SiteContext, filter: &str) -> Result<Response, ApiError> {
    let changed = site.operators.log.set_filter(filter);
    changed.map_err(|error| {
        tracing::error!(%error, "log filter not changed");
        ApiError::Refused(Refusal::Internal)
    })?;
    tracing::info!(filter, "an operator changed the log filter");
    Ok(json_response::no_content())
}
