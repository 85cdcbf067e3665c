-- An independent reading of the rules: plain SQL over the raw tables of the
-- store that search_path names, without a word of the extension. Slow, and as
-- close to the wording of the rules as SQL gets.

-- The functions name tables of whichever store search_path has when they run.
SET check_function_bodies = off;

CREATE SCHEMA IF NOT EXISTS independent;

CREATE OR REPLACE FUNCTION independent.sessions(
	start timestamptz, "end" timestamptz, threshold interval, policy text,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL)
RETURNS TABLE (place bigint, session_id bigint, client_guid uuid,
	client_name text, user_id int, user_name text, login_date timestamptz,
	logout_date timestamptz, duration interval, productivity_time interval,
	idle_time interval)
LANGUAGE sql STABLE AS $$
WITH moments AS (
	-- login, counted activities, logout
	SELECT s.session_id, s.login_date AS t FROM session s
	UNION ALL
	SELECT s.session_id, a.activity_date
	FROM session s JOIN activity a ON a.session_id = s.session_id
	WHERE s.login_date <= a.activity_date
	AND (s.logout_date IS NULL OR a.activity_date <= s.logout_date)
	UNION ALL
	SELECT s.session_id, s.logout_date FROM session s
	WHERE s.logout_date IS NOT NULL
), facts AS (
	SELECT m.session_id, max(t) AS latest,
		min(t) FILTER (WHERE t > start) AS first_after_start,
		max(t) FILTER (WHERE t < "end") AS last_before_end
	FROM moments m GROUP BY m.session_id
), finished AS (
	SELECT s.*, f.first_after_start, f.last_before_end,
		coalesce(s.logout_date, f.latest) AS finish
	FROM session s JOIN facts f ON f.session_id = s.session_id
), selected AS (
	SELECT * FROM finished s
	WHERE (start IS NULL OR s.finish > start)
	AND ("end" IS NULL OR s.login_date < "end")
	AND (users IS NULL
		OR EXISTS (SELECT FROM unnest(users) u WHERE u IS NOT DISTINCT FROM s.user_id))
	AND (clients IS NULL
		OR EXISTS (SELECT FROM unnest(clients) c WHERE c IS NOT DISTINCT FROM s.client_guid))
), clipped AS (
	SELECT s.*,
		CASE WHEN start IS NULL OR s.login_date >= start
			THEN s.login_date ELSE s.first_after_start END AS clipped_start,
		CASE WHEN "end" IS NULL OR s.finish <= "end"
			THEN s.finish ELSE s.last_before_end END AS clipped_end
	FROM selected s
), gaps AS (
	SELECT c.session_id,
		m.t - lag(m.t) OVER (PARTITION BY c.session_id ORDER BY m.t) AS gap
	FROM clipped c JOIN moments m ON m.session_id = c.session_id
	WHERE m.t BETWEEN c.clipped_start AND c.clipped_end
), idle AS (
	SELECT g.session_id,
		sum(CASE policy WHEN 'whole' THEN gap ELSE gap - threshold END) AS idle
	FROM gaps g WHERE gap > threshold GROUP BY g.session_id
), figures AS (
	SELECT c.*, c.clipped_start <= c.clipped_end AS has_moment,
		coalesce(i.idle, '0') AS idle
	FROM clipped c LEFT JOIN idle i ON i.session_id = c.session_id
)
SELECT row_number() OVER (ORDER BY f.login_date, f.session_id) - 1,
	f.session_id, f.client_guid, c.client_name, f.user_id, u.user_name,
	CASE WHEN has_moment THEN clipped_start END,
	CASE WHEN has_moment THEN clipped_end END,
	CASE WHEN has_moment THEN clipped_end - clipped_start ELSE '0' END,
	CASE WHEN has_moment THEN clipped_end - clipped_start - idle ELSE '0' END,
	CASE WHEN has_moment THEN idle ELSE '0' END
FROM figures f
LEFT JOIN client c ON c.client_guid = f.client_guid
LEFT JOIN app_user u ON u.user_id = f.user_id
ORDER BY f.login_date, f.session_id
$$;

-- [d.]hh:mm:ss[.fffffff], from the interval's own text: at most a day and what
-- is left of it.
CREATE OR REPLACE FUNCTION independent.timespan(duration interval)
RETURNS text
LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN extract(day FROM d) <> 0
			THEN extract(day FROM d)::text || '.' ELSE '' END
		|| to_char(d, 'HH24:MI:SS')
		|| CASE WHEN extract(microseconds FROM d)::bigint % 1000000 <> 0
			THEN '.' || to_char(d, 'US') || '0' ELSE '' END
	FROM justify_hours(duration) AS d
$$;

CREATE OR REPLACE FUNCTION independent.sessions_json(
	start timestamptz, "end" timestamptz, count bigint, page bigint,
	threshold interval, policy text, users int[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL)
RETURNS jsonb
LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'sessions', coalesce(jsonb_agg(jsonb_build_object(
			'sessionId', session_id, 'clientGuid', client_guid,
			'clientName', client_name, 'userId', user_id,
			'userName', user_name, 'loginDate', login_date,
			'logoutDate', logout_date,
			'duration', independent.timespan(duration),
			'productivityTime', independent.timespan(productivity_time),
			'idleTime', independent.timespan(idle_time)) ORDER BY place)
			FILTER (WHERE place BETWEEN page * count
				AND page * count + count - 1), '[]'),
		'totalCount', pg_catalog.count(*))
	FROM independent.sessions(start, "end", threshold, policy, users, clients)
$$;

DO $$
BEGIN
	CREATE TYPE independent.placed_row AS (place bigint, session_id bigint,
		client_guid uuid, client_name text, user_id int, user_name text,
		login_date timestamptz, logout_date timestamptz, duration interval,
		productivity_time interval, idle_time interval);
EXCEPTION WHEN duplicate_object THEN NULL;
END
$$;

-- How many rows only one of two lists has.
CREATE OR REPLACE FUNCTION independent.unequal(
	expected independent.placed_row[], actual independent.placed_row[])
RETURNS bigint
LANGUAGE sql STABLE AS $$
	SELECT count(*) FROM (
		(SELECT * FROM unnest(expected) EXCEPT ALL SELECT * FROM unnest(actual))
		UNION ALL
		(SELECT * FROM unnest(actual) EXCEPT ALL SELECT * FROM unnest(expected))
	) differing
$$;

-- How many rows of the extension's pages, joined in order, differ from the
-- independent reading, in content or place, either way. Walked by page number,
-- then from session to session; and whether totals, and JSON of any page, differ.
CREATE OR REPLACE FUNCTION independent.differences(
	start timestamptz, "end" timestamptz, count bigint,
	users int[] DEFAULT NULL, clients uuid[] DEFAULT NULL,
	OUT selected bigint, OUT by_page bigint, OUT by_session bigint,
	OUT in_total int, OUT in_json int)
LANGUAGE plpgsql AS $$
DECLARE
	threshold interval := current_setting('ekran_sessions.idle_threshold');
	policy text := current_setting('ekran_sessions.idle_policy');
	expected independent.placed_row[];
	actual independent.placed_row[];
	pages bigint;
	last_session bigint;
	found_rows bigint;
	json_page bigint;
BEGIN
	SELECT coalesce(array_agg(s::independent.placed_row), '{}') INTO expected
	FROM independent.sessions(start, "end", threshold, policy, users, clients) s;
	selected := cardinality(expected);
	pages := selected / count + 1;

	SELECT coalesce(array_agg((p * count + s.ordinality - 1, s.session_id,
		s.client_guid, s.client_name, s.user_id, s.user_name, s.login_date,
		s.logout_date, s.duration, s.productivity_time,
		s.idle_time)::independent.placed_row), '{}')
	INTO actual
	FROM generate_series(0, pages) p,
		LATERAL ekran_sessions(start, "end", count, p, users, clients) WITH ORDINALITY s;
	by_page := independent.unequal(expected, actual);

	actual := '{}';
	LOOP
		SELECT actual || array_agg((cardinality(actual) + s.ordinality - 1,
			s.session_id, s.client_guid, s.client_name, s.user_id, s.user_name,
			s.login_date, s.logout_date, s.duration, s.productivity_time,
			s.idle_time)::independent.placed_row ORDER BY s.ordinality),
			pg_catalog.count(*)
		INTO actual, found_rows
		FROM ekran_sessions_after(start, "end", count, last_session, users, clients)
			WITH ORDINALITY s;
		EXIT WHEN found_rows = 0;
		last_session := (actual[cardinality(actual)]).session_id;
	END LOOP;
	by_session := independent.unequal(expected, actual);

	in_total := (ekran_sessions_total_count(start, "end", users, clients) <> selected)::int;
	json_page := trunc(random() * pages);
	in_json := (ekran_sessions_json(start, "end", count, json_page, users, clients)::jsonb
		IS DISTINCT FROM independent.sessions_json(start, "end", count, json_page,
			threshold, policy, users, clients))::int;
END
$$;
