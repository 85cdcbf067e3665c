-- Every line of the worked example of the rules.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('worked_example');
SET ekran_sessions.store = 'worked_example';
SET search_path = worked_example, public;
SELECT testing.add_session(1, '08:00', '09:30', '08:01', '08:10', '08:40', '09:05');

CREATE FUNCTION testing.line(start time DEFAULT NULL, "end" time DEFAULT NULL)
RETURNS TABLE (login_date timestamptz, logout_date timestamptz,
	duration interval, idle_time interval, productivity_time interval,
	total_count int)
LANGUAGE sql AS $$
	SELECT login_date, logout_date, duration, idle_time, productivity_time,
		ekran_sessions_total_count(testing.at(start), testing.at("end"))
	FROM ekran_sessions(testing.at(start), testing.at("end"))
$$;

-- no window
SELECT * FROM testing.line();
SELECT * FROM testing.line('08:05', '09:00');
-- not started before start
SELECT * FROM testing.line('08:00');
-- selected, no moment inside
SELECT * FROM testing.line('08:15', '08:35');
-- selected, both bounds on a moment: strict, no moment between
SELECT * FROM testing.line('08:10', '08:40');
-- the logout alone
SELECT * FROM testing.line('09:10', '10:00');
-- not selected
SELECT * FROM testing.line('09:30');
SELECT * FROM testing.line(NULL, '08:00');
SELECT ekran_sessions_total_count(testing.at('09:30')),
	ekran_sessions_total_count(NULL, testing.at('08:00'));
-- no window, policy excess
SET ekran_sessions.idle_policy = excess;
SELECT * FROM testing.line();
RESET ekran_sessions.idle_policy;

DROP FUNCTION testing.line;
RESET search_path;
DROP SCHEMA worked_example CASCADE;
