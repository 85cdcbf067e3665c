-- An independent reading of the rules of statistics: plain SQL over the raw
-- tables of the store that search_path names, without a word of the extension,
-- as close to the wording of the rules as SQL gets. Included after
-- independent_reading.sql, which says what is selected, and from when to when.

-- The functions name tables of whichever store search_path has when they run.
SET check_function_bodies = off;

-- The host of a url; null: none.
CREATE OR REPLACE FUNCTION independent.host(url text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	-- the collation "C" lower-cases what is ASCII, and nothing else
	SELECT lower(CASE
		WHEN url ~ '^[A-Za-z][A-Za-z0-9+.-]*://' THEN
			-- no text of no characters, no bracket without its other one
			substring(regexp_replace(authority, '^.*@', ''),
				'^(\[[^]]*\]|[^:[][^:]*)')
		WHEN part ~ '[.]' AND part !~ '[ :@]' THEN part
		WHEN lower(part COLLATE "C") = 'localhost' THEN part
		END COLLATE "C")
	FROM substring(url, '^[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)') AS authority,
		-- up to the first of them
		regexp_replace(url, '([/?#]|:[0-9]).*$', '') AS part
$$;

-- What consecutive moments inside [Start', End'] have between them, of each
-- session selected; what takes no time is left out. An idle one is nobody's.
CREATE OR REPLACE FUNCTION independent.stretches(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (from_time timestamptz, to_time timestamptz, state text,
	session_id bigint, user_id int, application text, url text,
	is_login boolean)
LANGUAGE sql STABLE AS $$
WITH moments AS (
	-- at one time: the login, the activities, the logout
	SELECT s.session_id, s.login_date AS t, 1 AS turn,
		NULL::bigint AS activity_id, NULL::text AS application, NULL::text AS url
	FROM session s
	UNION ALL
	SELECT s.session_id, a.activity_date, 2, a.activity_id, a.application, a.url
	FROM session s JOIN activity a ON a.session_id = s.session_id
	WHERE s.login_date <= a.activity_date
	AND (s.logout_date IS NULL OR a.activity_date <= s.logout_date)
	UNION ALL
	SELECT s.session_id, s.logout_date, 3, NULL, NULL, NULL FROM session s
	WHERE s.logout_date IS NOT NULL
), gaps AS (
	-- null dates have no moment between them
	SELECT m.*, c.user_id, lead(m.t) OVER (PARTITION BY m.session_id
			ORDER BY m.t, m.turn, m.activity_id) AS next
	FROM independent.sessions(start, "end", threshold, policy, users, clients) c
	JOIN moments m ON m.session_id = c.session_id
	WHERE m.t BETWEEN c.login_date AND c.logout_date
), divided AS (
	SELECT g.*, CASE WHEN next - t <= threshold THEN next
			WHEN policy = 'whole' THEN t
			-- elapsed time: '1d' is no day of the calendar
			ELSE t + extract(epoch FROM threshold) * interval '1 second'
		END AS idle_from
	FROM gaps g WHERE next > t
)
SELECT t, idle_from, 'active', session_id, user_id, application, url, turn = 1
FROM divided WHERE idle_from > t
UNION ALL
SELECT idle_from, next, 'idle', session_id, user_id, NULL, NULL, turn = 1
FROM divided WHERE next > idle_from
ORDER BY 4, 1
$$;

-- Which hour it is: by date_trunc, and on the wall. The latter differs where the clock is
-- set amid an hour: put back an hour at one past midnight, it shows the day before.
CREATE OR REPLACE FUNCTION independent.clock(t timestamptz) RETURNS text
LANGUAGE sql STABLE AS $$
	SELECT concat_ws(' ', extract(epoch FROM date_trunc('hour', t)), t::date, extract(hour FROM t))
$$;

-- Divides a span of time where either changes, wherever that is:
-- looks at each quarter of an hour, and halves those that begin and end in
-- different hours, until a microsecond is left. Not for spans of many years.
CREATE OR REPLACE FUNCTION independent.hours(
	span_start timestamptz, span_end timestamptz)
RETURNS TABLE (from_time timestamptz, to_time timestamptz, hour timestamptz)
LANGUAGE sql STABLE AS $$
WITH RECURSIVE looked_at AS (
	SELECT q AS a, q + interval '15 minutes' AS b
	FROM generate_series(
		date_bin('15 minutes', span_start, '2000-01-01 00:00:00+00'),
		span_end, interval '15 minutes') q
	UNION ALL
	SELECT half.a, half.b
	FROM looked_at l, LATERAL (SELECT a + (b - a) / 2 AS middle) m,
		LATERAL (VALUES (l.a, middle), (middle, l.b)) AS half (a, b)
	WHERE independent.clock(l.a) <> independent.clock(l.b)
	AND l.b - l.a > interval '1 microsecond'
), beginnings AS (
	SELECT span_start AS t
	UNION
	SELECT b FROM looked_at
	WHERE b - a = interval '1 microsecond'
	AND independent.clock(a) <> independent.clock(b)
	AND b > span_start AND b < span_end
)
SELECT t, lead(t, 1, span_end) OVER (ORDER BY t), date_trunc('hour', t)
FROM beginnings
WHERE span_start < span_end
$$;

-- The active stretches, divided by hours.
CREATE OR REPLACE FUNCTION independent.active_pieces(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (session_id bigint, hour timestamptz, application text, url text,
	from_time timestamptz, to_time timestamptz)
LANGUAGE sql STABLE AS $$
WITH active AS MATERIALIZED (
	SELECT * FROM independent.stretches(start, "end", threshold, policy, users,
		clients)
	WHERE state = 'active'
), hours AS MATERIALIZED (
	SELECT h.*
	FROM (SELECT min(from_time) AS a, max(to_time) AS b FROM active) span,
		independent.hours(span.a, span.b) h
)
SELECT s.session_id, h.hour, s.application, s.url,
	greatest(s.from_time, h.from_time), least(s.to_time, h.to_time)
FROM active s
JOIN hours h ON s.from_time < h.to_time AND h.from_time < s.to_time
$$;

CREATE OR REPLACE FUNCTION independent.application_statistics(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (session_id bigint, time_of_day timestamptz, application text,
	duration interval)
LANGUAGE sql STABLE AS $$
	SELECT session_id, hour, application, sum(to_time - from_time)
	FROM independent.active_pieces(start, "end", threshold, policy, users, clients)
	GROUP BY session_id, hour, application
$$;

CREATE OR REPLACE FUNCTION independent.url_statistics(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (session_id bigint, time_of_day timestamptz, host text,
	duration interval)
LANGUAGE sql STABLE AS $$
WITH pieces AS MATERIALIZED (
	SELECT session_id, hour, independent.host(url) AS host, from_time, to_time
	FROM independent.active_pieces(start, "end", threshold, policy, users, clients)
)
SELECT session_id, hour, host, sum(to_time - from_time)
FROM pieces
WHERE host IS NOT NULL
GROUP BY session_id, hour, host
$$;

-- Date and hour are what the clock on the wall says in the time counted: where
-- the clock has been put forward by half an hour, its new hour begins, by
-- date_trunc, in the one before.
CREATE OR REPLACE FUNCTION independent.user_productivity(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (user_id int, user_name text, date date, time_of_day int,
	total_minutes double precision)
LANGUAGE sql STABLE AS $$
WITH together AS MATERIALIZED (
	-- what is active at once, once; sessions without a user are one group
	SELECT user_id, range_agg(tstzrange(from_time, to_time)) AS times
	FROM independent.stretches(start, "end", threshold, policy, users, clients)
	WHERE state = 'active'
	GROUP BY user_id
), spans AS MATERIALIZED (
	SELECT user_id, lower(time) AS from_time, upper(time) AS to_time
	FROM together, unnest(times) AS time
), hours AS MATERIALIZED (
	SELECT h.*
	FROM (SELECT min(from_time) AS a, max(to_time) AS b FROM spans) span,
		independent.hours(span.a, span.b) h
), pieces AS (
	SELECT s.user_id, greatest(s.from_time, h.from_time) AS from_time,
		least(s.to_time, h.to_time) AS to_time
	FROM spans s
	JOIN hours h ON s.from_time < h.to_time AND h.from_time < s.to_time
)
SELECT p.user_id, u.user_name, p.from_time::date,
	extract(hour FROM p.from_time)::int,
	(extract(epoch FROM sum(p.to_time - p.from_time)) * 1000000)::float8
		/ 60000000.0
FROM pieces p LEFT JOIN app_user u ON u.user_id = p.user_id
GROUP BY 1, 2, 3, 4
$$;

CREATE OR REPLACE FUNCTION independent.session_list(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (place bigint, client_guid uuid, logout_date timestamptz,
	login_date timestamptz, session_id bigint, user_id int)
LANGUAGE sql STABLE AS $$
	SELECT place, client_guid, logout_date, login_date, session_id, user_id
	FROM independent.sessions(start, "end", threshold, policy, users, clients)
	ORDER BY place
$$;

-- The timelines of all sessions selected. Neighbours alike are one row.
CREATE OR REPLACE FUNCTION independent.timelines(
	start timestamptz, "end" timestamptz, threshold interval, policy text)
RETURNS TABLE (session_id bigint, place bigint, from_time timestamptz,
	to_time timestamptz, state text, application text)
LANGUAGE sql STABLE AS $$
WITH marked AS (
	SELECT s.*, (state, application) IS DISTINCT FROM
			(lag(state) OVER in_order, lag(application) OVER in_order) AS is_new
	FROM independent.stretches(start, "end", threshold, policy) s
	WINDOW in_order AS (PARTITION BY session_id ORDER BY from_time)
), numbered AS (
	SELECT m.*, count(*) FILTER (WHERE is_new)
			OVER (PARTITION BY session_id ORDER BY from_time) - 1 AS place
	FROM marked m
)
SELECT session_id, place, min(from_time), max(to_time), state, application
FROM numbered
GROUP BY session_id, place, state, application
ORDER BY session_id, place
$$;

CREATE OR REPLACE FUNCTION independent.timeline(session_id bigint,
	start timestamptz, "end" timestamptz, threshold interval, policy text)
RETURNS TABLE (place bigint, from_time timestamptz, to_time timestamptz,
	state text, application text)
LANGUAGE sql STABLE AS $$
	SELECT place, from_time, to_time, state, application
	FROM independent.timelines(start, "end", threshold, policy) t
	WHERE t.session_id = timeline.session_id
	ORDER BY place
$$;

-- An element per session and hour, in the order of pages, then hours.
CREATE OR REPLACE FUNCTION independent.usage_json(kind text,
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS jsonb
LANGUAGE sql STABLE AS $$
WITH usage AS (
	SELECT session_id, time_of_day, application AS key, duration
	FROM independent.application_statistics(start, "end", threshold, policy,
		users, clients)
	WHERE kind = 'applications'
	UNION ALL
	SELECT session_id, time_of_day, host, duration
	FROM independent.url_statistics(start, "end", threshold, policy, users,
		clients)
	WHERE kind = 'urls'
), elements AS (
	SELECT session_id, time_of_day, jsonb_agg(jsonb_build_object(
			'duration', independent.timespan(duration), 'key', key)
			ORDER BY duration DESC, key COLLATE "C" NULLS LAST) AS data
	FROM usage
	GROUP BY session_id, time_of_day
)
SELECT coalesce(jsonb_agg(jsonb_build_object('data', e.data,
		'sessionId', e.session_id, 'timeOfDay', e.time_of_day)
		ORDER BY s.place, e.time_of_day), '[]')
FROM elements e
JOIN independent.sessions(start, "end", threshold, policy, users, clients) s
	ON s.session_id = e.session_id
$$;

-- Two users of one name at one hour: by user_id, nobody last; the rules leave
-- it open.
CREATE OR REPLACE FUNCTION independent.user_productivity_json(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('date', date::timestamptz,
			'totalMinutes', total_minutes, 'userName', user_name,
			'timeOfDay', time_of_day)
			ORDER BY user_name COLLATE "C" NULLS LAST, date, time_of_day,
				user_id NULLS LAST), '[]')
	FROM independent.user_productivity(start, "end", threshold, policy, users,
		clients)
$$;

CREATE OR REPLACE FUNCTION independent.session_list_json(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('clientGuid', client_guid,
			'logoutDate', logout_date, 'loginDate', login_date,
			'sessionId', session_id, 'userId', user_id) ORDER BY place), '[]')
	FROM independent.session_list(start, "end", threshold, policy, users, clients)
$$;

-- How many rows, written as text, only one of two lists has. Text also tells
-- 24 hours from a day.
CREATE OR REPLACE FUNCTION independent.unequal(expected text[], actual text[])
RETURNS bigint
LANGUAGE sql IMMUTABLE AS $$
	SELECT count(*) FROM (
		(SELECT unnest(expected) EXCEPT ALL SELECT unnest(actual))
		UNION ALL
		(SELECT unnest(actual) EXCEPT ALL SELECT unnest(expected))
	) differing
$$;

-- Productivity in JSON, with minutes to nine places: a quotient by 60000000 has
-- no place after them that rounding could turn either way.
CREATE OR REPLACE FUNCTION independent.rounded(productivity jsonb)
RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT AS $$
	SELECT coalesce(jsonb_agg(e || jsonb_build_object('totalMinutes',
		round((e->'totalMinutes')::numeric, 9)) ORDER BY place), '[]')
	FROM jsonb_array_elements(productivity) WITH ORDINALITY AS p (e, place)
$$;

-- How many rows of the extension's statistics differ from the independent
-- reading, in content or, where the rules give an order, in place, either way;
-- how many sessions' hours do not add up to their productivity time; how many
-- of the four JSON texts differ. Timelines are those of all sessions. To compile
-- the queries would take longer than they do.
CREATE OR REPLACE FUNCTION independent.statistics_differences(
	start timestamptz, "end" timestamptz, users int[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL, OUT selected bigint,
	OUT in_applications bigint, OUT in_urls bigint, OUT in_productivity bigint,
	OUT in_list bigint, OUT in_all bigint, OUT in_timeline bigint,
	OUT in_hours bigint, OUT in_json bigint)
LANGUAGE plpgsql SET jit = off AS $$
DECLARE
	threshold interval := current_setting('ekran_sessions.idle_threshold');
	policy text := current_setting('ekran_sessions.idle_policy');
BEGIN
	selected := count(*)
	FROM independent.sessions(start, "end", threshold, policy, users, clients);

	in_applications := independent.unequal(
		ARRAY(SELECT (session_id, time_of_day, application, duration)::text
			FROM independent.application_statistics(start, "end", threshold,
				policy, users, clients)),
		ARRAY(SELECT (session_id, time_of_day, application, duration)::text
			FROM ekran_application_statistics(start, "end", users, clients)));

	in_urls := independent.unequal(
		ARRAY(SELECT (session_id, time_of_day, host, duration)::text
			FROM independent.url_statistics(start, "end", threshold, policy,
				users, clients)),
		ARRAY(SELECT (session_id, time_of_day, host, duration)::text
			FROM ekran_url_statistics(start, "end", users, clients)));

	in_productivity := independent.unequal(
		ARRAY(SELECT (user_id, user_name, date, time_of_day,
				round(total_minutes::numeric, 9))::text
			FROM independent.user_productivity(start, "end", threshold, policy,
				users, clients)),
		ARRAY(SELECT (user_id, user_name, date, time_of_day,
				round(total_minutes::numeric, 9))::text
			FROM ekran_user_productivity(start, "end", users, clients)));

	in_list := independent.unequal(
		ARRAY(SELECT (place, client_guid, logout_date, login_date, session_id,
				user_id)::text
			FROM independent.session_list(start, "end", threshold, policy,
				users, clients)),
		ARRAY(SELECT (ordinality - 1, client_guid, logout_date, login_date,
				session_id, user_id)::text
			FROM ekran_session_list(start, "end", users, clients)
				WITH ORDINALITY));

	in_all := independent.unequal(
		ARRAY(SELECT s::independent.placed_row
			FROM independent.sessions(start, "end", threshold, policy, users,
				clients) s),
		ARRAY(SELECT (s.ordinality - 1, s.session_id, s.client_guid,
				s.client_name, s.user_id, s.user_name, s.login_date,
				s.logout_date, s.duration, s.productivity_time,
				s.idle_time)::independent.placed_row
			FROM ekran_sessions_all(start, "end", users, clients)
				WITH ORDINALITY s));

	in_timeline := independent.unequal(
		ARRAY(SELECT (session_id, place, from_time, to_time, state,
				application)::text
			FROM independent.timelines(start, "end", threshold, policy)),
		ARRAY(SELECT (s.session_id, t.ordinality - 1, t.from_time, t.to_time,
				t.state, t.application)::text
			FROM session s, LATERAL ekran_session_timeline(s.session_id, start,
				"end") WITH ORDINALITY t));

	in_hours := count(*)
	FROM (SELECT session_id, sum(duration) AS duration
		FROM ekran_application_statistics(start, "end", users, clients)
		GROUP BY session_id) h
	FULL JOIN ekran_sessions_all(start, "end", users, clients) s
		ON s.session_id = h.session_id
	WHERE coalesce(h.duration, '0') IS DISTINCT FROM s.productivity_time;

	in_json :=
		(ekran_application_statistics_json(start, "end", users, clients)::jsonb
			IS DISTINCT FROM independent.usage_json('applications', start,
				"end", threshold, policy, users, clients))::int
		+ (ekran_url_statistics_json(start, "end", users, clients)::jsonb
			IS DISTINCT FROM independent.usage_json('urls', start, "end",
				threshold, policy, users, clients))::int
		+ (independent.rounded(
			ekran_user_productivity_json(start, "end", users, clients)::jsonb)
			IS DISTINCT FROM independent.rounded(
				independent.user_productivity_json(start, "end", threshold,
					policy, users, clients)))::int
		+ (ekran_session_list_json(start, "end", users, clients)::jsonb
			IS DISTINCT FROM independent.session_list_json(start, "end",
				threshold, policy, users, clients))::int;
END
$$;
