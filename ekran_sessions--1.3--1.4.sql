/* ekran_sessions--1.3--1.4.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION ekran_sessions UPDATE" to load this file. \quit

--
-- Activity in ranges of time
--

-- By a name of its own, which older libraries that connections may hold don't know.
CREATE FUNCTION ekran_create_store(schema name, partition_by interval)
RETURNS void
AS 'MODULE_PATHNAME', 'ekran_create_partitioned_store'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_create_store(name, interval) IS
'Creates or completes a store likewise, with table activity partitioned by ranges of activity_date of the given length: months counted from 2000, or days and hours counted from a Monday, in UTC. Makes the partition of the moment, the four that follow, and a default one, as far as they are missing. Errors: as without partition_by; 22004 for a null one, 22023 for one that is neither months nor days and hours or is less than an hour, 42809 where activity is there and not partitioned so.';

CREATE FUNCTION ekran_drop_activity_before(before timestamp with time zone,
	OUT sessions bigint, OUT dropped text[], OUT kept text[])
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION ekran_drop_activity_before(timestamp with time zone) IS
'Deletes the sessions whose logout lies before the moment, as ekran_purge() does, and drops the partitions of activity that end by then and have activities of no other sessions, which takes them along at once. Returns the number of sessions, the partitions dropped, and those as old that sessions which stay have activities in. Errors: 22023 for null, 42809 where activity is not partitioned by ranges of activity_date, and for a store of views, 25001 outside of READ COMMITTED, 55006 while a statement on sessions or activities is in progress, 40001 where others write to a partition that is to go, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one; the server''s own where something depends on a partition, or it belongs to somebody else.';

--
-- What is said of others
--

COMMENT ON FUNCTION ekran_create_store(name) IS
'Creates a store, owned by the caller, in the schema, or completes one that lacks something, as its owner; data stays as it is. Locks what is there as far as what is missing takes. Errors: 42809 for an object in the way with another shape or owner, for a table of a type or a part of the extension, and for a store of views, 42501 for the store of an owner whose rights the caller does not have, 25001 where something is missing from a store outside of READ COMMITTED, 25006 on a standby, 55P03 where others use a store that the transaction has used, 55006 while a statement on sessions or activities is in progress, 40001 where others change the store meanwhile, 22004 for a null schema, 42939 for a reserved one.';

COMMENT ON FUNCTION ekran_activity_changed() IS
'Trigger function of a store''s table activity, with the generation of the derived tables as its argument: notes what is written, by statements or to partitions by their own names, and refuses activities of unknown sessions (23503). Errors otherwise: 39P01 where it is not attached as ekran_create_store() does, 55000 where the store is broken, or table session is missing or has another owner.';

COMMENT ON FUNCTION ekran_activity_replicated() IS
'Trigger function of a store''s table activity: notes the activities that a logical replication brings, changes or takes, and those that are changed in a partition by its own name. Errors: 39P01 where it is not attached as ekran_create_store() does, 55000 where the store is broken, 23503 for an unknown session.';

COMMENT ON FUNCTION ekran_check() IS
'Recomputes the derived tables, and returns a row for every session where they differ, for every day that has another number of sessions than counted (with a null session_id), and for every session_id that has activities but no session, and for every table or column of the store that would go with the extension; none when all is right. Of what is not in use, a notice says so. Errors: 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one or while a statement on sessions or activities is in progress.';

COMMENT ON FUNCTION ekran_close_sessions(interval, timestamp with time zone) IS
'Closes the sessions of crashed agents: gives each running session whose latest activity up to as_of (or login) lies more than silent_for before as_of a logout at that moment, and returns them. Errors: 22023 for null, a negative interval or an infinite moment, 42809 for a store of views, 42501 without the rights of the store''s owner, 42P01 without a store, 55000 for a broken one.';
