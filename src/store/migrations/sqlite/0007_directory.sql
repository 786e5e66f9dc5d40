-- Projects and their service accounts, what they may do, and who changed what.
--
-- Times are milliseconds since 1970. Rows of projects and accounts are never deleted: the ledger and the audit log
-- name them.
CREATE TABLE project (
    number          INTEGER PRIMARY KEY,    -- the order in which they were made, for paging
    id              TEXT NOT NULL UNIQUE,
    name            TEXT NOT NULL,
    residency       TEXT,                   -- noted for whoever reads it; see docs/projects.md
    external_key_id TEXT,                   -- the same
    created_at      INTEGER NOT NULL,
    archived_at     INTEGER
) STRICT;

CREATE INDEX project_active ON project (number) WHERE archived_at IS NULL;

CREATE TABLE service_account (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    project_id TEXT NOT NULL REFERENCES project (id),
    name       TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('member', 'owner')),
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;

CREATE INDEX service_account_of_project ON service_account (project_id, number) WHERE deleted_at IS NULL;

-- Whatever texts keys had for projects until now become projects; keys that had none belong to the default one.
INSERT INTO project (id, name, created_at) VALUES ('proj_default', 'Default project', unixepoch() * 1000);
INSERT INTO project (id, name, created_at)
    SELECT project_id, project_id, min(created_at) FROM api_key WHERE project_id IS NOT NULL
    GROUP BY 1 ORDER BY 3, 1 ON CONFLICT DO NOTHING;
UPDATE api_key SET project_id = 'proj_default' WHERE project_id IS NULL AND kind = 'api';

-- What OpenAI has no column for: tier, limits, budget, addresses, notes. JSON; null: none of them.
ALTER TABLE api_key ADD COLUMN terms TEXT;

CREATE INDEX api_key_of_project ON api_key (project_id, number) WHERE kind = 'api' AND revoked_at IS NULL;
CREATE INDEX api_key_of_user ON api_key (user_id, number) WHERE user_id IS NOT NULL AND revoked_at IS NULL;

-- What a project may do, or the organization, whose project_id is ''.
CREATE TABLE allowance (
    project_id  TEXT PRIMARY KEY,
    spend_limit INTEGER,                    -- cents a month; null: none
    models_mode TEXT CHECK (models_mode IN ('allow_list', 'deny_list')),
    models      TEXT CHECK (json_valid(models) AND json_type(models) = 'array'),
    retention   TEXT,
    -- Above all earlier ones after every change to what a project may do, in the two tables below too.
    version     INTEGER NOT NULL UNIQUE
) STRICT;

-- Null: without limit.
CREATE TABLE rate_limit (
    project_id                       TEXT NOT NULL,
    model                            TEXT NOT NULL,
    max_requests_per_1_minute        INTEGER,
    max_tokens_per_1_minute          INTEGER,
    max_images_per_1_minute          INTEGER,
    max_audio_megabytes_per_1_minute INTEGER,
    max_requests_per_1_day           INTEGER,
    batch_1_day_max_input_tokens     INTEGER,
    PRIMARY KEY (project_id, model)
) STRICT, WITHOUT ROWID;

CREATE TABLE spend_alert (
    number         INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    project_id     TEXT NOT NULL,           -- '': of the organization
    threshold      INTEGER NOT NULL,        -- cents a month
    recipients     TEXT NOT NULL CHECK (json_valid(recipients) AND json_type(recipients) = 'array'),
    subject_prefix TEXT,
    created_at     INTEGER NOT NULL
) STRICT;

CREATE INDEX spend_alert_of_project ON spend_alert (project_id, number);

-- Who changed what. Each row holds the hash of the one before, and its own over that and all other columns.
CREATE TABLE audit_log (
    number      INTEGER PRIMARY KEY,        -- 1, 2, 3 and so on: a gap is a row that someone took away
    id          TEXT NOT NULL UNIQUE,
    at          INTEGER NOT NULL,
    type        TEXT NOT NULL,              -- of OpenAI's words
    event       TEXT NOT NULL,              -- what happened, in Weir's
    project_id  TEXT,
    resource_id TEXT,
    actor       TEXT NOT NULL CHECK (actor IN ('configured_key', 'admin_key', 'user', 'command_line', 'system')),
    actor_id    TEXT,
    actor_email TEXT,
    address     TEXT,
    user_agent  TEXT,
    change      TEXT NOT NULL,              -- JSON: before and after
    previous    BLOB NOT NULL CHECK (length(previous) = 32),
    hash        BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_type ON audit_log (type, number);
CREATE INDEX audit_log_project ON audit_log (project_id, number);
CREATE INDEX audit_log_resource ON audit_log (resource_id, number);
CREATE INDEX audit_log_actor ON audit_log (actor_id, number);

CREATE TRIGGER audit_log_keeps_rows BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_log_keeps_words BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
