-- Tables of the wrong shape or owner, and what people plant in a store.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_alice;
CREATE ROLE regress_ekran_bob;
GRANT USAGE ON SCHEMA testing TO regress_ekran_alice, regress_ekran_bob;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_alice, regress_ekran_bob', current_database()) \gexec
SET ekran_sessions.store = 'alices';

-- Derived tables whose owner has given the columns another type: an error.
SET ROLE regress_ekran_alice;
SELECT ekran_create_store('alices');
INSERT INTO alices.session (session_id, login_date) VALUES (1, '2024-01-01');
INSERT INTO alices.activity (session_id, activity_date) VALUES (1, '2024-01-01 00:10');
CALL testing.forge($f$INSERT INTO alices.pending VALUES (1, '-infinity', 'infinity')$f$);
DROP TRIGGER ekran_types ON alices.session_idle;
ALTER TABLE alices.session_idle ALTER gap_start TYPE bytea USING '\x0100000000000000a004000000c2eb0b010000000000000000000080',
	ALTER gap_end TYPE bytea USING '\x0100000000000000a004000000c2eb0b010000000000000000000080';
SELECT s, f.code, f.message FROM unnest(ARRAY['SELECT * FROM ekran_check()', 'SELECT ekran_refresh()',
	'SELECT ekran_rebuild()', 'SELECT * FROM ekran_sessions()', $$SELECT ekran_create_store('alices')$$]) s, LATERAL testing.failure(s) f;
DROP TABLE alices.session_idle;
DROP TRIGGER ekran_types ON alices.pending;
ALTER TABLE alices.pending ALTER first_moment TYPE timestamp;
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('alices')$$);
DROP TABLE alices.pending;
-- written to meanwhile: the index is made anew with the tables
SELECT ekran_create_store('alices');
DROP TABLE alices.pending;
INSERT INTO alices.activity (session_id, activity_date) VALUES (1, '2024-01-01 01:00');
SELECT session_id, idle_time FROM ekran_sessions();
SELECT ekran_create_store('alices');
SELECT session_id, idle_time FROM ekran_sessions();
SELECT * FROM ekran_check();
INSERT INTO alices.activity (session_id, activity_date) VALUES (1, '2024-01-01 01:00');
-- so too with a trigger that is disabled
ALTER TABLE alices.activity DISABLE TRIGGER ekran_insert;
INSERT INTO alices.activity (session_id, activity_date) VALUES (1, '2024-01-01 00:30');
SELECT code, message FROM testing.failure('SELECT * FROM ekran_check()');
SELECT session_id, idle_time FROM ekran_sessions();
SELECT ekran_create_store('alices');
SELECT * FROM ekran_check();
SELECT session_id, idle_time FROM ekran_sessions();
ALTER TABLE alices.session DISABLE TRIGGER USER;
ALTER TABLE alices.session DROP CONSTRAINT session_logout_not_before_login, DROP CONSTRAINT session_login_date_finite, DROP CONSTRAINT session_logout_date_finite;
DROP INDEX alices.session_tstzrange_idx, alices.session_login_date_session_id_idx;
DROP TRIGGER ekran_types ON alices.session;
DROP VIEW alices.session_overview, alices.user_day;
ALTER TABLE alices.session ALTER login_date TYPE timestamp, ALTER logout_date TYPE timestamp;
SELECT s, f.code FROM unnest(ARRAY[$$SELECT ekran_close_sessions('1 day', '2025-01-01')$$,
	'SELECT * FROM ekran_sessions()', 'SELECT * FROM ekran_sessions_after(after_session_id => 1)']) s, LATERAL testing.failure(s) f;
DROP SCHEMA alices CASCADE;

-- What another role has put into the schema is refused, by whoever completes
-- the store; and is no index of the store's.
SELECT ekran_create_store('alices');
DROP TABLE alices.session_idle, alices.pending;
GRANT CREATE, USAGE ON SCHEMA alices TO regress_ekran_bob;
SET ROLE regress_ekran_bob;
CREATE TABLE alices.pending (session_id bigint NOT NULL, first_moment timestamptz NOT NULL, last_moment timestamptz NOT NULL);
CREATE TABLE alices.session_idle (session_id bigint PRIMARY KEY, gap_start timestamptz[] NOT NULL, gap_end timestamptz[] NOT NULL);
GRANT ALL ON alices.pending, alices.session_idle TO PUBLIC;
CREATE FUNCTION alices.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'planted code runs as %', current_user; RETURN NEW; END $$;
CREATE TRIGGER planted BEFORE INSERT ON alices.pending FOR EACH ROW EXECUTE FUNCTION alices.planted();
CREATE TRIGGER planted BEFORE INSERT ON alices.session_idle FOR EACH ROW EXECUTE FUNCTION alices.planted();
SET ROLE regress_ekran_alice;
SELECT * FROM testing.failure($$SELECT ekran_create_store('alices')$$) \gx
INSERT INTO alices.session (session_id, login_date) VALUES (1, '2024-01-01');
INSERT INTO alices.activity (session_id, activity_date) VALUES (1, '2024-01-01 01:00');
SELECT session_id, idle_time FROM ekran_sessions();
SET ROLE regress_ekran_bob;
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('alices')$$);
RESET ROLE;
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('alices')$$);
DROP TABLE alices.pending, alices.session_idle;

-- A superuser completes it for its owner, as its owner: so runs what the owner
-- has planted, and so belongs what is made.
SET client_min_messages = warning;
SET ROLE regress_ekran_alice;
CREATE FUNCTION alices.alices_own() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'runs as %', current_user; RETURN NEW; END $$;
RESET ROLE;
SELECT ekran_create_store('alices');
SELECT current_user = session_user AS is_oneself;
SET ROLE regress_ekran_alice;
CREATE TRIGGER planted BEFORE UPDATE ON alices.session_idle FOR EACH ROW EXECUTE FUNCTION alices.alices_own();
DROP TRIGGER ekran_insert ON alices.activity;
-- until then, nobody writes what would not be noted
SELECT * FROM testing.failure($$INSERT INTO alices.activity (session_id, activity_date) VALUES (1, '2024-01-01 00:20')$$) \gx
RESET ROLE;
SELECT ekran_create_store('alices');
SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'alices'::regnamespace;
SET ROLE regress_ekran_alice;
DROP TRIGGER planted ON alices.session_idle;
INSERT INTO alices.session (session_id, login_date) VALUES (2, '2024-01-01');
INSERT INTO alices.activity (session_id, activity_date) VALUES (2, '2024-01-01 00:20');
SELECT session_id, idle_time FROM ekran_sessions();
RESET ROLE;
DROP SCHEMA alices CASCADE;

-- What owners do to their stores, and may.
SELECT ekran_create_store('tuned');
ALTER INDEX tuned.session_tstzrange_idx SET (fillfactor = 80);
ALTER TABLE tuned.activity ALTER activity_id DROP DEFAULT, ALTER activity_id ADD GENERATED BY DEFAULT AS IDENTITY;
SET quote_all_identifiers = on;
SELECT ekran_create_store('tuned');
RESET quote_all_identifiers;
SELECT count(*) FROM pg_indexes WHERE schemaname = 'tuned' AND tablename = 'session';
-- and what they may not
CREATE TABLE tuned.more () INHERITS (tuned.session);
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('tuned')$$);
DROP TABLE tuned.more;
ALTER TABLE tuned.client ADD id int;
ALTER TABLE tuned.session DROP CONSTRAINT session_client_guid_fkey;
ALTER TABLE tuned.client DROP CONSTRAINT client_pkey, ADD CONSTRAINT by_id PRIMARY KEY (id);
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('tuned')$$);
DROP TABLE tuned.pending;
CREATE TABLE tuned.pending (session_id bigint NOT NULL, first_moment timestamptz NOT NULL, last_moment timestamptz NOT NULL) PARTITION BY HASH (session_id);
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('tuned')$$);
SELECT code, message FROM testing.failure($$SET ekran_sessions.store = 'pg_temp'$$);
DROP SCHEMA tuned CASCADE;

-- Rules that take the place of what maintenance does: an error.
SELECT ekran_create_store('ruled');
SET ekran_sessions.store = 'ruled';
INSERT INTO ruled.session (session_id, login_date) VALUES (1, '2024-01-01 08:00');
CREATE TABLE ruled.log (LIKE ruled.session);
CREATE RULE instead AS ON UPDATE TO ruled.session DO INSTEAD INSERT INTO ruled.log
	VALUES (NEW.session_id, NEW.client_guid, NEW.user_id, NEW.login_date, NEW.logout_date) RETURNING *;
SELECT * FROM testing.failure($$SELECT * FROM ekran_close_sessions('1 hour', '2024-02-01')$$) \gx
CREATE OR REPLACE RULE instead AS ON UPDATE TO ruled.session DO INSTEAD NOTHING;
SELECT code, message FROM testing.failure($$SELECT * FROM ekran_close_sessions('1 hour', '2024-02-01')$$);
SELECT (SELECT count(*) FROM ruled.log) AS logged, logout_date FROM ruled.session;
DROP SCHEMA ruled CASCADE;

-- An index that knows too little, for somebody wrote past the triggers, is never
-- mended into one that is none: readers go by the activities, a fold begins anew.
SELECT ekran_create_store('past');
SET ekran_sessions.store = 'past';
INSERT INTO past.session (session_id, login_date) VALUES (1, '2024-01-01 08:00');
CALL testing.unseen($u$INSERT INTO past.activity (session_id, activity_date, activity_id) SELECT 1, '2024-01-01 08:10'::timestamptz + i * interval '10 s', 1000 + i FROM generate_series(0, 3000) i$u$, 'activity');
CALL testing.forge($f$INSERT INTO past.session_idle VALUES (1, '{-infinity}', '{infinity}')$f$);
CALL testing.forge($f$INSERT INTO past.pending VALUES (1, '2024-01-01 08:10:10', '2024-01-01 08:10:10')$f$);
SELECT session_id, logout_date, duration, idle_time FROM ekran_sessions();
SELECT * FROM ekran_check();
-- and another range, more than an hour later
CALL testing.forge($f$INSERT INTO past.pending VALUES (1, '2024-01-01 12:00', '2024-01-01 12:00')$f$);
SELECT session_id, logout_date, duration, idle_time FROM ekran_sessions('2024-01-01 08:30', '2024-01-01 09:00');
SELECT ekran_refresh();
SELECT * FROM ekran_check();
SELECT session_id, logout_date, duration, idle_time FROM ekran_sessions();
-- gaps that end where a region doesn't
CALL testing.forge($f$UPDATE past.session_idle SET gap_start = '{-infinity,2024-01-01 09:00:03+00}', gap_end = '{2024-01-01 08:30:03+00,infinity}' WHERE session_id = 1$f$);
CALL testing.forge($f$INSERT INTO past.pending VALUES (1, '2024-01-01 08:20', '2024-01-01 08:20'), (1, '2024-01-01 11:00', '2024-01-01 11:00')$f$);
SELECT session_id, logout_date, duration, idle_time FROM ekran_sessions();
SELECT * FROM ekran_check();
SELECT ekran_refresh();
SELECT * FROM ekran_check();
DROP SCHEMA past CASCADE;
-- In partitions, activities next to a range are looked for where gaps say that they are, so
-- that not all partitions are: if there is none, neither is believed.
SELECT ekran_create_store('past', partition_by => interval '1 year');
INSERT INTO past.session (session_id, login_date) VALUES (1, '2024-01-01 08:00');
CALL testing.unseen($u$INSERT INTO past.activity (session_id, activity_date) SELECT 1, '2024-01-01 08:10'::timestamptz + i * interval '20 min' FROM generate_series(0, 3) i$u$, 'activity');
CALL testing.forge($f$INSERT INTO past.session_idle VALUES (1, '{-infinity,2024-01-01 07:00+00}', '{2024-01-01 07:00+00,infinity}')$f$);
CALL testing.forge($f$INSERT INTO past.pending VALUES (1, '2024-01-01 08:00', '2024-01-01 09:00')$f$);
SELECT session_id, logout_date, duration, idle_time FROM ekran_sessions();
CALL testing.forge($f$UPDATE past.session_idle SET gap_start = '{-infinity,2024-01-01 09:10+00}', gap_end = '{2024-01-01 09:10+00,infinity}' WHERE session_id = 1$f$);
CALL testing.forge($f$UPDATE past.pending SET last_moment = '2024-01-01 09:09' WHERE session_id = 1$f$);
SELECT session_id, logout_date, duration, idle_time FROM ekran_sessions();
CALL testing.forge($f$UPDATE past.session_idle SET gap_start = '{-infinity,2024-01-01 09:20+00}', gap_end = '{2024-01-01 09:20+00,infinity}' WHERE session_id = 1$f$);
CALL testing.forge($f$UPDATE past.pending SET last_moment = '2024-01-01 09:15' WHERE session_id = 1$f$);
SELECT session_id, logout_date, duration, idle_time FROM ekran_sessions();
SELECT * FROM ekran_check();
SELECT ekran_refresh();
SELECT * FROM ekran_check();
DROP SCHEMA past CASCADE;

-- Tables from which others inherit are no index, and take no activities.
SELECT ekran_create_store('parent');
SET ekran_sessions.store = 'parent';
INSERT INTO parent.session (session_id, login_date) VALUES (1, '2024-01-01 08:00');
INSERT INTO parent.activity (session_id, activity_date) VALUES (1, '2024-01-01 09:00');
CREATE TABLE parent.child () INHERITS (parent.session_idle);
SELECT code, message FROM testing.failure('SELECT ekran_refresh()');
SELECT session_id, idle_time FROM ekran_sessions();
DROP TABLE parent.child;
SELECT session_id, idle_time FROM ekran_sessions();
CREATE TABLE parent.child () INHERITS (parent.session);
SELECT code, message FROM testing.failure($$INSERT INTO parent.activity (session_id, activity_date) VALUES (1, '2024-01-01 09:30')$$);
DROP SCHEMA parent CASCADE;

-- A function of somebody's is said to be safe for parallel workers, and writes.
SELECT ekran_create_store('parallel');
SET ekran_sessions.store = 'parallel';
INSERT INTO parallel.session (session_id, login_date) VALUES (1, '2024-01-01 08:00');
INSERT INTO parallel.activity (session_id, activity_date) VALUES (1, '2024-01-01 09:00');
CREATE FUNCTION testing.wrongly_safe(statement text) RETURNS void LANGUAGE plpgsql PARALLEL SAFE AS $$
BEGIN
	EXECUTE statement;
END
$$;
SELECT count(set_config(name, CASE name WHEN 'parallel_setup_cost' THEN '0' ELSE 'on' END, false)) FROM pg_settings
WHERE name IN ('force_parallel_mode', 'debug_parallel_query', 'parallel_setup_cost');
SELECT s, f.code, f.message FROM unnest(ARRAY['SELECT ekran_create_store(''parallel'')', 'SELECT ekran_refresh()', 'SELECT ekran_rebuild()',
	'SELECT ekran_purge(''infinity'')', 'SELECT ekran_close_sessions(interval ''1 h'', ''2024-01-02'')', 'SELECT ekran_check()', 'SELECT ekran_sessions_json()']) s,
	LATERAL testing.failure(format('SELECT testing.wrongly_safe(%L)', s)) f;
SELECT count(set_config(name, reset_val, false)) FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query', 'parallel_setup_cost');
SELECT state, pending_sessions FROM ekran_status();
DROP FUNCTION testing.wrongly_safe;
DROP SCHEMA parallel CASCADE;

-- Stores that come and go in one backend leave no plans behind without end.
SET client_min_messages = error;
DO $$
BEGIN
	FOR i IN 1..40 LOOP
		PERFORM ekran_create_store('passing');
		PERFORM set_config('ekran_sessions.store', 'passing', false);
		INSERT INTO passing.session (session_id, login_date) VALUES (1, '2024-01-01');
		INSERT INTO passing.activity (session_id, activity_date) VALUES (1, '2024-01-01 01:00');
		PERFORM ekran_refresh(), ekran_sessions_json();
		DROP SCHEMA passing CASCADE;
	END LOOP;
END $$;
RESET client_min_messages;
SELECT count(*) <= 300 AS are_few FROM pg_backend_memory_contexts WHERE name = 'CachedPlanSource' AND ident LIKE '%passing.%';
SELECT format('REVOKE ALL ON DATABASE %I FROM regress_ekran_alice, regress_ekran_bob', current_database()) \gexec
REVOKE ALL ON SCHEMA testing FROM regress_ekran_alice, regress_ekran_bob;
DROP ROLE regress_ekran_alice, regress_ekran_bob;
