-- Nobody writes an entry in before the first one.
CREATE TRIGGER audit_log_counts_up BEFORE INSERT ON audit_log WHEN NEW.number < 1
BEGIN SELECT RAISE(ABORT, 'the audit log begins with 1'); END;
