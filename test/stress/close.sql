-- Sessions are closed.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
UPDATE session SET logout_date = greatest(login_date, clock())
WHERE session_id BETWEEN :slot AND :slot + 20 AND logout_date IS NULL AND login_date < clock() - interval '3 hours';
COMMIT;
