-- An independent reading of the views of a store: plain SQL over the raw tables of the
-- store that search_path names, and over the independent reading of the rules.

-- By its estimates the server would compile each of these small queries, for a second.
SET jit = off;
-- The functions name tables of whichever store search_path has when they run.
SET check_function_bodies = off;

CREATE OR REPLACE FUNCTION independent.seconds(span interval) RETURNS double precision
LANGUAGE sql IMMUTABLE AS $$
	SELECT extract(epoch FROM span)::double precision
$$;

CREATE OR REPLACE FUNCTION independent.session_overview(threshold interval, policy text)
RETURNS TABLE (session_id bigint, client_guid uuid, client_name text, user_id int,
	user_name text, login_date timestamptz, logout_date timestamptz, is_running boolean,
	duration_seconds double precision, active_seconds double precision,
	idle_seconds double precision, duration_hours double precision,
	active_hours double precision, idle_hours double precision,
	productivity_ratio double precision, login_day date, login_weekday int, login_hour int)
LANGUAGE sql STABLE AS $$
	SELECT r.session_id, r.client_guid, r.client_name, r.user_id, r.user_name,
		r.login_date, r.logout_date, s.logout_date IS NULL,
		independent.seconds(r.duration), independent.seconds(r.productivity_time),
		independent.seconds(r.idle_time), independent.seconds(r.duration) / 3600,
		independent.seconds(r.productivity_time) / 3600, independent.seconds(r.idle_time) / 3600,
		independent.seconds(r.productivity_time) / nullif(independent.seconds(r.duration), 0),
		r.login_date::date, extract(isodow FROM r.login_date)::int, extract(hour FROM r.login_date)::int
	FROM independent.sessions(NULL, NULL, threshold, policy) r
	JOIN session s ON s.session_id = r.session_id
$$;

-- Dates begin at whole steps: of 15 minutes, but where a clock was changed at another.
CREATE OR REPLACE FUNCTION independent.user_day(threshold interval, policy text, step interval)
RETURNS TABLE (user_id int, user_name text, day date, first_login timestamptz,
	last_logout timestamptz, sessions bigint, session_seconds double precision,
	active_seconds double precision, idle_seconds double precision,
	active_hours double precision, idle_hours double precision)
LANGUAGE sql STABLE AS $$
WITH moments AS (
	SELECT s.session_id, s.login_date AS t FROM session s
	UNION
	SELECT s.session_id, a.activity_date
	FROM session s JOIN activity a ON a.session_id = s.session_id
	WHERE s.login_date <= a.activity_date
	AND (s.logout_date IS NULL OR a.activity_date <= s.logout_date)
	UNION
	SELECT s.session_id, s.logout_date FROM session s
	WHERE s.logout_date IS NOT NULL
), whole AS (
	SELECT m.session_id, min(t) AS login, max(t) AS finish FROM moments m GROUP BY m.session_id
), pieces AS (
	-- from where a date begins to where the next one does
	SELECT b.session_id, b.begins, w.finish, (b.begins AT TIME ZONE current_setting('TimeZone'))::date AS day,
		lead(b.begins) OVER (PARTITION BY b.session_id ORDER BY b.begins) AS ends
	FROM (
		SELECT w.session_id, w.login AS begins FROM whole w
		UNION
		SELECT w.session_id, t
		FROM whole w, generate_series(date_trunc('hour', w.login), w.finish, step) t
		WHERE t > w.login AND (t AT TIME ZONE current_setting('TimeZone'))::date
			<> ((t - interval '1 us') AT TIME ZONE current_setting('TimeZone'))::date
	) b JOIN whole w ON w.session_id = b.session_id
), gaps AS (
	SELECT m.session_id, lag(m.t) OVER (PARTITION BY m.session_id ORDER BY m.t) AS from_time, m.t AS to_time
	FROM moments m
), idle AS MATERIALIZED (
	SELECT g.session_id, g.from_time + CASE policy WHEN 'whole' THEN interval '0' ELSE threshold END AS from_time, g.to_time
	FROM gaps g WHERE g.to_time - g.from_time > threshold
), measured AS (
	SELECT p.session_id, p.day, p.begins, least(p.ends - interval '1 us', p.finish) AS last_instant,
		least(p.ends, p.finish) - p.begins AS duration,
		(SELECT coalesce(sum(least(i.to_time, p.ends, p.finish) - greatest(i.from_time, p.begins)), '0')
			FROM idle i WHERE i.session_id = p.session_id
			AND i.from_time < coalesce(p.ends, p.finish) AND i.to_time > p.begins) AS idle
	FROM pieces p
)
SELECT s.user_id, u.user_name, m.day, min(m.begins), max(m.last_instant), count(DISTINCT m.session_id),
	independent.seconds(sum(m.duration)), independent.seconds(sum(m.duration - m.idle)),
	independent.seconds(sum(m.idle)),
	independent.seconds(sum(m.duration - m.idle)) / 3600, independent.seconds(sum(m.idle)) / 3600
FROM measured m
JOIN session s ON s.session_id = m.session_id
LEFT JOIN app_user u ON u.user_id = s.user_id
GROUP BY s.user_id, u.user_name, m.day
$$;

-- Rows of the views that differ from those read so, of so many. Hours, and the ratio, may
-- be rounded otherwise in their last digit.
CREATE OR REPLACE FUNCTION independent.view_differences(step interval DEFAULT '15 minutes',
	OUT overview_rows bigint, OUT overview_different bigint,
	OUT day_rows bigint, OUT day_different bigint)
LANGUAGE plpgsql AS $$
DECLARE
	threshold interval := current_setting('ekran_sessions.idle_threshold')::interval;
	policy text := current_setting('ekran_sessions.idle_policy');
BEGIN
	SELECT count(*), count(*) FILTER (WHERE ours.session_id IS NULL OR theirs.session_id IS NULL
		OR (ours.client_guid, ours.client_name, ours.user_id, ours.user_name, ours.login_date,
			ours.logout_date, ours.is_running, ours.duration_seconds, ours.active_seconds, ours.idle_seconds,
			ours.login_day, ours.login_weekday, ours.login_hour, ours.productivity_ratio IS NULL)
		IS DISTINCT FROM (theirs.client_guid, theirs.client_name, theirs.user_id, theirs.user_name, theirs.login_date,
			theirs.logout_date, theirs.is_running, theirs.duration_seconds, theirs.active_seconds, theirs.idle_seconds,
			theirs.login_day, theirs.login_weekday, theirs.login_hour, theirs.productivity_ratio IS NULL)
		OR abs(ours.duration_hours - theirs.duration_hours) > 1e-9
		OR abs(ours.active_hours - theirs.active_hours) > 1e-9
		OR abs(ours.idle_hours - theirs.idle_hours) > 1e-9
		OR abs(ours.productivity_ratio - theirs.productivity_ratio) > 1e-12)
	INTO overview_rows, overview_different
	FROM session_overview ours
	FULL JOIN independent.session_overview(threshold, policy) theirs USING (session_id);

	SELECT count(*), count(*) FILTER (WHERE ours.day IS NULL OR theirs.day IS NULL
		OR (ours.first_login, ours.last_logout, ours.sessions, ours.session_seconds, ours.active_seconds, ours.idle_seconds)
		IS DISTINCT FROM (theirs.first_login, theirs.last_logout, theirs.sessions, theirs.session_seconds, theirs.active_seconds, theirs.idle_seconds)
		OR abs(ours.active_hours - theirs.active_hours) > 1e-9
		OR abs(ours.idle_hours - theirs.idle_hours) > 1e-9)
	INTO day_rows, day_different
	FROM (SELECT *, to_jsonb(array[user_id::text, user_name]) AS key FROM user_day) ours
	FULL JOIN (SELECT *, to_jsonb(array[user_id::text, user_name]) AS key FROM independent.user_day(threshold, policy, step)) theirs
		USING (key, day);
END
$$;
