-- What is taken back to a savepoint has not been, what is released has.
\set slot random(1, 4000)
\set other random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, clock() FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 1 FOR KEY SHARE;
SAVEPOINT a;
DELETE FROM session WHERE session_id = :other;
INSERT INTO session (session_id, login_date) VALUES (:other, clock()) ON CONFLICT DO NOTHING;
SAVEPOINT b;
UPDATE activity SET activity_date = activity_date - interval '1 hour'
WHERE session_id BETWEEN :slot AND :slot + 3 AND activity_date > clock() - interval '2 hours';
ROLLBACK TO b;
SELECT count(s) FROM ekran_sessions(clock() - interval '2 hours', NULL, 20) s;
ROLLBACK TO a;
SAVEPOINT c;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, clock() - interval '40 minutes' FROM session WHERE session_id >= :other ORDER BY session_id LIMIT 2 FOR KEY SHARE;
RELEASE c;
COMMIT;
