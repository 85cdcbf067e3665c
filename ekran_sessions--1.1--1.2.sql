/* ekran_sessions--1.1--1.2.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION ekran_sessions UPDATE" to load this file. \quit

--
-- What the views of a store show of a session.  ekran_create_store() makes them.
--

CREATE TYPE ekran_session_figures AS (
	logout_date timestamp with time zone,
	duration_seconds double precision,
	active_seconds double precision,
	idle_seconds double precision,
	duration_hours double precision,
	active_hours double precision,
	idle_hours double precision,
	login_day date,
	login_weekday integer,
	login_hour integer,
	productivity_ratio double precision
);

COMMENT ON TYPE ekran_session_figures IS
'Figures of a session, unclipped: what the view session_overview of a store shows besides what is stored.';
COMMENT ON COLUMN ekran_session_figures.logout_date IS 'The logout; of a running session its latest moment.';
COMMENT ON COLUMN ekran_session_figures.duration_seconds IS 'From login to logout_date, elapsed; in seconds.';
COMMENT ON COLUMN ekran_session_figures.active_seconds IS 'Productivity time, duration without idle time; in seconds.';
COMMENT ON COLUMN ekran_session_figures.idle_seconds IS 'Idle time by the caller''s settings; in seconds.';
COMMENT ON COLUMN ekran_session_figures.duration_hours IS 'duration_seconds in hours.';
COMMENT ON COLUMN ekran_session_figures.active_hours IS 'active_seconds in hours.';
COMMENT ON COLUMN ekran_session_figures.idle_hours IS 'idle_seconds in hours.';
COMMENT ON COLUMN ekran_session_figures.login_day IS 'The date of the login in the caller''s TimeZone.';
COMMENT ON COLUMN ekran_session_figures.login_weekday IS 'Its weekday, 1 (Monday) to 7 (Sunday).';
COMMENT ON COLUMN ekran_session_figures.login_hour IS 'Its hour, 0 to 23.';
COMMENT ON COLUMN ekran_session_figures.productivity_ratio IS 'active_seconds / duration_seconds, 0 to 1; null for a duration of zero.';

CREATE FUNCTION ekran_session_figures(
	store regnamespace,
	session_id bigint,
	login_date timestamp with time zone,
	logout_date timestamp with time zone)
RETURNS ekran_session_figures
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10;

COMMENT ON FUNCTION ekran_session_figures(regnamespace, bigint, timestamp with time zone, timestamp with time zone) IS
'Returns the figures of a session of a store, in seconds and in hours, given what the table session holds of it; a null logout_date means that it runs. For the view session_overview. Errors: 22004 for another null, 22023 for times that are no session''s, 22008 for a duration that no interval holds, 42P01 where the schema holds no store.';

CREATE TYPE ekran_session_day AS (
	day date,
	first_instant timestamp with time zone,
	last_instant timestamp with time zone,
	sessions integer,
	duration bigint,
	active bigint
);

COMMENT ON TYPE ekran_session_day IS
'A piece of a session within a day: what the view user_day of a store adds up.';
COMMENT ON COLUMN ekran_session_day.day IS 'The date in the caller''s TimeZone.';
COMMENT ON COLUMN ekran_session_day.first_instant IS 'The first instant of the piece.';
COMMENT ON COLUMN ekran_session_day.last_instant IS 'The last one: the session''s finish, or a microsecond before the day ends.';
COMMENT ON COLUMN ekran_session_day.sessions IS '1; 0 in further pieces of a day, which come where the clock is changed.';
COMMENT ON COLUMN ekran_session_day.duration IS 'Elapsed time, in microseconds.';
COMMENT ON COLUMN ekran_session_day.active IS 'What of it is active, in microseconds.';

CREATE FUNCTION ekran_session_days(
	store regnamespace,
	session_id bigint,
	login_date timestamp with time zone,
	logout_date timestamp with time zone)
RETURNS SETOF ekran_session_day
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10 ROWS 1;

COMMENT ON FUNCTION ekran_session_days(regnamespace, bigint, timestamp with time zone, timestamp with time zone) IS
'Returns what each day of TimeZone has of a session of a store, given what the table session holds of it: elapsed and active time in microseconds. For the view user_day. Errors: as ekran_session_figures.';
