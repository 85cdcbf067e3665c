-- Who may create in a database, and is no superuser, installs and updates the extension, and
-- gets nothing else by it: no right of the superuser's, who owns what it consists of.
\set ECHO none
\i test/helpers.sql
\set ECHO all
SELECT bool_and(trusted) AS are_trusted, bool_and(superuser) AS superusers_alone, bool_and(relocatable) AS relocatable
FROM pg_available_extension_versions WHERE name = 'ekran_sessions';
CREATE ROLE regress_ekran_tenant;
CREATE ROLE regress_ekran_neighbour;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_tenant, regress_ekran_neighbour', current_database()) \gexec
GRANT USAGE, CREATE ON SCHEMA testing TO regress_ekran_tenant, regress_ekran_neighbour;

-- What the extension consists of, wherever it lies, and by which names it was meant.
CREATE FUNCTION testing.consists_of() RETURNS TABLE (object text, definition text) LANGUAGE sql SET search_path = pg_catalog AS $$
	SELECT replace(pg_describe_object(d.classid, d.objid, d.objsubid), n.nspname || '.', '@.'),
		replace(concat_ws(' | ',
			(SELECT pg_get_functiondef(p.oid) || p.procost || ' ' || p.prorows || ' ' || p.prosupport FROM pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid),
			(SELECT string_agg(format('%s %s', a.attname, a.atttypid::regtype), ', ' ORDER BY a.attnum)
				FROM pg_type t JOIN pg_attribute a ON a.attrelid = t.typrelid WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid)), n.nspname || '.', '@.')
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'ekran_sessions' JOIN pg_namespace n ON n.oid = e.extnamespace
	WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	-- a type's array is counted by servers from 17 on
	AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND t.typcategory = 'A')
$$;
CREATE TABLE testing.superusers AS SELECT * FROM testing.consists_of();
GRANT SELECT ON testing.superusers TO regress_ekran_tenant;
DROP EXTENSION ekran_sessions;

-- A schema full of traps: a domain for each type that the scripts may name, whose check tells
-- who runs it, and casts and operators of theirs.
SET ROLE regress_ekran_tenant;
CREATE SCHEMA trap;
CREATE TABLE testing.sprung (who name, what text);
GRANT INSERT ON testing.sprung TO PUBLIC;
CREATE FUNCTION trap.spring(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO testing.sprung VALUES (current_user, what);
	RETURN true;
END
$$;
SELECT format('CREATE DOMAIN trap."%1$s" AS pg_catalog."%1$s" CHECK (trap.spring(%1$L))', typname)
FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b'
AND typname IN ('bool', 'int2', 'int4', 'int8', 'float8', 'numeric', 'text', 'name', 'oid', 'regclass', 'regnamespace', 'date', 'interval', 'timestamp', 'timestamptz', 'json', 'jsonb', 'uuid', 'internal') \gexec
CREATE FUNCTION trap.plus(int8, int8) RETURNS int8 LANGUAGE sql AS 'SELECT trap.spring(''plus'')::int::int8';
CREATE OPERATOR trap.+ (LEFTARG = int8, RIGHTARG = int8, FUNCTION = trap.plus);
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT trap.spring(''now'')::text::timestamptz';
SET search_path = trap, pg_catalog;
-- what has a name of the extension's is in its way, and isn't taken into it
CREATE FUNCTION ekran_refresh() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
SELECT code, message FROM testing.failure('CREATE EXTENSION ekran_sessions SCHEMA trap');
DROP FUNCTION ekran_refresh;
CREATE TYPE ekran_session_row AS (session_id bigint);
SELECT code, message FROM testing.failure('CREATE EXTENSION ekran_sessions SCHEMA trap');
DROP TYPE ekran_session_row;
CREATE EXTENSION ekran_sessions SCHEMA trap VERSION '1.0';
CREATE FUNCTION ekran_session_figures(pg_catalog.regnamespace, bigint, pg_catalog.timestamptz, pg_catalog.timestamptz) RETURNS record LANGUAGE sql AS 'SELECT 1, 2';
SELECT code, message FROM testing.failure('ALTER EXTENSION ekran_sessions UPDATE');
DROP FUNCTION ekran_session_figures;
ALTER EXTENSION ekran_sessions UPDATE;
RESET search_path;
SELECT * FROM testing.superusers EXCEPT SELECT * FROM testing.consists_of();
SELECT * FROM testing.consists_of() EXCEPT SELECT * FROM testing.superusers;
SELECT count(*) > 25 AS are_enough FROM testing.consists_of();
DROP EXTENSION ekran_sessions;
CREATE EXTENSION ekran_sessions SCHEMA trap;
SELECT count(*) AS other_than_a_superusers FROM (TABLE testing.superusers EXCEPT SELECT * FROM testing.consists_of()) x;
TABLE testing.sprung;

-- The extension is the tenant's, to update and to drop; what it consists of isn't.
SELECT extowner::regrole FROM pg_extension WHERE extname = 'ekran_sessions';
SELECT count(*) FILTER (WHERE NOT rolsuper) AS of_others, bool_or(p.prosecdef) AS lending, bool_or(p.proacl IS NOT NULL) AS granting, bool_and(p.prolang = 13) AS in_c
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'ekran_sessions' JOIN pg_proc p ON p.oid = d.objid JOIN pg_roles r ON r.oid = p.proowner
WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e';
SELECT DISTINCT d.classid::regclass FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'ekran_sessions' WHERE d.deptype = 'e';
SELECT s, f.code FROM unnest(ARRAY[
	'ALTER FUNCTION trap.ekran_refresh() SECURITY DEFINER', 'ALTER FUNCTION trap.ekran_refresh() OWNER TO regress_ekran_tenant', 'ALTER FUNCTION trap.ekran_refresh() RENAME TO refresh',
	'ALTER FUNCTION trap.ekran_refresh() SET search_path = trap', 'CREATE OR REPLACE FUNCTION trap.ekran_refresh() RETURNS bigint LANGUAGE sql AS ''SELECT 1::bigint''',
	'CREATE FUNCTION trap.theirs() RETURNS bigint LANGUAGE c AS ''$libdir/ekran_sessions'', ''ekran_refresh''', 'ALTER TYPE trap.ekran_session_row ADD ATTRIBUTE a int',
	'ALTER EXTENSION ekran_sessions SET SCHEMA testing', 'DROP FUNCTION trap.ekran_refresh()', 'ALTER EXTENSION ekran_sessions DROP FUNCTION trap.ekran_refresh()',
	'COMMENT ON FUNCTION trap.ekran_refresh() IS ''theirs''']) s, LATERAL testing.failure(s) f;
-- and works as anyone's
SELECT trap.ekran_create_store('tenants');
SET ekran_sessions.store = 'tenants';
INSERT INTO tenants.session (session_id, login_date, logout_date) VALUES (1, '2024-01-01 08:00', '2024-01-01 09:00');
INSERT INTO tenants.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:10');
SELECT session_id, idle_time FROM trap.ekran_sessions();
SELECT trap.ekran_refresh();
SELECT * FROM trap.ekran_check();
SELECT session_id, idle_seconds, active_seconds FROM tenants.session_overview;
TABLE testing.sprung;

-- A neighbour's store in the same database uses it too, if they wish. With the extension go
-- its triggers and views, of which who drops it is told; what has been recorded stays, and
-- is exact again when the store is completed.
GRANT USAGE ON SCHEMA trap TO regress_ekran_neighbour;
SET ROLE regress_ekran_neighbour;
SELECT trap.ekran_create_store('neighbours');
SET ekran_sessions.store = 'neighbours';
INSERT INTO neighbours.session (session_id, login_date, logout_date) VALUES (1, '2024-01-01 08:00', '2024-01-01 12:00');
INSERT INTO neighbours.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:10');
SELECT session_id, idle_time FROM trap.ekran_sessions();
SELECT code FROM testing.failure('DROP EXTENSION ekran_sessions CASCADE');
SET ROLE regress_ekran_tenant;
SELECT code, message FROM testing.failure('DROP EXTENSION ekran_sessions');
DROP EXTENSION ekran_sessions CASCADE;
CREATE EXTENSION ekran_sessions SCHEMA trap;
SET ROLE regress_ekran_neighbour;
INSERT INTO neighbours.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:20');
SELECT state FROM trap.ekran_status() WHERE store = 'neighbours';
SELECT session_id, idle_time FROM trap.ekran_sessions();
-- which would go without its activities
SELECT code FROM testing.failure($$SELECT trap.ekran_purge('2025-01-01')$$);
SELECT trap.ekran_create_store('neighbours');
SELECT state FROM trap.ekran_status() WHERE store = 'neighbours';
SELECT session_id, idle_time FROM trap.ekran_sessions();
SELECT * FROM trap.ekran_check();
RESET ROLE;
TABLE testing.sprung;

-- They can make functions of theirs a part of it, by names that an older version lacks: no
-- store's view or trigger calls them.
SET ROLE regress_ekran_tenant;
DROP EXTENSION ekran_sessions CASCADE;
CREATE EXTENSION ekran_sessions SCHEMA trap VERSION '1.0';
CREATE TYPE trap.figures AS (logout_date timestamptz, duration_seconds float8, active_seconds float8, idle_seconds float8, duration_hours float8, active_hours float8,
	idle_hours float8, login_day date, login_weekday int, login_hour int, productivity_ratio float8);
CREATE TYPE trap.piece AS (day date, first_instant timestamptz, last_instant timestamptz, sessions int, duration bigint, active bigint);
CREATE FUNCTION trap.ekran_session_figures(regnamespace, bigint, timestamptz, timestamptz) RETURNS trap.figures LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM trap.spring('figures');
	RETURN NULL;
END
$$;
CREATE FUNCTION trap.ekran_session_days(regnamespace, bigint, timestamptz, timestamptz) RETURNS SETOF trap.piece LANGUAGE plpgsql STABLE AS $$
BEGIN
	PERFORM trap.spring('days');
END
$$;
CREATE FUNCTION trap.ekran_derived_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM trap.spring('guard');
	RETURN NULL;
END
$$;
ALTER EXTENSION ekran_sessions ADD FUNCTION trap.ekran_session_figures(regnamespace, bigint, timestamptz, timestamptz);
ALTER EXTENSION ekran_sessions ADD FUNCTION trap.ekran_session_days(regnamespace, bigint, timestamptz, timestamptz);
ALTER EXTENSION ekran_sessions ADD FUNCTION trap.ekran_derived_written();
SET ROLE regress_ekran_neighbour;
SELECT trap.ekran_create_store('neighbours'), trap.ekran_create_store('others');
SET ekran_sessions.store = 'others';
INSERT INTO others.session (session_id, login_date, logout_date) VALUES (1, '2024-01-01 08:00', '2024-01-01 09:00');
INSERT INTO others.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:10');
SELECT c.relname, c.relkind FROM pg_class c WHERE c.relnamespace = 'others'::regnamespace AND c.relkind = 'v';
SELECT trap.ekran_refresh();
SELECT state FROM trap.ekran_status();
SET ROLE regress_ekran_tenant;
ALTER EXTENSION ekran_sessions DROP FUNCTION trap.ekran_session_figures(regnamespace, bigint, timestamptz, timestamptz);
ALTER FUNCTION trap.ekran_session_figures(regnamespace, bigint, timestamptz, timestamptz) RENAME TO figures_of_theirs;
SELECT code, message FROM testing.failure('ALTER EXTENSION ekran_sessions UPDATE');
ALTER EXTENSION ekran_sessions DROP FUNCTION trap.ekran_session_days(regnamespace, bigint, timestamptz, timestamptz);
ALTER EXTENSION ekran_sessions DROP FUNCTION trap.ekran_derived_written();
DROP FUNCTION trap.ekran_derived_written;
ALTER FUNCTION trap.ekran_session_days(regnamespace, bigint, timestamptz, timestamptz) RENAME TO days_of_theirs;
ALTER EXTENSION ekran_sessions UPDATE;
SET ROLE regress_ekran_neighbour;
SELECT trap.ekran_create_store('others');
SELECT session_id, duration_seconds FROM others.session_overview;
SELECT day, session_seconds FROM others.user_day;
SELECT state FROM trap.ekran_status();
SELECT * FROM trap.ekran_check();
RESET ROLE;
SELECT session_id, duration_seconds FROM others.session_overview;
TABLE testing.sprung;

-- A type of another's by the name of ours, as a schema's change of name could have it in the
-- moment when the extension is made: its columns are not what is put into them.
DROP EXTENSION ekran_sessions CASCADE;
CREATE EXTENSION ekran_sessions SCHEMA trap;
CREATE TYPE trap.other_row AS (session_id text, client_guid uuid, client_name text, user_id int, user_name text, login_date timestamptz, logout_date timestamptz,
	duration interval, productivity_time interval, idle_time interval);
SET ekran_sessions.store = 'others';
CREATE FUNCTION trap.page_as_other(timestamptz, timestamptz, bigint, bigint, int[], uuid[]) RETURNS SETOF trap.other_row LANGUAGE c AS '$libdir/ekran_sessions', 'ekran_sessions';
SELECT code, message FROM testing.failure('SELECT * FROM trap.page_as_other(NULL, NULL, 1, 0, NULL, NULL)');
CREATE FUNCTION trap.all_as_other(timestamptz, timestamptz, int[], uuid[]) RETURNS SETOF trap.other_row LANGUAGE c AS '$libdir/ekran_sessions', 'ekran_sessions_all';
SELECT code, message FROM testing.failure('SELECT * FROM trap.all_as_other(NULL, NULL, NULL, NULL)');
SELECT code, message FROM testing.failure('SELECT trap.all_as_other(NULL, NULL, NULL, NULL)');
CREATE FUNCTION trap.figures_as_other(regnamespace, bigint, timestamptz, timestamptz) RETURNS trap.piece LANGUAGE c AS '$libdir/ekran_sessions', 'ekran_session_figures';
SELECT code, message FROM testing.failure($$SELECT trap.figures_as_other('others', 1, '2024-01-01', NULL)$$);
CREATE FUNCTION trap.days_as_other(regnamespace, bigint, timestamptz, timestamptz) RETURNS SETOF trap.figures LANGUAGE c AS '$libdir/ekran_sessions', 'ekran_session_days';
SELECT code, message FROM testing.failure($$SELECT trap.days_as_other('others', 1, '2024-01-01', NULL)$$);

DROP SCHEMA tenants, neighbours, others, trap CASCADE;
CREATE EXTENSION IF NOT EXISTS ekran_sessions SCHEMA public;
DROP TABLE testing.superusers, testing.sprung;
DROP FUNCTION testing.consists_of;
DROP OWNED BY regress_ekran_tenant, regress_ekran_neighbour;
DROP ROLE regress_ekran_tenant, regress_ekran_neighbour;
