-- What an owner has planted in a store runs as the owner, whoever called, and
-- never as anybody else; what a stranger has planted never runs as the owner.
\set ECHO none
\i test/helpers.sql
\set ECHO all
CREATE ROLE regress_ekran_alice;
CREATE ROLE regress_ekran_bob;
CREATE ROLE regress_ekran_operator IN ROLE regress_ekran_alice;
CREATE ROLE regress_ekran_agent;
GRANT USAGE ON SCHEMA testing TO PUBLIC;
SELECT format('GRANT CREATE ON DATABASE %I TO regress_ekran_alice, regress_ekran_bob', current_database()) \gexec
SET ROLE regress_ekran_alice;
SELECT ekran_create_store('alices');
SET ekran_sessions.store = 'alices';

INSERT INTO alices.session (session_id, login_date, logout_date) VALUES (1, '2024-01-01', '2024-01-02'), (2, '2024-01-01', '2024-01-03'), (3, '2024-01-01', NULL);
INSERT INTO alices.activity (session_id, activity_date) VALUES (1, '2024-01-01 01:00'), (2, '2024-01-01 02:00'), (3, '2024-01-01 03:00');
CALL testing.forge($f$DELETE FROM alices.pending WHERE session_id IS NOT NULL$f$);
CALL testing.forge($f$INSERT INTO alices.pending VALUES (1, '-infinity', 'infinity'), (2, '-infinity', 'infinity'), (3, '-infinity', 'infinity')$f$);

-- A trigger on each of the store's tables notes as whom it runs, and tries to
-- become whoever called, and a superuser.
CREATE TABLE alices.seen (place text, ran_as name, could text);
CREATE FUNCTION alices.planted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	could text := '';
BEGIN
	BEGIN
		RESET ROLE;
		could := could || 'reset role ';
	EXCEPTION WHEN OTHERS THEN NULL;
	END;
	BEGIN
		SET SESSION AUTHORIZATION DEFAULT;
		could := could || 'set session authorization ';
	EXCEPTION WHEN OTHERS THEN NULL;
	END;
	BEGIN
		ALTER ROLE regress_ekran_alice SUPERUSER;
		could := could || 'alter role ';
	EXCEPTION WHEN OTHERS THEN NULL;
	END;
	INSERT INTO alices.seen VALUES (TG_TABLE_NAME || ' ' || lower(TG_OP), current_user, could);
	RETURN coalesce(NEW, OLD);
END
$$;
SELECT format('CREATE TRIGGER planted BEFORE INSERT OR UPDATE OR DELETE ON alices.%I FOR EACH ROW EXECUTE FUNCTION alices.planted()', t)
FROM unnest(ARRAY['session', 'activity', 'session_idle', 'pending']) t \gexec
GRANT USAGE ON SCHEMA alices TO regress_ekran_agent;
GRANT INSERT ON alices.activity TO regress_ekran_agent;
RESET ROLE;
TRUNCATE alices.seen;
SELECT ekran_refresh();
SELECT DISTINCT * FROM alices.seen ORDER BY 1;
TRUNCATE alices.seen;
SELECT ekran_rebuild();
SELECT DISTINCT * FROM alices.seen ORDER BY 1;
TRUNCATE alices.seen;
SELECT * FROM ekran_check();
SELECT session_id, logout_date FROM ekran_close_sessions('1 hour', '2024-01-02');
SELECT ekran_purge('2024-01-02 00:00:01');
SELECT DISTINCT * FROM alices.seen ORDER BY 1;
-- what fires on a superuser's own DELETE is no call of ours; what it cascades to is
DROP TRIGGER planted ON alices.session;
TRUNCATE alices.seen;
DELETE FROM alices.session WHERE session_id = 2;
SELECT DISTINCT * FROM alices.seen ORDER BY 1;
SELECT current_user = session_user AS is_oneself, rolsuper FROM pg_roles WHERE rolname = 'regress_ekran_alice';
-- not for alice's own statements below, where a RESET ROLE makes her a superuser
DROP FUNCTION alices.planted() CASCADE;
-- a call that fails leaves the caller as it was
SET ROLE regress_ekran_alice;
INSERT INTO alices.session (session_id, login_date) VALUES (4, '2024-01-04');
RESET ROLE;
CREATE FUNCTION alices.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'planted'; END $$;
CREATE TRIGGER fail BEFORE UPDATE ON alices.session FOR EACH ROW EXECUTE FUNCTION alices.fail();
SELECT message, current_user = session_user AS is_oneself, current_setting('search_path') FROM testing.failure($$SELECT ekran_close_sessions('1 hour', '2024-01-05')$$);
DROP TRIGGER fail ON alices.session;

-- Who may: the owner, a member of the owner's role, a superuser.
SET ROLE regress_ekran_operator;
SELECT ekran_refresh() >= 0 AS refreshed, ekran_rebuild() AS rebuilt, (SELECT count(*) FROM ekran_check()) AS different,
	ekran_purge('2024-01-01') AS purged, (SELECT count(*) FROM ekran_close_sessions('1 day', '2024-01-01')) AS closed;
SET ROLE regress_ekran_agent;
SELECT s, f.* FROM unnest(ARRAY['SELECT ekran_refresh()', 'SELECT ekran_rebuild()', 'SELECT * FROM ekran_check()',
	$$SELECT ekran_purge('infinity')$$, $$SELECT ekran_close_sessions('0', '2025-01-01')$$]) s, LATERAL testing.failure(s) f \gx
RESET ROLE;
-- the privilege to write everything is not the owner's role
GRANT ALL ON ALL TABLES IN SCHEMA alices TO regress_ekran_bob;
GRANT USAGE ON SCHEMA alices TO regress_ekran_bob;
SET ROLE regress_ekran_bob;
SELECT code, message FROM testing.failure('SELECT ekran_rebuild()');
RESET ROLE;

-- Policies hide activities from an operator, and even from the owner: what is
-- written for all is computed from all.
SET ROLE regress_ekran_alice;
DELETE FROM alices.session;
INSERT INTO alices.session (session_id, login_date) VALUES (1, '2024-01-01 08:00'), (2, '2024-01-01 08:00');
INSERT INTO alices.activity (session_id, activity_date) VALUES (1, '2024-01-01 09:00'), (1, '2024-01-01 12:00'), (2, '2024-01-01 08:20');
CREATE POLICY early ON alices.activity USING (activity_date < '2024-01-01 10:00');
ALTER TABLE alices.activity ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
SELECT session_id, duration AS seen_by_the_owner FROM ekran_sessions();
SELECT ekran_rebuild();
SELECT * FROM ekran_check();
SELECT gap_end FROM alices.session_idle WHERE session_id IS NOT NULL ORDER BY session_id;
SET ROLE regress_ekran_operator;
SELECT session_id, duration AS seen_by_an_operator FROM ekran_sessions();
SELECT session_id, logout_date FROM ekran_close_sessions('1 hour', '2024-01-01 12:30');
RESET ROLE;
SELECT session_id, logout_date FROM alices.session ORDER BY 1;
ALTER TABLE alices.activity DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;

-- A plan that somebody's code made where forced policies don't hold is not used
-- where they do.
SET ROLE regress_ekran_alice;
CREATE POLICY first ON alices.session USING (session_id < 2);
ALTER TABLE alices.session ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE FUNCTION alices.plan_ahead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM public.ekran_sessions_total_count(), (SELECT count(*) FROM public.ekran_sessions());
	RETURN NULL;
END
$$;
CREATE TRIGGER plan_ahead AFTER DELETE ON alices.activity FOR EACH STATEMENT EXECUTE FUNCTION alices.plan_ahead();
INSERT INTO alices.session (session_id, login_date) VALUES (0, '2024-01-01');
DISCARD PLANS;
SET search_path = pg_catalog, pg_temp;
DELETE FROM alices.session WHERE session_id = 1;
SELECT public.ekran_sessions_total_count(), (SELECT count(*) FROM public.ekran_sessions()), (SELECT count(*) FROM alices.session);
RESET search_path;
DROP TRIGGER plan_ahead ON alices.activity;
ALTER TABLE alices.session DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
RESET ROLE;

-- A clock that is wrong by years keeps no crashed session running.
INSERT INTO alices.session (session_id, login_date) VALUES (5, '2024-01-01 08:00'), (6, '2024-01-01 08:00'), (7, '2031-01-01');
INSERT INTO alices.activity (session_id, activity_date) VALUES (5, '2024-01-01 08:30'), (5, '2031-01-01'), (6, '2031-01-01'), (7, '2031-01-01 01:00');
SELECT session_id, logout_date FROM ekran_close_sessions('1 hour', '2024-01-02') ORDER BY 1;
SELECT session_id, duration FROM ekran_sessions() WHERE session_id >= 5;
SELECT * FROM ekran_check();

-- A deferred foreign key, and a deferred constraint trigger, on activity: who
-- deletes a session deletes its activities, as by a cascade of the server's own.
CREATE ROLE regress_ekran_deleter;
GRANT USAGE ON SCHEMA alices TO regress_ekran_deleter;
GRANT SELECT, DELETE ON alices.session TO regress_ekran_deleter;
SET ROLE regress_ekran_alice;
CREATE TABLE alices.picture (session_id bigint, activity_date timestamptz, activity_id bigint,
	FOREIGN KEY (session_id, activity_date, activity_id) REFERENCES alices.activity ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE alices.note (session_id bigint, activity_date timestamptz, activity_id bigint,
	FOREIGN KEY (session_id, activity_date, activity_id) REFERENCES alices.activity DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION alices.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'later: %', OLD.session_id; RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER later AFTER DELETE ON alices.activity DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION alices.later();
INSERT INTO alices.picture SELECT session_id, activity_date, activity_id FROM alices.activity WHERE session_id IN (5, 6);
INSERT INTO alices.note SELECT session_id, activity_date, activity_id FROM alices.activity WHERE session_id = 6;
SET ROLE regress_ekran_deleter;
DELETE FROM alices.session WHERE session_id = 5;
SELECT code, message FROM testing.failure('SET CONSTRAINTS ALL IMMEDIATE; DELETE FROM alices.session WHERE session_id = 6');
RESET ROLE;
SELECT session_id, count(*) FROM alices.picture GROUP BY 1 ORDER BY 1;
SELECT session_id, count(*) FROM alices.activity GROUP BY 1 ORDER BY 1;
-- the owner's own purge too; in anybody else's, it would outlast the call
UPDATE alices.session SET logout_date = '2024-01-01 09:30' WHERE session_id IN (1, 2);
SELECT code, message FROM testing.failure($$SELECT ekran_purge('2024-01-01 10:00')$$);
SET ROLE regress_ekran_alice;
DELETE FROM alices.note;
SELECT ekran_purge('2024-01-01 10:00');
RESET ROLE;
SELECT session_id FROM alices.session ORDER BY 1;

-- An owner's schema renamed between two batches of an agent's statement, with
-- another role's of the old name in its place: an error, and that role's trigger
-- has not run.
SET ROLE regress_ekran_alice;
DROP SCHEMA alices CASCADE;
SELECT ekran_create_store('alices');
INSERT INTO alices.session (session_id, login_date) SELECT i, '2024-01-01' FROM generate_series(1, 3000) i;
GRANT USAGE ON SCHEMA alices TO regress_ekran_agent;
GRANT INSERT ON alices.activity TO regress_ekran_agent;
SET ROLE regress_ekran_bob;
SELECT ekran_create_store('bobs');
INSERT INTO bobs.session (session_id, login_date) SELECT i, '2024-01-01' FROM generate_series(1, 3000) i;
GRANT ALL ON ALL TABLES IN SCHEMA bobs TO PUBLIC;
CREATE FUNCTION bobs.planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'bob''s code runs as %', current_user; RETURN NEW; END $$;
CREATE TRIGGER planted BEFORE INSERT OR UPDATE OR DELETE ON bobs.pending FOR EACH STATEMENT EXECUTE FUNCTION bobs.planted();
CREATE TRIGGER planted BEFORE INSERT OR UPDATE OR DELETE ON bobs.session_idle FOR EACH STATEMENT EXECUTE FUNCTION bobs.planted();
CREATE TRIGGER planted BEFORE INSERT OR UPDATE OR DELETE ON bobs.activity FOR EACH STATEMENT EXECUTE FUNCTION bobs.planted();
RESET ROLE;
ALTER SCHEMA bobs OWNER TO regress_ekran_alice;
SET ROLE regress_ekran_alice;
CREATE FUNCTION alices.swap() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF to_regnamespace('bobs') IS NOT NULL THEN
		ALTER SCHEMA alices RENAME TO alices_before;
		ALTER SCHEMA bobs RENAME TO alices;
	END IF;
	RETURN NULL;
END
$$;
-- what notes an agent's statement knows its tables by what they are
CREATE TRIGGER a_swap AFTER INSERT ON alices.activity FOR EACH STATEMENT EXECUTE FUNCTION alices.swap();
BEGIN;
SET LOCAL ROLE regress_ekran_alice;
INSERT INTO alices.activity (session_id, activity_date) SELECT i, '2024-01-01 01:00' FROM generate_series(1, 3000) i;
RESET ROLE;
SELECT (SELECT count(session_id) FROM alices_before.pending) AS noted, (SELECT count(session_id) FROM alices.pending) AS strangers;
SET LOCAL ROLE regress_ekran_agent;
SELECT code, message FROM testing.failure($$INSERT INTO alices_before.activity (session_id, activity_date) VALUES (4000, '2024-01-01 01:00')$$);
ROLLBACK;
RESET ROLE;
SELECT count(*) FROM alices.activity;
DROP TRIGGER a_swap ON alices.activity;
CREATE TRIGGER swap AFTER DELETE ON alices.activity FOR EACH STATEMENT EXECUTE FUNCTION alices.swap();
INSERT INTO alices.activity (session_id, activity_date) SELECT i, '2024-01-01 01:00' FROM generate_series(1, 3000) i;
SELECT code, message, detail FROM testing.failure('DELETE FROM alices.session');
UPDATE alices.session SET logout_date = '2024-01-02';
SELECT code, message, detail FROM testing.failure($$SELECT ekran_purge('infinity')$$);
DROP TRIGGER swap ON alices.activity;
-- nothing of anybody's runs in a fold
CREATE TRIGGER swap AFTER INSERT OR UPDATE OR DELETE ON alices.session_idle FOR EACH STATEMENT EXECUTE FUNCTION alices.swap();
CREATE TRIGGER swap AFTER INSERT OR UPDATE OR DELETE ON alices.pending FOR EACH STATEMENT EXECUTE FUNCTION alices.swap();
SELECT ekran_refresh() > 0 AS refreshed;
SELECT ekran_rebuild();
SELECT to_regnamespace('bobs') IS NOT NULL AS not_swapped;
DROP TRIGGER swap ON alices.session_idle;
DROP TRIGGER swap ON alices.pending;
SELECT count(*) FROM alices.session;
SELECT * FROM ekran_check();
DROP SCHEMA alices, bobs CASCADE;

-- Tables of a store that belong to several: nobody's code runs as another.
SET ROLE regress_ekran_alice;
SELECT ekran_create_store('alices');
RESET ROLE;
ALTER TABLE alices.activity OWNER TO regress_ekran_bob;
SET ROLE regress_ekran_alice;
SELECT s, f.* FROM unnest(ARRAY['SELECT ekran_refresh()', 'SELECT * FROM ekran_check()', $$SELECT ekran_purge('infinity')$$]) s, LATERAL testing.failure(s) f \gx
RESET ROLE;
DROP SCHEMA alices CASCADE;
SELECT format('REVOKE ALL ON DATABASE %I FROM regress_ekran_alice, regress_ekran_bob', current_database()) \gexec
REVOKE USAGE ON SCHEMA testing FROM PUBLIC;
DROP OWNED BY regress_ekran_alice, regress_ekran_bob, regress_ekran_operator, regress_ekran_agent, regress_ekran_deleter;
DROP ROLE regress_ekran_operator, regress_ekran_alice, regress_ekran_bob, regress_ekran_agent, regress_ekran_deleter;
