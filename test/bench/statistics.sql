-- Measures of statistics, against the best SQL by hand over raw activity that we found.
-- It knows what our data are like: every session has a logout, and all urls look alike.

\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET jit = off;
SET ekran_sessions.store = 'month';
\set month '''2024-01-01'', ''2024-01-31'''
\set day '''2024-01-16'', ''2024-01-17'''

-- The moments of each session, by which all by hand begin.
CREATE FUNCTION bench.moments(bounds text, columns text) RETURNS text LANGUAGE sql AS $$
	SELECT format($q$
		(SELECT * FROM month.session WHERE logout_date > %1$s AND login_date < %2$s) s
		CROSS JOIN LATERAL (
			SELECT login_date AS t, -1::bigint AS id, NULL AS application, NULL AS url WHERE s.login_date >= %1$s
			UNION ALL
			SELECT activity_date, activity_id, %3$s FROM month.activity a
			WHERE a.session_id = s.session_id
			AND activity_date > %1$s AND activity_date < %2$s AND activity_date BETWEEN s.login_date AND s.logout_date
			UNION ALL
			SELECT logout_date, 9223372036854775807, NULL, NULL WHERE s.logout_date <= %2$s) m$q$,
		split_part(bounds, ',', 1) || '::timestamptz', split_part(bounds, ',', 2) || '::timestamptz', columns)
$$;

-- Only moments that begin what is active, and the last one, leave the subquery. Spans of a
-- user are united by ranges, and divided where they reach into another hour.
CREATE FUNCTION bench.productivity_by_hand(bounds text) RETURNS text LANGUAGE sql AS $$
	SELECT format($q$
		SELECT x.user_id, u.user_name, hour::date AS date, extract(hour FROM hour)::int AS time_of_day,
			sum(extract(epoch FROM least(upper(x.span), hour + interval '1 hour') - greatest(lower(x.span), hour)))::float8 / 60 AS total_minutes
		FROM (SELECT user_id, unnest(range_agg(tstzrange(begins_at, ends_at))) AS span
			FROM (SELECT user_id, begins, t AS begins_at,
					lead(CASE WHEN begins THEN previous ELSE t END) OVER (PARTITION BY session_id ORDER BY t, id) AS ends_at
				FROM (SELECT s.session_id, s.user_id, id, t, lag(t) OVER w AS previous, lead(t) OVER w AS next,
						t - lag(t) OVER w <= interval '15 min' IS NOT TRUE AS begins
					FROM %s
					WINDOW w AS (PARTITION BY s.session_id ORDER BY t, id)) m
				WHERE begins OR next IS NULL) spans
			WHERE begins AND begins_at < ends_at
			GROUP BY user_id) x
		LEFT JOIN month.app_user u USING (user_id)
		CROSS JOIN LATERAL generate_series(date_trunc('hour', lower(x.span)), upper(x.span) - interval '1 us', interval '1 hour') hour
		GROUP BY 1, 2, 3, 4$q$, bench.moments(bounds, 'NULL, NULL'))
$$;

-- What reaches into another hour is divided, the rest is taken as it is.
CREATE FUNCTION bench.usage_by_hand(bounds text, columns text, key text, condition text) RETURNS text LANGUAGE sql AS $$
	SELECT format($q$
		WITH active AS (
			SELECT session_id, %2$s AS key, t, next
			FROM (SELECT s.session_id, application, url, t, lead(t) OVER (PARTITION BY s.session_id ORDER BY t, id) AS next FROM %1$s) g
			WHERE next - t <= interval '15 min' AND next > t)
		SELECT session_id, hour, key, sum(duration) AS duration
		FROM (SELECT session_id, date_trunc('hour', t) AS hour, key, next - t AS duration
			FROM active WHERE next <= date_trunc('hour', t) + interval '1 hour'
			UNION ALL
			SELECT session_id, hour, key, least(next, hour + interval '1 hour') - greatest(t, hour)
			FROM active, generate_series(date_trunc('hour', t), next - interval '1 us', interval '1 hour') hour
			WHERE next > date_trunc('hour', t) + interval '1 hour') p
		WHERE %3$s
		GROUP BY session_id, hour, key$q$, bench.moments(bounds, columns), key, condition)
$$;

-- Both return the same, or nothing is measured.
CREATE FUNCTION bench.require_equal(ours text, by_hand text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	differing bigint;
	compared bigint;
BEGIN
	EXECUTE format('WITH a AS (%s), b AS (%s) SELECT (SELECT count(*) FROM ((TABLE a EXCEPT ALL TABLE b) UNION ALL (TABLE b EXCEPT ALL TABLE a)) d), (SELECT count(*) FROM a)', ours, by_hand)
	INTO differing, compared;
	IF differing > 0 OR compared = 0 THEN
		RAISE EXCEPTION '% of % rows differ', differing, compared;
	END IF;
END
$$;

SELECT bench.productivity_by_hand(:'month') AS productivity_by_hand, bench.productivity_by_hand(:'day') AS day_productivity_by_hand,
	bench.usage_by_hand(:'day', 'application, NULL', 'application', 'true') AS applications_by_hand,
	bench.usage_by_hand(:'day', 'NULL, url', $$nullif(split_part(url, '/', 3), '')$$, 'key IS NOT NULL') AS urls_by_hand \gset
\set rounded 'user_id, user_name, date, time_of_day, round(total_minutes::numeric, 6) AS total_minutes'
SELECT bench.require_equal('SELECT ' || :'rounded' || ' FROM ekran_user_productivity(' || :'month' || ')', 'SELECT ' || :'rounded' || ' FROM (' || :'productivity_by_hand' || ') h'),
	bench.require_equal('SELECT * FROM ekran_application_statistics(' || :'day' || ')', :'applications_by_hand'),
	bench.require_equal('SELECT * FROM ekran_url_statistics(' || :'day' || ')', :'urls_by_hand') \g /dev/null

SELECT pg_sleep(5) \g /dev/null
SELECT bench.median_ms('SELECT * FROM ekran_user_productivity(' || :'month' || ')', :runs) AS productivity,
	bench.median_ms(:'productivity_by_hand', 3) AS productivity_by_hand_ms,
	bench.median_ms('SELECT * FROM ekran_user_productivity(' || :'day' || ')', :runs) AS day_productivity,
	bench.median_ms(:'day_productivity_by_hand', 5) AS day_productivity_by_hand_ms,
	bench.median_ms('SELECT * FROM ekran_application_statistics(' || :'day' || ')', :runs) AS applications,
	bench.median_ms(:'applications_by_hand', 5) AS applications_by_hand_ms,
	bench.median_ms('SELECT * FROM ekran_url_statistics(' || :'day' || ')', :runs) AS urls,
	bench.median_ms(:'urls_by_hand', 5) AS urls_by_hand_ms \gset

-- All sessions, against their plain rows with names in the same order.
-- The rows of sessions alone, with names, in the order of pages.
CREATE FUNCTION bench.plain_rows(limited text) RETURNS text LANGUAGE sql AS $$
	SELECT 'SELECT s.session_id, s.client_guid, c.client_name, s.user_id, u.user_name, s.login_date, s.logout_date
		FROM thousands.session s LEFT JOIN thousands.client c USING (client_guid) LEFT JOIN thousands.app_user u USING (user_id)
		ORDER BY s.login_date, s.session_id ' || limited
$$;

SET ekran_sessions.store = 'thousands';
SELECT bench.median_ms('SELECT * FROM ekran_sessions_all()', :runs) AS all_sessions,
	bench.median_ms('SELECT (a).* FROM (SELECT ekran_sessions_all() AS a OFFSET 0) r', :runs) AS row_by_row,
	bench.median_ms('SELECT * FROM ekran_session_list()', :runs) AS list,
	bench.median_ms(bench.plain_rows(''), :runs) AS plain \gset
SELECT bench.median_ms('SELECT * FROM thousands.session_overview ORDER BY login_date, session_id', :runs) AS overview,
	bench.median_ms('SELECT * FROM thousands.session_overview ORDER BY login_date, session_id LIMIT 1000', 5 * :runs) AS overview_page,
	bench.median_ms(bench.plain_rows('LIMIT 1000'), 5 * :runs) AS plain_page,
	bench.median_ms('SELECT * FROM thousands.user_day', :runs) AS user_day,
	bench.median_ms('SELECT s.user_id, u.user_name, s.login_date::date, min(s.login_date), max(s.logout_date), count(*), sum(s.logout_date - s.login_date)
		FROM thousands.session s LEFT JOIN thousands.app_user u USING (user_id) GROUP BY s.user_id, u.user_name, s.login_date::date', :runs) AS plain_days,
	bench.median_ms('SELECT * FROM thousands.user_day WHERE user_id = 7', 5 * :runs) AS day_of_one \gset

INSERT INTO bench.result (measure, unit, ours, reference, reached) VALUES
	('ekran_user_productivity, a month of 200 users, against SQL by hand', 'ms', :productivity, :productivity_by_hand_ms, 'at least 20 times faster'),
	('the same of a day', 'ms', :day_productivity, :day_productivity_by_hand_ms, 'faster'),
	('ekran_application_statistics, a day of 200 users, likewise', 'ms', :applications, :applications_by_hand_ms, 'at least 2 times faster'),
	('ekran_url_statistics, likewise', 'ms', :urls, :urls_by_hand_ms, 'faster'),
	('ekran_sessions_all, 20000 sessions, against the plain rows with names', 'ms', :all_sessions, :plain, 'at most 2.5'),
	('the same in a select list, row by row', 'ms', :row_by_row, :plain, ''),
	('ekran_session_list, likewise', 'ms', :list, :plain, ''),
	('session_overview, likewise, in order', 'ms', :overview, :plain, 'at most 3'),
	('1000 of it in order, against as many plain rows', 'ms', :overview_page, :plain_page, 'at most 3'),
	('user_day, 20000 sessions, against users and days of the plain rows', 'ms', :user_day, :plain_days, 'at most 3'),
	('that of one of 200 users, against all', 'ms', :day_of_one, :user_day, 'at most 0.1');
