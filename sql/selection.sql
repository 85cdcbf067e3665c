-- Selected: finish later than start and login earlier than end, both strict.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('selection');
SET ekran_sessions.store = 'selection';
SET search_path = selection, public;

-- 1: finished; 2: running, last seen 11:00; 3: running, without activity;
-- 4: of no length; 5: running, its only activity lies before the login
SELECT testing.add_session(1, '08:00', '10:00', '09:00');
SELECT testing.add_session(2, '08:00', NULL, '09:00', '11:00');
SELECT testing.add_session(3, '09:00', NULL);
SELECT testing.add_session(4, '10:00', '10:00');
SELECT testing.add_session(5, '09:30', NULL, '07:00');

CREATE FUNCTION testing.selected(start time, "end" time) RETURNS text
LANGUAGE sql AS $$
	SELECT string_agg(session_id::text, ' ' ORDER BY ordinality) || ' of '
		|| ekran_sessions_total_count(testing.at(start), testing.at("end"))
	FROM ekran_sessions(testing.at(start), testing.at("end")) WITH ORDINALITY
$$;

-- neither bound; only an end; only a start
SELECT testing.selected(NULL, NULL);
SELECT testing.selected(NULL, '09:00') AS before_9, testing.selected(NULL, '09:00:00.000001') AS and_a_microsecond;
SELECT testing.selected('09:59:59.999999', NULL) AS after_almost_10,
	testing.selected('10:00', NULL) AS after_10,
	testing.selected('10:59:59.999999', NULL) AS after_almost_11,
	testing.selected('11:00', NULL) AS after_11;
-- a running session without activity finishes when it began
SELECT testing.selected('08:59:59.999999', '09:00:00.000001') AS around_login,
	testing.selected('09:00', '09:00:00.000001') AS after_login;
-- the login on start: it began not before start, and must finish after it
SELECT testing.selected('08:00', '08:00:00.000001') AS login_on_start,
	testing.selected('10:00', '10:00:00.000001') AS no_length_on_start;
-- start equal to end: those that ran across it
SELECT testing.selected('09:00', '09:00') AS at_9, testing.selected('08:00', '08:00') AS at_8;
-- before all, after all
SELECT testing.selected('06:00', '07:30') AS before_all, testing.selected('12:00', '13:00') AS after_all;

-- infinite bounds are as none, or beyond everything
SELECT start, "end", ekran_sessions_total_count(start, "end"),
	(SELECT count(*) FROM ekran_sessions(start, "end")) AS rows
FROM (VALUES ('-infinity'::timestamptz, 'infinity'::timestamptz),
	('-infinity', NULL), (NULL, 'infinity'), ('-infinity', '-infinity'),
	('infinity', 'infinity'), ('infinity', NULL), (NULL, '-infinity'))
	AS w (start, "end");

-- what an infinite or absent bound leaves is the same
SELECT count(*) FROM (
	(SELECT * FROM ekran_sessions('-infinity', 'infinity') EXCEPT ALL SELECT * FROM ekran_sessions())
	UNION ALL
	(SELECT * FROM ekran_sessions() EXCEPT ALL SELECT * FROM ekran_sessions('-infinity', 'infinity'))) d;

DROP FUNCTION testing.selected;
RESET search_path;
DROP SCHEMA selection CASCADE;
