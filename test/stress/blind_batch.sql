-- Activities of sessions that may go meanwhile, of which one is not locked before.
\set slot random(1, 4000)
\set other random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, clock() FROM session WHERE session_id BETWEEN :slot AND :slot + 10 ORDER BY session_id DESC;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, clock() - interval '1 hour' FROM session WHERE session_id BETWEEN :other AND :other + 10;
COMMIT;
