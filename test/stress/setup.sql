-- What script/stress runs on: the store "ekran", and "twin", the same base tables
-- without a trigger of ours, where activity has a real foreign key. The files of
-- test/stress/ run on either; search_path tells which.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION ekran_sessions;
CREATE ROLE stress_owner LOGIN;
CREATE ROLE stress_agent LOGIN;
CREATE SCHEMA stress;
CREATE SCHEMA ekran AUTHORIZATION stress_owner;
CREATE SCHEMA twin AUTHORIZATION stress_owner;
GRANT USAGE ON SCHEMA stress TO stress_owner, stress_agent;

-- Samples that are taken, and what the server's log and pgbench have told.
CREATE TABLE stress.size (elapsed float8, relation text, heap bigint, indexes bigint,
	live bigint, dead bigint);
CREATE TABLE stress.memory (elapsed float8, pid int, kilobytes bigint);
CREATE TABLE stress.status (elapsed float8, state text, reason text, pending_rows bigint, sessions bigint,
	differences bigint, seconds float8);
CREATE TABLE stress.difference (elapsed float8, session_id bigint, difference text);
CREATE TABLE stress.reading (elapsed float8, what text, selected bigint, by_page bigint, by_session bigint,
	in_total int, in_json int, seconds float8);
CREATE TABLE stress.log (line text);
CREATE TABLE stress.done (side text, kind text, transactions bigint);
CREATE TABLE stress.failure (what text);

SET ROLE stress_owner;
SELECT ekran_create_store('ekran'), ekran_create_store('twin');

-- The twin's store is none: what is derived goes, and so do the triggers.
DO $$
DECLARE
	ours record;
BEGIN
	FOR ours IN SELECT tgname, tgrelid::regclass AS tgtable FROM pg_trigger
		WHERE NOT tgisinternal AND tgrelid IN ('twin.session'::regclass, 'twin.activity'::regclass)
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', ours.tgname, ours.tgtable);
	END LOOP;
END
$$;
DROP VIEW twin.session_overview, twin.user_day;
DROP TABLE twin.session_idle, twin.pending, twin.session_count;
ALTER TABLE twin.activity ADD CONSTRAINT activity_session_id_fkey
	FOREIGN KEY (session_id) REFERENCES twin.session ON DELETE CASCADE;

INSERT INTO ekran.client SELECT md5(i::text)::uuid, 'PC ' || i FROM generate_series(0, 99) i;
INSERT INTO ekran.app_user SELECT i, 'user ' || i FROM generate_series(0, 199) i;
INSERT INTO twin.client SELECT * FROM ekran.client;
INSERT INTO twin.app_user SELECT * FROM ekran.app_user;

-- Sessions of the day before the clock starts, as they are in the middle of a run.
INSERT INTO ekran.session
SELECT i, md5((i % 100)::text)::uuid, i % 200, login, CASE WHEN i % 5 > 0 THEN login + interval '2 hours' END
FROM (SELECT 2 * i AS i, '2024-01-01 00:00+00'::timestamptz - random() * interval '26 hours' AS login
	FROM generate_series(1, 1000) i) s;
INSERT INTO ekran.activity (session_id, activity_date, application, url)
SELECT session_id, login_date + i * interval '4 minutes', 'excel.exe', NULL
FROM ekran.session, generate_series(1, 30) i;
INSERT INTO twin.session SELECT * FROM ekran.session;
INSERT INTO twin.activity SELECT * FROM ekran.activity;

-- The agent has what may be granted of both, and none of upkeep.
GRANT USAGE ON SCHEMA ekran, twin TO stress_agent;
GRANT ALL ON ekran.session, ekran.activity, ekran.client, ekran.app_user TO stress_agent;
GRANT ALL ON twin.session, twin.activity, twin.client, twin.app_user TO stress_agent;
GRANT SELECT ON ekran.session_idle, ekran.pending, ekran.session_count, ekran.session_overview TO stress_agent;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA ekran, twin TO stress_agent;

-- Of the twin, plain SQL by the names of our functions: what reads the same rows,
-- if not to the same figures, and what has the same effect.
CREATE FUNCTION twin.ekran_sessions_all(start timestamptz DEFAULT NULL, "end" timestamptz DEFAULT NULL,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS SETOF public.ekran_session_row LANGUAGE sql STABLE AS $$
	SELECT s.session_id, s.client_guid, c.client_name, s.user_id, u.user_name,
		m.first, m.last, m.last - m.first, m.last - m.first - m.idle, m.idle
	FROM twin.session s
	LEFT JOIN twin.client c USING (client_guid)
	LEFT JOIN twin.app_user u USING (user_id)
	CROSS JOIN LATERAL (
		SELECT min(t) AS first, max(t) AS last, coalesce(sum(gap) FILTER (WHERE gap > interval '15 min'), '0') AS idle
		FROM (SELECT t, t - lag(t) OVER (ORDER BY t) AS gap
			FROM (SELECT s.login_date AS t
				UNION ALL
				SELECT a.activity_date FROM twin.activity a WHERE a.session_id = s.session_id
				AND (start IS NULL OR a.activity_date > start) AND ("end" IS NULL OR a.activity_date < "end")
				UNION ALL
				SELECT s.logout_date) moments) gaps) m
	WHERE (start IS NULL OR s.logout_date IS NULL OR s.logout_date > start) AND ("end" IS NULL OR s.login_date < "end")
	AND (users IS NULL OR s.user_id = ANY (users)) AND (clients IS NULL OR s.client_guid = ANY (clients))
	ORDER BY s.login_date, s.session_id
$$;
CREATE FUNCTION twin.ekran_sessions(start timestamptz DEFAULT NULL, "end" timestamptz DEFAULT NULL,
	count bigint DEFAULT 1000, page bigint DEFAULT 0, users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS SETOF public.ekran_session_row LANGUAGE sql STABLE AS $$
	SELECT * FROM twin.ekran_sessions_all(start, "end", users, clients)
	OFFSET coalesce(count, 1000) * coalesce(page, 0) LIMIT coalesce(count, 1000)
$$;
CREATE FUNCTION twin.ekran_sessions_after(start timestamptz DEFAULT NULL, "end" timestamptz DEFAULT NULL,
	count bigint DEFAULT 1000, after_session_id bigint DEFAULT NULL, users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS SETOF public.ekran_session_row LANGUAGE sql STABLE AS $$
	SELECT s.* FROM twin.ekran_sessions_all(start, "end", users, clients) s JOIN twin.session t USING (session_id)
	WHERE after_session_id IS NULL
	OR (t.login_date, session_id) > ((SELECT login_date FROM twin.session WHERE session_id = after_session_id), after_session_id)
	LIMIT coalesce(count, 1000)
$$;
CREATE FUNCTION twin.ekran_sessions_total_count(start timestamptz DEFAULT NULL, "end" timestamptz DEFAULT NULL,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS int LANGUAGE sql STABLE AS $$
	SELECT count(*)::int FROM twin.session s
	WHERE (start IS NULL OR s.logout_date IS NULL OR s.logout_date > start) AND ("end" IS NULL OR s.login_date < "end")
$$;
CREATE FUNCTION twin.ekran_sessions_json("start" timestamptz DEFAULT NULL, "end" timestamptz DEFAULT NULL,
	"sessionCount" bigint DEFAULT 1000, "pageIndex" bigint DEFAULT 0, "userIds" int[] DEFAULT NULL, "clientGuids" uuid[] DEFAULT NULL)
RETURNS json LANGUAGE sql STABLE AS $$
	SELECT json_build_object('sessions', coalesce(json_agg(s), '[]'), 'totalCount', twin.ekran_sessions_total_count("start", "end"))
	FROM twin.ekran_sessions("start", "end", "sessionCount", "pageIndex", "userIds", "clientGuids") s
$$;
CREATE FUNCTION twin.ekran_application_statistics(start timestamptz DEFAULT NULL, "end" timestamptz DEFAULT NULL,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (session_id bigint, time_of_day timestamptz, application text, duration interval) LANGUAGE sql STABLE AS $$
	SELECT a.session_id, date_trunc('hour', a.activity_date), a.application, max(a.activity_date) - min(a.activity_date)
	FROM twin.session s JOIN twin.activity a USING (session_id)
	WHERE (s.logout_date IS NULL OR s.logout_date > start) AND s.login_date < "end"
	AND a.activity_date > start AND a.activity_date < "end" GROUP BY 1, 2, 3
$$;
CREATE FUNCTION twin.ekran_user_productivity(start timestamptz DEFAULT NULL, "end" timestamptz DEFAULT NULL,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (user_id int, user_name text, date date, time_of_day int, total_minutes float8) LANGUAGE sql STABLE AS $$
	SELECT user_id, max(user_name), login_date::date, extract(hour FROM login_date)::int,
		sum(extract(epoch FROM productivity_time) / 60)::float8
	FROM twin.ekran_sessions_all(start, "end", users, clients) GROUP BY 1, 3, 4
$$;
CREATE FUNCTION twin.ekran_session_timeline(session_id bigint, start timestamptz DEFAULT NULL, "end" timestamptz DEFAULT NULL)
RETURNS TABLE (from_time timestamptz, to_time timestamptz, state text, application text) LANGUAGE sql STABLE AS $$
	SELECT activity_date, lead(activity_date) OVER (ORDER BY activity_date), 'active', application
	FROM twin.activity a WHERE a.session_id = $1
$$;
CREATE VIEW twin.session_overview AS
	SELECT s.*, (SELECT extract(epoch FROM max(activity_date) - min(activity_date)) / 3600 FROM twin.activity a
		WHERE a.session_id = s.session_id)::float8 AS active_hours
	FROM twin.session s;
GRANT SELECT ON twin.session_overview TO stress_agent;
CREATE PROCEDURE twin.ekran_maintain() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$;
CREATE FUNCTION twin.ekran_refresh() RETURNS bigint LANGUAGE sql AS 'SELECT 0::bigint';
-- Locked in the order of their ids, as ours does, or hardly any would come to its end, and
-- meet those who write to what it deletes.
CREATE FUNCTION twin.ekran_purge(before timestamptz) RETURNS bigint LANGUAGE sql AS $$
	WITH old AS (SELECT session_id FROM twin.session WHERE login_date < before AND logout_date < before ORDER BY session_id FOR UPDATE),
	gone AS (DELETE FROM twin.session s USING old WHERE s.session_id = old.session_id RETURNING 1)
	SELECT count(*) FROM gone
$$;
CREATE FUNCTION twin.ekran_close_sessions(silent_for interval, as_of timestamptz)
RETURNS TABLE (session_id bigint, login_date timestamptz, logout_date timestamptz) LANGUAGE sql AS $$
	WITH silent AS (
		SELECT s.session_id, coalesce((SELECT max(activity_date) FROM twin.activity a WHERE a.session_id = s.session_id
			AND activity_date BETWEEN s.login_date AND as_of), s.login_date) AS latest
		FROM twin.session s
		WHERE s.logout_date IS NULL
		AND coalesce((SELECT max(activity_date) FROM twin.activity a WHERE a.session_id = s.session_id
			AND activity_date BETWEEN s.login_date AND as_of), s.login_date) < as_of - silent_for
		FOR UPDATE OF s SKIP LOCKED)
	UPDATE twin.session s SET logout_date = latest FROM silent WHERE s.session_id = silent.session_id
	RETURNING s.session_id, s.login_date, s.logout_date
$$;
RESET ROLE;

-- The clock of the workload starts at 2024-01-01, and goes two hours a second: a day
-- is twelve seconds, after which sessions are purged. It goes on where it was after so
-- many seconds.
CREATE PROCEDURE stress.start_clock(seconds int) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE OR REPLACE FUNCTION stress.clock() RETURNS timestamptz LANGUAGE sql STABLE AS %L',
		format('SELECT timestamptz %L + (now() - timestamptz %L) * 7200', '2024-01-01 00:00+00', clock_timestamp() - seconds * interval '1 second'));
END
$$;
CALL stress.start_clock(0);
VACUUM ANALYZE;
