-- Who may do what: readers, agents, row-level security.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_owner;
CREATE ROLE regress_ekran_reader;
CREATE ROLE regress_ekran_agent;
CREATE ROLE regress_ekran_nobody;
GRANT USAGE ON SCHEMA testing TO PUBLIC;
GRANT CREATE ON SCHEMA testing TO regress_ekran_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_owner', current_database()) \gexec

-- The store belongs to who made it, without being a superuser.
SET ROLE regress_ekran_owner;
SELECT ekran_create_store('rights');
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'rights'::regnamespace;
SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'rights';
SET ekran_sessions.store = 'rights';
INSERT INTO rights.client VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'PC');
INSERT INTO rights.app_user VALUES (1, 'Ada'), (2, 'Ben');
INSERT INTO rights.session VALUES
	(1, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 1, '2024-01-01 08:00', '2024-01-01 09:00'),
	(2, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', 2, '2024-01-01 08:30', NULL);

-- Nobody else may read, add to or complete it.
SET ROLE regress_ekran_nobody;
SELECT s, f.code, f.message FROM unnest(ARRAY[
	'SELECT * FROM ekran_sessions()', 'SELECT ekran_sessions_total_count()',
	'SELECT ekran_sessions_json()', 'SELECT * FROM ekran_sessions_after(after_session_id => 1)',
	$$SELECT ekran_create_store('mine')$$]) s, LATERAL testing.failure(s) f;
RESET ROLE;
GRANT USAGE ON SCHEMA rights TO regress_ekran_nobody, regress_ekran_reader, regress_ekran_agent;
CREATE SCHEMA hidden;
SET ROLE regress_ekran_nobody;
SELECT s, f.code, f.message FROM unnest(ARRAY[
	'SELECT * FROM ekran_sessions()', 'SELECT ekran_sessions_total_count()',
	'SELECT * FROM ekran_sessions_after(after_session_id => 1)']) s, LATERAL testing.failure(s) f;
-- they are told what it takes
\x on
SELECT DISTINCT f.code, f.hint FROM unnest(ARRAY[
	'SELECT * FROM ekran_sessions()', 'SELECT ekran_sessions_total_count()',
	'SELECT ekran_sessions_json()', 'SELECT * FROM ekran_sessions_after(after_session_id => 1)',
	'SET ekran_sessions.store = ''hidden''; SELECT * FROM ekran_sessions()', 'SELECT ekran_check()',
	$$SELECT ekran_create_store('mine')$$, $$SELECT ekran_create_store('hidden')$$,
	$$SELECT ekran_create_store('rights')$$]) s, LATERAL testing.failure(s) f
ORDER BY 2;
\x off
RESET ROLE;
DROP SCHEMA hidden;

-- An agent inserts activities with INSERT on activity alone; it reads nothing.
GRANT INSERT ON rights.activity TO regress_ekran_agent;
SET ROLE regress_ekran_agent;
INSERT INTO rights.activity (session_id, activity_date, application, title)
VALUES (1, '2024-01-01 08:10', 'mail', 'secret'), (2, '2024-01-01 09:40', 'mail', 'secret');
SELECT s, f.code, f.message FROM unnest(ARRAY[
	$$INSERT INTO rights.activity (session_id, activity_date) VALUES (3, '2024-01-01')$$,
	'SELECT * FROM rights.activity', 'SELECT * FROM rights.session',
	'DELETE FROM rights.activity', 'TRUNCATE rights.activity',
	$$INSERT INTO rights.session (session_id, login_date) VALUES (3, '2024-01-01')$$,
	'SELECT * FROM ekran_sessions()',
	$$SELECT setval('rights.activity_activity_id_seq', 1)$$,
	'SELECT last_value FROM rights.activity_activity_id_seq']) s, LATERAL testing.failure(s) f;
RESET ROLE;

-- A reader needs SELECT on three tables and on two columns of activity: what
-- people did stays hidden.
GRANT SELECT ON rights.session, rights.client, rights.app_user TO regress_ekran_reader;
GRANT SELECT (session_id, activity_date) ON rights.activity TO regress_ekran_reader;
SET ROLE regress_ekran_reader;
SELECT session_id, client_name, user_name, duration, idle_time FROM ekran_sessions();
SELECT ekran_sessions_total_count();
SELECT session_id FROM ekran_sessions_after(after_session_id => 1);
SELECT json_array_length(ekran_sessions_json()->'sessions');
SELECT code, message FROM testing.failure('SELECT title FROM rights.activity');
SELECT code, message FROM testing.failure($$INSERT INTO rights.activity (session_id, activity_date) VALUES (1, '2024-01-01')$$);
RESET ROLE;

-- So far it has read activities. With the derived tables it reads by the index;
-- where a policy hides activities, or what is pending, it does not.
GRANT SELECT ON rights.session_idle, rights.pending TO regress_ekran_reader;
SET ROLE regress_ekran_reader;
SELECT session_id, idle_time FROM ekran_sessions();
RESET ROLE;
CALL testing.forge($f$UPDATE rights.session_idle SET gap_start = '{-infinity}', gap_end = '{infinity}' WHERE session_id IS NOT NULL$f$);
CALL testing.forge($f$DELETE FROM rights.pending WHERE session_id IS NOT NULL$f$);
SET ROLE regress_ekran_reader;
SELECT session_id, idle_time AS by_wrong_gaps FROM ekran_sessions();
RESET ROLE;
ALTER TABLE rights.pending ENABLE ROW LEVEL SECURITY;
SET ROLE regress_ekran_reader;
SELECT session_id, idle_time AS pending_hidden FROM ekran_sessions();
RESET ROLE;
ALTER TABLE rights.pending DISABLE ROW LEVEL SECURITY;
ALTER TABLE rights.activity ENABLE ROW LEVEL SECURITY;
CREATE POLICY early ON rights.activity TO regress_ekran_reader USING (activity_date < '2024-01-01 09:00');
SET ROLE regress_ekran_reader;
SELECT session_id, idle_time AS activity_hidden FROM ekran_sessions();
SELECT code, message FROM testing.failure('SELECT * FROM ekran_check()');
RESET ROLE;
GRANT INSERT, UPDATE, DELETE ON rights.session_idle, rights.pending TO regress_ekran_reader;
GRANT UPDATE ON rights.session TO regress_ekran_reader;
SET ROLE regress_ekran_reader;
SELECT code, message FROM testing.failure('SELECT ekran_rebuild()');
RESET ROLE;
REVOKE INSERT, UPDATE, DELETE ON rights.session_idle, rights.pending FROM regress_ekran_reader;
REVOKE UPDATE ON rights.session FROM regress_ekran_reader;
ALTER TABLE rights.activity DISABLE ROW LEVEL SECURITY;
SET ROLE regress_ekran_reader;
SELECT s, f.code, f.message FROM unnest(ARRAY['SELECT ekran_rebuild()', $$SELECT ekran_purge('infinity')$$,
	$$SELECT ekran_close_sessions('0', '2025-01-01')$$]) s, LATERAL testing.failure(s) f;
RESET ROLE;
SELECT ekran_rebuild();
SET ROLE regress_ekran_reader;
SELECT session_id, idle_time FROM ekran_sessions();
RESET ROLE;

-- A view in the place of activity, which shows what its own policies show: the
-- index, of all activities, does not answer for it.
ALTER TABLE rights.activity RENAME TO activity_of_all;
ALTER TABLE rights.activity_of_all ENABLE ROW LEVEL SECURITY;
CREATE VIEW rights.activity WITH (security_invoker) AS SELECT session_id, activity_date FROM rights.activity_of_all;
GRANT SELECT ON rights.activity TO regress_ekran_reader;
SET ROLE regress_ekran_reader;
SELECT session_id, idle_time AS through_a_view FROM ekran_sessions();
RESET ROLE;
DROP VIEW rights.activity;
ALTER TABLE rights.activity_of_all DISABLE ROW LEVEL SECURITY;
ALTER TABLE rights.activity_of_all RENAME TO activity;
SET ROLE regress_ekran_reader;
SELECT session_id, idle_time AS again FROM ekran_sessions();
RESET ROLE;

-- Rights taken back hold at once, under the plans that are saved by now.
REVOKE SELECT ON rights.client FROM regress_ekran_reader;
SET ROLE regress_ekran_reader;
SELECT code, message FROM testing.failure('SELECT * FROM ekran_sessions()');
RESET ROLE;
GRANT SELECT ON rights.client TO regress_ekran_reader;
REVOKE USAGE ON SCHEMA rights FROM regress_ekran_reader;
SET ROLE regress_ekran_reader;
SELECT code, message FROM testing.failure('SELECT * FROM ekran_sessions()');
RESET ROLE;
GRANT USAGE ON SCHEMA rights TO regress_ekran_reader;

-- Row-level security: a reader sees Ada's sessions only, in every function,
-- also where the owner's plans are saved; the owner sees all.
SET ROLE regress_ekran_owner;
ALTER TABLE rights.session ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_ada ON rights.session TO regress_ekran_reader USING (user_id = 1);
CREATE FUNCTION testing.seen(OUT who name, OUT sessions bigint[], OUT total int, OUT in_json int, OUT after_first bigint[], OUT after_hidden text)
LANGUAGE sql AS $$
	SELECT current_user,
		(SELECT array_agg(session_id) FROM ekran_sessions()),
		ekran_sessions_total_count(),
		json_array_length(ekran_sessions_json()->'sessions'),
		(SELECT array_agg(session_id) FROM ekran_sessions_after(after_session_id => 1)),
		(SELECT message FROM testing.failure('SELECT * FROM ekran_sessions_after(after_session_id => 2)'))
$$;
SELECT * FROM testing.seen();
SET ROLE regress_ekran_reader;
SELECT * FROM testing.seen();
SET ROLE regress_ekran_owner;
SELECT * FROM testing.seen();
SET ROLE regress_ekran_reader;
SELECT * FROM testing.seen();
-- row_security off is an error, never more rows, and no grant would help
SET row_security = off;
SELECT code, message, hint FROM testing.failure('SELECT * FROM ekran_sessions()');
RESET row_security;
-- a policy's own refusal keeps its own hint
RESET ROLE;
CREATE FUNCTION testing.refuse() RETURNS boolean LANGUAGE plpgsql AS
	$$BEGIN RAISE insufficient_privilege USING MESSAGE = 'not today', HINT = 'Come tomorrow.'; END$$;
ALTER POLICY only_ada ON rights.session USING (testing.refuse());
SET ROLE regress_ekran_reader;
SELECT s, f.code, f.message, f.hint FROM unnest(ARRAY[
	'SELECT * FROM ekran_sessions()', 'SELECT ekran_sessions_total_count()',
	'SELECT * FROM ekran_sessions_after(after_session_id => 1)']) s, LATERAL testing.failure(s) f;
RESET ROLE;
ALTER POLICY only_ada ON rights.session USING (user_id = 1);
DROP FUNCTION testing.refuse();
-- Policies don't keep an agent from a session that it may add to, also where
-- they are forced upon the owner.
ALTER TABLE rights.session FORCE ROW LEVEL SECURITY;
SET ROLE regress_ekran_agent;
INSERT INTO rights.activity (session_id, activity_date) VALUES (2, '2024-01-01 09:50');
RESET ROLE;
ALTER TABLE rights.session NO FORCE ROW LEVEL SECURITY;

-- An operator deletes sessions with DELETE on session alone.
CREATE POLICY operator ON rights.session TO regress_ekran_nobody USING (true);
GRANT DELETE, SELECT (session_id) ON rights.session TO regress_ekran_nobody;
SET ROLE regress_ekran_nobody;
DELETE FROM rights.session WHERE session_id = 2;
SELECT code, message FROM testing.failure('DELETE FROM rights.activity');
RESET ROLE;
SELECT session_id, count(*) FROM rights.activity GROUP BY 1;

-- What runs with the owner's rights finds the server's own objects, whatever
-- the agent's search_path, and nothing that others have put into the store.
CREATE SCHEMA hostile AUTHORIZATION regress_ekran_agent;
SET ROLE regress_ekran_agent;
CREATE TABLE hostile.executed (by name);
CREATE FUNCTION hostile.equal(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO hostile.executed VALUES (current_user);
	RETURN true;
END $$;
CREATE OPERATOR hostile.= (FUNCTION = hostile.equal, LEFTARG = bigint, RIGHTARG = bigint);
CREATE FUNCTION hostile.earlier(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.equal(1, 1) $$;
CREATE OPERATOR hostile.< (FUNCTION = hostile.earlier, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE OPERATOR hostile.> (FUNCTION = hostile.earlier, LEFTARG = timestamptz, RIGHTARG = timestamptz);
CREATE FUNCTION hostile.tstzrange(timestamptz, timestamptz) RETURNS tstzrange LANGUAGE sql AS $$ SELECT NULL::tstzrange FROM hostile.equal(1, 1) $$;
CREATE FUNCTION hostile.isfinite(timestamptz) RETURNS boolean LANGUAGE sql AS $$ SELECT hostile.equal(1, 1) $$;
CREATE TABLE hostile.session (session_id bigint);
CREATE TABLE hostile.activity (session_id bigint);
SET search_path = hostile, pg_catalog, public;
INSERT INTO rights.activity (session_id, activity_date) VALUES (1, '2024-01-01 08:20');
SELECT code, message FROM testing.failure($$INSERT INTO rights.activity (session_id, activity_date) VALUES (99, '2024-01-01')$$);
RESET ROLE;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;
GRANT ALL ON ALL TABLES IN SCHEMA hostile TO PUBLIC;
SET ROLE regress_ekran_owner;
SET search_path = hostile, pg_catalog, public;
SELECT session_id, duration FROM ekran_sessions('2024-01-01 08:05', '2024-01-01 08:30');
SELECT ekran_sessions_total_count('2024-01-01 08:05', '2024-01-01 08:30');
SELECT session_id FROM ekran_sessions_after(after_session_id => 1);
SELECT ekran_create_store('surrounded');
INSERT INTO surrounded.session (session_id, login_date) VALUES (1, '2024-01-01');
DELETE FROM surrounded.session;
SELECT indexdef FROM pg_indexes WHERE schemaname = 'surrounded' AND tablename = 'session' ORDER BY 1;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'surrounded.session'::regclass AND contype NOT IN ('n', 't') ORDER BY 1;
SELECT count(*) FROM hostile.executed;
RESET search_path;
RESET ROLE;

DROP FUNCTION testing.seen;
DROP SCHEMA rights, surrounded, hostile CASCADE;
REVOKE ALL ON SCHEMA testing FROM regress_ekran_owner;
SELECT format('REVOKE ALL ON DATABASE %I FROM regress_ekran_owner', current_database()) \gexec
DROP ROLE regress_ekran_owner, regress_ekran_reader, regress_ekran_agent, regress_ekran_nobody;
