-- Users, their parts in projects, and their sign-ins. Of passwords and tokens only hashes are kept.
--
-- A user who was taken out of the organization stays as a row, so that no version is ever given twice and what they
-- did keeps its author; their email is free for another one. Times are milliseconds since 1970.
CREATE TABLE person (
    number      INTEGER PRIMARY KEY,        -- the order in which they were added, for paging
    id          TEXT NOT NULL UNIQUE,       -- user-… and 16 letters and digits
    email       TEXT NOT NULL,              -- in lower case
    name        TEXT NOT NULL,
    role        TEXT NOT NULL CHECK (role IN ('owner', 'reader')),
    password    TEXT,                       -- an Argon2id hash with its parameters; null: no way to sign in
    added_at    INTEGER NOT NULL,
    disabled_at INTEGER,
    deleted_at  INTEGER,
    -- Above all earlier ones after every write to any row or to its memberships, as in api_key.
    version     INTEGER NOT NULL UNIQUE
) STRICT;

CREATE UNIQUE INDEX person_email ON person (email) WHERE deleted_at IS NULL;

CREATE TABLE membership (
    person_id  TEXT NOT NULL REFERENCES person (id),
    project_id TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('owner', 'member')),
    added_at   INTEGER NOT NULL,
    PRIMARY KEY (person_id, project_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX membership_project ON membership (project_id, person_id);

-- One sign-in, from the password to its end. All refresh tokens that followed from it are its family.
CREATE TABLE session (
    id         TEXT PRIMARY KEY,
    person_id  TEXT NOT NULL REFERENCES person (id),
    project_id TEXT,                        -- the project that its tokens name, if one was chosen
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at   INTEGER,
    version    INTEGER NOT NULL UNIQUE      -- as in person
) STRICT, WITHOUT ROWID;

CREATE INDEX session_person ON session (person_id) WHERE ended_at IS NULL;
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE refresh_token (
    hash       BLOB PRIMARY KEY CHECK (length(hash) = 32),
    session_id TEXT NOT NULL REFERENCES session (id),
    used_at    INTEGER                      -- it was exchanged; shown again, it ends the session
) STRICT, WITHOUT ROWID;

CREATE INDEX refresh_token_session ON refresh_token (session_id);
