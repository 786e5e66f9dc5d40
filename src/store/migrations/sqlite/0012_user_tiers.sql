-- The named set of limits that a user carries, as [[tier]] has it or not; null: none.
ALTER TABLE person ADD COLUMN tier TEXT;
