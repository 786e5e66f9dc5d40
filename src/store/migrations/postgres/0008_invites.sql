-- The twin of ../sqlite/0008_invites.sql, which says what the columns mean.
CREATE TABLE invite (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    email       TEXT COLLATE "C" NOT NULL,
    role        TEXT COLLATE "C" NOT NULL CHECK (role IN ('owner', 'reader')),
    projects    TEXT COLLATE "C" NOT NULL CHECK (json_typeof(projects::json) = 'array'),
    hash        BYTEA NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    accepted_at BIGINT
);
