-- The twin of ../sqlite/0007_directory.sql, which says what the columns mean.
CREATE TABLE project (
    number          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id              TEXT COLLATE "C" NOT NULL UNIQUE,
    name            TEXT COLLATE "C" NOT NULL,
    residency       TEXT COLLATE "C",
    external_key_id TEXT COLLATE "C",
    created_at      BIGINT NOT NULL,
    archived_at     BIGINT
);

CREATE INDEX project_active ON project (number) WHERE archived_at IS NULL;

CREATE TABLE service_account (
    number     BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id         TEXT COLLATE "C" NOT NULL UNIQUE,
    project_id TEXT COLLATE "C" NOT NULL REFERENCES project (id),
    name       TEXT COLLATE "C" NOT NULL,
    role       TEXT COLLATE "C" NOT NULL CHECK (role IN ('member', 'owner')),
    created_at BIGINT NOT NULL,
    deleted_at BIGINT
);

CREATE INDEX service_account_of_project ON service_account (project_id, number) WHERE deleted_at IS NULL;

INSERT INTO project (id, name, created_at) VALUES ('proj_default', 'Default project', (extract(epoch FROM now()) * 1000)::bigint);
INSERT INTO project (id, name, created_at)
    SELECT project_id, project_id, min(created_at) FROM api_key WHERE project_id IS NOT NULL
    GROUP BY 1 ORDER BY 3, 1 ON CONFLICT DO NOTHING;
UPDATE api_key SET project_id = 'proj_default' WHERE project_id IS NULL AND kind = 'api';

ALTER TABLE api_key ADD COLUMN terms TEXT COLLATE "C";

CREATE INDEX api_key_of_project ON api_key (project_id, number) WHERE kind = 'api' AND revoked_at IS NULL;
CREATE INDEX api_key_of_user ON api_key (user_id, number) WHERE user_id IS NOT NULL AND revoked_at IS NULL;

CREATE TABLE allowance (
    project_id  TEXT COLLATE "C" PRIMARY KEY,
    spend_limit BIGINT,
    models_mode TEXT COLLATE "C" CHECK (models_mode IN ('allow_list', 'deny_list')),
    models      TEXT COLLATE "C" CHECK (json_typeof(models::json) = 'array'),
    retention   TEXT COLLATE "C",
    version     BIGINT NOT NULL UNIQUE
);

CREATE TABLE rate_limit (
    project_id                       TEXT COLLATE "C" NOT NULL,
    model                            TEXT COLLATE "C" NOT NULL,
    max_requests_per_1_minute        BIGINT,
    max_tokens_per_1_minute          BIGINT,
    max_images_per_1_minute          BIGINT,
    max_audio_megabytes_per_1_minute BIGINT,
    max_requests_per_1_day           BIGINT,
    batch_1_day_max_input_tokens     BIGINT,
    PRIMARY KEY (project_id, model)
);

CREATE TABLE spend_alert (
    number         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             TEXT COLLATE "C" NOT NULL UNIQUE,
    project_id     TEXT COLLATE "C" NOT NULL,
    threshold      BIGINT NOT NULL,
    recipients     TEXT COLLATE "C" NOT NULL CHECK (json_typeof(recipients::json) = 'array'),
    subject_prefix TEXT COLLATE "C",
    created_at     BIGINT NOT NULL
);

CREATE INDEX spend_alert_of_project ON spend_alert (project_id, number);

CREATE TABLE audit_log (
    number      BIGINT PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    at          BIGINT NOT NULL,
    type        TEXT COLLATE "C" NOT NULL,
    event       TEXT COLLATE "C" NOT NULL,
    project_id  TEXT COLLATE "C",
    resource_id TEXT COLLATE "C",
    actor       TEXT COLLATE "C" NOT NULL CHECK (actor IN ('configured_key', 'admin_key', 'user', 'command_line', 'system')),
    actor_id    TEXT COLLATE "C",
    actor_email TEXT COLLATE "C",
    address     TEXT COLLATE "C",
    user_agent  TEXT COLLATE "C",
    change      TEXT COLLATE "C" NOT NULL,
    previous    BYTEA NOT NULL CHECK (length(previous) = 32),
    hash        BYTEA NOT NULL CHECK (length(hash) = 32)
);

CREATE INDEX audit_log_at ON audit_log (at);
CREATE INDEX audit_log_type ON audit_log (type, number);
CREATE INDEX audit_log_project ON audit_log (project_id, number);
CREATE INDEX audit_log_resource ON audit_log (resource_id, number);
CREATE INDEX audit_log_actor ON audit_log (actor_id, number);

CREATE FUNCTION audit_log_refuses() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_log_keeps_rows BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION audit_log_refuses();
CREATE TRIGGER audit_log_keeps_all BEFORE TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuses();
