-- Activities go to other moments, and to another session.
\set slot random(1, 4000)
\set other random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
UPDATE activity SET activity_date = activity_date + interval '7 minutes'
WHERE session_id BETWEEN :slot AND :slot + 5 AND activity_date > clock() - interval '1 hour';
UPDATE activity a SET session_id = o.session_id
FROM (SELECT session_id FROM session WHERE session_id >= :other ORDER BY session_id LIMIT 1 FOR KEY SHARE) o
WHERE a.session_id = (SELECT session_id FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 1)
AND a.activity_date > clock() - interval '2 hours';
COMMIT;
