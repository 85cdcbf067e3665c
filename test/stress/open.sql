-- Sessions open with their first activities, by ids that have been used before.
\set slot random(1, 4000)
\set step random(7, 211)
BEGIN ISOLATION LEVEL @level@;
WITH opened AS (
	INSERT INTO session (session_id, client_guid, user_id, login_date)
	SELECT 1 + (:slot + i * :step) % 4000, md5((i % 100)::text)::uuid, (:slot + i) % 200, clock() - i * interval '1 minute'
	FROM generate_series(1, 6) i
	ON CONFLICT DO NOTHING RETURNING session_id, login_date)
INSERT INTO activity (session_id, activity_date) SELECT session_id, login_date + interval '30 seconds' FROM opened;
COMMIT;
