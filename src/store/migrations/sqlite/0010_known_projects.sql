-- Every project has a row here, by which it is known to be there without a look at the store.
INSERT INTO allowance (project_id, version)
SELECT id, (SELECT coalesce(max(version), 0) FROM allowance) + row_number() OVER (ORDER BY number)
FROM project WHERE id NOT IN (SELECT project_id FROM allowance);
