-- Much is written, and taken back.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
DELETE FROM session WHERE session_id BETWEEN :slot AND :slot + 10;
INSERT INTO session (session_id, login_date) SELECT :slot + i, clock() FROM generate_series(0, 10) i ON CONFLICT DO NOTHING;
SELECT count(s) FROM ekran_sessions(NULL, NULL, 50) s;
ROLLBACK;
