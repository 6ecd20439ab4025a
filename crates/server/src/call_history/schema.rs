//! Schema of the file, by version. A file of an earlier version is migrated when it is opened; one of a later version
//! is refused.

use rusqlite::{Connection, Error};

/// Steps from one version to the next; the first makes a new file.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE calls (
        id TEXT PRIMARY KEY,
        room TEXT NOT NULL,
        started_ms INTEGER NOT NULL,
        ended_ms INTEGER
    ) WITHOUT ROWID;
    CREATE INDEX calls_by_start ON calls (started_ms, id);
    CREATE INDEX calls_by_room ON calls (room, started_ms);
    CREATE TABLE participants (
        call TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
        id TEXT NOT NULL,
        peer TEXT,
        name TEXT,
        dialect TEXT NOT NULL,
        joined_ms INTEGER NOT NULL,
        left_ms INTEGER,
        left_reason TEXT,
        PRIMARY KEY (call, id)
    ) WITHOUT ROWID;
    CREATE INDEX participants_by_name ON participants (name) WHERE name IS NOT NULL;
    CREATE TABLE minutes (
        call TEXT NOT NULL,
        participant TEXT NOT NULL,
        number INTEGER NOT NULL,
        figures TEXT NOT NULL,
        causes TEXT NOT NULL,
        PRIMARY KEY (call, participant, number),
        FOREIGN KEY (call, participant) REFERENCES participants (call, id) ON DELETE CASCADE
    ) WITHOUT ROWID;
"];

/// Creates or migrates the tables. Returns false for a file of a later version.
///
/// # Errors
/// The file cannot be read or written.
pub fn migrate(connection: &mut Connection) -> Result<bool, Error> {
    let version: usize = connection.pragma_query_value(None, "user_version", |it| it.get(0))?;
    let Some(steps) = MIGRATIONS.get(version..) else {
        return Ok(false);
    };
    for (step, version) in steps.iter().zip(version + 1..) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(true)
}
