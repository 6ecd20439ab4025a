//! The file of the history, as the one thread that writes it sees it.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

#[cfg(test)]
use rusqlite::OptionalExtension as _;
use rusqlite::{Connection, Transaction, params};
use watersmeet_conference::room_event::{DepartureReason, ParticipantRecord};
use watersmeet_wire::units::Time;

use super::deletion::Deletion;
use super::queries::HistoryError;
use super::recorder::Change;
use super::schema;

/// Permissions of the file: only its owner reads who met whom.
const FILE_MODE: u32 = 0o600;

/// Time for which another program may lock the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Calls that are deleted at once to make room.
const CALLS_PER_ROUND: u32 = 50;

/// Rounds of deletion at a time; the next follow a minute later.
const ROUNDS_MAX: usize = 20;

/// Pages that are given back to the file system at a time: 16 MiB.
const PAGES_FREED_MAX: u32 = 4_096;

/// How long and how much is kept, and of whom.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// Wall clock at `Time::ZERO`, since 1970.
    pub unix_epoch: Duration,
    /// Whether names and public ids of participants are stored.
    pub has_names: bool,
}

/// The file of the history.
#[derive(Debug)]
pub struct Store {
    /// The only connection that writes.
    connection: Connection,
    /// Options.
    options: StoreOptions,
}

impl Store {
    /// Opens the file, which is created if it does not exist, and migrates it.
    ///
    /// # Errors
    /// It cannot be created, read or written, is no history, or is of a later version.
    pub fn open(path: &Path, options: StoreOptions) -> Result<Self, HistoryError> {
        create(path)?;
        let mut connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "secure_delete", true)?;
        match schema::migrate(&mut connection)? {
            true => Ok(Self {
                connection,
                options,
            }),
            false => Err(HistoryError::LaterVersion),
        }
    }

    /// Ends calls that are open, at the end of their last minute: those of an earlier run of the program, and those
    /// whose end could not be written. Calls in progress are opened again by the next input.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn end_open_calls(&self) -> Result<(), HistoryError> {
        self.connection.execute_batch(
            "UPDATE calls SET ended_ms = started_ms + 60000 * coalesce(
                 (SELECT max(number) + 1 FROM minutes WHERE call = calls.id), 0)
             WHERE ended_ms IS NULL;
             UPDATE participants SET left_ms = (SELECT ended_ms FROM calls WHERE id = call)
             WHERE left_ms IS NULL;",
        )?;
        Ok(())
    }

    /// Stores changes, all or none.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn apply(&mut self, changes: &[Change]) -> Result<(), HistoryError> {
        let options = self.options;
        let transaction = self.connection.transaction()?;
        for change in changes {
            apply(&transaction, options, change)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Deletes calls or participants, also from the log of SQLite. Returns their number.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn delete(&self, deletion: &Deletion) -> Result<usize, HistoryError> {
        let connection = &self.connection;
        let deleted = match deletion {
            Deletion::Call(call) => {
                connection.execute("DELETE FROM calls WHERE id = ?1", [call])?
            }
            Deletion::Participant { call, participant } => connection.execute(
                "DELETE FROM participants WHERE call = ?1 AND id = ?2",
                [call, participant],
            )?,
            Deletion::Name(name) => {
                connection.execute("DELETE FROM participants WHERE name = ?1", [name])?
            }
        };
        self.empty_log()?;
        Ok(deleted)
    }

    /// Moves the write-ahead log into the file and empties it: it has pages as they were before a deletion, which
    /// `secure_delete` does not overwrite. As long as somebody reads them they stay, until the next time.
    fn empty_log(&self) -> Result<(), HistoryError> {
        let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
        Ok(self.connection.query_row(checkpoint, [], |_| Ok(()))?)
    }

    /// Deletes calls that started before a time in milliseconds since 1970, and the oldest while more than `size_max`
    /// bytes are in use; gives free pages back. Deletes at most `ROUNDS_MAX * CALLS_PER_ROUND` calls. Returns the
    /// bytes in use.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn prune(&self, before_ms: i64, size_max: u64) -> Result<u64, HistoryError> {
        let connection = &self.connection;
        for _ in 0..ROUNDS_MAX {
            let is_too_large = self.bytes_in_use()? > size_max;
            let before_ms = if is_too_large { i64::MAX } else { before_ms };
            let deleted = connection.execute(
                "DELETE FROM calls WHERE id IN
                     (SELECT id FROM calls WHERE started_ms < ?1 ORDER BY started_ms, id LIMIT ?2)",
                params![before_ms, CALLS_PER_ROUND],
            )?;
            if deleted == 0 {
                break;
            }
        }
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES_FREED_MAX})"))?;
        self.empty_log()?;
        self.bytes_in_use()
    }

    fn bytes_in_use(&self) -> Result<u64, HistoryError> {
        let number = |name| {
            let value: Result<u64, _> = self
                .connection
                .pragma_query_value(None, name, |it| it.get(0));
            value
        };
        let pages = number("page_count")?.saturating_sub(number("freelist_count")?);
        Ok(pages * number("page_size")?)
    }

    /// Keeps the file from growing, as a full disk does.
    ///
    /// # Errors
    /// The file cannot be read.
    #[cfg(test)]
    pub fn limit_pages(&self) -> Result<(), HistoryError> {
        let pages: u64 = self
            .connection
            .pragma_query_value(None, "page_count", |it| it.get(0))?;
        let query = format!("PRAGMA max_page_count({pages})");
        self.connection.query_row(&query, [], |_| Ok(()))?;
        Ok(())
    }

    /// Returns the call of a participant that is still there, by its name, for tests of what was deleted.
    ///
    /// # Errors
    /// The file cannot be read.
    #[cfg(test)]
    pub fn call_of_name(&self, name: &str) -> Result<Option<String>, HistoryError> {
        let query = "SELECT call FROM participants WHERE name = ?1";
        let found = self.connection.query_row(query, [name], |it| it.get(0));
        Ok(found.optional()?)
    }
}

/// Creates the file if it does not exist, so that others cannot read it. SQLite gives its other files the same
/// permissions.
fn create(path: &Path) -> Result<(), HistoryError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    match options.open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
        _ => Ok(()),
    }
}

fn apply(
    transaction: &Transaction<'_>,
    options: StoreOptions,
    change: &Change,
) -> Result<(), HistoryError> {
    let ms = |at| unix_ms(options, at);
    let execute =
        |sql, values: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(values);
    match change {
        Change::CallStarted { call, room, at } => execute(
            // A call that was ended when the file was opened, and goes on.
            "INSERT INTO calls (id, room, started_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET ended_ms = NULL",
            params![call, room, ms(*at)],
        )?,
        Change::CallEnded { call, at } => execute(
            "UPDATE calls SET ended_ms = ?2 WHERE id = ?1",
            params![call, ms(*at)],
        )?,
        Change::Joined { call, participant } => {
            add_participant(transaction, options, call, participant)?
        }
        Change::Left {
            call,
            participant,
            at,
            reason,
        } => execute(
            "UPDATE participants SET left_ms = ?3, left_reason = ?4 WHERE call = ?1 AND id = ?2",
            params![
                call,
                participant,
                ms(*at),
                reason.map(DepartureReason::as_str)
            ],
        )?,
        Change::Minute {
            call,
            participant,
            number,
            minute,
            causes,
        } => {
            let figures = serde_json::to_string(minute).unwrap_or_default();
            let causes: Vec<_> = causes.iter().map(|it| it.code()).collect();
            execute(
                "INSERT OR REPLACE INTO minutes (call, participant, number, figures, causes)
                 SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS
                     (SELECT 1 FROM participants WHERE call = ?1 AND id = ?2)",
                params![call, participant, number, figures, causes.join(" ")],
            )?
        }
    };
    Ok(())
}

/// Stores that a participant has joined a call that is in the file. Returns the number of rows changed.
fn add_participant(
    transaction: &Transaction<'_>,
    options: StoreOptions,
    call: &str,
    participant: &ParticipantRecord,
) -> rusqlite::Result<usize> {
    let peer = options.has_names.then(|| participant.peer.as_str());
    let name = participant.display_name.as_deref();
    let name = name.filter(|_| options.has_names);
    let mut statement = transaction.prepare_cached(
        "INSERT INTO participants (call, id, peer, name, dialect, joined_ms)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM calls WHERE id = ?1)
         ON CONFLICT DO UPDATE SET left_ms = NULL, left_reason = NULL",
    )?;
    statement.execute(params![
        call,
        participant.session,
        peer,
        name,
        participant.dialect,
        unix_ms(options, participant.joined_at)
    ])
}

/// Returns a time as it is stored, in milliseconds since 1970.
fn unix_ms(options: StoreOptions, at: Time) -> i64 {
    let since_1970 = options.unix_epoch + at.since_origin();
    i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)
}
