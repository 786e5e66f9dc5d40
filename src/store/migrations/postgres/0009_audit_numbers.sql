-- Nobody writes an entry in before the first one. Those that are there already are named by whoever examines the log.
ALTER TABLE audit_log ADD CONSTRAINT audit_log_counts_up CHECK (number > 0) NOT VALID;
