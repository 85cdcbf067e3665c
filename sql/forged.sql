-- What an owner, an agent or a reader makes of their own: triggers of ours on their
-- tables, indexes and constraints on the derived ones, changes of these amid a call,
-- counts that count nothing. It runs nobody's code as somebody else, deletes and counts
-- nothing that isn't theirs, tells nothing, and crashes nothing.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_owner;
CREATE ROLE regress_ekran_agent;
CREATE ROLE regress_ekran_reader;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_owner, regress_ekran_agent', current_database()) \gexec
GRANT USAGE ON SCHEMA testing TO regress_ekran_owner, regress_ekran_agent, regress_ekran_reader;
SET ROLE regress_ekran_owner;
SELECT ekran_create_store('forged');
INSERT INTO forged.session SELECT i, NULL, NULL, '2024-01-01 00:00+00'::timestamptz + i * interval '1 hour', '2024-01-04' FROM generate_series(1, 50) i;
INSERT INTO forged.session SELECT i, NULL, NULL, '2024-01-01 00:00+00'::timestamptz + i * interval '1 hour' FROM generate_series(51, 60) i;
INSERT INTO forged.activity (session_id, activity_date) SELECT i, '2024-01-03 12:00+00'::timestamptz + i * interval '1 minute' FROM generate_series(1, 60) i;
RESET ROLE;
SET ekran_sessions.store = 'forged';
SELECT ekran_rebuild();
GRANT USAGE ON SCHEMA forged TO regress_ekran_agent, regress_ekran_reader;
GRANT SELECT (session_id), UPDATE (logout_date), INSERT ON forged.session TO regress_ekran_agent;
GRANT SELECT ON ALL TABLES IN SCHEMA forged TO regress_ekran_reader;
CREATE FUNCTION testing.told() RETURNS text LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = testing, public AS $$
	SELECT format('%s sessions, %s told, %s activities, %s, checked: %s', (SELECT count(*) FROM forged.session), ekran_sessions_total_count(), (SELECT count(*) FROM forged.activity),
		(SELECT state FROM ekran_status()), (SELECT count(*) FROM ekran_check()))
$$;

-- An agent's tables with our trigger and the store's own generation, in all ways.
SET ROLE regress_ekran_agent;
SELECT DISTINCT split_part(encode(tgargs, 'escape'), '\000', 1) AS generation FROM pg_trigger WHERE tgrelid = 'forged.session'::regclass AND tgfoid = 'ekran_session_changed'::regproc \gset
CREATE SCHEMA agents;
CREATE TABLE agents.session (session_id bigint, login_date timestamptz, logout_date timestamptz);
CREATE TABLE agents.activity (session_id bigint, activity_date timestamptz);
CREATE TRIGGER r AFTER INSERT OR UPDATE OR DELETE ON agents.session FOR EACH ROW EXECUTE FUNCTION ekran_session_changed(:'generation');
SELECT message FROM testing.failure('INSERT INTO agents.session (session_id) SELECT generate_series(1, 40)');
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON agents.session FOR EACH STATEMENT EXECUTE FUNCTION ekran_session_changed(:'generation');
SELECT message FROM testing.failure('INSERT INTO agents.session (session_id) SELECT generate_series(1, 40)');
ALTER TABLE agents.session DISABLE TRIGGER b, DISABLE TRIGGER r;
INSERT INTO agents.session (session_id) SELECT generate_series(1, 40);
ALTER TABLE agents.session ENABLE TRIGGER r;
CREATE FUNCTION agents.f() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
	BEGIN DELETE FROM agents.session; EXCEPTION WHEN OTHERS THEN RAISE WARNING '%', SQLERRM; END; RETURN 777; END $$;
INSERT INTO forged.session (session_id, login_date) VALUES (agents.f(), '2024-01-03');
UPDATE forged.session SET logout_date = NULL WHERE false;
RESET ROLE;
SELECT testing.told();
DELETE FROM forged.session WHERE session_id = 777;
DROP SCHEMA agents CASCADE;

-- An index whose predicate runs the owner's code: nobody runs it but the owner.
SET ROLE regress_ekran_owner;
CREATE FUNCTION forged.really() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
	IF current_user <> 'regress_ekran_owner' THEN RAISE WARNING 'runs as %', current_user; END IF; RETURN true; END $$;
CREATE FUNCTION forged.evil(i int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN forged.really(); END $$;
CREATE INDEX evil ON forged.session_idle USING gist (reach) WHERE reach IS NOT NULL AND forged.evil(1);
CREATE INDEX evil_too ON forged.pending (session_id) WHERE forged.evil(2);
CREATE INDEX evil_as_well ON forged.session_count (day) WHERE forged.evil(3);
RESET ROLE;
SELECT state, reason FROM ekran_status();
EXPLAIN (COSTS OFF) SELECT * FROM ekran_sessions('2024-01-01', '2024-02-01');
SELECT ekran_sessions_total_count('2024-01-02'), count(*) FROM ekran_sessions('2024-01-02');
SELECT s, f.code FROM unnest(ARRAY['SELECT ekran_create_store(''forged'')', 'SELECT ekran_refresh()', 'SELECT ekran_rebuild()', 'SELECT * FROM ekran_check()', 'CALL ekran_maintain()',
	'INSERT INTO forged.session VALUES (900, NULL, NULL, ''2024-01-01'')', 'INSERT INTO forged.activity (session_id, activity_date) VALUES (1, ''2024-01-01'')']) s, LATERAL testing.failure(s) f;
DROP INDEX forged.evil, forged.evil_too, forged.evil_as_well;

-- Derived tables changed by what runs inside of a call: what is answered by them no more
-- is read from the others.
SET ROLE regress_ekran_owner;
CREATE FUNCTION forged.hit() RETURNS boolean LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$ BEGIN
	IF current_setting('testing.ddl', true) <> '' THEN
		EXECUTE current_setting('testing.ddl') || set_config('testing.ddl', '', true);
	END IF; RETURN true; END $$;
CREATE POLICY p ON forged.activity TO regress_ekran_reader USING (forged.hit());
CREATE POLICY p ON forged.session TO regress_ekran_reader USING (forged.hit());
RESET ROLE;
CREATE FUNCTION testing.amid(ddl text, on_session boolean, OUT total text, OUT page text, OUT following text) LANGUAGE plpgsql AS $$
DECLARE
	call text;
	outcome text;
	outcomes text[] := '{}';
BEGIN
	EXECUTE format('ALTER TABLE forged.activity %s ROW LEVEL SECURITY', CASE WHEN on_session THEN 'DISABLE' ELSE 'ENABLE' END);
	EXECUTE format('ALTER TABLE forged.session %s ROW LEVEL SECURITY', CASE WHEN on_session THEN 'ENABLE' ELSE 'DISABLE' END);
	FOREACH call IN ARRAY ARRAY['SELECT ekran_sessions_total_count(''2024-01-02 06:10'')', 'SELECT count(*) FROM ekran_sessions(''2024-01-02 06:10'')', 'SELECT count(*) FROM ekran_sessions_after(''2024-01-02 06:10'', after_session_id => 1)'] LOOP
		BEGIN
			PERFORM set_config('testing.ddl', ddl, true);
			SET LOCAL ROLE regress_ekran_reader;
			EXECUTE call INTO outcome;
			RAISE SQLSTATE 'Y0001';
		EXCEPTION WHEN SQLSTATE 'Y0001' THEN
			outcomes := outcomes || outcome;
		WHEN OTHERS THEN
			outcomes := outcomes || SQLSTATE::text;
		END;
		RESET ROLE;
	END LOOP;
	total := outcomes[1];
	page := outcomes[2];
	following := outcomes[3];
END
$$;
SELECT d, a.* FROM unnest(ARRAY['SELECT 1', 'ALTER TABLE forged.session_count ADD x int DEFAULT 1234567', 'DROP TABLE forged.session_count',
	'DROP TRIGGER ekran_types ON forged.pending; ALTER TABLE forged.pending ALTER session_id TYPE text USING ''abc''', 'DROP TABLE forged.pending', 'ALTER TABLE forged.session_idle RENAME TO away', 'DROP TABLE forged.session_idle',
	'TRUNCATE forged.session_count', 'DROP INDEX forged.session_idle_reach_idx', 'DROP INDEX forged.pending_session_id_first_moment_idx']) d,
	unnest(ARRAY[false, true]) s, LATERAL testing.amid(d, s) a;
ALTER TABLE forged.activity DISABLE ROW LEVEL SECURITY;
ALTER TABLE forged.session DISABLE ROW LEVEL SECURITY;

-- Indexes and constraints that a store can't do with.
CREATE FUNCTION testing.broken(ddl text, OUT state text, OUT reason text, OUT page text, OUT created text) LANGUAGE plpgsql AS $$
BEGIN
	CALL testing.forge(ddl);
	SELECT s.state, s.reason INTO state, reason FROM ekran_status() s;
	page := (SELECT count(*) || ' of ' || ekran_sessions_total_count('2024-01-02 06:10') FROM ekran_sessions('2024-01-02 06:10'));
	created := (testing.failure('SELECT ekran_create_store(''forged'')')).message;
	RAISE SQLSTATE 'Y0001';
EXCEPTION WHEN SQLSTATE 'Y0001' THEN
	NULL;
END
$$;
SELECT d, b.* FROM unnest(ARRAY['SELECT 1', 'DROP INDEX forged.pending_session_id_first_moment_idx; CREATE INDEX d ON forged.pending (session_id DESC)',
	'ALTER TABLE forged.session_idle DROP CONSTRAINT session_idle_session_id_key; CREATE INDEX d ON forged.session_idle (session_id NULLS FIRST)',
	'DELETE FROM forged.pending; ALTER TABLE forged.pending ALTER session_id SET NOT NULL', 'DELETE FROM forged.session_count WHERE day IS NOT NULL; ALTER TABLE forged.session_count ALTER generation SET NOT NULL',
	'ALTER TABLE forged.session_idle ADD CHECK (reach IS NULL) NOT VALID', 'ALTER TABLE forged.session_count ADD CHECK (sessions > -5)',
	'DROP TRIGGER ekran_types ON forged.pending; ALTER TABLE forged.pending DROP generation, ADD generation text GENERATED ALWAYS AS (''x'') STORED']) d, LATERAL testing.broken(d) b \gx

-- Counts that are none.
SELECT d, b.* FROM unnest(ARRAY['INSERT INTO forged.session_count SELECT ''2024-01-02'', 9223372036854775807 FROM generate_series(1, 2)',
	'INSERT INTO forged.session_count SELECT ''2024-01-05''::date + i, 9223372036854775807 FROM generate_series(1, 4) i',
	'INSERT INTO forged.session_count VALUES (''5874897-12-31'', 5)', 'INSERT INTO forged.session_count VALUES (''infinity'', 5), (''-infinity'', 5)', 'INSERT INTO forged.session_count VALUES (NULL, 5, NULL)']) d, LATERAL testing.broken(d) b \gx
BEGIN;
CALL testing.forge($f$INSERT INTO forged.session_count SELECT '2024-01-02', 9223372036854775807 FROM generate_series(1, 2)$f$);
SELECT ekran_rebuild();
SELECT testing.told();
ROLLBACK;

-- Estimates tell who may not use the schema nothing, nor who gets another's plan.
REVOKE USAGE ON SCHEMA forged FROM regress_ekran_reader;
CREATE FUNCTION testing.rows(statement text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || statement INTO plan;
	RETURN plan->0->'Plan'->>'Plan Rows';
END
$$;
SET ROLE regress_ekran_reader;
SELECT testing.rows('SELECT * FROM ekran_sessions(''2024-01-01'', ''2024-01-03'')');
RESET ROLE;
GRANT USAGE ON SCHEMA forged TO regress_ekran_reader;
REVOKE SELECT ON forged.session_count FROM regress_ekran_reader;
SET plan_cache_mode = force_generic_plan;
PREPARE p AS SELECT * FROM ekran_sessions('2024-01-01', '2024-01-03');
SELECT testing.rows('EXECUTE p');
SET ROLE regress_ekran_reader;
SELECT testing.rows('EXECUTE p');
RESET ROLE;

DROP SCHEMA forged CASCADE;
DROP FUNCTION testing.told, testing.amid, testing.broken, testing.rows;
SELECT format('REVOKE CREATE ON DATABASE %I FROM regress_ekran_owner, regress_ekran_agent', current_database()) \gexec
DROP OWNED BY regress_ekran_owner, regress_ekran_agent, regress_ekran_reader;
DROP ROLE regress_ekran_owner, regress_ekran_agent, regress_ekran_reader;
