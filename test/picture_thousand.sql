-- A thousand sessions of one day, 2026-03-03, of 400 users; some overlap. Each is active
-- for 40 minutes and idle for 20, with an application for four minutes.
SET TimeZone = 'UTC';

INSERT INTO ekran.app_user (user_id, user_name)
SELECT n, 'person ' || n || CASE WHEN n % 50 = 0 THEN ' of a department with a name that does not end' ELSE '' END
FROM generate_series(1, 400) AS n;

INSERT INTO ekran.session (session_id, user_id, login_date, logout_date)
SELECT
	n,
	1 + n % 400,
	'2026-03-03'::timestamptz + n * 97 % 1020 * interval '1 minute',
	'2026-03-03'::timestamptz + n * 97 % 1020 * interval '1 minute' + (30 + n * 61 % 330) * interval '1 minute'
FROM generate_series(1, 1000) AS n;

INSERT INTO ekran.activity (session_id, activity_date, application)
SELECT session_id, login_date + minute * interval '1 minute', 'application ' || (session_id + minute / 4) * 31 % 47 % 14
FROM ekran.session
CROSS JOIN generate_series(1, 360) AS minute
WHERE login_date + minute * interval '1 minute' < logout_date AND minute % 60 < 40;

CALL ekran_maintain();
