/* ekran_sessions--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION ekran_sessions" to load this file. \quit

-- The extension holds code only. Data lives in stores, which are ordinary
-- tables made by ekran_create_store() and owned by whoever called it.
--
-- The functions that read run with the rights of their caller (SECURITY
-- INVOKER): EXECUTE gives nobody a row that a SELECT would not give them.

--
-- The store
--

CREATE FUNCTION ekran_create_store(schema name DEFAULT 'ekran')
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_create_store(name) IS
'Creates a store (tables client, app_user, session and activity) in the schema, owned by the caller, or completes a store that lacks something; data stays as it is. Errors: 42809 for an object in the way with another shape, 22004 for a null schema, 42939 for a reserved one.';

CREATE FUNCTION ekran_activity_trigger()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON FUNCTION ekran_activity_trigger() IS
'Trigger function of a store''s table activity, attached by ekran_create_store(): refuses activities of unknown sessions with 23503. Errors otherwise: 39P01 where it is called or attached in another way, 55000 where table session is missing or has another owner.';

CREATE FUNCTION ekran_session_trigger()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON FUNCTION ekran_session_trigger() IS
'Trigger function of a store''s table session, attached by ekran_create_store(): deletes the activities of deleted sessions; refuses a new session_id where activities refer to the old one with 23503, and TRUNCATE that would leave activities with 0A000. Errors otherwise: 39P01 where it is called or attached in another way, 55000 where table activity is missing or has another owner.';

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
'Planner support function: estimates rows and cost of ekran_sessions and ekran_sessions_after from a constant count.';

CREATE FUNCTION ekran_sessions(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	count bigint DEFAULT 1000,
	page bigint DEFAULT 0)
RETURNS SETOF ekran_session_row
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_sessions(timestamp with time zone, timestamp with time zone, bigint, bigint) IS
'Returns a page of the sessions started or finished after start and before end, both excluded, in the order of login_date as stored, then session_id: rows page * count to page * count + count - 1. Dates are clipped to the activity inside the window; durations are intervals. Null means the default: no bound, 1000 sessions, page 0. Errors: 22023 for a start later than the end, a count below 0 or above 1000, a page below 0; 42P01 where the store that ekran_sessions.store names does not exist.';

CREATE FUNCTION ekran_sessions_after(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	count bigint DEFAULT 1000,
	after_session_id bigint DEFAULT NULL)
RETURNS SETOF ekran_session_row
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 1000
SUPPORT ekran_sessions_support;

COMMENT ON FUNCTION ekran_sessions_after(timestamp with time zone, timestamp with time zone, bigint, bigint) IS
'Returns the count rows of ekran_sessions that follow the session after_session_id in the same order; null: the first ones. Walks a long list without the cost of an offset, and without repeats when sessions are added meanwhile. Errors: as ekran_sessions, and 22023 for a session that is not in the store or not visible to the caller.';

CREATE FUNCTION ekran_sessions_total_count(
	start timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL)
RETURNS integer
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 10000;

COMMENT ON FUNCTION ekran_sessions_total_count(timestamp with time zone, timestamp with time zone) IS
'Returns how many sessions ekran_sessions selects in the window, on all pages together. Errors: 22023 for a start later than the end, 22003 for more than an integer holds, 42P01 where the store that ekran_sessions.store names does not exist.';

CREATE FUNCTION ekran_sessions_json(
	"start" timestamp with time zone DEFAULT NULL,
	"end" timestamp with time zone DEFAULT NULL,
	"sessionCount" bigint DEFAULT 1000,
	"pageIndex" bigint DEFAULT 0)
RETURNS json
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED COST 1000000;

COMMENT ON FUNCTION ekran_sessions_json(timestamp with time zone, timestamp with time zone, bigint, bigint) IS
'Returns the page of ekran_sessions and the total count as the Sessions (Post) endpoint writes them: {"sessions":[...],"totalCount":n}. Dates are ISO 8601 with the offset of TimeZone; durations are [d.]hh:mm:ss[.fffffff]. The arguments are named by the request''s keys; null means the default. Errors: as ekran_sessions and ekran_sessions_total_count.';
