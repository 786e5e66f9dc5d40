-- The twin of ../sqlite/0004_hangup.sql, which says what the column means.
ALTER TABLE api_key ADD COLUMN on_hangup TEXT COLLATE "C";
