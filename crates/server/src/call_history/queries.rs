//! Reading the history. Each request opens a connection that cannot write.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Row, params};
use thiserror::Error;
use watersmeet_conference::call_quality::Cause;

use crate::state_directory::StateError;

/// Upper bound of calls in a response.
pub const CALLS_LISTED_MAX: usize = 1_000;

/// Upper bound of minutes in a response: twenty people for eight hours.
const MINUTES_MAX: usize = 10_000;

/// Time for which a writing connection may lock the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Reason why the history cannot be read or written.
#[derive(Debug, Error)]
pub enum HistoryError {
    /// SQLite refuses.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The file cannot be created.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A later version of the program has written the file.
    #[error("written by a later version")]
    LaterVersion,
    /// The thread that writes does not respond.
    #[error("the history is busy")]
    Busy,
}

impl HistoryError {
    /// Returns what to do about it.
    pub fn advice(&self) -> &'static str {
        let code = match self {
            Self::Sqlite(error) => error.sqlite_error_code(),
            _ => None,
        };
        match (self, code) {
            (_, Some(ErrorCode::DiskFull)) => "free space on the disk, or lower `history_days`",
            (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => {
                "end the other program that locks the file"
            }
            (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => {
                "the file is damaged: move it away, and a new one is made"
            }
            (Self::LaterVersion, _) => "move the file away, or use that version",
            _ => "make the file writable for this user, or set `history_file`",
        }
    }
}

/// Selection of calls for a list.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CallFilter {
    /// Only those of this room.
    pub room: Option<String>,
    /// Only those that started at this time or later, in milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Only those that started before this time.
    pub to_ms: Option<u64>,
    /// Only those that come after this call in the list.
    pub after: Option<String>,
    /// Upper bound of the number of calls.
    pub limit: usize,
}

/// A call in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCall {
    /// Id of the call.
    pub id: String,
    /// Name of its room.
    pub room: String,
    /// Start of the call, in milliseconds since 1970.
    pub started_ms: u64,
    /// End of the call, in milliseconds since 1970; `None` while it goes on.
    pub ended_ms: Option<u64>,
    /// Number of participants.
    pub participants: usize,
    /// Likely causes of what was bad for any of them.
    pub causes: Vec<Cause>,
}

/// A call with its participants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCallDetails {
    /// The call.
    pub call: StoredCall,
    /// Its participants, in order of joining.
    pub participants: Vec<StoredParticipant>,
    /// Whether there are more minutes than a response may have.
    pub is_truncated: bool,
}

/// A participant of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredParticipant {
    /// Id of its stay.
    pub id: String,
    /// Public id, if names are stored.
    pub peer: Option<String>,
    /// Name, if names are stored.
    pub name: Option<String>,
    /// Name of the signalling protocol of its client.
    pub dialect: String,
    /// Time of joining, in milliseconds since 1970.
    pub joined_ms: u64,
    /// Time of leaving, in milliseconds since 1970; `None` while the participant is there.
    pub left_ms: Option<u64>,
    /// Why it left.
    pub left_reason: Option<String>,
    /// Its minutes.
    pub minutes: Vec<StoredMinute>,
}

/// A minute of a participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMinute {
    /// Number of the minute since the call started.
    pub number: u32,
    /// Measured figures, in JSON.
    pub figures: String,
    /// Likely causes of what was bad.
    pub causes: Vec<Cause>,
}

fn open(path: &Path) -> Result<Connection, HistoryError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Returns calls, newest first.
///
/// # Errors
/// The file cannot be read.
pub fn calls(path: &Path, filter: &CallFilter) -> Result<Vec<StoredCall>, HistoryError> {
    let connection = open(path)?;
    let mut statement = connection.prepare(
        "SELECT id, room, started_ms, ended_ms,
             (SELECT count(*) FROM participants WHERE call = calls.id)
         FROM calls
         WHERE (?1 IS NULL OR room = ?1)
             AND (?2 IS NULL OR started_ms >= ?2) AND (?3 IS NULL OR started_ms < ?3)
             AND (?4 IS NULL OR (started_ms, id) < (SELECT started_ms, id FROM calls WHERE id = ?4))
         ORDER BY started_ms DESC, id DESC LIMIT ?5",
    )?;
    let values = params![
        filter.room,
        filter.from_ms.map(bounded),
        filter.to_ms.map(bounded),
        filter.after,
        filter.limit.min(CALLS_LISTED_MAX)
    ];
    let rows = statement.query_map(values, read_call)?;
    let mut calls = rows.collect::<Result<Vec<_>, _>>()?;
    for call in &mut calls {
        call.causes = causes_of_call(&connection, &call.id)?;
    }
    Ok(calls)
}

/// Returns a call with its participants and minutes; `None` when there is none of this id.
///
/// # Errors
/// The file cannot be read.
pub fn call(path: &Path, id: &str) -> Result<Option<StoredCallDetails>, HistoryError> {
    let mut connection = open(path)?;
    // All that follows is read at one instant.
    let transaction = connection.transaction()?;
    let found = transaction.query_row(
        "SELECT id, room, started_ms, ended_ms,
             (SELECT count(*) FROM participants WHERE call = calls.id)
         FROM calls WHERE id = ?1",
        [id],
        read_call,
    );
    let Some(mut call) = found.optional()? else {
        return Ok(None);
    };
    call.causes = causes_of_call(&transaction, id)?;
    let mut participants = participants(&transaction, id)?;
    let mut statement = transaction.prepare(
        "SELECT number, figures, causes FROM minutes
         WHERE call = ?1 AND participant = ?2 ORDER BY number LIMIT ?3",
    )?;
    let mut left = MINUTES_MAX;
    for participant in &mut participants {
        let rows = statement.query_map(params![id, participant.id, left + 1], read_minute)?;
        participant.minutes = rows.collect::<Result<_, _>>()?;
        if participant.minutes.len() > left {
            participant.minutes.truncate(left);
            return Ok(Some(StoredCallDetails {
                call,
                participants,
                is_truncated: true,
            }));
        }
        left -= participant.minutes.len();
    }
    Ok(Some(StoredCallDetails {
        call,
        participants,
        is_truncated: false,
    }))
}

fn participants(
    connection: &Connection,
    call: &str,
) -> Result<Vec<StoredParticipant>, HistoryError> {
    let mut statement = connection.prepare(
        "SELECT id, peer, name, dialect, joined_ms, left_ms, left_reason FROM participants
         WHERE call = ?1 ORDER BY joined_ms, id",
    )?;
    let rows = statement.query_map([call], |row| {
        Ok(StoredParticipant {
            id: row.get(0)?,
            peer: row.get(1)?,
            name: row.get(2)?,
            dialect: row.get(3)?,
            joined_ms: row.get(4)?,
            left_ms: row.get(5)?,
            left_reason: row.get(6)?,
            minutes: Vec::new(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn causes_of_call(connection: &Connection, call: &str) -> Result<Vec<Cause>, HistoryError> {
    let mut statement = connection
        .prepare_cached("SELECT DISTINCT causes FROM minutes WHERE call = ?1 AND causes <> ''")?;
    let rows = statement.query_map([call], |row| row.get::<_, String>(0))?;
    let mut found = BTreeSet::new();
    for causes in rows {
        found.extend(read_causes(&causes?));
    }
    Ok(Cause::ALL
        .into_iter()
        .filter(|it| found.contains(it))
        .collect())
}

fn read_call(row: &Row<'_>) -> rusqlite::Result<StoredCall> {
    Ok(StoredCall {
        id: row.get(0)?,
        room: row.get(1)?,
        started_ms: row.get(2)?,
        ended_ms: row.get(3)?,
        participants: row.get(4)?,
        causes: Vec::new(),
    })
}

fn read_minute(row: &Row<'_>) -> rusqlite::Result<StoredMinute> {
    let causes: String = row.get(2)?;
    Ok(StoredMinute {
        number: row.get(0)?,
        figures: row.get(1)?,
        causes: read_causes(&causes),
    })
}

/// Returns the causes with these codes. A later version may have stored others, which are left out.
fn read_causes(codes: &str) -> Vec<Cause> {
    codes.split(' ').filter_map(Cause::from_code).collect()
}

/// Returns a time as SQLite stores it.
fn bounded(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
