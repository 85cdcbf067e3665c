-- The views of a store: sessions and days in numbers, over its own tables whatever the
-- setting, with the caller's settings, TimeZone and rights.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/random_store.sql
\i test/independent_views.sql
\set ECHO all
SELECT ekran_create_store('seen');
SET search_path = seen, public;
SELECT attrelid::regclass, attname, atttypid::regtype, col_description(attrelid, attnum)
FROM pg_attribute WHERE attrelid IN ('session_overview'::regclass, 'user_day'::regclass) AND attnum > 0
ORDER BY attrelid::regclass::text, attnum;
SELECT relname, reloptions, relacl, obj_description(oid, 'pg_class') FROM pg_class
WHERE relnamespace = 'seen'::regnamespace AND relkind = 'v' ORDER BY 1;

-- The worked example; one that runs, and has done nothing; one of no length; activities
-- that don't count.
INSERT INTO client VALUES ('00000000-0000-0000-0000-000000000001', 'PC-1');
INSERT INTO app_user VALUES (1, 'Ada'), (2, NULL);
SELECT testing.add_session(1, '08:00', '09:30', '08:01', '08:10', '08:40', '09:05', '07:00', '10:00');
SELECT testing.add_session(2, '23:50', NULL, '23:55');
SELECT testing.add_session(3, '12:00', NULL);
SELECT testing.add_session(4, '13:00', '13:00', '13:00');
UPDATE session SET user_id = 1, client_guid = '00000000-0000-0000-0000-000000000001' WHERE session_id IN (1, 2);
UPDATE session SET user_id = 2 WHERE session_id = 3;
\pset expanded on
SELECT * FROM session_overview ORDER BY session_id;
\pset expanded off
SELECT * FROM user_day ORDER BY user_id, day;
SET ekran_sessions.idle_policy = excess;
SELECT session_id, duration_hours, active_hours, idle_hours, productivity_ratio FROM session_overview ORDER BY session_id;
SELECT user_id, session_seconds, active_seconds, idle_seconds FROM user_day ORDER BY user_id, day;
SET ekran_sessions.idle_threshold = '1h';
SELECT session_id, active_seconds, idle_seconds FROM session_overview WHERE session_id = 1;
RESET ekran_sessions.idle_threshold;
RESET ekran_sessions.idle_policy;

-- Across midnight: the days of a user add up to their sessions' own figures. An instant
-- at midnight is the next day's.
INSERT INTO session VALUES (5, NULL, 2, '2024-01-05 23:00', '2024-01-07 00:00');
INSERT INTO activity (session_id, activity_date) VALUES (5, '2024-01-05 23:55'), (5, '2024-01-06 00:05'), (5, '2024-01-06 00:10');
SELECT day, first_login, last_logout, sessions, session_seconds, active_seconds, idle_seconds FROM user_day WHERE day >= '2024-01-05' ORDER BY day;
SELECT (SELECT (sum(session_seconds), sum(active_seconds), sum(idle_seconds)) FROM user_day)
	= (SELECT (sum(duration_seconds), sum(active_seconds), sum(idle_seconds)) FROM session_overview) AS add_up;
SET timezone = 'America/New_York';
SELECT day, first_login, last_logout, sessions, session_seconds, active_seconds, idle_seconds FROM user_day WHERE user_id = 2 ORDER BY day;
SELECT session_id, login_day, login_weekday, login_hour FROM session_overview ORDER BY session_id;
SET timezone = 'UTC';

-- Their own store, by whatever name, whatever the setting, the search_path and what is
-- in it.
SELECT ekran_create_store('other');
INSERT INTO other.session (session_id, login_date) VALUES (99, '2024-01-01');
SET ekran_sessions.store = 'other';
SELECT count(*), sum(active_seconds) FROM seen.session_overview;
SELECT session_id, duration_seconds FROM other.session_overview;
SET ekran_sessions.store = 'nowhere';
ALTER SCHEMA seen RENAME TO "Seen it";
CREATE SCHEMA seen;
CREATE FUNCTION seen.min(timestamptz) RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL::timestamptz';
CREATE FUNCTION seen.ekran_session_figures(regnamespace, bigint, timestamptz, timestamptz) RETURNS ekran_session_figures LANGUAGE sql AS 'SELECT NULL::ekran_session_figures';
SET search_path = seen, pg_catalog, public;
SELECT count(*), pg_catalog.min(login_day), sum(active_seconds) FROM "Seen it".session_overview;
SELECT user_id, day, sessions FROM "Seen it".user_day ORDER BY day, user_id;
DROP SCHEMA seen CASCADE;
ALTER SCHEMA "Seen it" RENAME TO seen;
SET search_path = seen, public;
RESET ekran_sessions.store;

-- Conditions reach an index.
INSERT INTO app_user SELECT i, 'user ' || i FROM generate_series(3, 500) i;
INSERT INTO client SELECT md5(i::text)::uuid, 'PC ' || i FROM generate_series(2, 500) i;
INSERT INTO session SELECT 1000 + i, md5((2 + i % 499)::text)::uuid, 3 + i % 498, '2024-02-01'::timestamptz + i * interval '10 minutes', '2024-02-01'::timestamptz + i * interval '10 minutes' + interval '1 hour'
FROM generate_series(1, 20000) i;
INSERT INTO activity (session_id, activity_date) SELECT session_id, login_date + interval '1 minute' FROM session WHERE session_id > 1000;
SET ekran_sessions.store = 'seen';
SELECT ekran_refresh() > 19000 AS folded;
RESET ekran_sessions.store;
VACUUM ANALYZE session, activity, app_user, client;
CREATE FUNCTION testing.indexes_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
		RETURN NEXT line;
	END LOOP;
END $$;
SELECT * FROM testing.indexes_of($$SELECT * FROM session_overview WHERE login_date >= '2024-03-01' AND login_date < '2024-03-01 01:00'$$);
SELECT query, string_agg(substring(line FROM 'session_\w+_idx'), ', ') AS index_of_session, bool_or(line ~ 'Seq Scan on session') AS all_sessions
FROM unnest(ARRAY[
	$$SELECT * FROM session_overview WHERE login_date >= '2024-03-01' AND login_date < '2024-03-02'$$,
	$$SELECT * FROM session_overview WHERE user_id = 17$$,
	$$SELECT * FROM session_overview WHERE user_name = 'user 17'$$,
	$$SELECT * FROM session_overview WHERE client_guid = md5('17')::uuid$$,
	$$SELECT * FROM session_overview WHERE client_name = 'PC 17'$$,
	$$SELECT * FROM session_overview WHERE session_id = 1017$$,
	$$SELECT * FROM (SELECT * FROM session_overview) q WHERE user_id = 17 AND login_date > '2024-03-01'$$,
	$$SELECT * FROM app_user u JOIN session_overview o ON o.user_id = u.user_id WHERE u.user_id IN (17, 18)$$,
	$$SELECT * FROM session_overview ORDER BY login_date, session_id LIMIT 20$$,
	$$SELECT * FROM user_day WHERE user_id = 17$$,
	$$SELECT * FROM user_day WHERE user_name = 'user 17'$$,
	$$SELECT * FROM user_day WHERE user_id = 17 AND day = '2024-03-01'$$,
	$$SELECT * FROM user_day$$]) WITH ORDINALITY q (query, place), testing.indexes_of(query) line
GROUP BY query, place ORDER BY place;
-- what is not asked for is not measured
EXPLAIN (COSTS off, VERBOSE) SELECT count(*) FROM session_overview WHERE user_id = 17;

-- Against an independent reading, in each state of the derived data: raw, as made by a
-- rebuild, with some that is pending, for who may not read the derived tables.
SET ekran_sessions.store = 'seen';
CREATE TABLE testing.outcome (state text, zone text, threshold text, policy text,
	overview_rows bigint, overview_different bigint, day_rows bigint, day_different bigint);
CREATE PROCEDURE testing.compare_views(state text) LANGUAGE plpgsql AS $$
DECLARE
	zones text[] := ARRAY['UTC', 'Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Pacific/Apia'];
	thresholds text[] := ARRAY['15min', '60s', '61s', '3h', '59s', '0'];
	n int;
BEGIN
	FOR i IN 0..5 LOOP
		n := i + (SELECT count(*) FROM testing.outcome);
		PERFORM set_config('TimeZone', zones[1 + n % 5], true);
		PERFORM set_config('ekran_sessions.idle_threshold', thresholds[1 + n % 6], true);
		PERFORM set_config('ekran_sessions.idle_policy', CASE WHEN n / 6 % 2 = 0 THEN 'whole' ELSE 'excess' END, true);
		INSERT INTO testing.outcome SELECT compare_views.state, zones[1 + n % 5], thresholds[1 + n % 6],
			current_setting('ekran_sessions.idle_policy'), d.* FROM independent.view_differences() d;
	END LOOP;
END $$;
CREATE ROLE regress_ekran_seer;
GRANT USAGE ON SCHEMA seen, testing, independent TO regress_ekran_seer;
GRANT SELECT ON session, activity, client, app_user, session_overview, user_day TO regress_ekran_seer;
GRANT SELECT, INSERT ON testing.outcome TO regress_ekran_seer;
DO $$
BEGIN
	FOR seed IN 1..3 LOOP
		PERFORM testing.fill_random_store(seed / 100.0);
		CALL testing.compare_views('raw');
		PERFORM ekran_rebuild();
		COMMIT;
		CALL testing.compare_views('index');
		INSERT INTO activity (session_id, activity_date)
		SELECT session_id, login_date + random() * interval '10 hours' FROM session, generate_series(1, 3) WHERE random() < 0.5;
		DELETE FROM activity WHERE random() < 0.1;
		CALL testing.compare_views('pending, own');
		COMMIT;
		CALL testing.compare_views('pending');
		SET LOCAL ROLE regress_ekran_seer;
		CALL testing.compare_views('without grants');
		COMMIT;
		PERFORM ekran_refresh();
		CALL testing.compare_views('has folded');
		COMMIT;
	END LOOP;
END $$;
SELECT state, count(*), min(overview_rows) AS sessions_at_least, min(day_rows) > 10 AS days, sum(overview_different) AS different, sum(day_different) AS different_days
FROM testing.outcome GROUP BY state ORDER BY state;
SELECT count(DISTINCT zone) AS zones, count(DISTINCT (threshold, policy)) AS rules FROM testing.outcome;
-- The comparison does find differences: a microsecond, a minute of the clock.
BEGIN;
CREATE SCHEMA altered;
CREATE TABLE altered.activity AS TABLE seen.activity;
UPDATE altered.activity a SET activity_date = activity_date + interval '1 us'
FROM session s WHERE s.session_id = a.session_id AND s.logout_date IS NULL
AND a.activity_date = (SELECT max(activity_date) FROM activity b WHERE b.session_id = s.session_id AND b.activity_date > s.login_date);
SET search_path = altered, seen, public;
SELECT overview_different > 0 AS overview, day_different > 0 AS days FROM independent.view_differences();
ROLLBACK;
SET search_path = seen, public;

-- Where the clock is changed: a day of 23 hours, and of 25; a midnight that is not, one
-- that comes twice, a day that is left out.
TRUNCATE activity, session;
SELECT ekran_rebuild();
CREATE TABLE testing.changes (zone text, before timestamp, after timestamp);
INSERT INTO testing.changes VALUES
	('Europe/Berlin', '2024-03-30 20:00', '2024-04-01 02:00'), ('Europe/Berlin', '2024-10-26 20:00', '2024-10-28 02:00'),
	('America/Sao_Paulo', '2017-10-14 20:00', '2017-10-15 03:00'), ('America/Sao_Paulo', '2018-02-17 20:00', '2018-02-18 03:00'),
	('America/St_Johns', '2006-10-28 20:00', '2006-10-29 03:00'), ('America/St_Johns', '2006-10-29 00:00:30', '2006-10-29 03:00'),
	('Pacific/Apia', '2011-12-29 20:00', '2011-12-31 03:00');
CREATE PROCEDURE testing.compare_changes() LANGUAGE plpgsql AS $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT *, row_number() OVER () AS number FROM testing.changes LOOP
		DELETE FROM session;
		INSERT INTO app_user VALUES (1, 'Ada') ON CONFLICT DO NOTHING;
		INSERT INTO session SELECT i, NULL, 1, (before AT TIME ZONE zone) + i * interval '7 minutes', (after AT TIME ZONE zone) - i * interval '3 minutes'
		FROM testing.changes, generate_series(0, 3) i WHERE changes = (c.zone, c.before, c.after)::testing.changes;
		INSERT INTO activity (session_id, activity_date) SELECT session_id, login_date + i * interval '13 minutes' FROM session, generate_series(0, 60) i WHERE random() < 0.6;
		PERFORM set_config('TimeZone', c.zone, true);
		RAISE WARNING '% from %: %', c.zone, c.before, (SELECT string_agg(format('%s %s %s', day, sessions, session_seconds), ', ' ORDER BY day) FROM user_day);
		INSERT INTO testing.outcome SELECT 'change', c.zone, '', '', d.* FROM independent.view_differences('1 minute') d;
	END LOOP;
END $$;
SELECT setseed(0.5) \g /dev/null
CALL testing.compare_changes();
SELECT zone, sum(overview_rows) AS sessions, sum(day_rows) AS days, sum(overview_different) AS different, sum(day_different) AS different_days
FROM testing.outcome WHERE state = 'change' GROUP BY zone ORDER BY zone;

-- Rights: the caller's, on the view, the tables, and by policies.
DELETE FROM session;
INSERT INTO session (session_id, user_id, login_date, logout_date) VALUES (1, 1, '2024-01-01 08:00', '2024-01-01 09:30'), (2, 2, '2024-01-01 08:00', '2024-01-01 09:00');
INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01 08:01'), (1, '2024-01-01 08:10'), (1, '2024-01-01 08:40'), (1, '2024-01-01 09:05'), (2, '2024-01-01 08:05');
CREATE ROLE regress_ekran_blind;
GRANT USAGE ON SCHEMA seen, testing TO regress_ekran_blind;
SET ROLE regress_ekran_blind;
SELECT code, message FROM testing.failure('SELECT * FROM seen.session_overview');
RESET ROLE;
GRANT SELECT ON session_overview, user_day TO regress_ekran_blind;
SET ROLE regress_ekran_blind;
SELECT code, message FROM testing.failure('SELECT * FROM seen.session_overview');
RESET ROLE;
GRANT SELECT ON session, client, app_user TO regress_ekran_blind;
SET ROLE regress_ekran_blind;
SELECT * FROM testing.failure('SELECT * FROM seen.session_overview') \gx
SELECT code, message FROM testing.failure('SELECT * FROM seen.user_day');
RESET ROLE;
GRANT SELECT (session_id, activity_date) ON activity TO regress_ekran_blind;
SET ROLE regress_ekran_blind;
SELECT session_id, idle_seconds FROM seen.session_overview ORDER BY 1;
RESET ROLE;
ALTER TABLE session ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON session TO regress_ekran_blind USING (user_id = 1);
SET ROLE regress_ekran_blind;
SELECT session_id, idle_seconds FROM seen.session_overview ORDER BY 1;
SELECT user_id, sessions, idle_seconds FROM seen.user_day ORDER BY 1;
RESET ROLE;
GRANT SELECT ON session_idle, pending TO regress_ekran_blind;
ALTER TABLE activity ENABLE ROW LEVEL SECURITY;
CREATE POLICY early ON activity TO regress_ekran_blind USING (activity_date >= '2024-01-01 08:30');
SET ROLE regress_ekran_blind;
SELECT session_id, idle_seconds FROM seen.session_overview ORDER BY 1;
SELECT user_id, idle_seconds FROM seen.user_day ORDER BY 1;
-- one statement, by one role and then by another
RESET ROLE;
PREPARE ones AS SELECT session_id, idle_seconds FROM seen.session_overview ORDER BY 1;
EXECUTE ones;
SET ROLE regress_ekran_blind;
EXECUTE ones;
RESET ROLE;
EXECUTE ones;
DEALLOCATE ones;
-- what the functions are given must be of a store, in a schema that one may use
SELECT code, message FROM testing.failure($$SELECT ekran_session_figures('pg_catalog', 1, '2024-01-01', NULL)$$);
SELECT code, message FROM testing.failure($$SELECT ekran_session_figures('seen', NULL, '2024-01-01', NULL)$$);
SELECT code, message FROM testing.failure($$SELECT ekran_session_figures('seen', 1, 'infinity', NULL)$$);
SELECT code, message FROM testing.failure($$SELECT ekran_session_days('seen', 1, '2024-01-02', '2024-01-01')$$);
REVOKE USAGE ON SCHEMA seen FROM regress_ekran_blind;
SET ROLE regress_ekran_blind;
SELECT code, message FROM testing.failure($$SELECT ekran_session_figures((SELECT oid FROM pg_namespace WHERE nspname = 'seen'), 1, '2024-01-01', NULL)$$);
RESET ROLE;
ALTER TABLE session DISABLE ROW LEVEL SECURITY;
ALTER TABLE activity DISABLE ROW LEVEL SECURITY;

-- What stays open from row to row outlives no transaction, and is as the snapshot: cursors
-- across savepoints, writes of the transaction's own, subtransactions amid a query.
SELECT ekran_rebuild();
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT session_id, idle_seconds FROM session_overview ORDER BY session_id;
DECLARE d CURSOR WITH HOLD FOR SELECT user_id, idle_seconds FROM user_day ORDER BY user_id;
SAVEPOINT s;
FETCH 1 FROM c;
FETCH 1 FROM d;
INSERT INTO activity (session_id, activity_date) VALUES (2, '2024-01-01 08:30');
ROLLBACK TO s;
FETCH 1 FROM c;
INSERT INTO activity (session_id, activity_date) VALUES (1, '2024-01-01 09:10'), (2, '2024-01-01 08:30');
FETCH ABSOLUTE 1 FROM c;
FETCH 1 FROM c;
SELECT session_id, idle_seconds FROM session_overview ORDER BY session_id;
SELECT code, message FROM testing.failure('DROP TABLE seen.session_idle CASCADE');
COMMIT;
FETCH ALL FROM d;
CLOSE d;
CREATE FUNCTION testing.restless(id bigint) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	BEGIN
		PERFORM idle_seconds FROM seen.session_overview WHERE session_id = id;
		PERFORM 1 / 0;
	EXCEPTION WHEN division_by_zero THEN
		NULL;
	END;
	RETURN id;
END $$;
SELECT testing.restless(session_id), idle_seconds FROM session_overview ORDER BY session_id;
DO $$
DECLARE
	r record;
	seconds float8;
BEGIN
	FOR r IN SELECT * FROM session_overview ORDER BY session_id LOOP
		INSERT INTO activity (session_id, activity_date) VALUES (r.session_id, r.login_date + interval '20 minutes');
		COMMIT;
		-- an expression that PL/pgSQL evaluates without a query, under each snapshot
		seconds := (ekran_session_figures('seen', r.session_id, r.login_date, r.logout_date)).idle_seconds;
		RAISE WARNING 'session % had % idle seconds, and has %', r.session_id, r.idle_seconds, seconds;
		PERFORM set_config('ekran_sessions.idle_policy', 'excess', true);
		seconds := (ekran_session_figures('seen', r.session_id, r.login_date, r.logout_date)).idle_seconds;
		RAISE WARNING 'and by excess %', seconds;
		ROLLBACK;
	END LOOP;
END $$;
-- nor does it stay open for expressions that are evaluated without a query, whose memory
-- lives on: in functions and procedures, triggers, casts to a domain
CREATE FUNCTION testing.active_hours(id bigint) RETURNS float8 STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN (ekran_session_figures('seen', id, '2024-01-01 08:00', '2024-01-01 09:30')).active_hours;
END $$;
CREATE PROCEDURE testing.active_hours() LANGUAGE plpgsql AS $$
DECLARE
	hours float8;
BEGIN
	FOR i IN 1..2 LOOP
		hours := (ekran_session_figures('seen', i, '2024-01-01 08:00', '2024-01-01 09:30')).active_hours;
		RAISE WARNING 'hours %', hours;
		COMMIT;
	END LOOP;
END $$;
CREATE FUNCTION testing.note_hours() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	NEW.hours := (ekran_session_figures('seen', NEW.id, '2024-01-01 08:00', '2024-01-01 09:30')).active_hours;
	RETURN NEW;
END $$;
CREATE DOMAIN testing.worked AS bigint CHECK ((ekran_session_figures('seen', VALUE, '2024-01-01 08:00', '2024-01-01 09:30')).active_hours > 0.1);
CREATE TABLE testing.hours (id testing.worked, hours float8);
CREATE TRIGGER noted BEFORE INSERT ON testing.hours FOR EACH ROW EXECUTE FUNCTION testing.note_hours();
CREATE FUNCTION testing.as_worked(id text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	hours testing.hours;
BEGIN
	SELECT id::bigint INTO hours.id;
	RETURN hours.id;
END $$;
SELECT testing.active_hours(1), testing.active_hours(2);
BEGIN;
SAVEPOINT s;
SELECT testing.active_hours(1);
RELEASE s;
SELECT testing.active_hours(2) FROM generate_series(1, 2);
COMMIT;
CALL testing.active_hours();
INSERT INTO testing.hours VALUES (1), (2);
SELECT testing.as_worked('1'), sum(hours) FROM testing.hours;
SELECT code, message FROM testing.failure('INSERT INTO testing.hours VALUES (3)');
DROP TABLE testing.hours;
DROP DOMAIN testing.worked;
DROP PROCEDURE testing.active_hours();
DROP FUNCTION testing.active_hours, testing.note_hours, testing.as_worked;
-- so that who has asked can change tables in the same transaction
BEGIN;
DO $$
DECLARE
	hours float8;
BEGIN
	hours := (ekran_session_figures('seen', 1, '2024-01-01 08:00', '2024-01-01 09:30')).active_hours;
	PERFORM * FROM session_overview;
	TRUNCATE activity;
	ALTER TABLE session_idle ADD more int;
END $$;
ROLLBACK;
-- whoever makes tables of a store's names, and may do nothing else
SET ROLE regress_ekran_blind;
CREATE TEMPORARY TABLE session (session_id bigint, login_date timestamptz, logout_date timestamptz);
CREATE TEMPORARY TABLE activity (session_id bigint, activity_date timestamptz);
DO $$
DECLARE
	hours float8;
BEGIN
	hours := (ekran_session_figures(pg_my_temp_schema()::regnamespace, 1, '2024-01-01', '2024-01-02')).active_hours;
	RAISE WARNING 'hours %', hours;
END $$;
DROP TABLE pg_temp.session, pg_temp.activity;
RESET ROLE;
-- pieces of a session of which nobody wants the rest
INSERT INTO session VALUES (7, NULL, NULL, '2024-02-01', '2024-03-01');
SELECT (ekran_session_days('seen', 7, '2024-02-01', '2024-03-01')).day LIMIT 2;
SELECT s, (SELECT d.day FROM ekran_session_days('seen', 7, '2024-02-01'::timestamptz + s * interval '1 day', '2024-03-01') d LIMIT 1) FROM generate_series(1, 3) s;
SELECT count(*), sum(sessions), sum(duration), sum(active) FROM ekran_session_days('seen', 7, '2024-02-01', '2024-03-01');
SELECT generate_series(1, 3), (ekran_session_days('seen', 7, '2024-02-01', '2024-02-02')).day;
SELECT session_id, d.* FROM session s, LATERAL ekran_session_days('seen', s.session_id, s.login_date, s.logout_date) d WHERE session_id < 7 ORDER BY 1, 2;
-- a duration that no interval holds
INSERT INTO session VALUES (8, NULL, NULL, '4000-01-01 BC', '294000-01-01');
SELECT code, message FROM testing.failure('SELECT * FROM seen.session_overview');
SELECT code, message FROM testing.failure('SELECT * FROM seen.user_day');
DELETE FROM session WHERE session_id = 8;

-- What a store lacks is made; what is in the way is told, and stays.
DROP VIEW session_overview;
COMMENT ON VIEW user_day IS NULL;
SELECT ekran_create_store('seen');
SELECT count(*) FROM session_overview;
SELECT obj_description('user_day'::regclass);
ALTER VIEW user_day SET (security_invoker = off);
SELECT ekran_create_store('seen');
SELECT reloptions FROM pg_class WHERE oid = 'user_day'::regclass;
-- a view that the owner has show more, and others
CREATE OR REPLACE VIEW session_overview WITH (security_invoker) AS SELECT o.*, 1 AS more FROM other.session_overview o;
SELECT ekran_create_store('seen');
SELECT session_id, more FROM session_overview;
DROP VIEW user_day;
CREATE VIEW user_day AS SELECT 1 AS user_id;
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('seen')$$);
DROP VIEW user_day;
CREATE TABLE user_day (user_id int);
SELECT code, message FROM testing.failure($$SELECT ekran_create_store('seen')$$);
DROP TABLE user_day;

RESET search_path;
DROP SCHEMA seen, other CASCADE;
DROP TABLE testing.outcome, testing.changes;
DROP FUNCTION testing.indexes_of, testing.restless;
DROP PROCEDURE testing.compare_views, testing.compare_changes;
REVOKE ALL ON SCHEMA testing, independent FROM regress_ekran_seer, regress_ekran_blind;
DROP ROLE regress_ekran_seer, regress_ekran_blind;
