-- Two batches of a few sessions each, in any order.
\set slot random(1, 4000)
\set other random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO activity (session_id, activity_date, application)
SELECT session_id, clock() - i * interval '3 minutes', 'excel.exe'
FROM (SELECT session_id FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 3 FOR KEY SHARE) s, generate_series(1, 5) i;
INSERT INTO activity (session_id, activity_date, application)
SELECT session_id, clock() - random() * interval '2 hours', 'psql'
FROM (SELECT session_id FROM session WHERE session_id >= :other ORDER BY session_id LIMIT 2 FOR KEY SHARE) s, generate_series(1, 5);
COMMIT;
