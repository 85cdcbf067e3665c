-- The data that reading is measured on, and what it is measured with.
-- Variables: sessions a page, activities a session, sessions of the long history.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';

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
