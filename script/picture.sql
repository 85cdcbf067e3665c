-- The sessions of a day and the hours of all days, as one line of JSON: the data of
-- script/picture.html.
--
-- Usage: psql -X -qAt -v day=2026-03-03 -f script/picture.sql
--
-- Days are those of UTC. Times and durations are microseconds, numbers below 2^53 until
-- the year 2255; ids pass that, so they are strings. No "<" is left, which could end the
-- script element that the line is put into: within a string, JSON has another word for it.

\set ON_ERROR_STOP on
SET TimeZone = 'UTC';

SELECT :'day'::date AS day, :'day'::date + 1 AS next_day \gset

WITH session AS (
	SELECT
		ordinality,
		json_build_object(
			'id', session_id::text,
			'user', user_id::text,
			'name', user_name,
			-- Null where the session has no moment in the day.
			'from', (extract(epoch FROM login_date) * 1000000)::bigint,
			'to', (extract(epoch FROM logout_date) * 1000000)::bigint,
			'active', (extract(epoch FROM productivity_time) * 1000000)::bigint,
			'idle', (extract(epoch FROM idle_time) * 1000000)::bigint,
			'stretches', stretches) AS document
	FROM ekran_sessions_all(:'day', :'next_day') WITH ORDINALITY
	CROSS JOIN LATERAL (
		SELECT coalesce(json_agg(json_build_object(
			'from', (extract(epoch FROM from_time) * 1000000)::bigint,
			'to', (extract(epoch FROM to_time) * 1000000)::bigint,
			'state', state,
			'application', application) ORDER BY from_time), '[]') AS stretches
		FROM ekran_session_timeline(session_id, :'day', :'next_day')
	) AS timeline
), user_day AS (
	SELECT
		user_id,
		date,
		json_build_object(
			'user', user_id::text,
			'name', user_name,
			'date', date,
			'hours', sum(total_minutes) / 60) AS document
	FROM ekran_user_productivity()
	GROUP BY user_id, user_name, date
)
SELECT replace(
	json_build_object(
		'day', :'day'::date,
		'from', (extract(epoch FROM :'day'::timestamptz) * 1000000)::bigint,
		'to', (extract(epoch FROM :'next_day'::timestamptz) * 1000000)::bigint,
		'total', ekran_sessions_total_count(:'day', :'next_day'),
		'sessions', (SELECT coalesce(json_agg(document ORDER BY ordinality), '[]') FROM session),
		'hours', (SELECT coalesce(json_agg(document ORDER BY date, user_id), '[]') FROM user_day)
	)::text,
	'<', '\u003c');
