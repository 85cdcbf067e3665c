-- A store of views over tables that are there already, in three shapes: it answers by
-- the same rules, and what keeps a store refuses it.
\set ECHO none
\i test/helpers.sql
\i test/independent_reading.sql
\i test/independent_statistics.sql
\i test/random_store.sql
\i test/random_usage.sql
\set ECHO all
SET client_min_messages = error;

-- A gateway's connections: start and end in one row, ids and times of other types.
CREATE SCHEMA gateway;
CREATE TABLE gateway.account (id smallint PRIMARY KEY, login text);
CREATE TABLE gateway.machine (id uuid PRIMARY KEY, name varchar(20));
CREATE TABLE gateway.connection (id numeric(20) NOT NULL, account_id smallint, machine_id uuid,
	started_at timestamp NOT NULL, ended_at timestamp);
CREATE TABLE gateway.event (connection_id numeric(20), at timestamp, program varchar(20), number int);
CREATE UNIQUE INDEX connection_by_id ON gateway.connection ((id::bigint));
CREATE INDEX connection_by_start ON gateway.connection ((started_at AT TIME ZONE 'UTC'), (id::bigint));
CREATE INDEX connection_by_range ON gateway.connection USING gist
	(tstzrange(started_at AT TIME ZONE 'UTC', ended_at AT TIME ZONE 'UTC'))
	WHERE ended_at AT TIME ZONE 'UTC' IS NOT NULL;
CREATE INDEX event_by_connection ON gateway.event ((connection_id::bigint), (at AT TIME ZONE 'UTC'));
CREATE SCHEMA gateway_views;
CREATE VIEW gateway_views.client WITH (security_invoker) AS
	SELECT id AS client_guid, name::text AS client_name FROM gateway.machine;
CREATE VIEW gateway_views.app_user WITH (security_invoker) AS
	SELECT id::int AS user_id, login AS user_name FROM gateway.account;
CREATE VIEW gateway_views.session WITH (security_invoker) AS
	SELECT id::bigint AS session_id, machine_id AS client_guid, account_id::int AS user_id,
		started_at AT TIME ZONE 'UTC' AS login_date, ended_at AT TIME ZONE 'UTC' AS logout_date
	FROM gateway.connection;
CREATE VIEW gateway_views.activity WITH (security_invoker) AS
	SELECT connection_id::bigint AS session_id, at AT TIME ZONE 'UTC' AS activity_date,
		number::bigint AS activity_id, program::text AS application
	FROM gateway.event;

-- A time tracker's events: start and end in two rows. A stop before its start is none.
CREATE SCHEMA tracker;
CREATE TABLE tracker.person (id int PRIMARY KEY, name text);
CREATE TABLE tracker.event (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session_id bigint NOT NULL,
	person_id int, kind text NOT NULL, at timestamptz NOT NULL);
CREATE UNIQUE INDEX event_start ON tracker.event (session_id) WHERE kind = 'start';
CREATE UNIQUE INDEX event_stop ON tracker.event (session_id) WHERE kind = 'stop';
CREATE INDEX event_starts ON tracker.event (at, session_id) WHERE kind = 'start';
CREATE INDEX event_work ON tracker.event (session_id, at) WHERE kind = 'work';
CREATE SCHEMA tracker_views;
CREATE VIEW tracker_views.app_user WITH (security_invoker) AS
	SELECT id AS user_id, name AS user_name FROM tracker.person;
CREATE VIEW tracker_views.session WITH (security_invoker) AS
	SELECT b.session_id, NULL::uuid AS client_guid, b.person_id AS user_id, b.at AS login_date, e.at AS logout_date
	FROM tracker.event b
	LEFT JOIN tracker.event e ON e.session_id = b.session_id AND e.kind = 'stop' AND e.at >= b.at
	WHERE b.kind = 'start';
CREATE VIEW tracker_views.activity WITH (security_invoker) AS
	SELECT session_id, at AS activity_date, id AS activity_id FROM tracker.event WHERE kind = 'work';

-- Heartbeats alone: a session ends with the last one before a gap of more than half an
-- hour. It runs where that may not have been the last: up to half an hour before a
-- moment, which is now() outside of tests.
CREATE SCHEMA pulse;
CREATE TABLE pulse.clock (moment timestamptz);
INSERT INTO pulse.clock VALUES ('infinity');
CREATE TABLE pulse.heartbeat (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person_id int NOT NULL, at timestamptz NOT NULL);
CREATE INDEX heartbeat_of_person ON pulse.heartbeat (person_id, at);
CREATE MATERIALIZED VIEW pulse.island AS
SELECT min(id) AS session_id, person_id, min(at) AS started_at,
	CASE WHEN max(at) < (SELECT moment FROM pulse.clock) - interval '30 minutes' THEN max(at) END AS ended_at
FROM (SELECT id, person_id, at, count(*) FILTER (WHERE is_first) OVER (PARTITION BY person_id ORDER BY at, id) AS number
	FROM (SELECT id, person_id, at, at - lag(at) OVER (PARTITION BY person_id ORDER BY at, id) <= interval '30 minutes' IS NOT TRUE AS is_first
		FROM pulse.heartbeat) h) n
GROUP BY person_id, number;
CREATE UNIQUE INDEX island_by_id ON pulse.island (session_id);
CREATE INDEX island_by_start ON pulse.island (started_at, session_id);
CREATE INDEX island_by_range ON pulse.island USING gist (tstzrange(started_at, ended_at)) WHERE ended_at IS NOT NULL;
CREATE SCHEMA pulse_views;
CREATE VIEW pulse_views.session WITH (security_invoker) AS
	SELECT session_id, NULL::uuid AS client_guid, person_id AS user_id, started_at AS login_date, ended_at AS logout_date
	FROM pulse.island;
CREATE VIEW pulse_views.activity WITH (security_invoker) AS
	SELECT i.session_id, h.at AS activity_date, h.id AS activity_id
	FROM pulse.island i JOIN pulse.heartbeat h ON h.person_id = i.person_id
		AND h.at >= i.started_at AND (i.ended_at IS NULL OR h.at <= i.ended_at);

-- What stands in for the tables that a store lacks, for the independent reading.
CREATE SCHEMA absent;
CREATE TABLE absent.client (client_guid uuid, client_name text);
CREATE TABLE absent.app_user (user_id int, user_name text);
CREATE FUNCTION testing.use_store(name text) RETURNS void LANGUAGE sql AS $$
	SELECT set_config('ekran_sessions.store', name, false),
		set_config('search_path', quote_ident(name) || ', absent, public', false)
$$;
-- How many rows, or totals, of two stores differ in some windows.
CREATE FUNCTION testing.differing(one text, other text) RETURNS TABLE (are_many boolean, different bigint)
LANGUAGE plpgsql AS $$
DECLARE
	bounds timestamptz[] := ARRAY[NULL, testing.at('08:05'), testing.at('09:00'), testing.at('20:00'), testing.at('23:59')];
BEGIN
	CREATE TEMPORARY TABLE found ON COMMIT DROP AS
	SELECT ''::text AS store, 0 AS bound, 0 AS to_bound, NULL::ekran_session_row AS r, 0 AS total LIMIT 0;
	FOR i IN 1..2 LOOP
		PERFORM set_config('ekran_sessions.store', CASE i WHEN 1 THEN one ELSE other END, true);
		INSERT INTO found
		SELECT i::text, f, t, s, ekran_sessions_total_count(bounds[f], bounds[t])
		FROM generate_series(1, 5) f, generate_series(1, 5) t, ekran_sessions(bounds[f], bounds[t]) s
		WHERE bounds[f] <= bounds[t] OR f = 1 OR t = 1;
	END LOOP;
	RETURN QUERY SELECT count(DISTINCT (bound, to_bound)) > 10 AND count(*) FILTER (WHERE store = '1') > 200,
		(SELECT count(*) FROM ((SELECT bound, to_bound, r, total FROM found WHERE store = '1' EXCEPT ALL SELECT bound, to_bound, r, total FROM found WHERE store = '2')
			UNION ALL (SELECT bound, to_bound, r, total FROM found WHERE store = '2' EXCEPT ALL SELECT bound, to_bound, r, total FROM found WHERE store = '1')) d)
	FROM found;
	DROP TABLE found;
END
$$;

-- Chosen cases. A session that ended, one that runs, one of nobody's without any
-- activity; an activity without a session, and one after its session's end.
INSERT INTO gateway.account VALUES (1, 'Ada'), (2, NULL);
INSERT INTO gateway.machine VALUES ('00000000-0000-0000-0000-000000000001', 'PC-1');
INSERT INTO gateway.connection VALUES
	(1, 1, '00000000-0000-0000-0000-000000000001', '2024-01-01 08:00', '2024-01-01 09:30'),
	(2, 2, '00000000-0000-0000-0000-000000000002', '2024-01-01 09:00', NULL),
	(3000000000, NULL, NULL, '2024-01-01 10:00', '2024-01-01 11:00');
INSERT INTO gateway.event VALUES (1, '2024-01-01 08:01', 'excel.exe', 1), (1, '2024-01-01 08:10', 'excel.exe', 2),
	(1, '2024-01-01 08:40', 'chrome.exe', 3), (1, '2024-01-01 09:05', 'chrome.exe', 4), (2, '2024-01-01 09:10', 'psql', 5),
	(2, '2024-01-01 09:20', 'psql', 6), (1, '2024-01-01 12:00', 'psql', 7), (4, '2024-01-01 08:00', 'psql', 8);
SELECT testing.use_store('gateway_views');
SELECT * FROM ekran_sessions();
SELECT session_id, login_date, logout_date, idle_time FROM ekran_sessions('2024-01-01 08:05', '2024-01-01 09:15');
SELECT ekran_sessions_json('2024-01-01 09:00', '2024-01-01 09:30', 1);
SELECT * FROM independent.differences(NULL, NULL, 2);
SELECT * FROM independent.differences('2024-01-01 08:05', '2024-01-01 09:15', 1);
SELECT session_id FROM ekran_sessions_after(after_session_id => 2);
-- by user, and by computer; those of nobody
SELECT session_id FROM ekran_sessions(users => '{2}');
SELECT session_id FROM ekran_sessions(clients => ARRAY[NULL, '00000000-0000-0000-0000-000000000001'::uuid]);
SELECT ekran_sessions_total_count(users => '{NULL}');
SELECT * FROM independent.differences(NULL, NULL, 1, '{1,NULL}', ARRAY[NULL::uuid]);

-- 11 stopped, 12 runs, 13 stopped before it began, and so runs.
INSERT INTO tracker.person VALUES (1, 'Cy');
INSERT INTO tracker.event (session_id, person_id, kind, at) VALUES (11, 1, 'start', '2024-01-01 08:00'), (11, 1, 'work', '2024-01-01 08:20'),
	(11, 1, 'work', '2024-01-01 08:30'), (11, 1, 'stop', '2024-01-01 08:35'), (12, 7, 'start', '2024-01-01 10:00'),
	(12, 7, 'work', '2024-01-01 10:05'), (13, NULL, 'start', '2024-01-01 09:00'), (13, NULL, 'stop', '2024-01-01 08:00');
SELECT testing.use_store('tracker_views');
SELECT * FROM ekran_sessions();
SELECT * FROM independent.differences(NULL, NULL, 2);
SELECT * FROM independent.differences('2024-01-01 08:10', '2024-01-01 10:00', 2);
-- nobody has a computer
SELECT ekran_sessions_total_count(clients => ARRAY[NULL::uuid]), ekran_sessions_total_count(clients => ARRAY['00000000-0000-0000-0000-000000000001'::uuid]);

-- Half an hour is no gap, a microsecond more is one. Two that begin at once.
INSERT INTO pulse.heartbeat (person_id, at) VALUES (1, '2024-01-01 08:00'), (1, '2024-01-01 08:10'), (1, '2024-01-01 08:40'),
	(1, '2024-01-01 09:10:00.000001'), (1, '2024-01-01 09:15'), (2, '2024-01-01 08:00'), (1, '2024-01-01 08:10');
REFRESH MATERIALIZED VIEW pulse.island;
SELECT testing.use_store('pulse_views');
SELECT * FROM ekran_sessions();
SELECT * FROM independent.differences(NULL, NULL, 2);
SELECT * FROM independent.differences('2024-01-01 08:10', '2024-01-01 09:10', 2);
-- Refreshed at 09:20, of which the last one is young enough to go on: it does, and shows
-- it at once. A new one takes another refresh.
UPDATE pulse.clock SET moment = '2024-01-01 09:20';
REFRESH MATERIALIZED VIEW CONCURRENTLY pulse.island;
INSERT INTO pulse.heartbeat (person_id, at) VALUES (1, '2024-01-01 09:40'), (2, '2024-01-01 09:40');
SELECT session_id, user_id, login_date, logout_date, idle_time FROM ekran_sessions();
UPDATE pulse.clock SET moment = '2024-01-01 09:50';
REFRESH MATERIALIZED VIEW CONCURRENTLY pulse.island;
SELECT session_id, user_id, login_date, logout_date, idle_time FROM ekran_sessions();
SELECT * FROM independent.differences(NULL, NULL, 2);

-- The conditions that pages and figures ask by reach the indexes.
CREATE FUNCTION testing.indexes(condition text) RETURNS TABLE (store text, indexes text) LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	FOREACH store IN ARRAY ARRAY['gateway_views', 'tracker_views', 'pulse_views'] LOOP
		EXECUTE format('EXPLAIN (FORMAT json) SELECT session_id FROM %I.%s', store, condition) INTO plan;
		SELECT string_agg(DISTINCT node ->> 'Index Name', ' ' ORDER BY node ->> 'Index Name') INTO indexes
		FROM jsonb_path_query(plan, 'strict $.**?(@."Index Name" != null && @."Index Cond" != null)') node;
		RETURN NEXT;
	END LOOP;
END
$$;
BEGIN;
INSERT INTO gateway.connection SELECT i, 1, NULL, t, t + interval '9 minutes'
FROM generate_series(100, 5100) i, LATERAL (SELECT '2024-02-01'::timestamp + i * interval '10 minutes' AS t) l;
INSERT INTO gateway.event SELECT id, ended_at, 'psql', id FROM gateway.connection WHERE id BETWEEN 100 AND 5100;
INSERT INTO tracker.event (session_id, kind, at) SELECT id, 'start', started_at FROM gateway.connection WHERE id BETWEEN 100 AND 5100
	UNION ALL SELECT id, k, ended_at FROM gateway.connection, unnest('{work,stop}'::text[]) k WHERE id BETWEEN 100 AND 5100;
INSERT INTO pulse.heartbeat (person_id, at) SELECT id, ended_at FROM gateway.connection WHERE id BETWEEN 100 AND 5100;
UPDATE pulse.clock SET moment = 'infinity';
REFRESH MATERIALIZED VIEW pulse.island;
ANALYZE gateway.connection, gateway.event, tracker.event, pulse.heartbeat, pulse.island;
SELECT * FROM testing.indexes('session WHERE session_id = 1');
SELECT * FROM testing.indexes($$session WHERE (login_date, session_id) > ('2024-01-01', 1) ORDER BY login_date, session_id LIMIT 1$$);
-- two rows have no range that an index could hold
SELECT * FROM testing.indexes($$session WHERE tstzrange(login_date, logout_date) @> '2024-01-01'::timestamptz AND logout_date IS NOT NULL$$)
WHERE store <> 'tracker_views';
SELECT * FROM testing.indexes($$activity WHERE session_id = 1 AND activity_date >= '2024-01-01' AND activity_date <= '2024-01-02' ORDER BY activity_date$$);
ROLLBACK;

-- A store of its own, moved into each shape: all say the same, and what the
-- independent reading says of each.
SELECT ekran_create_store('origin');
CREATE FUNCTION testing.move_into_shapes() RETURNS void LANGUAGE sql AS $$
	TRUNCATE gateway.account, gateway.machine, gateway.connection, gateway.event, tracker.person, tracker.event, pulse.heartbeat;
	INSERT INTO gateway.account SELECT user_id, user_name FROM origin.app_user;
	INSERT INTO gateway.machine SELECT client_guid, client_name FROM origin.client;
	INSERT INTO gateway.connection SELECT session_id, user_id, client_guid, login_date AT TIME ZONE 'UTC', logout_date AT TIME ZONE 'UTC' FROM origin.session;
	INSERT INTO gateway.event SELECT session_id, activity_date AT TIME ZONE 'UTC', application, activity_id FROM origin.activity;
	INSERT INTO tracker.person SELECT user_id, user_name FROM origin.app_user;
	INSERT INTO tracker.event (session_id, person_id, kind, at)
		SELECT session_id, user_id, 'start', login_date FROM origin.session
		UNION ALL SELECT session_id, NULL, 'stop', logout_date FROM origin.session WHERE logout_date IS NOT NULL
		UNION ALL SELECT session_id, NULL, 'work', activity_date FROM origin.activity;
	INSERT INTO pulse.heartbeat (person_id, at)
		SELECT s.user_id, a.activity_date FROM origin.session s JOIN origin.activity a USING (session_id)
		WHERE s.user_id IS NOT NULL ORDER BY a.activity_id;
	UPDATE pulse.clock SET moment = (SELECT max(at) - interval '20 minutes' FROM pulse.heartbeat);
	REFRESH MATERIALIZED VIEW pulse.island;
$$;
ALTER TABLE origin.activity ALTER application SET DEFAULT testing.random_application();
-- The columns that views lack, for the independent reading of statistics.
CREATE SCHEMA gateway_views_whole;
CREATE VIEW gateway_views_whole.activity AS SELECT *, NULL::text AS url FROM gateway_views.activity;
CREATE SCHEMA tracker_views_whole;
CREATE VIEW tracker_views_whole.activity AS SELECT *, NULL::text AS application, NULL::text AS url FROM tracker_views.activity;
CREATE SCHEMA pulse_views_whole;
CREATE VIEW pulse_views_whole.activity AS SELECT *, NULL::text AS application, NULL::text AS url FROM pulse_views.activity;
CREATE FUNCTION testing.compare_shapes(seeds int) RETURNS TABLE (store text, windows numeric, has_rows boolean, different numeric, statistics numeric)
LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMPORARY TABLE outcome (store text, compared bigint, rows_compared bigint, different bigint, statistics bigint);
	FOR seed IN 1..seeds LOOP
		PERFORM set_config('ekran_sessions.idle_threshold', (ARRAY['15min', '1min', '30s'])[1 + seed % 3], true);
		PERFORM testing.use_store('origin');
		PERFORM testing.fill_random_store(seed / 50.0);
		PERFORM testing.move_into_shapes();
		FOREACH store IN ARRAY ARRAY['gateway_views', 'tracker_views', 'pulse_views'] LOOP
			PERFORM testing.use_store(store);
			INSERT INTO outcome SELECT store, w.* FROM testing.compare_random_windows(10) w;
			PERFORM set_config('search_path', store || '_whole, ' || current_setting('search_path'), true);
			UPDATE outcome o SET statistics = s.different FROM testing.compare_random_statistics(3) s
			WHERE o.store = compare_shapes.store AND o.statistics IS NULL;
		END LOOP;
	END LOOP;
	RETURN QUERY SELECT o.store, sum(compared), bool_and(rows_compared > 50), sum(o.different), sum(o.statistics)
	FROM outcome o GROUP BY o.store ORDER BY o.store;
END
$$;
SELECT * FROM testing.compare_shapes(3);
SELECT testing.use_store('gateway_views');
SELECT * FROM testing.differing('origin', 'gateway_views');
-- of these, computers are not known
UPDATE origin.session SET client_guid = NULL;
SELECT * FROM testing.differing('origin', 'tracker_views');
-- The islands, by a walk through the heartbeats.
CREATE FUNCTION testing.islands() RETURNS SETOF pulse.island LANGUAGE plpgsql AS $$
DECLARE
	beat record;
	island pulse.island;
	young timestamptz := (SELECT moment FROM pulse.clock) - interval '30 minutes';
BEGIN
	FOR beat IN SELECT * FROM pulse.heartbeat ORDER BY person_id, at, id LOOP
		IF island.person_id = beat.person_id AND beat.at - island.ended_at <= interval '30 minutes' THEN
			island.ended_at := beat.at;
			island.session_id := least(island.session_id, beat.id);
		ELSE
			IF island IS NOT NULL THEN
				island.ended_at := CASE WHEN island.ended_at < young THEN island.ended_at END;
				RETURN NEXT island;
			END IF;
			island := (beat.id, beat.person_id, beat.at, beat.at);
		END IF;
	END LOOP;
	island.ended_at := CASE WHEN island.ended_at < young THEN island.ended_at END;
	RETURN NEXT island;
END
$$;
SELECT count(*) > 20 AS are_many, count(*) FILTER (WHERE ended_at IS NULL) > 0 AS some_run,
	(SELECT count(*) FROM ((TABLE pulse.island EXCEPT ALL SELECT * FROM testing.islands())
		UNION ALL (SELECT * FROM testing.islands() EXCEPT ALL TABLE pulse.island)) d) AS different
FROM pulse.island;

-- A view may lack ids, applications and urls: nothing is known of these then.
CREATE SCHEMA sparse;
CREATE VIEW sparse.session AS SELECT 1::bigint AS session_id, NULL::uuid AS client_guid, 7 AS user_id,
	testing.at('08:00') AS login_date, testing.at('08:30') AS logout_date;
CREATE VIEW sparse.activity AS SELECT 1::bigint AS session_id, testing.at('08:20') AS activity_date, 'excel'::text AS application;
SET ekran_sessions.store = 'sparse';
SELECT * FROM ekran_application_statistics();
SELECT * FROM ekran_url_statistics();
SELECT state, application, to_time - from_time AS span FROM ekran_session_timeline(1);
DROP VIEW sparse.activity;
CREATE VIEW sparse.activity AS SELECT 1::bigint AS session_id, testing.at('08:10') AS activity_date;
SELECT * FROM ekran_application_statistics();
SELECT ekran_url_statistics_json();
SELECT state, application, to_time - from_time AS span FROM ekran_session_timeline(1);
SELECT * FROM ekran_user_productivity();

-- also where it is a table, of sessions that are a view
DROP VIEW sparse.activity;
CREATE TABLE sparse.activity (session_id bigint, activity_date timestamptz, activity_id bigint, title text, PRIMARY KEY (session_id, activity_date, activity_id));
INSERT INTO sparse.activity VALUES (1, testing.at('08:20'), 1, 'a title');
SELECT * FROM ekran_application_statistics();
SELECT ekran_url_statistics_json();
SELECT state, application, to_time - from_time AS span FROM ekran_session_timeline(1);
DROP TABLE sparse.activity;
CREATE VIEW sparse.activity AS SELECT 1::bigint AS session_id, testing.at('08:10') AS activity_date;

-- One that shows something else each time it is asked, behind conditions that it met
-- before, is found out. So are times that are none.
CREATE SEQUENCE sparse.number;
CREATE FUNCTION sparse.liar(at timestamptz) RETURNS timestamptz LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN CASE WHEN nextval('sparse.number') % 3 = 0 THEN '1900-01-01 12:34:56.789+00' ELSE at END;
END
$$;
CREATE TABLE sparse.event AS SELECT testing.at('08:10') AS at;
CREATE OR REPLACE VIEW sparse.activity AS SELECT 1::bigint AS session_id, sparse.liar(at) AS activity_date FROM sparse.event;
SELECT s, f.code, f.message FROM unnest(ARRAY['ekran_sessions_json()', 'ekran_sessions()', 'ekran_session_list()', 'ekran_application_statistics_json()', 'ekran_session_timeline(1)', 'ekran_user_productivity()']) s,
	LATERAL (SELECT setval('sparse.number', 3) OFFSET 0) n, LATERAL testing.failure('SELECT ' || s) f;
CREATE OR REPLACE VIEW sparse.activity AS SELECT 1::bigint AS session_id, at AS activity_date FROM sparse.event;
CREATE OR REPLACE VIEW sparse.session AS SELECT 1::bigint AS session_id, NULL::uuid AS client_guid, 7 AS user_id,
	testing.at('08:00') AS login_date, 'infinity'::timestamptz AS logout_date;
SELECT s, f.code, f.message FROM unnest(ARRAY['ekran_sessions()', 'ekran_session_list()', 'ekran_application_statistics()', 'ekran_session_timeline(1)', 'ekran_user_productivity()']) s,
	LATERAL testing.failure('SELECT ' || s) f;
CREATE OR REPLACE VIEW sparse.session AS SELECT 1 + nextval('sparse.number') % 2 AS session_id, NULL::uuid AS client_guid, 7 AS user_id,
	testing.at('08:00') AS login_date, testing.at('08:30') AS logout_date FROM generate_series(1, 1500);
SELECT code, message FROM testing.failure('SELECT ekran_sessions_all()');
DROP SCHEMA sparse CASCADE;

-- Into a store of tables. An activity without a session is refused, as ever.
SELECT testing.use_store('pulse_views');
SELECT ekran_create_store('moved_pulse');
INSERT INTO moved_pulse.app_user (user_id) SELECT DISTINCT user_id FROM pulse_views.session;
INSERT INTO moved_pulse.session (session_id, client_guid, user_id, login_date, logout_date)
	SELECT session_id, client_guid, user_id, login_date, logout_date FROM pulse_views.session;
INSERT INTO moved_pulse.activity (session_id, activity_date) SELECT session_id, activity_date FROM pulse_views.activity;
INSERT INTO gateway.event VALUES (-1, '2024-01-01 08:00', 'psql', 1);
SELECT ekran_create_store('moved_gateway');
INSERT INTO moved_gateway.client SELECT * FROM gateway_views.client;
INSERT INTO moved_gateway.app_user SELECT * FROM gateway_views.app_user;
INSERT INTO moved_gateway.session (session_id, client_guid, user_id, login_date, logout_date)
	SELECT session_id, client_guid, user_id, login_date, logout_date FROM gateway_views.session;
SELECT code, message FROM testing.failure('INSERT INTO moved_gateway.activity (session_id, activity_date) SELECT session_id, activity_date FROM gateway_views.activity');
INSERT INTO moved_gateway.activity (session_id, activity_date, application)
	SELECT session_id, activity_date, application FROM gateway_views.activity JOIN gateway_views.session USING (session_id);
SELECT * FROM testing.differing('pulse_views', 'moved_pulse');
SELECT * FROM testing.differing('gateway_views', 'moved_gateway');
SET ekran_sessions.store = 'moved_gateway';
CALL ekran_maintain();
SELECT state, answered_by FROM ekran_status();
SELECT * FROM testing.differing('gateway_views', 'moved_gateway');

-- Names need their tables, in any store; they come and go while it is read.
TRUNCATE gateway.event, gateway.connection;
INSERT INTO gateway.connection VALUES (1, 1, (SELECT id FROM gateway.machine WHERE name = 'PC 2'), '2024-01-01 08:00', '2024-01-01 09:00');
UPDATE gateway.account SET login = 'Ada' WHERE id = 1;
SET ekran_sessions.store = 'gateway_views';
SELECT client_name, user_name FROM ekran_sessions();
DROP VIEW gateway_views.client;
SELECT client_name, user_name FROM ekran_sessions();
ALTER VIEW gateway_views.app_user RENAME TO people;
SELECT client_name, user_name, client_guid IS NOT NULL AS has_client, user_id FROM ekran_sessions();
SELECT ekran_sessions_json()::jsonb #> '{sessions,0,clientName}' AS client_name, ekran_sessions_json()::jsonb #> '{sessions,0,userName}' AS user_name;
SELECT ekran_sessions_total_count(users => '{1}'), ekran_sessions_total_count(users => '{2}');
ALTER VIEW gateway_views.people RENAME TO app_user;
SELECT client_name, user_name FROM ekran_sessions();
CREATE VIEW gateway_views.client WITH (security_invoker) AS
	SELECT id AS client_guid, name::text AS client_name FROM gateway.machine;
SELECT client_name, user_name FROM ekran_sessions();
SET ekran_sessions.store = 'moved_gateway';
DROP TABLE moved_gateway.client, moved_gateway.app_user CASCADE;
SELECT count(*) > 0 AS has_rows, count(client_name) AS clients, count(user_name) AS users FROM ekran_sessions();
SELECT state, answered_by FROM ekran_status();

-- What keeps a store refuses one of views, whoever asks.
SET ekran_sessions.store = 'gateway_views';
CREATE FUNCTION testing.refusals() RETURNS TABLE (statement text, code text, message text) LANGUAGE sql AS $$
	SELECT s, f.code, f.message FROM unnest(ARRAY['SELECT ekran_refresh()', 'SELECT ekran_rebuild()',
		'SELECT * FROM ekran_check()', $s$SELECT ekran_purge('2024-01-01')$s$, $s$SELECT * FROM ekran_close_sessions('1 hour', '2025-01-01')$s$,
		format('SELECT ekran_create_store(%L)', current_setting('ekran_sessions.store'))]) s, LATERAL testing.failure(s) f
$$;
SELECT * FROM testing.refusals();
SELECT * FROM testing.failure('SELECT ekran_refresh()') \gx
CALL ekran_maintain();
SELECT * FROM ekran_status() \gx
CREATE ROLE regress_ekran_reader;
GRANT USAGE ON SCHEMA testing, gateway_views TO regress_ekran_reader;
SET ROLE regress_ekran_reader;
SELECT DISTINCT code, message FROM testing.refusals();
SELECT state, reason FROM ekran_status();
RESET ROLE;
-- it is the kind of session or activity that counts, whatever else is there
CREATE SCHEMA mixed;
CREATE MATERIALIZED VIEW mixed.session AS SELECT 1::bigint AS session_id, NULL::uuid AS client_guid, NULL::int AS user_id, NULL::timestamptz AS login_date, NULL::timestamptz AS logout_date LIMIT 0;
SET ekran_sessions.store = 'mixed';
SELECT DISTINCT code, message FROM testing.refusals();
SELECT state, reason, answered_by, counted_by FROM ekran_status();
DROP MATERIALIZED VIEW mixed.session;
CREATE FOREIGN DATA WRAPPER regress_ekran_wrapper;
CREATE SERVER regress_ekran_server FOREIGN DATA WRAPPER regress_ekran_wrapper;
CREATE TABLE mixed.session (session_id bigint, client_guid uuid, user_id int, login_date timestamptz, logout_date timestamptz);
CREATE FOREIGN TABLE mixed.activity (session_id bigint, activity_date timestamptz) SERVER regress_ekran_server;
SELECT DISTINCT code, message FROM testing.refusals();
SELECT state, reason, answered_by, counted_by FROM ekran_status();
DROP FOREIGN DATA WRAPPER regress_ekran_wrapper CASCADE;
-- one that lacks a table is none of views
SELECT state, reason FROM ekran_status();
SELECT statement, code FROM testing.refusals();

-- Derived tables that are left beside views tell of other rows, and nobody asks them.
SELECT ekran_create_store('turned');
SELECT testing.use_store('turned');
SELECT testing.add_session(1, '08:00', '12:00', '08:05', '11:00'), testing.add_session(2, '09:00', NULL, '09:05', '10:00'),
	testing.add_session(3, '10:00', '11:00', '10:30');
CALL ekran_maintain();
SELECT state, answered_by, counted_by, indexed_sessions FROM ekran_status();
SELECT session_id, idle_time FROM ekran_sessions('2024-01-01 08:30');
CREATE SCHEMA kept;
ALTER TABLE turned.activity SET SCHEMA kept;
CREATE VIEW turned.activity AS SELECT session_id, activity_date + interval '1 minute' AS activity_date FROM kept.activity WHERE session_id <> 3;
SELECT state, reason, answered_by, counted_by, indexed_sessions, pending_rows, activity_bytes FROM ekran_status();
SELECT * FROM independent.differences('2024-01-01 08:30', NULL, 2);
ALTER TABLE turned.session SET SCHEMA kept;
CREATE VIEW turned.session AS SELECT session_id, client_guid, user_id, login_date, logout_date FROM kept.session WHERE session_id <> 1;
SELECT state, reason, answered_by, counted_by, indexed_sessions, pending_rows, activity_bytes FROM ekran_status();
SELECT * FROM independent.differences('2024-01-01 08:30', NULL, 2);
SELECT ekran_sessions_total_count(), ekran_sessions_total_count('2024-01-01 10:00:30');
SELECT session_id, idle_time FROM ekran_sessions('2024-01-01 08:30');
SELECT DISTINCT code, message FROM testing.refusals();
-- activities of the store's own, under other sessions
DROP VIEW turned.activity;
ALTER TABLE kept.activity SET SCHEMA turned;
SELECT state, reason, answered_by, counted_by FROM ekran_status();
SELECT * FROM independent.differences('2024-01-01 08:30', NULL, 2);
SELECT DISTINCT code, message FROM testing.refusals();
-- an agent writes nothing that could not be noted
SELECT code, message FROM testing.failure($$INSERT INTO turned.activity (session_id, activity_date) VALUES (2, '2024-01-01 09:30')$$);
-- and all as it was
DROP VIEW turned.session;
ALTER TABLE kept.session SET SCHEMA turned;
SELECT state, answered_by, counted_by, indexed_sessions FROM ekran_status();
SELECT session_id, idle_time FROM ekran_sessions('2024-01-01 08:30');
SELECT * FROM ekran_check();

-- Policies of the tables hold through views that run as who asks.
RESET search_path;
TRUNCATE gateway.account, gateway.machine, gateway.connection, gateway.event, pulse.heartbeat;
INSERT INTO gateway.account VALUES (1, 'Ada'), (2, 'Ben');
INSERT INTO gateway.connection VALUES (1, 1, NULL, '2024-01-01 08:00', '2024-01-01 09:00'),
	(2, 2, NULL, '2024-01-01 08:30', '2024-01-01 09:30'), (3, 1, NULL, '2024-01-01 10:00', NULL);
INSERT INTO gateway.event VALUES (1, '2024-01-01 08:10', 'excel.exe', 1), (1, '2024-01-01 08:20', 'private', 2), (2, '2024-01-01 08:40', 'psql', 3),
	(3, '2024-01-01 10:05', 'private', 4);
SET ekran_sessions.store = 'gateway_views';
CREATE ROLE regress_ekran_lead;
GRANT USAGE ON SCHEMA gateway_views, absent, independent, testing TO regress_ekran_lead;
GRANT SELECT ON ALL TABLES IN SCHEMA gateway_views TO regress_ekran_lead;
-- the views' own grants are not enough: the hint says what is
SET ROLE regress_ekran_lead;
SELECT * FROM testing.failure('SELECT * FROM ekran_sessions()') \gx
RESET ROLE;
GRANT USAGE ON SCHEMA gateway TO regress_ekran_lead;
GRANT SELECT ON ALL TABLES IN SCHEMA gateway TO regress_ekran_lead;
ALTER TABLE gateway.connection ENABLE ROW LEVEL SECURITY;
CREATE POLICY adas ON gateway.connection TO regress_ekran_lead USING (account_id = 1);
ALTER TABLE gateway.event ENABLE ROW LEVEL SECURITY;
CREATE POLICY public_ones ON gateway.event TO regress_ekran_lead USING (program <> 'private');
SELECT session_id, user_name, logout_date, idle_time FROM ekran_sessions('2024-01-01 08:05');
SET ROLE regress_ekran_lead;
SELECT session_id, user_name, logout_date, idle_time FROM ekran_sessions('2024-01-01 08:05');
SELECT ekran_sessions_total_count(), ekran_sessions_json()::jsonb ->> 'totalCount' AS in_json;
SELECT code, message FROM testing.failure('SELECT * FROM ekran_sessions_after(after_session_id => 2)');
SET search_path = gateway_views, absent, public;
SELECT * FROM independent.differences('2024-01-01 08:05', NULL, 1);
SELECT state, reason, answered_by, counted_by FROM ekran_status();
RESET search_path;
RESET ROLE;
-- a view that runs as its owner shows what the owner sees
ALTER VIEW gateway_views.session RESET (security_invoker);
SET ROLE regress_ekran_lead;
SELECT session_id, user_name, logout_date, idle_time FROM ekran_sessions('2024-01-01 08:05');
RESET ROLE;
ALTER VIEW gateway_views.session SET (security_invoker);
-- A materialized view has no policies: those of a table beside it hold.
INSERT INTO pulse.heartbeat (person_id, at) VALUES (1, '2024-01-01 08:00'), (2, '2024-01-01 08:00'), (1, '2024-01-01 08:10');
UPDATE pulse.clock SET moment = 'infinity';
REFRESH MATERIALIZED VIEW pulse.island;
CREATE TABLE pulse.person (id int PRIMARY KEY);
INSERT INTO pulse.person VALUES (1), (2);
CREATE OR REPLACE VIEW pulse_views.session WITH (security_invoker) AS
	SELECT session_id, NULL::uuid AS client_guid, person_id AS user_id, started_at AS login_date, ended_at AS logout_date
	FROM pulse.island WHERE EXISTS (SELECT FROM pulse.person p WHERE p.id = person_id);
ALTER TABLE pulse.person ENABLE ROW LEVEL SECURITY;
CREATE POLICY first ON pulse.person TO regress_ekran_lead USING (id = 1);
GRANT USAGE ON SCHEMA pulse, pulse_views TO regress_ekran_lead;
GRANT SELECT ON ALL TABLES IN SCHEMA pulse, pulse_views TO regress_ekran_lead;
SET ekran_sessions.store = 'pulse_views';
SELECT user_id, login_date, logout_date FROM ekran_sessions();
SET ROLE regress_ekran_lead;
SELECT user_id, login_date, logout_date FROM ekran_sessions();
RESET ROLE;

-- Views of other shapes are refused where they are read, and without activity too.
SET ekran_sessions.store = 'mixed';
DROP TABLE mixed.session;
CREATE VIEW mixed.session AS SELECT 1 AS session_id, NULL::uuid AS client_guid, NULL::int AS user_id, now() AS login_date, NULL::timestamptz AS logout_date;
CREATE VIEW mixed.activity AS SELECT 1::bigint AS session_id, now() AS activity_date LIMIT 0;
SELECT code, message FROM testing.failure('SELECT * FROM ekran_sessions()');
DROP VIEW mixed.session;
-- a session without a login has no place in the order, so it is in no window
CREATE VIEW mixed.session AS SELECT 1::bigint AS session_id, NULL::uuid AS client_guid, NULL::int AS user_id, NULL::timestamptz AS login_date, NULL::timestamptz AS logout_date;
SELECT count(*) AS sessions, ekran_sessions_total_count() FROM ekran_sessions();
DROP VIEW mixed.activity;
SELECT state, reason FROM ekran_status();
CREATE OR REPLACE VIEW mixed.session AS SELECT 1::bigint AS session_id, NULL::uuid AS client_guid, NULL::int AS user_id, '2024-01-01'::timestamptz AS login_date, NULL::timestamptz AS logout_date;
SELECT code, message FROM testing.failure('SELECT * FROM ekran_sessions()');

RESET ekran_sessions.store;
DROP SCHEMA gateway, gateway_views, tracker, tracker_views, pulse, pulse_views, absent, origin, moved_pulse, moved_gateway, mixed, turned, kept CASCADE;
DROP OWNED BY regress_ekran_lead, regress_ekran_reader;
DROP ROLE regress_ekran_lead, regress_ekran_reader;
DROP FUNCTION testing.use_store, testing.differing, testing.indexes, testing.move_into_shapes, testing.compare_shapes, testing.refusals;
DROP TABLE outcome;
