-- The ledger: one row a call, and sums over hours and days that are kept when the rows are gone.
--
-- Times are milliseconds since 1970, spans microseconds, money nano-dollars. A count that nobody knows is null, which
-- is not zero.
CREATE TABLE entry (
    id                  BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16), -- begins with the start, so it sorts by time
    started_at          INTEGER NOT NULL,
    request_id          TEXT NOT NULL,      -- the client's own if it sent one: it may repeat
    key_id              TEXT NOT NULL,
    project_id          TEXT,
    user_id             TEXT,
    endpoint            TEXT NOT NULL,
    model               TEXT NOT NULL,      -- as the client named it
    served_model        TEXT,               -- as the answer named it
    provider            TEXT,
    upstream            TEXT,
    stream              INTEGER NOT NULL,
    input               INTEGER,            -- all tokens of the prompt, the next two included
    cached              INTEGER,
    cache_write         INTEGER,
    output              INTEGER,            -- all tokens of the answer, the next one included
    reasoning           INTEGER,
    audio_input         INTEGER,
    audio_output        INTEGER,
    -- Not as `IN (...)`: SQLite builds a table for a list of three, once a row, which took half of the time of a row.
    source              TEXT CHECK (source = 'provider' OR source = 'counted' OR source = 'estimated'),
    cost                INTEGER,
    first_us            INTEGER,            -- from the start to the first piece of the answer
    duration_us         INTEGER NOT NULL,
    attempts            INTEGER NOT NULL,
    outcome             TEXT NOT NULL,
    status              INTEGER,            -- null: Weir died before there was one
    finish_reason       TEXT,
    upstream_request_id TEXT,
    metadata            TEXT
) STRICT, WITHOUT ROWID;

-- What a row was added to, in the same transaction. The two tables differ in the span that `start` begins.
CREATE TABLE rollup_hour (
    start        INTEGER NOT NULL,
    key_id       TEXT NOT NULL,
    project_id   TEXT NOT NULL DEFAULT '',
    user_id      TEXT NOT NULL DEFAULT '',
    model        TEXT NOT NULL,
    upstream     TEXT NOT NULL,             -- empty: nobody answered
    endpoint     TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    requests     INTEGER NOT NULL,
    unreported   INTEGER NOT NULL,          -- requests whose provider did not say what was used
    unpriced     INTEGER NOT NULL,          -- requests without a cost
    input        INTEGER NOT NULL,
    cached       INTEGER NOT NULL,
    cache_write  INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    reasoning    INTEGER NOT NULL,
    audio_input  INTEGER NOT NULL,
    audio_output INTEGER NOT NULL,
    cost         INTEGER NOT NULL,
    PRIMARY KEY (start, key_id, model, upstream, endpoint, outcome, project_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE rollup_day (
    start        INTEGER NOT NULL,
    key_id       TEXT NOT NULL,
    project_id   TEXT NOT NULL DEFAULT '',
    user_id      TEXT NOT NULL DEFAULT '',
    model        TEXT NOT NULL,
    upstream     TEXT NOT NULL,
    endpoint     TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    requests     INTEGER NOT NULL,
    unreported   INTEGER NOT NULL,
    unpriced     INTEGER NOT NULL,
    input        INTEGER NOT NULL,
    cached       INTEGER NOT NULL,
    cache_write  INTEGER NOT NULL,
    output       INTEGER NOT NULL,
    reasoning    INTEGER NOT NULL,
    audio_input  INTEGER NOT NULL,
    audio_output INTEGER NOT NULL,
    cost         INTEGER NOT NULL,
    PRIMARY KEY (start, key_id, model, upstream, endpoint, outcome, project_id, user_id)
) STRICT, WITHOUT ROWID;

-- From when on rows are complete; older ones have been deleted, or are about to be.
CREATE TABLE entries_kept (since INTEGER NOT NULL) STRICT;
INSERT INTO entries_kept VALUES (0);
