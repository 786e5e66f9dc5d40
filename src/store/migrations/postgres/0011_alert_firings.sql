-- The twin of ../sqlite/0011_alert_firings.sql, which says what the columns mean.
CREATE TABLE alert_firing (
    alert_id  TEXT COLLATE "C" NOT NULL,
    period    BIGINT NOT NULL,
    threshold BIGINT NOT NULL,
    spent     BIGINT NOT NULL,
    fired_at  BIGINT NOT NULL,
    PRIMARY KEY (alert_id, period, threshold)
);
