/* ekran_sessions--1.0--1.1.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION ekran_sessions UPDATE TO '1.1'" to load this file. \quit

-- The idle-gap index. A store of version 1.0 gets it by ekran_create_store().

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
