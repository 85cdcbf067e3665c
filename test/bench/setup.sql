-- The data that reading is measured on, and what it is measured with.
-- Variables: sessions a page, activities a session, sessions of the long history.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

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

-- A long history: a thousand sessions a day, those of the last day with some
-- activities.
CREATE FUNCTION bench.fill_history(store name, sessions int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($f$
		INSERT INTO %1$I.session
		SELECT i, md5((i %% 100)::text)::uuid, i %% 200, login, login + interval '8 hours'
		FROM (SELECT i, '2024-01-01'::timestamptz - ($1 / 1000) * interval '1 day'
				+ i * interval '86.4 seconds' AS login
			FROM generate_series(0, $1 - 1) i) s$f$, store) USING sessions;
	EXECUTE format($f$
		INSERT INTO %1$I.activity (session_id, activity_date)
		SELECT session_id, login_date + n * interval '24 minutes'
		FROM %1$I.session, generate_series(0, 20) n
		WHERE login_date >= '2023-12-31'$f$, store);
	PERFORM set_config('ekran_sessions.store', store, true);
	PERFORM ekran_refresh();
END
$$;

-- Sessions that were left running for good, before the last year of such a history.
CREATE FUNCTION bench.leave_running(store name, sessions int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($f$
		INSERT INTO %1$I.session
		SELECT 10000000 + i, md5((i %% 100)::text)::uuid, i %% 200,
			'2023-01-01'::timestamptz - i * interval '1 hour'
		FROM generate_series(1, $1) i$f$, store) USING sessions;
	EXECUTE format($f$
		INSERT INTO %1$I.activity (session_id, activity_date)
		SELECT session_id, login_date + n * interval '24 minutes'
		FROM %1$I.session, generate_series(0, 20) n
		WHERE session_id > 10000000$f$, store);
	PERFORM set_config('ekran_sessions.store', store, true);
	PERFORM ekran_refresh();
END
$$;

-- A history of 10 000 users in turn, or of one of them alone, whose sessions have
-- activities.
CREATE FUNCTION bench.fill_team(store name, sessions int, users int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO %1$I.app_user SELECT i, ''user '' || i FROM generate_series(200, 9999) i', store);
	EXECUTE format($f$
		INSERT INTO %1$I.session
		SELECT i, md5((i %% 100)::text)::uuid, i %% 10000, login, login + interval '8 hours'
		FROM (SELECT i, '2024-01-01'::timestamptz - ($1 / 1000) * interval '1 day'
				+ i * interval '86.4 seconds' AS login
			FROM generate_series(0, $1 - 1) i WHERE i %% 10000 < $2) s$f$, store) USING sessions, users;
	EXECUTE format($f$
		INSERT INTO %1$I.activity (session_id, activity_date)
		SELECT session_id, login_date + n * interval '24 minutes'
		FROM %1$I.session, generate_series(0, 20) n
		WHERE user_id = 0$f$, store);
	PERFORM set_config('ekran_sessions.store', store, true);
	PERFORM ekran_refresh();
END
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

SELECT bench.create_store(s) FROM unnest(ARRAY['short', 'usual', 'long', 'running', 'history', 'recent', 'left_running', 'team', 'alone']) s \g /dev/null
SELECT bench.fill_store('short', :sessions, :activities / 10, false) \g /dev/null
SELECT bench.fill_store('usual', :sessions, :activities, false) \g /dev/null
SELECT bench.fill_store('long', :sessions, :activities * 10, false) \g /dev/null
SELECT bench.fill_store('running', :sessions, :activities, true) \g /dev/null
SELECT bench.fill_history('history', :history) \g /dev/null
SELECT bench.fill_history('recent', :history / 50) \g /dev/null
SELECT bench.fill_history('left_running', :history / 50) \g /dev/null
SELECT bench.leave_running('left_running', 20000) \g /dev/null
SELECT bench.fill_team('team', :history, 10000) \g /dev/null
SELECT bench.fill_team('alone', :history, 1) \g /dev/null
VACUUM (ANALYZE);
CHECKPOINT;
