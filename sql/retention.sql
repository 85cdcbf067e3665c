-- ekran_purge() and ekran_close_sessions().
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('retention');
SET ekran_sessions.store = 'retention';
SET search_path = retention, public;
SELECT testing.add_session(1, '08:00', '09:00', '08:30');
SELECT testing.add_session(2, '08:00', '10:00', '08:30', '11:00');
SELECT testing.add_session(3, '08:00', NULL, '08:30');
SELECT testing.add_session(4, '08:00', '08:00');
SELECT testing.add_session(5, '12:00', NULL);

-- Finished before, strictly; with all that hangs on them.
SELECT ekran_purge(testing.at('08:00'));
SELECT ekran_purge(testing.at('09:00'));
SELECT array_agg(session_id ORDER BY session_id) FROM session;
SELECT ekran_purge(testing.at('10:00:00.000001'));
SELECT array_agg(session_id ORDER BY session_id) FROM session;
SELECT session_id, count(*) FROM activity GROUP BY 1;
SELECT ekran_refresh() > 0 AS folded;
SELECT array_agg(session_id ORDER BY session_id) FROM session_idle WHERE session_id IS NOT NULL;
SELECT ekran_purge('-infinity');
SELECT ekran_purge('infinity');
SELECT array_agg(session_id ORDER BY session_id) FROM session;
SELECT * FROM testing.failure('SELECT ekran_purge(NULL)') \gx
SELECT count(*) FROM ekran_check();

-- Silent for more than an hour: the logout is the latest counted moment.
SELECT testing.add_session(6, '08:00', NULL, '07:00', '08:10', '09:00');
SELECT testing.add_session(7, '08:00', NULL, '08:10', '09:00:00.000001');
SELECT testing.add_session(8, '08:00', NULL, '07:00');
SELECT testing.add_session(9, '08:00', '08:05', '08:01');
SELECT * FROM ekran_close_sessions('1 hour', testing.at('10:00:00.000001')) ORDER BY session_id;
SELECT session_id, logout_date FROM session ORDER BY session_id;
SELECT * FROM ekran_close_sessions('1 hour', testing.at('10:00:00.000001'));
SELECT session_id, login_date, logout_date FROM ekran_close_sessions('0', testing.at('10:30')) ORDER BY 1;
-- a session of the future is not silent
SELECT * FROM ekran_close_sessions('0', testing.at('11:00'));
SELECT count(*) FROM ekran_check();
SELECT s, f.code, f.message, f.detail, f.hint FROM unnest(ARRAY[
	$$SELECT ekran_close_sessions(NULL, '2024-01-01')$$,
	$$SELECT ekran_close_sessions('1 hour', NULL)$$,
	$$SELECT ekran_close_sessions('-1 hour', '2024-01-01')$$,
	$$SELECT ekran_close_sessions('1 hour', 'infinity')$$]) s, LATERAL testing.failure(s) f \gx
RESET search_path;
DROP SCHEMA retention CASCADE;
