/* ekran_sessions--1.0--1.1.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION ekran_sessions UPDATE TO '1.1'" to load this file. \quit

-- The idle-gap index. A store of version 1.0 gets it by ekran_create_store().

COMMENT ON FUNCTION ekran_create_store(name) IS
'Creates a store (tables client, app_user, session and activity, and session_idle and pending derived from them) in the schema, owned by the caller, or completes a store that lacks something, as its owner; data stays as it is. Errors: 42809 for an object in the way with another shape or owner, 42501 for the store of an owner whose rights the caller does not have, 22004 for a null schema, 42939 for a reserved one.';

COMMENT ON FUNCTION ekran_activity_trigger() IS
'Trigger function of a store''s table activity, attached by ekran_create_store(): refuses activities of unknown sessions with 23503, and keeps the idle-gap index. Errors otherwise: 39P01 where it is called or attached in another way, 55000 where table session is missing or has another owner.';

COMMENT ON FUNCTION ekran_session_trigger() IS
'Trigger function of a store''s table session, attached by ekran_create_store(): gives new sessions their row of the idle-gap index; deletes the activities of deleted sessions; refuses a new session_id where activities refer to the old one with 23503, and TRUNCATE that would leave activities with 0A000. Errors otherwise: 39P01 where it is called or attached in another way, 55000 where table activity is missing or has another owner.';

CREATE FUNCTION ekran_refresh()
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_refresh() IS
'Folds what is pending into the idle-gap index of the store, and returns the number of sessions folded. Reads are exact folded or not; folded they are faster. Waits for nobody: sessions that another call is folding are skipped. Folds nothing, with a warning, outside of isolation level READ COMMITTED. Errors: 42P01 for a store without index, 42501 where row-level security hides rows from the caller.';

CREATE FUNCTION ekran_check(OUT session_id bigint, OUT difference text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_check() IS
'Recomputes the idle-gap index of the store from its activities, and returns a row for every session where they differ; none when all is right. Finds what was written past the triggers, also activities without a session. Errors: 42P01 for a store without index, 42501 where row-level security hides rows from the caller.';

CREATE FUNCTION ekran_rebuild()
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_rebuild() IS
'Makes the idle-gap index of the store anew from its activities, and returns the number of sessions. Errors: 25001 outside of isolation level READ COMMITTED, 42P01 for a store without index, 42501 where row-level security hides rows from the caller.';

CREATE FUNCTION ekran_purge(before timestamp with time zone)
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_purge(timestamp with time zone) IS
'Deletes the sessions whose logout lies before the moment, with their activities and derived rows, and returns their number. Running sessions stay. Errors: 22023 for null, 42P01 where the store does not exist.';

CREATE FUNCTION ekran_close_sessions(silent_for interval, as_of timestamp with time zone,
	OUT session_id bigint, OUT login_date timestamp with time zone, OUT logout_date timestamp with time zone)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_close_sessions(interval, timestamp with time zone) IS
'Closes the sessions of crashed agents: gives each running session whose latest activity (or login) lies more than silent_for before as_of a logout at that moment, and returns them. Errors: 22023 for null, a negative interval or an infinite moment, 42P01 where the store does not exist.';
