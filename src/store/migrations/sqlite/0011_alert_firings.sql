-- Which spend alerts have gone off, so that each does so once a month, also after a restart and with several nodes.
CREATE TABLE alert_firing (
    alert_id  TEXT NOT NULL,
    period    INTEGER NOT NULL,             -- when the month began
    threshold INTEGER NOT NULL,             -- cents; an alert that was set higher since goes off once more
    spent     INTEGER NOT NULL,             -- nano-dollars of the month by then
    fired_at  INTEGER NOT NULL,
    PRIMARY KEY (alert_id, period, threshold)
) STRICT, WITHOUT ROWID;
