-- The data that statistics are measured on: a month of 200 users, and 20 000 sessions.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
\set days 30
\set activities 480

-- A session a day of each user, of some eight hours, that begins in the morning; in each,
-- activities up to a minute apart but for 15 gaps of 5 to 30 minutes. People stay in an
-- application for a while.
SELECT bench.create_store('month') \g /dev/null
SELECT setseed(0.5) \g /dev/null
INSERT INTO month.session
SELECT day * 200 + u, md5((u % 100)::text)::uuid, u, '2024-01-01'::timestamptz + day * interval '1 day' + interval '8 hours' + random() * interval '30 minutes'
FROM generate_series(0, :days - 1) day, generate_series(0, 199) u;
INSERT INTO month.activity (session_id, activity_date, application, url, title)
SELECT session_id, login_date + sum(step) OVER (PARTITION BY session_id ORDER BY n),
	(ARRAY['chrome.exe', 'excel.exe', 'outlook.exe', 'explorer.exe', 'teams.exe', 'winword.exe'])[1 + (session_id + n / 8) % 6],
	'https://intranet-' || n / 8 % 7 || '.example.com/page/' || n, 'A page of the intranet, number ' || n
FROM (SELECT session_id, login_date, n,
		CASE WHEN n % (:activities / 15) = 0 THEN interval '5 min' + random() * interval '25 min' ELSE random() * interval '59 s' END AS step
	FROM month.session, generate_series(1, :activities) n) steps;
UPDATE month.session s SET logout_date = (SELECT max(activity_date) + interval '10 s' FROM month.activity a WHERE a.session_id = s.session_id);

-- 20 000 sessions of ten activities each, and a million.
SELECT bench.create_store(s) FROM unnest(ARRAY['thousands', 'million']) s \g /dev/null
CREATE FUNCTION bench.fill_short_sessions(store name, sessions int) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format($f$
		INSERT INTO %1$I.session
		SELECT i, md5((i %% 100)::text)::uuid, i %% 200, login, login + interval '3 hours'
		FROM (SELECT i, '2024-01-01'::timestamptz + i * interval '1 minute' AS login FROM generate_series(1, $1) i) s$f$, store) USING sessions;
	EXECUTE format($f$
		INSERT INTO %1$I.activity (session_id, activity_date)
		SELECT session_id, login_date + n * interval '14 minutes' FROM %1$I.session, generate_series(0, 9) n$f$, store);
END
$$;
SELECT bench.fill_short_sessions('thousands', 20000), bench.fill_short_sessions('million', 1000000) \g /dev/null
SET ekran_sessions.store = 'month';
CALL ekran_maintain();
SET ekran_sessions.store = 'thousands';
CALL ekran_maintain();
SET ekran_sessions.store = 'million';
CALL ekran_maintain();
VACUUM (ANALYZE);
CHECKPOINT;
