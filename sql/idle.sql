-- Idle time: gaps longer than the threshold, whole or in excess of it.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('idle');
SET ekran_sessions.store = 'idle';
SET search_path = idle, public;
-- gaps of 15:00, 15:00.000001, 14:59.999999, 30:00 and 1:00
SELECT testing.add_session(1, '08:00', '09:16', '08:15', '08:30:00.000001', '08:45', '09:15');

CREATE VIEW testing.figures AS
SELECT current_setting('ekran_sessions.idle_threshold') AS threshold,
	current_setting('ekran_sessions.idle_policy') AS policy,
	duration, idle_time, productivity_time,
	idle_time + productivity_time = duration AS adds_up
FROM ekran_sessions();

-- A gap as long as the threshold is none; a microsecond more and it is one.
SELECT * FROM testing.figures;
SET ekran_sessions.idle_policy = 'excess';
SELECT * FROM testing.figures;
SET ekran_sessions.idle_threshold = '30min';
SELECT * FROM testing.figures;
SET ekran_sessions.idle_threshold = '1799s';
SELECT * FROM testing.figures;
SET ekran_sessions.idle_policy = 'whole';
SELECT * FROM testing.figures;
SET ekran_sessions.idle_threshold = '60s';
SELECT * FROM testing.figures;
SET ekran_sessions.idle_threshold = '59s';
SELECT * FROM testing.figures;
-- With 0 every gap is idle, by either policy.
SET ekran_sessions.idle_threshold = 0;
SELECT * FROM testing.figures;
SET ekran_sessions.idle_policy = 'excess';
SELECT * FROM testing.figures;
-- The longest threshold, 68 years.
SET ekran_sessions.idle_threshold = 2147483647;
SELECT * FROM testing.figures;
RESET ekran_sessions.idle_threshold;
RESET ekran_sessions.idle_policy;

-- Only gaps inside the clipped session count, not the part of a gap that a
-- bound cuts.
SELECT login_date, logout_date, duration, idle_time
FROM ekran_sessions(testing.at('08:20'), testing.at('09:10'));

-- Activities outside the session make no gap.
SELECT testing.add_session(2, '10:00', '10:10', '09:00', '11:00');
SELECT duration, idle_time FROM ekran_sessions() WHERE session_id = 2;

-- An activity that arrives late splits a gap.
SELECT testing.add_session(3, '12:00', '13:00');
SELECT duration, idle_time FROM ekran_sessions() WHERE session_id = 3;
INSERT INTO activity (session_id, activity_date) VALUES (3, testing.at('12:45'));
SELECT duration, idle_time FROM ekran_sessions() WHERE session_id = 3;
INSERT INTO activity (session_id, activity_date)
VALUES (3, testing.at('12:15')), (3, testing.at('12:30'));
SELECT duration, idle_time FROM ekran_sessions() WHERE session_id = 3;

DROP VIEW testing.figures;
RESET search_path;
DROP SCHEMA idle CASCADE;
