-- A cursor over all sessions, and writing between its rows.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
DECLARE c CURSOR FOR SELECT ekran_sessions_all(clock() - interval '20 hours');
FETCH 100 FROM c;
SAVEPOINT a;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, clock() FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 1 FOR KEY SHARE;
FETCH 200 FROM c;
ROLLBACK TO a;
FETCH 100 FROM c;
COMMIT;
