-- What a call is charged, to whom, and what it made that is not tokens.
ALTER TABLE entry ADD COLUMN price TEXT;            -- what `cost` was worked out from; see docs/prices.md
ALTER TABLE entry ADD COLUMN quantity INTEGER;      -- images made, characters spoken, seconds transcribed; by endpoint
ALTER TABLE entry ADD COLUMN image_size TEXT;       -- as the client asked for it

-- From now on `unpriced` counts the requests that used something whose price nobody knows.
ALTER TABLE rollup_hour ADD COLUMN quantity INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rollup_day ADD COLUMN quantity INTEGER NOT NULL DEFAULT 0;

-- Whom a key is for, copied into every entry that it pays.
ALTER TABLE api_key ADD COLUMN project_id TEXT;
ALTER TABLE api_key ADD COLUMN user_id TEXT;

-- Until now it counted all of them. Where rows were deleted already, what they used is not known any more.
UPDATE rollup_hour AS sums SET unpriced = unpriced - idle.requests FROM (
    SELECT started_at / 3600000 * 3600000 AS start, key_id, model, coalesce(upstream, '') AS upstream, endpoint, outcome,
        count(*) AS requests
    FROM entry WHERE source IS NULL GROUP BY 1, 2, 3, 4, 5, 6
) AS idle
WHERE (sums.start, sums.key_id, sums.model, sums.upstream, sums.endpoint, sums.outcome)
    = (idle.start, idle.key_id, idle.model, idle.upstream, idle.endpoint, idle.outcome);
UPDATE rollup_day AS sums SET unpriced = unpriced - idle.requests FROM (
    SELECT started_at / 86400000 * 86400000 AS start, key_id, model, coalesce(upstream, '') AS upstream, endpoint, outcome,
        count(*) AS requests
    FROM entry WHERE source IS NULL GROUP BY 1, 2, 3, 4, 5, 6
) AS idle
WHERE (sums.start, sums.key_id, sums.model, sums.upstream, sums.endpoint, sums.outcome)
    = (idle.start, idle.key_id, idle.model, idle.upstream, idle.endpoint, idle.outcome);
