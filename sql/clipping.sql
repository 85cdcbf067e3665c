-- Start' and End', and which moments count between them.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('clipping');
SET ekran_sessions.store = 'clipping';
SET search_path = clipping, public;
CREATE FUNCTION testing.clipped(id bigint, start time DEFAULT NULL, "end" time DEFAULT NULL)
RETURNS TABLE (login_date timestamptz, logout_date timestamptz,
	duration interval, idle_time interval, productivity_time interval)
LANGUAGE sql AS $$
	SELECT login_date, logout_date, duration, idle_time, productivity_time
	FROM ekran_sessions(testing.at(start), testing.at("end"))
	WHERE session_id = id
$$;

SELECT testing.add_session(1, '08:00', '12:00', '08:30', '09:00', '09:10', '11:00');
-- A bound on a moment leaves it out, where the session sticks out there.
SELECT * FROM testing.clipped(1, '08:30', '11:00');
SELECT * FROM testing.clipped(1, '08:29:59.999999', '11:00:00.000001');
-- A session that began at start, or finished at end, does not stick out.
SELECT * FROM testing.clipped(1, '08:00', '12:00');
SELECT * FROM testing.clipped(1, '08:00:00.000001', '11:59:59.999999');
-- The logout stands in as a moment after start, the login as one before end.
SELECT * FROM testing.clipped(1, '11:00', '12:30');
SELECT * FROM testing.clipped(1, '07:00', '08:30');
-- One moment left; none left; a window of nothing.
SELECT * FROM testing.clipped(1, '08:30', '09:05');
SELECT * FROM testing.clipped(1, '09:10', '11:00');
SELECT * FROM testing.clipped(1, '09:00', '09:00');
SELECT * FROM testing.clipped(1, '09:05', '09:05:00.000001');

-- Activities before the login or after the logout are kept, not counted.
SELECT testing.add_session(2, '08:00', '10:00', '07:00', '07:59:59.999999', '08:00', '09:50', '10:00', '10:00:00.000001', '11:00');
SELECT * FROM testing.clipped(2);
SELECT * FROM testing.clipped(2, '06:00', '07:30');
SELECT * FROM testing.clipped(2, '08:30', '10:30');
SELECT * FROM testing.clipped(2, '10:00');
SELECT count(*) FROM activity WHERE session_id = 2;

-- A running session ends at its latest activity.
SELECT testing.add_session(3, '08:00', NULL, '07:00', '08:05', '08:10', '09:00');
SELECT * FROM testing.clipped(3);
SELECT * FROM testing.clipped(3, NULL, '09:00');
SELECT * FROM testing.clipped(3, NULL, '08:59:59.999999');
SELECT * FROM testing.clipped(3, '08:05', '09:00:00.000001');
SELECT * FROM testing.clipped(3, '08:10');

-- Without activity there are login and logout, or the login alone.
SELECT testing.add_session(4, '08:00', '08:20');
SELECT testing.add_session(5, '08:00', NULL);
SELECT testing.add_session(6, '08:00', NULL, '07:59');
SELECT * FROM testing.clipped(4);
SELECT * FROM testing.clipped(4, '08:10', '08:15');
SELECT * FROM testing.clipped(4, '08:10');
SELECT * FROM testing.clipped(4, NULL, '08:10');
SELECT * FROM testing.clipped(5);
SELECT * FROM testing.clipped(5, '08:00');
SELECT * FROM testing.clipped(5, '07:00', '08:00:00.000001');
SELECT * FROM testing.clipped(6);

-- Activities of the same moment, at the login and at the logout too.
SELECT testing.add_session(7, '08:00', '09:00', '08:00', '08:00', '08:20', '08:20', '08:20', '09:00', '09:00');
SELECT * FROM testing.clipped(7);
SELECT * FROM testing.clipped(7, '08:20');
SELECT * FROM testing.clipped(7, NULL, '08:20');

-- A session of no length.
SELECT testing.add_session(8, '08:00', '08:00', '08:00');
SELECT * FROM testing.clipped(8);
SELECT * FROM testing.clipped(8, '07:00', '09:00');

DROP FUNCTION testing.clipped;
RESET search_path;
DROP SCHEMA clipping CASCADE;
