-- The twin of ../sqlite/0012_user_tiers.sql, which says what the column means.
ALTER TABLE person ADD COLUMN tier TEXT COLLATE "C";
