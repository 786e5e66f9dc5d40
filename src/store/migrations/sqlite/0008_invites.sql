-- Those who were asked to come in. Of the token that lets them only a hash is kept. Times are milliseconds since 1970.
CREATE TABLE invite (
    number      INTEGER PRIMARY KEY,        -- the order in which they were made, for paging
    id          TEXT NOT NULL UNIQUE,       -- invite-… and 16 letters and digits
    email       TEXT NOT NULL,              -- in lower case
    role        TEXT NOT NULL CHECK (role IN ('owner', 'reader')),
    projects    TEXT NOT NULL CHECK (json_valid(projects) AND json_type(projects) = 'array'), -- of {"id", "role"}
    hash        BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    accepted_at INTEGER
) STRICT;
