-- What becomes of an answer whose client hangs up: 'cancel', 'finish' or 'finish-up-to=N'; null: as the config says.
ALTER TABLE api_key ADD COLUMN on_hangup TEXT;
