-- The twin of ../sqlite/0001_keys.sql, which says what the columns mean.
--
-- Text is compared byte by byte, as SQLite does, so that both databases find and order the same.
CREATE TABLE api_key (
    number      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE CHECK (id ~ '^[0-9A-Za-z]{16}$'),
    kind        TEXT COLLATE "C" NOT NULL CHECK (kind IN ('api', 'admin')),
    name        TEXT COLLATE "C" NOT NULL,
    hash        BYTEA NOT NULL CHECK (length(hash) = 32),
    models      TEXT COLLATE "C" CHECK (json_typeof(models::json) = 'array'),
    created_at  BIGINT NOT NULL,
    expires_at  BIGINT,
    revoked_at  BIGINT,
    replaced_by TEXT COLLATE "C" REFERENCES api_key (id),
    version     BIGINT NOT NULL UNIQUE
);

CREATE INDEX api_key_admin ON api_key (number) WHERE kind = 'admin';
