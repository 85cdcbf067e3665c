-- Who may what: each function by each role that the README hands over to, and what a
-- lead of one team can find out about another.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_owner;
CREATE ROLE regress_ekran_keeper;
CREATE ROLE regress_ekran_agent;
CREATE ROLE regress_ekran_reader;
CREATE ROLE regress_ekran_analyst;
CREATE ROLE regress_ekran_lead;
CREATE ROLE regress_ekran_curious;
CREATE ROLE regress_ekran_trusted;
CREATE ROLE regress_ekran_nobody;
GRANT regress_ekran_owner TO regress_ekran_keeper;
GRANT regress_ekran_reader TO regress_ekran_analyst;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_owner', current_database()) \gexec
GRANT USAGE, CREATE ON SCHEMA testing TO PUBLIC;

-- As in the README: "Handing over" and "Row-level security". Beside its lead there are two
-- who may also read what people did: one under policies on all tables, and one to whom
-- the derived tables have been granted, which must not speak in any function.
CREATE PROCEDURE testing.hand_over(store name) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM ekran_create_store(store);
	EXECUTE format($f$
		GRANT USAGE ON SCHEMA %1$I TO regress_ekran_reader, regress_ekran_agent, regress_ekran_lead, regress_ekran_curious, regress_ekran_trusted;
		GRANT SELECT ON %1$I.session, %1$I.client, %1$I.app_user TO regress_ekran_reader, regress_ekran_lead, regress_ekran_curious, regress_ekran_trusted;
		GRANT SELECT ON %1$I.session_overview, %1$I.user_day TO regress_ekran_reader, regress_ekran_lead, regress_ekran_curious, regress_ekran_trusted;
		GRANT SELECT (session_id, activity_date) ON %1$I.activity TO regress_ekran_reader, regress_ekran_lead;
		GRANT SELECT ON %1$I.session_idle, %1$I.pending, %1$I.session_count TO regress_ekran_reader, regress_ekran_trusted;
		GRANT SELECT (activity_id, application, url) ON %1$I.activity TO regress_ekran_analyst;
		GRANT INSERT ON %1$I.client, %1$I.app_user, %1$I.session, %1$I.activity TO regress_ekran_agent;
		GRANT SELECT (session_id), UPDATE (logout_date) ON %1$I.session TO regress_ekran_agent;
		GRANT SELECT ON %1$I.activity TO regress_ekran_curious, regress_ekran_trusted;

		ALTER TABLE %1$I.session ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own_team ON %1$I.session TO regress_ekran_lead, regress_ekran_trusted USING (user_id = 1);
		CREATE POLICY of_team ON %1$I.session TO regress_ekran_curious USING (user_id IN (SELECT u.user_id FROM %1$I.app_user u));
		CREATE POLICY everything ON %1$I.session TO regress_ekran_reader, regress_ekran_agent USING (true);
		ALTER TABLE %1$I.app_user ENABLE ROW LEVEL SECURITY;
		CREATE POLICY own_team ON %1$I.app_user TO regress_ekran_lead, regress_ekran_curious, regress_ekran_trusted USING (user_id = 1);
		CREATE POLICY everything ON %1$I.app_user TO regress_ekran_reader, regress_ekran_agent USING (true);
	$f$, store);
END
$$;
SET ROLE regress_ekran_owner;
CALL testing.hand_over('roles');
SET ekran_sessions.store = 'roles';

-- To everybody, the store and the extension grant nothing that reads, and lend no rights.
SELECT relname, privilege_type FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'roles'::regnamespace AND grantee = 0;
SELECT nspname, privilege_type FROM pg_namespace, aclexplode(nspacl) WHERE nspname = 'roles' AND grantee = 0;
SELECT count(*) AS lending FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'ekran_sessions' WHERE p.prosecdef;
SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'roles'::regnamespace AND relkind = 'v' ORDER BY relname;

-- Two sessions of Ada's, whom the lead leads, and two of a stranger's; of each, one runs.
INSERT INTO roles.client VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'PC');
INSERT INTO roles.app_user VALUES (1, 'Ada'), (2, 'Stranger');
INSERT INTO roles.session VALUES
	(1, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 1, '2024-01-01 08:00', '2024-01-01 09:00'),
	(2, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 1, '2024-01-01 10:00', NULL),
	(77001, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 2, '2024-01-01 08:17', '2024-01-01 09:17'),
	(77002, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 2, '2024-01-01 10:17', NULL);
INSERT INTO roles.activity (session_id, activity_date, application, url, title)
SELECT session_id, login_date + n * interval '13 min', CASE user_id WHEN 1 THEN 'mail' ELSE 'strangers.exe' END,
	CASE user_id WHEN 1 THEN 'https://mail.example/' ELSE 'https://strangers.example/' END, 'Title ' || user_id
FROM roles.session, generate_series(0, 3) n;
RESET ROLE;

CREATE TABLE testing.call (place int GENERATED ALWAYS AS IDENTITY, call text, statement text);
INSERT INTO testing.call (call, statement) VALUES
	('ekran_sessions', 'SELECT * FROM ekran_sessions()'),
	('ekran_sessions_after', 'SELECT * FROM ekran_sessions_after()'),
	('ekran_sessions_all', 'SELECT * FROM ekran_sessions_all()'),
	('ekran_session_list', 'SELECT * FROM ekran_session_list()'),
	('ekran_sessions_total_count', 'SELECT ekran_sessions_total_count()'),
	('ekran_sessions_json', 'SELECT ekran_sessions_json()'),
	('ekran_session_list_json', 'SELECT ekran_session_list_json()'),
	('ekran_application_statistics', 'SELECT * FROM ekran_application_statistics()'),
	('ekran_application_statistics_json', 'SELECT ekran_application_statistics_json()'),
	('ekran_url_statistics', 'SELECT * FROM ekran_url_statistics()'),
	('ekran_url_statistics_json', 'SELECT ekran_url_statistics_json()'),
	('ekran_user_productivity', 'SELECT * FROM ekran_user_productivity()'),
	('ekran_user_productivity_json', 'SELECT ekran_user_productivity_json()'),
	('ekran_session_timeline', 'SELECT * FROM ekran_session_timeline(1)'),
	('ekran_session_timeline of a stranger''s', 'SELECT * FROM ekran_session_timeline(77001)'),
	('ekran_session_figures', $$SELECT ekran_session_figures('roles'::regnamespace, 1, '2024-01-01 08:00', '2024-01-01 09:00')$$),
	('ekran_session_days', $$SELECT ekran_session_days('roles'::regnamespace, 1, '2024-01-01 08:00', '2024-01-01 09:00')$$),
	('session_overview', 'SELECT * FROM roles.session_overview'),
	('user_day', 'SELECT * FROM roles.user_day'),
	('ekran_status', 'SELECT state FROM ekran_status()'),
	('ekran_check', 'SELECT * FROM ekran_check()'),
	('ekran_refresh', 'SELECT ekran_refresh()'),
	('ekran_rebuild', 'SELECT ekran_rebuild()'),
	('ekran_close_sessions', $$SELECT * FROM ekran_close_sessions('0', '2023-01-01')$$),
	('ekran_purge', $$SELECT ekran_purge('2023-01-01')$$),
	('ekran_create_store, of this one', $$SELECT ekran_create_store('roles')$$),
	('ekran_create_store, of another', $$SELECT ekran_create_store('roles_another')$$),
	('add an activity', $$INSERT INTO roles.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:30')$$),
	('add one to a stranger''s', $$INSERT INTO roles.activity (session_id, activity_date) VALUES (77001, '2024-01-01 08:30')$$),
	('add one to no session', $$INSERT INTO roles.activity (session_id, activity_date) VALUES (5, '2024-01-01 08:30')$$),
	('open a session', $$INSERT INTO roles.session (session_id, user_id, login_date) VALUES (3, 1, '2024-01-01')$$),
	('close a session', $$UPDATE roles.session SET logout_date = '2024-01-02' WHERE session_id = 2$$),
	('close a stranger''s', $$UPDATE roles.session SET logout_date = '2024-01-02' WHERE session_id = 77002$$),
	('change an activity', $$UPDATE roles.activity SET activity_date = '2024-01-01 08:31'$$),
	('delete a session', 'DELETE FROM roles.session WHERE session_id = 1'),
	('delete activities', 'DELETE FROM roles.activity'),
	('empty the store', 'TRUNCATE roles.session, roles.activity'),
	('read titles', 'SELECT title FROM roles.activity'),
	('read what is derived', 'SELECT FROM roles.session_idle, roles.pending, roles.session_count'),
	('write what is derived', 'DELETE FROM roles.pending'),
	('disable a trigger', 'ALTER TABLE roles.activity DISABLE TRIGGER ALL');
GRANT SELECT ON testing.call TO PUBLIC;

-- How many rows a role gets or changes by a statement, or the error's SQLSTATE. Nothing
-- is left of it.
CREATE FUNCTION testing.outcome(who name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	count bigint;
BEGIN
	PERFORM set_config('role', who, true);
	EXECUTE statement;
	GET DIAGNOSTICS count = ROW_COUNT;
	RAISE 'undo' USING ERRCODE = 'ZZ000', DETAIL = count;
EXCEPTION
	WHEN SQLSTATE 'ZZ000' THEN
		RETURN count;
	WHEN OTHERS THEN
		RETURN SQLSTATE;
END
$$;
-- An INSERT's or a call's rows are those of the statement; of a count, what it says is
-- compared further below.
SELECT call, testing.outcome('regress_ekran_owner', statement) AS owner,
	testing.outcome('regress_ekran_keeper', statement) AS keeper,
	testing.outcome('regress_ekran_reader', statement) AS reader,
	testing.outcome('regress_ekran_analyst', statement) AS analyst,
	testing.outcome('regress_ekran_lead', statement) AS lead,
	testing.outcome('regress_ekran_agent', statement) AS agent,
	testing.outcome('regress_ekran_nobody', statement) AS nobody
FROM testing.call ORDER BY place;
-- A procedure commits, so it is called outside of transactions.
\set VERBOSITY sqlstate
SET ROLE regress_ekran_keeper;
CALL ekran_maintain();
SET ROLE regress_ekran_reader;
CALL ekran_maintain();
SET ROLE regress_ekran_lead;
CALL ekran_maintain();
SET ROLE regress_ekran_agent;
CALL ekran_maintain();
SET ROLE regress_ekran_nobody;
CALL ekran_maintain();
RESET ROLE;
\set VERBOSITY default

-- What a lead is told, in rows, errors and plans, must be what they would be told by a
-- store that has their team alone.
SET ROLE regress_ekran_owner;
CALL testing.hand_over('alone');
INSERT INTO alone.client TABLE roles.client;
INSERT INTO alone.app_user SELECT * FROM roles.app_user WHERE user_id = 1;
INSERT INTO alone.session SELECT * FROM roles.session WHERE user_id = 1;
INSERT INTO alone.activity (activity_id, session_id, activity_date, application, url, title)
SELECT activity_id, session_id, activity_date, application, url, title FROM roles.activity JOIN roles.session USING (session_id) WHERE user_id = 1;
-- a crowd of strangers, so that estimates would tell
INSERT INTO roles.session SELECT i, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 2, '2024-01-01'::timestamptz + i * interval '5 s', '2024-01-01'::timestamptz + i * interval '7 s' FROM generate_series(78001, 82000) i;
RESET ROLE;

CREATE TABLE testing.question (place int GENERATED ALWAYS AS IDENTITY, statement text);
INSERT INTO testing.question (statement) VALUES
	('SELECT * FROM ekran_sessions()'), ('SELECT * FROM ekran_sessions(''2024-01-01 08:20'', ''2024-01-01 11:00'', 100, 0)'),
	('SELECT * FROM ekran_sessions(count => 1, page => 1)'), ('SELECT * FROM ekran_sessions(page => 1)'),
	('SELECT * FROM ekran_sessions(users => ''{1,2}'')'), ('SELECT * FROM ekran_sessions(users => ''{2}'')'),
	('SELECT * FROM ekran_sessions(users => ''{3}'')'), ('SELECT * FROM ekran_sessions(clients => ''{6ba7b810-9dad-11d1-80b4-00c04fd430c8}'')'),
	('SELECT * FROM ekran_sessions_after()'), ('SELECT * FROM ekran_sessions_after(after_session_id => 1)'),
	('SELECT * FROM ekran_sessions_after(after_session_id => 77001)'), ('SELECT * FROM ekran_sessions_after(after_session_id => 5)'),
	('SELECT * FROM ekran_sessions_all()'), ('SELECT ekran_sessions_all()'),
	('SELECT * FROM ekran_session_list()'),
	('SELECT ekran_sessions_total_count()'), ('SELECT ekran_sessions_total_count(''2024-01-01'', ''2024-01-02'')'),
	('SELECT ekran_sessions_total_count(''2024-01-02'', ''2024-01-09'')'),
	('SELECT ekran_sessions_total_count(users => ''{1,2}'')'), ('SELECT ekran_sessions_total_count(users => ''{2}'')'),
	('SELECT ekran_sessions_json()'), ('SELECT ekran_sessions_json("pageIndex" => 7)'), ('SELECT ekran_session_list_json()'),
	('SELECT * FROM ekran_user_productivity()'), ('SELECT ekran_user_productivity_json()'),
	('SELECT * FROM ekran_application_statistics()'), ('SELECT ekran_application_statistics_json()'),
	('SELECT * FROM ekran_url_statistics()'), ('SELECT ekran_url_statistics_json()'),
	('SELECT * FROM ekran_session_timeline(1)'), ('SELECT * FROM ekran_session_timeline(77001)'), ('SELECT * FROM ekran_session_timeline(5)'),
	('SELECT * FROM roles.session_overview ORDER BY session_id'), ('SELECT * FROM roles.session_overview WHERE session_id = 77001'),
	('SELECT * FROM roles.user_day ORDER BY day, user_id'), ('SELECT state, answered_by, counted_by FROM ekran_status()');
GRANT SELECT ON testing.question TO PUBLIC;

-- All that a role gets to read by a statement: its rows, or its error whole; and by its
-- plan. Of two stores, the names are made one.
CREATE FUNCTION testing.told(who name, store name, statement text, OUT answer text, OUT plan text) LANGUAGE plpgsql AS $$
DECLARE
	code text;
	message text;
	detail text;
	hint text;
BEGIN
	PERFORM set_config('role', who, true), set_config('ekran_sessions.store', store, true);
	statement := replace(statement, 'roles.', store || '.');
	BEGIN
		EXECUTE format('SELECT string_agg(q::text, E''\n'') FROM (%s) q', statement) INTO answer;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		answer := replace(concat_ws('|', code, message, detail, hint), store, 'roles');
	END;
	-- what the functions tell the planner; of tables in the views, the server tells
	IF statement LIKE '%ekran\_%' THEN
		EXECUTE 'EXPLAIN (FORMAT json) ' || statement INTO plan;
	END IF;
	PERFORM set_config('role', 'none', true), set_config('ekran_sessions.store', 'roles', true);
END
$$;
-- The strangers' sessions are there for the owner, so that something is to be hidden; the
-- answers are asked for in turn, so that plans which are kept would tell.
CREATE FUNCTION testing.compare(who name) RETURNS TABLE (questions bigint, differing bigint, plans bigint, differing_plans bigint, errors text, owner_is_told_more bigint, owner_has_another_plan bigint)
LANGUAGE plpgsql AS $$
DECLARE
	q record;
	owners record;
	theirs record;
	alone record;
BEGIN
	questions := 0; differing := 0; plans := 0; differing_plans := 0; owner_is_told_more := 0; owner_has_another_plan := 0; errors := '';
	FOR q IN SELECT * FROM testing.question ORDER BY place LOOP
		owners := testing.told('regress_ekran_owner', 'roles', q.statement);
		theirs := testing.told(who, 'roles', q.statement);
		alone := testing.told(who, 'alone', q.statement);
		questions := questions + 1;
		IF theirs.answer IS DISTINCT FROM alone.answer THEN
			differing := differing + 1;
			RAISE WARNING '% is told by "%": %, instead of: %', who, q.statement, theirs.answer, alone.answer;
		END IF;
		plans := plans + (theirs.plan IS NOT NULL)::int;
		IF theirs.plan IS DISTINCT FROM alone.plan THEN
			differing_plans := differing_plans + 1;
			RAISE WARNING '% is told by the plan of "%": %, instead of: %', who, q.statement, theirs.plan, alone.plan;
		END IF;
		owner_is_told_more := owner_is_told_more + (owners.answer IS DISTINCT FROM theirs.answer)::int;
		owner_has_another_plan := owner_has_another_plan + (owners.plan IS DISTINCT FROM theirs.plan)::int;
		IF theirs.answer ~ '^[0-9A-Z]{5}\|' THEN
			errors := errors || E'\n' || substr(theirs.answer, 1, 5) || ' ' || q.statement;
		END IF;
	END LOOP;
	RETURN NEXT;
END
$$;
SELECT * FROM testing.compare('regress_ekran_lead') \gx
SELECT * FROM testing.compare('regress_ekran_trusted') \gx
-- and where policies hide activities, to one who finds out their team by a policy
SET ROLE regress_ekran_owner;
SELECT format($$
	ALTER TABLE %1$I.activity ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own_team ON %1$I.activity TO regress_ekran_lead, regress_ekran_curious, regress_ekran_trusted
		USING (EXISTS (SELECT FROM %1$I.session s WHERE s.session_id = activity.session_id));
	CREATE POLICY everything ON %1$I.activity TO regress_ekran_reader, regress_ekran_agent USING (true)$$, store)
FROM unnest(ARRAY['roles', 'alone']) store \gexec
RESET ROLE;
SELECT * FROM testing.compare('regress_ekran_curious') \gx
SELECT * FROM testing.compare('regress_ekran_lead') \gx
SELECT * FROM testing.compare('regress_ekran_trusted') \gx

-- A function of the owner's that lends its rights: whose store it reads must be its own
-- setting, or a caller has it read theirs, and run with its owner's rights what they have
-- planted there (README: "Access").
CREATE SCHEMA planted AUTHORIZATION regress_ekran_nobody;
GRANT USAGE ON SCHEMA planted TO PUBLIC;
SET ROLE regress_ekran_nobody;
CREATE TABLE planted.ran_as (role name);
GRANT INSERT ON planted.ran_as TO PUBLIC;
CREATE FUNCTION planted.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO planted.ran_as VALUES (current_user); RETURN true; END $$;
CREATE VIEW planted.session AS SELECT 1::bigint AS session_id, NULL::uuid AS client_guid, 1 AS user_id, timestamptz '2024-01-01' AS login_date, timestamptz '2024-01-02' AS logout_date WHERE planted.trap();
CREATE VIEW planted.activity AS SELECT 1::bigint AS session_id, timestamptz '2024-01-01' AS activity_date;
CREATE VIEW planted.client AS SELECT NULL::uuid AS client_guid, NULL AS client_name WHERE false;
CREATE VIEW planted.app_user AS SELECT 1 AS user_id, 'mine' AS user_name;
GRANT SELECT ON planted.session, planted.activity, planted.client, planted.app_user TO PUBLIC;
SET ROLE regress_ekran_owner;
CREATE FUNCTION testing.lent() RETURNS TABLE (user_name text, sessions bigint) LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET ekran_sessions.store = 'roles'
AS $$ SELECT user_name, count(*) FROM public.ekran_sessions('2024-01-01', '2024-01-03') GROUP BY user_name ORDER BY 2 $$;
CREATE FUNCTION testing.lent_carelessly() RETURNS TABLE (user_name text, sessions bigint) LANGUAGE sql VOLATILE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$ SELECT user_name, count(*) FROM public.ekran_sessions('2024-01-01', '2024-01-03') GROUP BY user_name ORDER BY 2 $$;
SET ROLE regress_ekran_nobody;
SET ekran_sessions.store = 'planted';
SELECT * FROM testing.lent();
SELECT * FROM planted.ran_as;
SELECT * FROM testing.lent_carelessly();
SELECT DISTINCT * FROM planted.ran_as;
RESET ROLE;

DROP FUNCTION testing.lent, testing.lent_carelessly, testing.compare, testing.told, testing.outcome;
DROP PROCEDURE testing.hand_over;
DROP TABLE testing.call, testing.question;
DROP SCHEMA roles, alone, planted CASCADE;
REVOKE CREATE ON SCHEMA testing FROM PUBLIC;
SELECT format('REVOKE ALL ON DATABASE %I FROM regress_ekran_owner', current_database()) \gexec
DROP ROLE regress_ekran_owner, regress_ekran_keeper, regress_ekran_agent, regress_ekran_reader, regress_ekran_analyst, regress_ekran_lead, regress_ekran_curious, regress_ekran_trusted, regress_ekran_nobody;
