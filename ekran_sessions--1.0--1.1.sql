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
'Returns for each session of ekran_sessions_all, hour of TimeZone (time_of_day is its beginning) and application how long it was in use; null is none, as from the login to the first activity. A session''s durations add up to its productivity_time. In the order of pages, hours, durations from the longest on, names. Errors: 22023 for a start later than the end, 22008 for an hour that begins before all timestamps, and for what no interval holds, 42501 also without SELECT on activity_id and application of activity.';

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
'Returns for each user, date and hour (0 to 23) of TimeZone the minutes in which any session of ekran_sessions_all was active; what several have active at once counts once. Sessions without a user are one group with a null user_id. In no particular order. Errors: 22023 for a start later than the end, 22008 for an hour that begins before all timestamps, for what no interval holds, and for a TimeZone that goes back by more than a day.';

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

COMMENT ON FUNCTION ekran_create_store(name) IS
'Creates a store, owned by the caller, in the schema, or completes one that lacks something, as its owner; data stays as it is. Locks what is there as far as what is missing takes. Errors: 42809 for an object in the way with another shape or owner, and for a store of views, 42501 for the store of an owner whose rights the caller does not have, 25001 where something is missing from a store outside of READ COMMITTED, 55P03 where others use a store that the transaction has written to, 55006 while a statement on sessions or activities is in progress, 22004 for a null schema, 42939 for a reserved one.';

COMMENT ON PROCEDURE ekran_maintain() IS
'Folds what is pending into the derived tables, or makes them anew where they can not be trusted, committing every stretch of sessions; tells every few seconds how far it is. For cron; may be cancelled and called again. Does nothing while another call is at it. Errors: 2D000 in a transaction block, 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one, 25001 where READ COMMITTED is not the default.';

COMMENT ON FUNCTION ekran_refresh() IS
'Folds what is pending into the derived tables, and returns the number of sessions folded: what is returned by others stays the same, and gets faster. Skips what others are folding; folds nothing, with a warning, outside of READ COMMITTED, while a statement on sessions or activities is in progress, and in a store that is raw. Errors: 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one.';

COMMENT ON FUNCTION ekran_status() IS
'Returns how the store is: state ok, raw (read from activity and session until ekran_maintain() has made the derived tables anew) broken (to be completed by ekran_create_store()), or views (session or activity is no table; nothing is derived); what answers the caller, index or activity, and what sessions are counted by, session_count or session, and the reason where it is the latter; sessions with a row in the index, rows and sessions pending (null without SELECT on the table); sizes in bytes with indexes; what can not be told of views is null. Errors: 42P01 without a store.';

COMMENT ON FUNCTION ekran_check() IS
'Recomputes the derived tables, and returns a row for every session where they differ, for every day that has another number of sessions than counted (with a null session_id), and for every session_id that has activities but no session; none when all is right. Of what is not in use, a notice says so. Errors: 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one or while a statement on sessions or activities is in progress.';

COMMENT ON FUNCTION ekran_purge(timestamp with time zone) IS
'Deletes the sessions whose logout lies before the moment, with their activities, and returns their number; running sessions stay. What the index holds of them goes with the next ekran_maintain(). Errors: 22023 for null, 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one.';

COMMENT ON FUNCTION ekran_close_sessions(interval, timestamp with time zone) IS
'Closes the sessions of crashed agents: gives each running session whose latest activity up to as_of (or login) lies more than silent_for before as_of a logout at that moment, and returns them. Errors: 22023 for null, a negative interval or an infinite moment, 42809 for a store of views, 42501 without the rights of the store''s owner.';
