/* ekran_sessions--1.2--1.3.sql */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION ekran_sessions UPDATE" to load this file. \quit

--
-- Triggers of a store that see what comes by other ways than ordinary statements.
-- ekran_create_store() makes them.
--

CREATE FUNCTION ekran_activity_replicated()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON FUNCTION ekran_activity_replicated() IS
'Trigger function of a store''s table activity: notes the activities that a logical replication brings, changes or takes, and those that are changed in a partition by its own name in the midst of another statement. Errors: 39P01 where it is not attached as ekran_create_store() does, 55000 where the store is broken, 23503 for an unknown session.';

CREATE FUNCTION ekran_derived_written()
RETURNS trigger
AS 'MODULE_PATHNAME'
LANGUAGE C;

COMMENT ON FUNCTION ekran_derived_written() IS
'Trigger function of a store''s tables session_idle, pending and session_count: lets what others write to them be trusted no more, until ekran_maintain() makes it anew, and leaves out what a logical replication brings. Errors: 39P01 where it is not attached as ekran_create_store() does, or the table has been moved or renamed, 55000 where the store is broken.';
