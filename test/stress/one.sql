-- One activity of a running session, in a statement of its own.
\set slot random(1, 4000)
INSERT INTO activity (session_id, activity_date, application, url)
SELECT session_id, clock() - random() * interval '10 minutes', 'chrome.exe', 'https://intranet.example.com/page' FROM session
WHERE session_id >= :slot AND logout_date IS NULL ORDER BY session_id LIMIT 1 FOR KEY SHARE;
