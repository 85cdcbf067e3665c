-- What runs inside a query (policies, triggers and their functions) can change
-- settings, close or move cursors, rename schemas. A call goes by what it found
-- at its start, and what it can't go on with is an error, never a wrong figure.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_reader;
GRANT USAGE ON SCHEMA testing TO regress_ekran_reader;
SELECT ekran_create_store('meddled');
SET ekran_sessions.store = 'meddled';
INSERT INTO meddled.client VALUES ('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'PC');
INSERT INTO meddled.app_user SELECT i, 'user ' || i FROM generate_series(1, 600) i;
INSERT INTO meddled.session SELECT i, '6ba7b810-9dad-11d1-80b4-00c04fd430c8', i, testing.at('08:00') + i * interval '1 s', testing.at('10:00') FROM generate_series(1, 600) i;
INSERT INTO meddled.activity (session_id, activity_date) SELECT i, testing.at('08:30') FROM generate_series(1, 600) i;
SELECT ekran_refresh() > 0 AS refreshed;
GRANT USAGE ON SCHEMA meddled TO regress_ekran_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA meddled TO regress_ekran_reader;
CREATE TABLE testing.expected AS SELECT * FROM ekran_sessions();
CREATE TABLE testing.expected_json AS SELECT ekran_sessions_json()::text AS json;
GRANT SELECT ON testing.expected, testing.expected_json TO regress_ekran_reader;

-- The policy on app_user runs what a table says, as whoever reads: between two
-- chunks of a page, for each has its own look-up of names.
CREATE TABLE testing.meddling (statement text);
GRANT SELECT ON testing.meddling TO regress_ekran_reader;
CREATE FUNCTION testing.meddle() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	statement text;
BEGIN
	FOR statement IN SELECT m.statement FROM testing.meddling m LOOP
		EXECUTE statement;
	END LOOP;
	RETURN true;
END
$$;
CREATE POLICY meddle ON meddled.app_user USING (testing.meddle());
ALTER TABLE meddled.app_user ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION testing.under(meddling text,
	OUT different bigint, OUT json_is_equal boolean, OUT following bigint, OUT code text, OUT message text)
LANGUAGE plpgsql AS $$
BEGIN
	different := (WITH got AS MATERIALIZED (SELECT * FROM ekran_sessions())
		SELECT count(*) FROM ((TABLE got EXCEPT ALL TABLE testing.expected)
		UNION ALL (TABLE testing.expected EXCEPT ALL TABLE got)) d);
	PERFORM set_config('ekran_sessions.store', 'meddled', false);
	RESET ekran_sessions.idle_threshold;
	RESET ekran_sessions.idle_policy;
	SET TimeZone = 'UTC';
	json_is_equal := ekran_sessions_json()::text = (SELECT json FROM testing.expected_json);
	PERFORM set_config('ekran_sessions.store', 'meddled', false);
	RESET ekran_sessions.idle_threshold;
	RESET ekran_sessions.idle_policy;
	SET TimeZone = 'UTC';
	following := (SELECT count(*) FROM ekran_sessions_after(after_session_id => 1));
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
END
$$;
SET ROLE regress_ekran_reader;
SELECT * FROM testing.under(NULL);
RESET ROLE;

-- Settings changed in mid-call are the next call's.
INSERT INTO testing.meddling VALUES ($$SELECT set_config('ekran_sessions.store', md5(random()::text), false)$$);
SET ROLE regress_ekran_reader;
SELECT * FROM testing.under('store');
RESET ROLE;
SET ekran_sessions.store = 'meddled';
UPDATE testing.meddling SET statement = $$SELECT set_config('ekran_sessions.idle_threshold', '1h', false), set_config('ekran_sessions.idle_policy', 'excess', false)$$;
SET ROLE regress_ekran_reader;
SELECT * FROM testing.under('idle');
RESET ROLE;
RESET ekran_sessions.idle_threshold;
RESET ekran_sessions.idle_policy;
UPDATE testing.meddling SET statement = $$SELECT set_config('TimeZone', 'Asia/Tokyo', false)$$;
SET ROLE regress_ekran_reader;
SELECT * FROM testing.under('zone');
RESET ROLE;
SET TimeZone = 'UTC';

-- Cursors closed are an error; so are cursors moved.
UPDATE testing.meddling SET statement = 'CLOSE ALL';
SET ROLE regress_ekran_reader;
SELECT code, message LIKE 'cannot drop pinned portal%' AS pinned FROM testing.under('close');
SELECT code, message LIKE 'cannot drop pinned portal%' AS pinned FROM testing.failure('SELECT ekran_sessions_json()');
RESET ROLE;
CREATE FUNCTION testing.move_cursors() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	cursor_name text;
BEGIN
	FOR cursor_name IN SELECT name FROM pg_catalog.pg_cursors WHERE statement LIKE '%meddled.session s%' LOOP
		EXECUTE format('MOVE FORWARD 1 IN %I', cursor_name);
	END LOOP;
END
$$;
UPDATE testing.meddling SET statement = 'SELECT testing.move_cursors()';
SET ROLE regress_ekran_reader;
SELECT code, message LIKE 'cursor % over store "meddled" has been moved%' AS watched FROM testing.failure('SELECT * FROM ekran_sessions()');
-- nothing moves where all of a page has been fetched
SELECT count(*) FROM ekran_sessions(count => 50);
RESET ROLE;
DELETE FROM testing.meddling;
SELECT count(*) FROM pg_cursors WHERE statement LIKE '%meddled%';

-- The store's schema renamed in mid-call, and another one in its place: an
-- error, not that one's rows.
SELECT ekran_create_store('other');
INSERT INTO other.session (session_id, login_date) SELECT i, '2024-01-01' FROM generate_series(1, 600) i;
CREATE FUNCTION testing.swap() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF to_regnamespace('other') IS NOT NULL THEN
		ALTER SCHEMA meddled RENAME TO meddled_before;
		ALTER SCHEMA other RENAME TO meddled;
	END IF;
END
$$;
INSERT INTO testing.meddling VALUES ('SELECT testing.swap()');
ALTER TABLE meddled.app_user FORCE ROW LEVEL SECURITY;
CREATE ROLE regress_ekran_owner;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_owner', current_database()) \gexec
GRANT ALL ON SCHEMA testing TO regress_ekran_owner;
GRANT SELECT ON testing.meddling TO regress_ekran_owner;
SELECT format('ALTER TABLE %s OWNER TO regress_ekran_owner', oid::regclass) FROM pg_class
WHERE relnamespace IN ('meddled'::regnamespace, 'other'::regnamespace) AND relkind = 'r' ORDER BY 1 \gexec
ALTER SCHEMA meddled OWNER TO regress_ekran_owner;
ALTER SCHEMA other OWNER TO regress_ekran_owner;
SET ROLE regress_ekran_owner;
SELECT code, message, detail FROM testing.failure('SELECT * FROM ekran_sessions()');
RESET ROLE;
DELETE FROM testing.meddling;

-- CLOSE ALL in a trigger, where maintenance goes through sessions: an error, and
-- nothing of it stays.  In a trigger on the index it is never run.
CREATE FUNCTION testing.close_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'CLOSE ALL'; RETURN NEW; END $$;
UPDATE meddled.session SET logout_date = NULL;
CREATE TRIGGER close_all BEFORE UPDATE ON meddled.session FOR EACH ROW EXECUTE FUNCTION testing.close_all();
CREATE TRIGGER close_all BEFORE UPDATE OR INSERT ON meddled.session_idle FOR EACH ROW EXECUTE FUNCTION testing.close_all();
ALTER TABLE meddled.app_user DISABLE ROW LEVEL SECURITY;
SELECT code, message FROM testing.failure($$SELECT ekran_close_sessions('1 hour', '2024-01-02')$$);
SET ROLE regress_ekran_owner;
SELECT code, message LIKE 'cannot drop pinned portal%' AS pinned FROM testing.failure($$SELECT ekran_close_sessions('1 hour', '2024-01-02')$$);
RESET ROLE;
SELECT count(*) FROM meddled.session WHERE logout_date IS NOT NULL;
CALL testing.forge($f$INSERT INTO meddled.pending SELECT session_id, '-infinity', 'infinity' FROM meddled.session$f$);
SELECT ekran_refresh();
SELECT * FROM ekran_check();
DROP SCHEMA meddled, other CASCADE;
SELECT format('REVOKE ALL ON DATABASE %I FROM regress_ekran_owner', current_database()) \gexec
DROP FUNCTION testing.under, testing.meddle, testing.move_cursors, testing.swap, testing.close_all;
DROP TABLE testing.meddling, testing.expected, testing.expected_json;
DROP OWNED BY regress_ekran_owner, regress_ekran_reader;
DROP ROLE regress_ekran_owner, regress_ekran_reader;
