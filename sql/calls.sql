-- A call works inside any query.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT ekran_create_store('calls');
SET ekran_sessions.store = 'calls';
INSERT INTO calls.app_user VALUES (1, 'Ada'), (2, 'Ben');
INSERT INTO calls.session (session_id, user_id, login_date, logout_date)
SELECT i, 1 + i % 2, '2024-01-01'::timestamptz + i * interval '8 hours', '2024-01-01 07:00'::timestamptz + i * interval '8 hours'
FROM generate_series(0, 20) i;

-- joined, aggregated, with a condition and a limit of the query's own
SELECT u.user_name, count(*), sum(s.duration) FROM ekran_sessions('2024-01-02', '2024-01-04') s
JOIN calls.app_user u ON u.user_id = s.user_id GROUP BY 1 ORDER BY 1;
SELECT session_id FROM ekran_sessions() WHERE user_id = 2 ORDER BY session_id DESC LIMIT 2;
SELECT * FROM (SELECT * FROM ekran_sessions()) wrapped LIMIT 0;
-- LATERAL with outer references: a page a day, some of them empty
SELECT day, array_agg(session_id) FROM generate_series('2023-12-31'::timestamptz, '2024-01-03', '1 day') day
LEFT JOIN LATERAL ekran_sessions(day, day + interval '1 day', 3, 0) ON true GROUP BY day ORDER BY day;
-- in the select list, twice, and its columns one by one
SELECT (s).session_id, (s).duration FROM (SELECT ekran_sessions(count => 2) AS s) q;
SELECT (ekran_sessions(count => 1)).login_date, (ekran_sessions(count => 2)).session_id;
SELECT ARRAY(SELECT session_id FROM ekran_sessions(count => 2)) || ARRAY(SELECT session_id FROM ekran_sessions(count => 2, page => 1));
-- arguments by position, by name, mixed; int and bigint
SELECT count(*) FROM ekran_sessions("end" => '2024-01-02', count => 5::int);
SELECT count(*) FROM ekran_sessions('2024-01-01', page => 1::smallint, count => 5::bigint);
-- in a view and a CTE
CREATE VIEW calls.today AS SELECT session_id, duration FROM ekran_sessions('2024-01-02', '2024-01-03');
SELECT * FROM calls.today;
WITH s AS MATERIALIZED (SELECT * FROM ekran_sessions()) SELECT count(*), (SELECT max(session_id) FROM s) FROM s;
-- a prepared statement, more often than it takes to make a generic plan
PREPARE page (timestamptz, timestamptz, bigint, bigint) AS SELECT array_agg(session_id) FROM ekran_sessions($1, $2, $3, $4);
EXECUTE page ('2024-01-01', '2024-01-02', 10, 0);
EXECUTE page ('2024-01-02', '2024-01-03', 10, 0);
EXECUTE page (NULL, NULL, 2, 1);
EXECUTE page (NULL, '2024-01-02', 1, 0);
EXECUTE page (NULL, NULL, 0, 0);
EXECUTE page ('2024-01-04', NULL, 3, 1);
EXECUTE page ('2024-01-01', '2024-01-02', 10, 0);
DEALLOCATE page;
-- a cursor, forth and back, in a read-only transaction
BEGIN READ ONLY;
DECLARE c SCROLL CURSOR FOR SELECT session_id FROM ekran_sessions();
FETCH 2 FROM c;
FETCH LAST FROM c;
FETCH BACKWARD 1 FROM c;
SELECT ekran_sessions_total_count();
SELECT json_array_length(ekran_sessions_json()->'sessions');
COMMIT;
-- a cursor sees what was there when it was opened
BEGIN;
DECLARE c CURSOR FOR SELECT count(*) FROM ekran_sessions();
DELETE FROM calls.session WHERE session_id > 10;
FETCH c;
SELECT count(*) FROM ekran_sessions();
ROLLBACK;
-- PL/pgSQL: loops, exceptions, and what the same transaction has changed
DO $$
DECLARE
	s ekran_session_row;
	n int := 0;
BEGIN
	FOR s IN SELECT * FROM ekran_sessions('2024-01-02', '2024-01-03') LOOP
		n := n + 1;
		UPDATE calls.session SET logout_date = logout_date + interval '1 minute' WHERE session_id = s.session_id;
	END LOOP;
	BEGIN
		PERFORM ekran_sessions(count => 1001);
	EXCEPTION WHEN invalid_parameter_value THEN
		RAISE WARNING 'refused after % rows', n;
	END;
END
$$;
SELECT * FROM calls.today;
-- INSERT ... SELECT from what it inserts into
INSERT INTO calls.session (session_id, login_date) SELECT session_id + 100, login_date FROM ekran_sessions('2024-01-02', '2024-01-03');
SELECT count(*) FROM ekran_sessions();
CREATE TABLE calls.kept AS SELECT * FROM ekran_sessions(count => 2);
SELECT count(*) FROM calls.kept;
-- the leader of a parallel plan
-- (named force_parallel_mode before 16)
SELECT set_config(name, 'on', false) FROM pg_settings
WHERE name IN ('debug_parallel_query', 'force_parallel_mode');
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*) FROM calls.session s JOIN ekran_sessions() e ON e.session_id = s.session_id;
SELECT ekran_sessions_total_count(), count(*) FROM calls.session;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
-- without the extension's schema in search_path, and with nothing in it
SET search_path = calls;
SELECT count(*) FROM public.ekran_sessions();
SET search_path = '';
SELECT count(*) FROM public.ekran_sessions('2024-01-02', '2024-01-03');
SELECT public.ekran_sessions_total_count('2024-01-02', '2024-01-03');
SELECT session_id FROM public.ekran_sessions_after(count => 1, after_session_id => 4);
RESET search_path;
-- the row type's columns, by name and type, in order
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'ekran_session_row'::regclass AND attnum > 0 ORDER BY attnum;
-- the functions as a client lists them
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
	provolatile, prosecdef, proisstrict, proparallel, proacl,
	obj_description(p.oid, 'pg_proc') IS NOT NULL AS has_comment
FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'ekran_sessions')
ORDER BY p.oid::regprocedure::text;
DROP SCHEMA calls CASCADE;
