-- 1.0 upgraded is the same as the current version made anew, object by object.
\set ECHO none
\i test/helpers.sql
\set ECHO all
-- What the extension consists of, and all that can be told of it.
CREATE FUNCTION testing.described() RETURNS TABLE (object text, definition text)
LANGUAGE sql AS $$
	SELECT pg_describe_object(d.classid, d.objid, d.objsubid),
		concat_ws(' | ',
			(SELECT pg_get_functiondef(p.oid) || ' ' || p.procost || ' ' || p.prorows || ' ' || p.prosupport::regproc || ' ' || coalesce(p.proacl::text, '-')
				FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid),
			(SELECT string_agg(format('%s %s %s %s', a.attnum, a.attname, a.atttypid::regtype, col_description(a.attrelid, a.attnum)), ', ' ORDER BY a.attnum)
				FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid),
			obj_description(d.objid, d.classid::regclass::name))
	FROM pg_depend d
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'ekran_sessions')
	-- a type's array is counted by servers from 17 on
	AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND t.typcategory = 'A')
$$;
CREATE TABLE testing.made_anew AS SELECT * FROM testing.described();
CREATE TABLE testing.version AS SELECT extversion FROM pg_extension WHERE extname = 'ekran_sessions';
DROP EXTENSION ekran_sessions;
CREATE EXTENSION ekran_sessions VERSION '1.0';
-- a store of 1.0, which is in use, and a view over it
SELECT ekran_create_store('upgraded');
SET ekran_sessions.store = 'upgraded';
SET search_path = upgraded, public;
SELECT testing.add_session(1, '08:00', '09:30', '08:01', '08:10', '08:40', '09:05');
CREATE VIEW all_of_it AS SELECT * FROM ekran_sessions();
PREPARE page AS SELECT session_id, idle_time FROM ekran_sessions();
EXECUTE page;
SELECT count(*) FROM testing.described();
-- whoever may make functions in the extension's schema gives the views none to call
CREATE FUNCTION ekran_session_figures(regnamespace, bigint, timestamptz, timestamptz) RETURNS record LANGUAGE sql AS 'SELECT 1, 2';
ALTER FUNCTION ekran_session_figures SET SCHEMA public;
SELECT ekran_create_store('upgraded');
SELECT count(*) AS views FROM pg_class WHERE relnamespace = 'upgraded'::regnamespace AND relkind = 'v' AND relname <> 'all_of_it';
SELECT code, message FROM testing.failure('ALTER EXTENSION ekran_sessions UPDATE');
DROP FUNCTION public.ekran_session_figures;
ALTER EXTENSION ekran_sessions UPDATE;
SELECT (SELECT extversion FROM pg_extension WHERE extname = 'ekran_sessions') = (TABLE testing.version) AS is_current;
EXECUTE page;
SELECT session_id, idle_time FROM all_of_it;
SELECT session_id, idle_time FROM ekran_sessions_all();
SELECT state, reason FROM ekran_status();
-- the store's views come when it is completed, not before there are their functions
SELECT relname FROM pg_class WHERE relnamespace = 'upgraded'::regnamespace AND relkind = 'v' ORDER BY 1;
SELECT ekran_create_store('upgraded');
SELECT session_id, idle_seconds, active_seconds FROM session_overview;
SELECT first_login, last_logout, active_hours FROM user_day;
SELECT * FROM ekran_check();
CREATE TABLE testing.upgraded AS SELECT * FROM testing.described();
SELECT count(*) > 25 AS enough, count(*) FILTER (WHERE definition = '') AS without_definition FROM testing.upgraded;
SELECT object, n.definition AS made_anew, u.definition AS upgraded
FROM testing.made_anew n FULL JOIN testing.upgraded u USING (object) WHERE n.definition IS DISTINCT FROM u.definition;
DROP SCHEMA upgraded CASCADE;
DROP TABLE testing.made_anew, testing.upgraded, testing.version;
DROP FUNCTION testing.described;
