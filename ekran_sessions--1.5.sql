/* ekran_sessions--1.5.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION ekran_sessions" to load this file. \quit

-- The whole SQL interface, in the order in which one meets it: a store, the
-- sessions in a window, statistics of them, what views show of them, keeping the
-- derived tables, retention.
--
-- The extension holds code only. Data lives in stores, which are ordinary
-- tables made by ekran_create_store() and owned by whoever called it.
--
-- Two kinds of rights:
-- - The functions that read run with the rights of their caller (SECURITY
--   INVOKER): EXECUTE gives nobody a row that a SELECT would not give them.
-- - Triggers and maintenance work with the rights of the store's owner. Only who
--   has these rights may call the latter: the owner, members that inherit them,
--   superusers; others get 42501.
--
-- All functions but ekran_create_store(), the triggers and those that views call go by
-- the store that the setting ekran_sessions.store names, and raise 42P01 where there is
-- none.

--
-- The store
--

CREATE FUNCTION ekran_create_store(schema name DEFAULT 'ekran')
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_create_store(name) IS
'Creates a store, owned by the caller, in the schema, or completes one that lacks something, as its owner; data stays as it is. Locks what is there as far as what is missing takes. Errors: 42809 for an object in the way with another shape or owner, for a table of a type or a part of the extension, and for a store of views, 42501 for the store of an owner whose rights the caller does not have, 25001 where something is missing from a store outside of READ COMMITTED, 25006 on a standby, 55P03 where others use a store that the transaction has used, 55006 while a statement on sessions or activities is in progress, 40001 where others change the store meanwhile, 22004 for a null schema, 42939 for a reserved one.';

-- By a name of its own, which older libraries that connections may hold don't know.
CREATE FUNCTION ekran_create_store(schema name, partition_by interval)
RETURNS void
AS 'MODULE_PATHNAME', 'ekran_create_partitioned_store'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_create_store(name, interval) IS
'Creates or completes a store likewise, with table activity partitioned by ranges of activity_date of the given length: months counted from 2000, or days and hours counted from a Monday, in UTC. Makes the partition of the moment, the four that follow, and a default one, as far as they are missing. Errors: as without partition_by; 22004 for a null one, 22023 for one that is neither months nor days and hours or is less than an hour, 42809 where activity is there and not partitioned so.';

CREATE FUNCTION ekran_activity_changed()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON FUNCTION ekran_activity_changed() IS
'Trigger function of a store''s table activity, with the generation of the derived tables as its argument: notes what is written, by statements or to partitions by their own names, and refuses activities of unknown sessions (23503). Errors otherwise: 39P01 where it is not attached as ekran_create_store() does, 55000 where the store is broken, or table session is missing or has another owner.';

CREATE FUNCTION ekran_session_changed()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON FUNCTION ekran_session_changed() IS
'Trigger function of a store''s table session, with the generation of the derived tables as its argument: notes what statements write, deletes the activities of deleted sessions, refuses a new session_id (23503) or TRUNCATE (0A000) that would leave activities behind. Errors otherwise: 39P01 where it is not attached as ekran_create_store() does, 55000 where the store is broken, table activity is missing or has another owner, or a partition is written to directly.';

CREATE FUNCTION ekran_activity_replicated()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON FUNCTION ekran_activity_replicated() IS
'Trigger function of a store''s table activity: notes the activities that a logical replication brings, changes or takes, and those that are changed in a partition by its own name. Errors: 39P01 where it is not attached as ekran_create_store() does, 55000 where the store is broken, 23503 for an unknown session.';

CREATE FUNCTION ekran_derived_written()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON FUNCTION ekran_derived_written() IS
'Trigger function of a store''s tables session_idle, pending and session_count: lets what others write to them be trusted no more, until ekran_maintain() makes it anew, and leaves out what a logical replication brings. Errors: 39P01 where it is not attached as ekran_create_store() does, or the table has been moved or renamed, 55000 where the store is broken.';

--
-- Sessions in a window
--

CREATE TYPE ekran_session_row AS (
	session_id bigint,
	client_guid uuid,
	client_name text,
	user_id integer,
	user_name text,
	login_date timestamp with time zone,
	logout_date timestamp with time zone,
	duration interval,
	productivity_time interval,
	idle_time interval
);

COMMENT ON TYPE ekran_session_row IS
'A session as a window shows it. Its columns stay as they are within a major version.';
COMMENT ON COLUMN ekran_session_row.session_id IS 'The session''s id.';
COMMENT ON COLUMN ekran_session_row.client_guid IS 'The computer''s id; null if unknown.';
COMMENT ON COLUMN ekran_session_row.client_name IS 'The computer''s name; null if unknown.';
COMMENT ON COLUMN ekran_session_row.user_id IS 'The user''s id; null if unknown.';
COMMENT ON COLUMN ekran_session_row.user_name IS 'The user''s name; null if unknown.';
COMMENT ON COLUMN ekran_session_row.login_date IS 'The login, or the first moment after the window''s start for a session that began before it; null where no moment lies in the window.';
COMMENT ON COLUMN ekran_session_row.logout_date IS 'The logout, or the latest activity of a running session, or the last moment before the window''s end for a session that finished after it; null where no moment lies in the window.';
COMMENT ON COLUMN ekran_session_row.duration IS 'logout_date - login_date as elapsed time, in hours and less; zero where no moment lies in the window.';
COMMENT ON COLUMN ekran_session_row.productivity_time IS 'duration - idle_time.';
COMMENT ON COLUMN ekran_session_row.idle_time IS 'The gaps between consecutive moments that are longer than ekran_sessions.idle_threshold, counted by ekran_sessions.idle_policy.';

CREATE FUNCTION ekran_sessions_support(internal)
RETURNS internal
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

COMMENT ON FUNCTION ekran_sessions_support(internal) IS
'Planner support function: estimates rows and cost of the functions that return sessions and statistics of them, from what is constant of their arguments, and from session_count, if that may answer the caller.';

CREATE FUNCTION ekran_sessions(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	count bigint DEFAULT 1000,
	page bigint DEFAULT 0,
	users integer[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL)
RETURNS SETOF ekran_session_row
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_sessions(timestamp with time zone, timestamp with time zone, bigint, bigint, integer[], uuid[]) IS
'Returns a page of count rows (1000 at most) of the sessions started or finished after start and before end, clipped to the activity inside, by login_date as stored, then session_id; of the users and clients given, where a null among them stands for sessions without one; null means the default. Says nothing of what lies beyond the page: ask for ekran_sessions_total_count() and all pages before you add up. Errors: 22023 for a start later than the end, a count below 0 or above 1000, a page below 0; 22008 for a duration that no interval holds.';

CREATE FUNCTION ekran_sessions_after(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	count bigint DEFAULT 1000,
	after_session_id bigint DEFAULT NULL,
	users integer[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL)
RETURNS SETOF ekran_session_row
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_sessions_after(timestamp with time zone, timestamp with time zone, bigint, bigint, integer[], uuid[]) IS
'Returns the count rows of ekran_sessions that follow the session after_session_id, of whatever user and client, in the same order; null: the first ones. Errors: as ekran_sessions, and 22023 for a session that is not in the store, any longer or at all, or not visible to the caller: go on from an earlier row.';

CREATE FUNCTION ekran_sessions_total_count(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	users integer[] DEFAULT NULL,
	clients uuid[] DEFAULT NULL)
RETURNS integer
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000;

COMMENT ON FUNCTION ekran_sessions_total_count(timestamp with time zone, timestamp with time zone, integer[], uuid[]) IS
'Returns how many sessions ekran_sessions selects in the window, of the users and clients given, on all pages together. Errors: 22023 for a start later than the end, 22003 for more than an integer holds.';

CREATE FUNCTION ekran_sessions_json(
	"start" timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	"sessionCount" bigint DEFAULT 1000,
	"pageIndex" bigint DEFAULT 0,
	"userIds" integer[] DEFAULT NULL,
	"clientGuids" uuid[] DEFAULT NULL)
RETURNS json
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;

COMMENT ON FUNCTION ekran_sessions_json(timestamp with time zone, timestamp with time zone, bigint, bigint, integer[], uuid[]) IS
'Returns the page of ekran_sessions and the total count as the Sessions (Post) endpoint writes them: dates in ISO 8601 with the offset of TimeZone, durations as [d.]hh:mm:ss[.fffffff]. Errors: as ekran_sessions and ekran_sessions_total_count.';

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

--
-- Keeping the derived tables
--

CREATE PROCEDURE ekran_maintain()
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON PROCEDURE ekran_maintain() IS
'Folds what is pending into the derived tables, or makes them anew where they can not be trusted, committing every stretch of sessions; tells every few seconds how far it is. For cron; may be cancelled and called again. Does nothing while another call is at it. Errors: 2D000 in a transaction block, 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one, 25001 where READ COMMITTED is not the default.';

CREATE FUNCTION ekran_refresh()
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_refresh() IS
'Folds what is pending into the derived tables, and returns the number of sessions folded: what is returned by others stays the same, and gets faster. Skips what others are folding; folds nothing, with a warning, outside of READ COMMITTED, while a statement on sessions or activities is in progress, and in a store that is raw. Errors: 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one.';

CREATE FUNCTION ekran_status(OUT store name, OUT state text, OUT reason text,
	OUT answered_by text, OUT counted_by text, OUT indexed_sessions bigint, OUT pending_rows bigint,
	OUT pending_sessions bigint, OUT derived_bytes bigint, OUT activity_bytes bigint)
RETURNS record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED;

COMMENT ON FUNCTION ekran_status() IS
'Returns how the store is: state ok, raw (read from activity and session until ekran_maintain() has made the derived tables anew) broken (to be completed by ekran_create_store()), or views (session or activity is no table; nothing is derived); what answers the caller, index or activity, and what sessions are counted by, session_count or session, and the reason where it is the latter; sessions with a row in the index, rows and sessions pending (null without SELECT on the table); sizes in bytes with indexes; what can not be told of views is null. Errors: 42P01 without a store.';

CREATE FUNCTION ekran_check(OUT session_id bigint, OUT difference text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_check() IS
'Recomputes the derived tables, and returns a row for every session where they differ, for every day that has another number of sessions than counted (with a null session_id), and for every session_id that has activities but no session, and for every table or column of the store that would go with the extension; none when all is right. Of what is not in use, a notice says so. Errors: 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one or while a statement on sessions or activities is in progress.';

CREATE FUNCTION ekran_rebuild()
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_rebuild() IS
'Makes the derived tables anew from the activities and sessions in one transaction, and returns the number of sessions that have activities. Waits for those who fold. Errors: as ekran_check(), and 25001 outside of READ COMMITTED.';

--
-- Retention
--

CREATE FUNCTION ekran_purge(before timestamp with time zone)
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_purge(timestamp with time zone) IS
'Deletes the sessions whose logout lies before the moment, with their activities, and returns their number; running sessions stay. What the index holds of them goes with the next ekran_maintain(). Errors: 22023 for null, 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one.';

CREATE FUNCTION ekran_drop_activity_before(before timestamp with time zone,
	OUT sessions bigint, OUT dropped text[], OUT kept text[])
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_drop_activity_before(timestamp with time zone) IS
'Deletes the sessions whose logout lies before the moment, as ekran_purge() does, and drops the partitions of activity that end by then and have activities of no other sessions, which takes them along at once. Returns the number of sessions, the partitions dropped, and those as old that sessions which stay have activities in; those of the present and the future stay. Errors: 22023 for null, 42809 where activity is not partitioned by ranges of activity_date, and for a store of views, 25001 outside of READ COMMITTED, 55006 while a statement on sessions or activities is in progress, 40001 where others write to a partition that is to go, or have read it, or the default one, by its own name, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one; the server''s own where something depends on a partition, or it belongs to somebody else.';

CREATE FUNCTION ekran_close_sessions(silent_for interval, as_of timestamp with time zone,
	OUT session_id bigint, OUT login_date timestamp with time zone, OUT logout_date timestamp with time zone)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_close_sessions(interval, timestamp with time zone) IS
'Closes the sessions of crashed agents: gives each running session whose latest activity up to as_of (or login) lies more than silent_for before as_of a logout at that moment, and returns them. Errors: 22023 for null, a negative interval or an infinite moment, 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one.';

--
-- Many machines: a hub asks stores on many servers, its shards, as if they were one
--

CREATE FUNCTION ekran_create_hub(server name, schema name DEFAULT 'ekran_hub')
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_create_hub(name, name) IS
'Makes in the schema, or makes there anew, the functions of a hub over the shards of a foreign server of PL/Proxy: those of the extension that read, by the same names, with the same arguments and rows, and those that they ask the shards by. The extension is to be on each shard, in a schema of the same name as here. Errors: 42501 for who is no superuser, for a server of another''s, and for a schema that another owns, has something in, or may create in; 42704 without PL/Proxy or the server, 42809 for a server of another foreign-data wrapper, 22004 for a null, 22023 for the extension''s own schema, 42939 for a reserved one, 25001 outside of READ COMMITTED.';

-- What a shard tells a hub.  The first ten arguments are what its caller has set and
-- asked for.  Rows come packed, many in a bytea, and no setting has a part in how they
-- travel: moments are microseconds since the beginning of 2000 in UTC, spans of time
-- microseconds.

CREATE FUNCTION ekran_part_sessions(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	after_login bigint,
	after_session_id bigint,
	until_login bigint,
	until_session_id bigint,
	wanted bigint,
	is_named boolean,
	is_ranked boolean,
	is_counted boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1000;

COMMENT ON FUNCTION ekran_part_sessions(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, bigint, bigint, bigint, bigint, bigint, boolean, boolean, boolean) IS
'For a hub: a row with how many sessions lie up to the place after, if is_ranked, and in all, if is_counted; then the sessions of ekran_sessions_all beyond that place up to the place until, as many as are wanted at the most, with names, if is_named. Errors: as ekran_sessions, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_steps(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	after_login bigint,
	after_session_id bigint,
	until_login bigint,
	until_session_id bigint,
	wanted bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_steps(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, bigint, bigint, bigint, bigint, bigint) IS
'For a hub: where so many sessions of ekran_sessions_all lie beyond the place after up to the place until, from one login to another; or, of a few, the first that are wanted. Errors: as ekran_sessions, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_total_count(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_total_count(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean) IS
'For a hub: how many sessions the window selects. Errors: as ekran_sessions_total_count, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_login(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	session_id bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1;

COMMENT ON FUNCTION ekran_part_login(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, bigint) IS
'For a hub: when a session began, by the table session; no row for one that is not here, or not visible to the caller. Errors: as ekran_sessions_after, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_usage(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	is_of_urls boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000;

COMMENT ON FUNCTION ekran_part_usage(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, boolean) IS
'For a hub: the rows of ekran_application_statistics, or those of ekran_url_statistics, with the login of each session. Errors: as these, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_productivity(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100000;

COMMENT ON FUNCTION ekran_part_productivity(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean) IS
'For a hub: the rows of ekran_user_productivity; day counts from the beginning of 2000. Errors: as there, and 22004 for a null but of users and clients.';

CREATE FUNCTION ekran_part_timeline(
	store name,
	idle_threshold integer,
	idle_policy text,
	time_zone text,
	start timestamp with time zone,
	"end" timestamp with time zone,
	users integer[],
	clients uuid[],
	or_no_user boolean,
	or_no_client boolean,
	session_id bigint)
RETURNS SETOF bytea
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;

COMMENT ON FUNCTION ekran_part_timeline(name, integer, text, text, timestamp with time zone, timestamp with time zone, integer[], uuid[], boolean, boolean, bigint) IS
'For a hub: of a session that is here and visible to the caller a row of nulls, then the rows of ekran_session_timeline; of others none. Errors: as there, and 22004 for a null but of users and clients.';
