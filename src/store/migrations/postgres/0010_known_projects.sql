-- The twin of ../sqlite/0010_known_projects.sql, which says what it is for.
INSERT INTO allowance (project_id, version)
SELECT id, (SELECT coalesce(max(version), 0) FROM allowance) + row_number() OVER (ORDER BY number)
FROM project WHERE id NOT IN (SELECT project_id FROM allowance);
