-- Two-phase commit, some moments later.
\set slot random(1, 4000)
\set other random(1, 4000)
\set gid random(1, 1000000000000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO activity (session_id, activity_date)
SELECT session_id, clock() FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 3 FOR KEY SHARE;
DELETE FROM session WHERE session_id = :other;
UPDATE session SET logout_date = greatest(login_date, clock())
WHERE session_id BETWEEN :slot AND :slot + 2 AND logout_date IS NULL;
PREPARE TRANSACTION 'stress :client_id :gid';
\sleep 20 ms
COMMIT PREPARED 'stress :client_id :gid';
