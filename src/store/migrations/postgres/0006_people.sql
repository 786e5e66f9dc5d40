-- The twin of ../sqlite/0006_people.sql, which says what the columns mean.
CREATE TABLE person (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    email       TEXT COLLATE "C" NOT NULL,
    name        TEXT COLLATE "C" NOT NULL,
    role        TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'reader')),
    password    TEXT COLLATE "C",
    added_at    BIGINT NOT NULL,
    disabled_at BIGINT,
    deleted_at  BIGINT,
    version     BIGINT NOT NULL UNIQUE
);

CREATE UNIQUE INDEX person_email ON person (email) WHERE deleted_at IS NULL;

CREATE TABLE membership (
    person_id  TEXT COLLATE "C" NOT NULL REFERENCES person (id),
    project_id TEXT COLLATE "C" NOT NULL,
    role       TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'member')),
    added_at   BIGINT NOT NULL,
    PRIMARY KEY (person_id, project_id)
);

CREATE INDEX membership_project ON membership (project_id, person_id);

CREATE TABLE session (
    id         TEXT COLLATE "C" PRIMARY KEY,
    person_id  TEXT COLLATE "C" NOT NULL REFERENCES person (id),
    project_id TEXT COLLATE "C",
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at   BIGINT,
    version    BIGINT NOT NULL UNIQUE
);

CREATE INDEX session_person ON session (person_id) WHERE ended_at IS NULL;
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE refresh_token (
    hash       BYTEA PRIMARY KEY CHECK (length(hash) = 32),
    session_id TEXT COLLATE "C" NOT NULL REFERENCES session (id),
    used_at    BIGINT
);

CREATE INDEX refresh_token_session ON refresh_token (session_id);
