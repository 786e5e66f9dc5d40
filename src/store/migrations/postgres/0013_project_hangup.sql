-- The twin of ../sqlite/0013_project_hangup.sql, which says what the column means.
ALTER TABLE project ADD COLUMN on_hangup TEXT COLLATE "C";
