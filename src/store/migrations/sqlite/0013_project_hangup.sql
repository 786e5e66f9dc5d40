-- What becomes of an answer whose client hangs up, for keys of the project that say nothing: 'cancel', 'finish' or
-- 'finish-up-to=N'; null: as the config says.
ALTER TABLE project ADD COLUMN on_hangup TEXT;
