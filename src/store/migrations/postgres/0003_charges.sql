-- The twin of ../sqlite/0003_charges.sql, which says what the columns mean. No store here had rows before it.
ALTER TABLE entry ADD COLUMN price TEXT COLLATE "C";
ALTER TABLE entry ADD COLUMN quantity BIGINT;
ALTER TABLE entry ADD COLUMN image_size TEXT COLLATE "C";

ALTER TABLE rollup_hour ADD COLUMN quantity BIGINT NOT NULL DEFAULT 0;
ALTER TABLE rollup_day ADD COLUMN quantity BIGINT NOT NULL DEFAULT 0;

ALTER TABLE api_key ADD COLUMN project_id TEXT COLLATE "C";
ALTER TABLE api_key ADD COLUMN user_id TEXT COLLATE "C";
