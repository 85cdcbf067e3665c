-- Activities go to a session that may be gone.
\set slot random(1, 4000)
\set other random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
UPDATE activity SET session_id = :other WHERE session_id = :slot AND activity_date > clock() - interval '1 hour'
AND EXISTS (SELECT FROM session WHERE session_id = :other);
COMMIT;
