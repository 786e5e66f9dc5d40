-- The twin of ../sqlite/0005_rollup_day_key.sql, which says what it is for. No store here had rows before it.
CREATE TABLE rollup_day_key (
    start        BIGINT NOT NULL,
    key_id       TEXT COLLATE "C" NOT NULL,
    project_id   TEXT COLLATE "C" NOT NULL DEFAULT '',
    user_id      TEXT COLLATE "C" NOT NULL DEFAULT '',
    endpoint     TEXT COLLATE "C" NOT NULL,
    requests     BIGINT NOT NULL,
    unreported   BIGINT NOT NULL,
    unpriced     BIGINT NOT NULL,
    input        BIGINT NOT NULL,
    cached       BIGINT NOT NULL,
    cache_write  BIGINT NOT NULL,
    output       BIGINT NOT NULL,
    reasoning    BIGINT NOT NULL,
    audio_input  BIGINT NOT NULL,
    audio_output BIGINT NOT NULL,
    cost         BIGINT NOT NULL,
    quantity     BIGINT NOT NULL,
    PRIMARY KEY (start, key_id, project_id, user_id, endpoint)
);
