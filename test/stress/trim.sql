-- Activities go.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
DELETE FROM activity WHERE session_id BETWEEN :slot AND :slot + 10 AND activity_date < clock() - interval '8 hours';
COMMIT;
