-- What a transaction writes, it reads, folded in between or not.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, clock() FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 5 FOR KEY SHARE;
SELECT count(s) FROM ekran_sessions(clock() - interval '3 hours', NULL, 100) s;
SELECT ekran_refresh();
SELECT count(s) FROM ekran_sessions(clock() - interval '3 hours', NULL, 100) s;
COMMIT;
