-- As COPY brings them: many sessions' activities, in one statement.
\set slot random(1, 4000)
BEGIN ISOLATION LEVEL @level@;
INSERT INTO activity (session_id, activity_date, application, url, title)
SELECT session_id, clock() - random() * interval '3 hours', 'app ' || i, 'https://host' || i || '.example.com/', 'A page'
FROM (SELECT session_id FROM session WHERE session_id >= :slot ORDER BY session_id LIMIT 50 FOR KEY SHARE) s, generate_series(1, 6) i
ORDER BY i, session_id;
COMMIT;
