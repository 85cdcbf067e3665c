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
DROP TABLE testing.made_anew, testing.upgraded;

-- Every path from one version to another leads to what that is when it is made anew.
SELECT count(*) >= 6 AS are_some FROM pg_extension_update_paths('ekran_sessions') WHERE path IS NOT NULL;
CREATE TABLE testing.paths (made text, updated text, object text, definition text);
CREATE PROCEDURE testing.update_all() LANGUAGE plpgsql AS $$
DECLARE
	way record;
BEGIN
	FOR way IN SELECT source, target FROM pg_extension_update_paths('ekran_sessions') WHERE path IS NOT NULL
		UNION ALL SELECT DISTINCT target, target FROM pg_extension_update_paths('ekran_sessions') WHERE path IS NOT NULL
	LOOP
		DROP EXTENSION ekran_sessions;
		EXECUTE format('CREATE EXTENSION ekran_sessions VERSION %L', way.source);
		IF way.target <> way.source THEN
			EXECUTE format('ALTER EXTENSION ekran_sessions UPDATE TO %L', way.target);
		END IF;
		INSERT INTO testing.paths SELECT way.source, way.target, d.* FROM testing.described() d;
	END LOOP;
END
$$;
CALL testing.update_all();
SELECT p.made, p.updated, coalesce(p.object, n.object) AS object, n.definition AS made_anew, p.definition AS upgraded
FROM (SELECT DISTINCT made, updated FROM testing.paths WHERE made <> updated) w
CROSS JOIN LATERAL (SELECT * FROM testing.paths a WHERE a.made = w.updated AND a.updated = w.updated) n
FULL JOIN testing.paths p ON p.made = w.made AND p.updated = w.updated AND p.object = n.object
WHERE p.made IS DISTINCT FROM p.updated AND p.definition IS DISTINCT FROM n.definition;

-- And a store of every version, with something folded and something not, which is
-- completed, to a store made anew: object by object, and with what is derived as it was.
CREATE FUNCTION testing.store_described(store name) RETURNS SETOF text LANGUAGE sql SET search_path = pg_catalog AS $$
	SELECT regexp_replace(replace(d, store, '@'), '2-[0-9a-f]{32}', 'GENERATION', 'g') FROM (
		SELECT format('%s %s owner %s, %s, %s, replica identity %s, acl %s: %s', relkind, relname, relowner::regrole, relpersistence, reloptions, relreplident, relacl, obj_description(oid, 'pg_class')) FROM pg_class WHERE relnamespace = store::regnamespace AND relkind <> 'c'
		UNION ALL SELECT format('%s.%s %s %s %s: %s', relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, col_description(attrelid, attnum)) FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = store::regnamespace AND relkind IN ('r', 'v') AND attnum > 0
		UNION ALL SELECT format('%s: %s', pg_get_constraintdef(o.oid), obj_description(o.oid, 'pg_constraint')) FROM pg_constraint o WHERE connamespace = store::regnamespace AND contype <> 'n'
		UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace = store::regnamespace
		UNION ALL SELECT format('%s %s: %s', pg_get_triggerdef(t.oid), tgenabled, obj_description(t.oid, 'pg_trigger')) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE relnamespace = store::regnamespace AND NOT tgisinternal
		UNION ALL SELECT pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = store::regnamespace AND relkind = 'v'
		UNION ALL SELECT obj_description(store::regnamespace, 'pg_namespace')) x (d)
$$;
CREATE FUNCTION testing.derived(store name) RETURNS TABLE (row_of text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT i::text FROM %1$I.session_idle i WHERE session_id IS NOT NULL UNION ALL SELECT p::text FROM %1$I.pending p WHERE session_id IS NOT NULL UNION ALL SELECT c::text FROM %1$I.session_count c WHERE day IS NOT NULL', store);
END
$$;
DROP EXTENSION ekran_sessions;
CREATE EXTENSION ekran_sessions;
SELECT ekran_create_store('made_anew');
CREATE TABLE testing.made_anew AS SELECT * FROM testing.store_described('made_anew') d;
SELECT count(*) > 80 AS are_enough FROM testing.made_anew;
DROP SCHEMA made_anew CASCADE;
CREATE TABLE testing.stores (version text, line text, state text);
SET search_path = public;
SELECT s FROM pg_available_extension_versions v, LATERAL (VALUES (1, 'DROP EXTENSION ekran_sessions'), (2, format('CREATE EXTENSION ekran_sessions VERSION %L', version)),
	(3, 'SELECT FROM ekran_create_store(''older'')'), (4, 'SET ekran_sessions.store = ''older''; SET search_path = older, public'),
	(5, 'SELECT FROM testing.add_session(1, ''08:00'', ''09:30'', ''08:01'', ''08:10'', ''08:40'', ''09:05'')'), (6, 'SELECT FROM testing.add_session(2, ''08:00'', NULL, ''08:31'')'), (7, 'SELECT FROM ekran_refresh()'),
	(8, 'INSERT INTO activity (session_id, activity_date) VALUES (1, testing.at(''08:20''))'), (9, 'CREATE TABLE testing.before AS SELECT * FROM testing.derived(''older'')'),
	(10, CASE WHEN version <> '1.4' THEN 'ALTER EXTENSION ekran_sessions UPDATE' END), (11, format('INSERT INTO testing.stores SELECT %L, ''updated'', format(''%%s %%s %%s'', state, answered_by, counted_by) FROM ekran_status()', version)),
	(12, 'SELECT FROM ekran_create_store(''older'')'), (13, format('INSERT INTO testing.stores SELECT %L, ''completed'', format(''%%s %%s %%s'', state, answered_by, counted_by) FROM ekran_status()', version)),
	(14, format('INSERT INTO testing.stores SELECT %L, ''idle'', string_agg(idle_time::text, '' '') FROM ekran_sessions()', version)),
	(15, format('INSERT INTO testing.stores SELECT %L, ''check'', count(*) FROM ekran_check()', version)),
	(16, format('INSERT INTO testing.stores SELECT %L, d, ''too many'' FROM (SELECT testing.store_described(''older'') d EXCEPT ALL TABLE testing.made_anew) x', version)),
	(17, format('INSERT INTO testing.stores SELECT %L, d, ''missing'' FROM (TABLE testing.made_anew EXCEPT ALL SELECT testing.store_described(''older'')) x (d)', version)),
	(18, format('INSERT INTO testing.stores SELECT %L, ''derived rows that are others'', count(*) FROM (TABLE testing.before EXCEPT ALL SELECT * FROM testing.derived(''older'')) x', version)),
	(19, 'SET search_path = public'), (20, 'DROP TABLE testing.before'), (21, 'DROP SCHEMA older CASCADE')) steps (n, s)
WHERE v.name = 'ekran_sessions' ORDER BY version, n \gexec
TABLE testing.stores;
DROP TABLE testing.stores, testing.made_anew, testing.version, testing.paths;
DROP FUNCTION testing.described, testing.store_described, testing.derived;
DROP PROCEDURE testing.update_all;
