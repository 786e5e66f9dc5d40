-- Keys of callers and of administrators. Only a hash of a key's secret half is kept.
--
-- A row is never deleted: a revoked key stays known as revoked, and no version is ever given twice.
-- Times are milliseconds since 1970.
CREATE TABLE api_key (
    number      INTEGER PRIMARY KEY,        -- the order in which keys were made, for paging
    id          TEXT NOT NULL UNIQUE CHECK (length(id) = 16 AND id NOT GLOB '*[^0-9A-Za-z]*'),
    kind        TEXT NOT NULL CHECK (kind IN ('api', 'admin')),
    name        TEXT NOT NULL,
    hash        BLOB NOT NULL CHECK (length(hash) = 32),
    models      TEXT CHECK (json_valid(models) AND json_type(models) = 'array'), -- null: all
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER,                    -- null: never
    revoked_at  INTEGER,
    replaced_by TEXT REFERENCES api_key (id),
    -- Above all earlier ones after every write to any row, so that a reader finds what changed since it last looked.
    version     INTEGER NOT NULL UNIQUE
) STRICT;

-- Admin keys are few; "is there one?" must not read the others.
CREATE INDEX api_key_admin ON api_key (number) WHERE kind = 'admin';
