-- Times: input formats, time zones, changes of daylight saving, far-off dates.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('times');
SET ekran_sessions.store = 'times';
SET search_path = times, public;

-- The three formats of the endpoint, read in the caller's time zone.
INSERT INTO session (session_id, login_date, logout_date) VALUES
	(1, '2021-03-31 23:59:59+00', '2021-04-01 00:00:00+00'),
	(2, '2021-04-01 00:00:00+00', '2021-04-01 11:59:59+00'),
	(3, '2021-04-01 11:59:00+00', '2021-04-01 12:00:30+00');
SELECT array_agg(session_id) FROM ekran_sessions('2021-04-01');
SELECT array_agg(session_id) FROM ekran_sessions('2021-04-01T12:00');
SELECT array_agg(session_id) FROM ekran_sessions('2021-04-01T12:00:30');
SELECT array_agg(session_id) FROM ekran_sessions('2021-04-01T12:00:29', '2021-04-01T12:01');
SET timezone = 'Asia/Yekaterinburg';
SELECT array_agg(session_id) FROM ekran_sessions('2021-04-01T17:00:00', '2021-04-02');
SELECT array_agg(session_id) FROM ekran_sessions(NULL, '2021-04-01T05:00');

-- A time zone changes how moments read, never what is selected or measured.
SELECT login_date, logout_date, duration FROM ekran_sessions('2021-04-01 00:00+00', count => 1);
SET timezone = 'America/New_York';
SELECT login_date, logout_date, duration FROM ekran_sessions('2021-04-01 00:00+00', count => 1);
SET timezone = 'UTC';
SELECT login_date, logout_date, duration FROM ekran_sessions('2021-04-01 00:00+00', count => 1);

-- Both changes of daylight saving, a day of 23 hours and one of 25: durations
-- are elapsed time, and login_date + duration is logout_date.
TRUNCATE session, activity;
SET timezone = 'Europe/Berlin';
INSERT INTO session (session_id, login_date, logout_date) VALUES
	(1, '2024-03-30 20:00', '2024-03-31 20:00'),
	(2, '2024-10-26 20:00', '2024-10-27 20:00'),
	(3, '2024-10-27 02:30+02', '2024-10-27 02:30+01');
INSERT INTO activity (session_id, activity_date) VALUES
	(1, '2024-03-31 01:59:59'), (1, '2024-03-31 03:00'),
	(2, '2024-10-27 02:59:59+02'), (2, '2024-10-27 02:00+01');
SELECT session_id, login_date, logout_date, duration, idle_time,
	login_date + duration = logout_date AS adds_up
FROM ekran_sessions();
-- A bound in the hour that comes twice is of the later one unless it says.
SELECT array_agg(session_id) FROM ekran_sessions('2024-10-27 02:30+02', '2024-10-27 02:30+01');
SELECT session_id, login_date, logout_date FROM ekran_sessions('2024-10-27 02:00+01', '2024-10-28');
-- The clock's hour that is left out in spring is the hour after.
SELECT session_id, login_date FROM ekran_sessions('2024-03-31 02:30', '2024-04-01');
SELECT ekran_sessions_json('2024-10-27 02:30+02', '2024-10-27 02:30+01', 1, 1)
	->'sessions'->0->>'logoutDate' AS logout;
SET timezone = 'UTC';

-- Overnight, of several days, and longer than a month: hours, no days.
TRUNCATE session, activity;
INSERT INTO session (session_id, login_date, logout_date) VALUES
	(1, '2024-02-28 22:00', '2024-02-29 06:00'),
	(2, '2024-02-28 22:00', '2024-03-02 22:00:00.5'),
	(3, '2024-01-01', '2025-01-01');
SELECT session_id, duration, idle_time, extract(day FROM duration) AS days
FROM ekran_sessions();

-- Years before Christ, and the first and last moments there are.
TRUNCATE session, activity;
INSERT INTO session (session_id, login_date, logout_date) VALUES
	(1, '0044-03-15 12:00 BC', '0044-03-15 12:10 BC'),
	(2, '0001-12-31 23:59 BC', '0001-01-01 00:01'),
	(3, '4714-11-24 00:00 BC', '4714-11-24 00:05 BC'),
	(4, '294276-12-31 23:50', '294276-12-31 23:59:59.999999'),
	(5, '294276-12-31 23:50', NULL);
INSERT INTO activity (session_id, activity_date) VALUES
	(3, '4714-11-24 00:00:00.000001 BC'), (5, '294276-12-31 23:59:59.999998');
SELECT session_id, login_date, logout_date, duration FROM ekran_sessions();
SELECT array_agg(session_id) FROM ekran_sessions('0044-03-15 12:05 BC', '0001-01-01');
SELECT session_id, login_date FROM ekran_sessions('4714-11-24 00:00 BC', '4714-11-24 00:01 BC');
SELECT session_id, login_date FROM ekran_sessions('294276-12-31 23:59:59.999997');
SELECT session_id, login_date FROM ekran_sessions('294276-12-31 23:59:59.999998');
SELECT count(*) FROM ekran_sessions('294276-12-31 23:59:59.999999');
SELECT j->>'sessionId' AS id, j->>'loginDate' AS login, j->>'logoutDate' AS logout
FROM json_array_elements(ekran_sessions_json(NULL, '0001-01-01 00:01')->'sessions') j;
RESET search_path;
DROP SCHEMA times CASCADE;
