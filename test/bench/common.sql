-- What the parts of script/bench measure with.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE EXTENSION ekran_sessions;
CREATE SCHEMA bench;

-- The lines of the table that is printed.
CREATE TABLE bench.result (place serial, measure text, unit text, ours float8,
	reference float8, reached text);
-- Of measures taken in rounds, each round; their medians become a line.
CREATE TABLE bench.round (measure text, is_ours boolean, value float8);

-- A store, in the place of the one of that name. The names that sessions of
-- every store refer to.
CREATE FUNCTION bench.create_store(store name) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', store);
	PERFORM ekran_create_store(store);
	EXECUTE format('INSERT INTO %I.client SELECT md5(i::text)::uuid, ''PC '' || i FROM generate_series(0, 99) i', store);
	EXECUTE format('INSERT INTO %I.app_user SELECT i, ''user '' || i FROM generate_series(0, 199) i', store);
END
$$;

-- The same tables with all their keys, checks and indexes, and no triggers of
-- ours: nothing ties activities to sessions.
CREATE FUNCTION bench.create_bare_store(store name) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	ours record;
BEGIN
	PERFORM bench.create_store(store);
	FOR ours IN
		SELECT tgname, tgrelid::regclass AS tgtable FROM pg_trigger
		WHERE tgname LIKE 'ekran%' AND tgrelid IN (SELECT oid FROM pg_class WHERE relnamespace = store::text::regnamespace)
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', ours.tgname, ours.tgtable);
	END LOOP;
END
$$;

-- Sessions that have neither client nor user.
CREATE FUNCTION bench.fill_sessions(store name, sessions int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($f$
		INSERT INTO %I.session (session_id, login_date, logout_date)
		SELECT i, login, login + interval '8 hours'
		FROM (SELECT i, '2024-01-01'::timestamptz + i * interval '1 min' AS login
			FROM generate_series(1, $1) i) s$f$, store) USING sessions;
END
$$;

-- Sessions that begin within an hour, with activities up to a minute apart but
-- for 15 gaps of 5 to 30 minutes a session. Running ones have no logout.
CREATE FUNCTION bench.fill_store(store name, sessions int, activities int, running boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM setseed(0.5);
	EXECUTE format($f$
		INSERT INTO %1$I.session
		SELECT i, md5((i %% 100)::text)::uuid, i %% 200,
			'2024-01-01'::timestamptz + i * interval '3.6 seconds'
		FROM generate_series(1, $1) i$f$, store) USING sessions;
	EXECUTE format($f$
		INSERT INTO %1$I.activity (session_id, activity_date, application, url, title)
		SELECT session_id, login_date + sum(step) OVER (PARTITION BY session_id ORDER BY n),
			'chrome.exe', 'https://intranet.example.com/page/' || n, 'A page of the intranet, number ' || n
		FROM (SELECT session_id, login_date, n,
				CASE WHEN n %% greatest($1 / 15, 1) = 0 THEN interval '5 min' + random() * interval '25 min'
					ELSE random() * interval '59 s' END AS step
			FROM %1$I.session, generate_series(1, $1) n) steps$f$, store) USING activities;
	IF NOT running THEN
		EXECUTE format($f$
			UPDATE %1$I.session s SET logout_date = (SELECT max(activity_date) + interval '10 s'
				FROM %1$I.activity a WHERE a.session_id = s.session_id)$f$, store);
	END IF;
	PERFORM set_config('ekran_sessions.store', store, true);
	PERFORM ekran_refresh();
END
$$;

-- The best SQL by hand over raw activity: LATERAL with a window function, over
-- what bounds ('start,end') leave of the sessions.
CREATE FUNCTION bench.by_hand(store text, bounds text) RETURNS text LANGUAGE sql AS $$
	SELECT format($q$
		SELECT s.session_id, s.client_guid, c.client_name, s.user_id, u.user_name,
			m.first, m.last, m.last - m.first AS duration,
			m.last - m.first - m.idle AS productive, m.idle
		FROM (SELECT * FROM %1$s.session
			WHERE logout_date > %2$s AND login_date < %3$s
			ORDER BY login_date, session_id LIMIT 1000) s
		LEFT JOIN %1$s.client c USING (client_guid)
		LEFT JOIN %1$s.app_user u USING (user_id)
		CROSS JOIN LATERAL (
			SELECT min(t) AS first, max(t) AS last,
				coalesce(sum(gap) FILTER (WHERE gap > interval '15 min'), '0') AS idle
			FROM (SELECT t, t - lag(t) OVER (ORDER BY t) AS gap
				FROM (SELECT s.login_date AS t WHERE s.login_date >= %2$s
					UNION ALL
					SELECT activity_date FROM %1$s.activity a
					WHERE a.session_id = s.session_id
					AND activity_date > greatest(s.login_date, %2$s)
					AND activity_date < least(s.logout_date, %3$s)
					UNION ALL
					SELECT s.logout_date WHERE s.logout_date <= %3$s) moments) gaps) m
		ORDER BY s.login_date, s.session_id$q$, store,
		quote_literal(split_part(bounds, ',', 1)) || '::timestamptz',
		quote_literal(split_part(bounds, ',', 2)) || '::timestamptz')
$$;

-- Milliseconds that a statement takes: the median of so many runs, after as
-- many for warming up. It is prepared; each value of each row is made.
CREATE FUNCTION bench.median_ms(statement text, runs int) RETURNS float8
LANGUAGE plpgsql AS $$
DECLARE
	times float8[] := '{}';
	begun timestamptz;
	rows bigint;
BEGIN
	EXECUTE format($f$
		CREATE OR REPLACE FUNCTION pg_temp.run() RETURNS bigint LANGUAGE plpgsql AS $b$
		BEGIN
			RETURN (SELECT count(q) FROM (%s) q);
		END $b$ $f$, statement);
	FOR i IN 1..2 * runs LOOP
		begun := clock_timestamp();
		rows := pg_temp.run();
		IF i > runs THEN
			times := times || extract(epoch FROM clock_timestamp() - begun) * 1000;
		END IF;
	END LOOP;
	RETURN percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) t;
END
$$;

-- Run a statement, and keep what it took as the round of a measure: seconds, or
-- where it writes so many rows, rows a second.
CREATE FUNCTION bench.time_round(measure text, is_ours boolean, statement text, rows int DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	begun timestamptz := clock_timestamp();
	seconds float8;
BEGIN
	EXECUTE statement;
	seconds := extract(epoch FROM clock_timestamp() - begun);
	INSERT INTO bench.round VALUES (measure, is_ours, coalesce(rows / seconds, seconds));
END
$$;
