/* ekran_sessions--1.0--1.1.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION ekran_sessions UPDATE" to load this file. \quit

CREATE FUNCTION ekran_sessions_all(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	users integer[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL)
RETURNS SETOF ekran_session_row
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_sessions_all(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns all sessions that ekran_sessions has on its pages, in the same order, however many they are. In FROM the server keeps them, on disk beyond work_mem; in a select list they come one by one. Errors: 22023 for a start later than the end, 22008 for a duration that no interval holds.';

--
-- Statistics of the same sessions
--

CREATE FUNCTION ekran_session_list(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	users integer[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL,
	OUT client_guid uuid,
	OUT logout_date timestamp with time zone,
	OUT login_date timestamp with time zone,
	OUT session_id bigint,
	OUT user_id integer)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_session_list(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns who was on which computer from when to when: all sessions of ekran_sessions_all, clipped, in the same order. Errors: 22023 for a start later than the end.';

CREATE FUNCTION ekran_application_statistics(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	users integer[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL,
	OUT session_id bigint,
	OUT time_of_day timestamp with time zone,
	OUT application text,
	OUT duration interval)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_application_statistics(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns for each session of ekran_sessions_all, hour of TimeZone (time_of_day is its beginning) and application how long it was in use; null is none, as from the login to the first activity. A session''s durations add up to its productivity_time. In the order of pages, hours, durations from the longest on, names. Errors: 22023 for a start later than the end, 22008 for an hour that begins before all timestamps, 42501 also without SELECT on activity_id and application of activity.';

CREATE FUNCTION ekran_url_statistics(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	users integer[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL,
	OUT session_id bigint,
	OUT time_of_day timestamp with time zone,
	OUT host text,
	OUT duration interval)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_url_statistics(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns for each session of ekran_sessions_all, hour of TimeZone (time_of_day is its beginning) and host of the urls, in lower case, how long it was in use; what has no host is left out. In the order of ekran_application_statistics. Errors: as there, of url instead of application.';

CREATE FUNCTION ekran_user_productivity(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	users integer[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL,
	OUT user_id integer,
	OUT user_name text,
	OUT date date,
	OUT time_of_day integer,
	OUT total_minutes double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_user_productivity(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns for each user, date and hour (0 to 23) of TimeZone the minutes in which any session of ekran_sessions_all was active; what several have active at once counts once. Sessions without a user are one group with a null user_id. In no particular order. Errors: 22023 for a start later than the end, 22008 for an hour that begins before all timestamps.';

CREATE FUNCTION ekran_session_timeline(
	session_id bigint,
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	OUT from_time timestamp with time zone,
	OUT to_time timestamp with time zone,
	OUT state text,
	OUT application text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION ekran_session_timeline(bigint, timestamp with time zone, timestamp with time zone) IS
'Returns what a session did in the window, in order, without gaps or overlaps: state active, with the application, or null for none, or idle. No rows where the window does not select the session, or leaves no time of it. Errors: 22023 for a start later than the end, and for a session that is null, not in the store, or not visible to the caller; 42501 also without SELECT on activity_id and application of activity.';

CREATE FUNCTION ekran_session_list_json(
	"start" timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	"userIds" integer[] DEFAULT NULL,
	"clientGuids" uuid[] DEFAULT NULL)
RETURNS json
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;

COMMENT ON FUNCTION ekran_session_list_json(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns the rows of ekran_session_list as an array of objects in the vendor''s shape. Errors: as there, and 54000 for more than a gigabyte.';

CREATE FUNCTION ekran_application_statistics_json(
	"start" timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	"userIds" integer[] DEFAULT NULL,
	"clientGuids" uuid[] DEFAULT NULL)
RETURNS json
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;

COMMENT ON FUNCTION ekran_application_statistics_json(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns the rows of ekran_application_statistics in the vendor''s shape: an element for a session and hour, with its applications as keys, from the longest on. Errors: as there, and 54000 for more than a gigabyte.';

CREATE FUNCTION ekran_url_statistics_json(
	"start" timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	"userIds" integer[] DEFAULT NULL,
	"clientGuids" uuid[] DEFAULT NULL)
RETURNS json
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;

COMMENT ON FUNCTION ekran_url_statistics_json(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns the rows of ekran_url_statistics in the vendor''s shape: an element for a session and hour, with its hosts as keys, from the longest on. Errors: as there, and 54000 for more than a gigabyte.';

CREATE FUNCTION ekran_user_productivity_json(
	"start" timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	"userIds" integer[] DEFAULT NULL,
	"clientGuids" uuid[] DEFAULT NULL)
RETURNS json
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;

COMMENT ON FUNCTION ekran_user_productivity_json(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns the rows of ekran_user_productivity in the vendor''s shape, by user name (collation "C", null last), date, hour and id. Errors: as there, and 54000 for more than a gigabyte.';

--
-- What has new words
--

COMMENT ON FUNCTION ekran_sessions_support(internal) IS
'Planner support function: estimates rows and cost of the functions that return sessions and statistics of them, from what is constant of their arguments, and from session_count, if that may answer the caller.';
