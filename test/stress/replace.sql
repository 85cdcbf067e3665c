-- A session goes and comes again by the same id.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
DELETE FROM session WHERE session_id = :slot;
WITH opened AS (
	INSERT INTO session (session_id, login_date) VALUES (:slot, clock()) ON CONFLICT DO NOTHING RETURNING session_id)
INSERT INTO activity (session_id, activity_date) SELECT session_id, clock() + i * interval '20 minutes' FROM opened, generate_series(0, 2) i;
COMMIT;
