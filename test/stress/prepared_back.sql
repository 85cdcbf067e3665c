-- Two-phase commit that is taken back.
\set slot random(1, 4000)
\set other random(1, 4000)
\set gid random(1, 1000000000000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO session (session_id, login_date) VALUES (:other, clock()) ON CONFLICT DO NOTHING;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, clock() FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 3 FOR KEY SHARE;
DELETE FROM session WHERE session_id = :slot;
PREPARE TRANSACTION 'stress :client_id :gid';
\sleep 20 ms
ROLLBACK PREPARED 'stress :client_id :gid';
