-- The sums of a day once more, told apart by who pays and what was asked only: a tenth of the rows of rollup_day, so
-- that a year of them, by key or by project, is read in a moment.
CREATE TABLE rollup_day_key (
    start        INTEGER NOT NULL,
    key_id       TEXT NOT NULL,
    project_id   TEXT NOT NULL DEFAULT '',
    user_id      TEXT NOT NULL DEFAULT '',
    endpoint     TEXT NOT NULL,
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
    quantity     INTEGER NOT NULL,
    PRIMARY KEY (start, key_id, project_id, user_id, endpoint)
) STRICT, WITHOUT ROWID;

INSERT INTO rollup_day_key
SELECT start, key_id, project_id, user_id, endpoint, sum(requests), sum(unreported), sum(unpriced), sum(input),
    sum(cached), sum(cache_write), sum(output), sum(reasoning), sum(audio_input), sum(audio_output), sum(cost),
    sum(quantity)
FROM rollup_day GROUP BY 1, 2, 3, 4, 5;
