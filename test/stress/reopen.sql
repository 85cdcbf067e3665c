-- A session is closed, reopened, and gets another login.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
UPDATE session SET logout_date = NULL
WHERE session_id = (SELECT session_id FROM session WHERE session_id >= :slot AND logout_date IS NOT NULL ORDER BY session_id LIMIT 1);
UPDATE session SET logout_date = greatest(login_date, clock() - interval '1 hour'), user_id = :slot % 200
WHERE session_id = (SELECT session_id FROM session WHERE session_id >= :slot AND logout_date IS NULL ORDER BY session_id LIMIT 1);
UPDATE session SET login_date = login_date - interval '50 minutes'
WHERE session_id = (SELECT session_id FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 1);
COMMIT;
